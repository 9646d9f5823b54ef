"""The hooks."""

from __future__ import annotations

import inspect

import pytest
from oneiric import hookspecs

HOOKS = {name: it for name, it in vars(hookspecs).items() if hasattr(it, f"{hookspecs.PROJECT}_spec")}


def test_there_are_hooks():
    assert {"oneiric_adapters", "oneiric_register_commands"} <= HOOKS.keys()


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_typed_and_says_its_contract_in_a_sentence(name: str):
    hook = HOOKS[name]
    assert name.startswith("oneiric_")
    assert str(inspect.getdoc(hook)).endswith(".")
    signature = inspect.signature(hook)
    assert signature.return_annotation is not inspect.Signature.empty
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values())
