"""Argument errors name the arguments, and never what was given for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY = "hunter2-canary"


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("list_adapters", {"adapter_type": [CANARY]}, "`adapter_type`"),
        ("list_adapters", {"adaptertype": CANARY}, "`adaptertype`"),
        ("get_adapter_info", {}, "`adapter_name`"),
        ("get_adapter_info", {"adapter_name": {"a": CANARY}}, "`adapter_name`"),
        ("get_adapter_info", {"adapter_name": None}, "`adapter_name`"),
        ("get_adapter_info", {"adapter_name": "shelf", "passwd": CANARY}, "`passwd`"),
        ("validate_adapter_config", {"adapter_name": "shelf"}, "`config`"),
        ("validate_adapter_config", {"adapter_name": "shelf", "config": CANARY}, "`config`"),
        ("validate_adapter_config", {"adapter_name": "shelf", "config": [CANARY]}, "`config`"),
        ("validate_adapter_config", {"adapter_name": "shelf", "config": None}, "`config`"),
        ("validate_adapter_config", {"adapter_name": CANARY * 10, "confg": {"a": CANARY}}, "`confg`"),
    ],
)
async def test_wrong_arguments_are_named(call: Callable[..., Any], tool: str, arguments: dict[str, Any], named: str):
    said = await call(tool, **arguments)
    assert said.startswith("The tool's arguments are not valid. ")
    assert named in said
    assert CANARY not in said


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(CANARY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "path"]), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["config", "confg", "adapter_type", "passwd"]), values))
async def test_no_answer_echoes_what_it_was_given(call: Callable[..., Any], arguments: dict[str, Any]):
    assert CANARY not in str(await call("validate_adapter_config", adapter_name="shelf", **arguments))
    assert CANARY not in str(await call("get_adapter_info", adapter_name="shelf", **arguments))


async def test_an_unknown_tool_is_an_error(call: Callable[..., Any]):
    try:
        said = await call("drop_adapters", password=CANARY)
    except Exception as error:  # noqa: BLE001 - the two eras raise different classes
        said = str(error)
    assert "drop_adapters" in said
    assert CANARY not in said
