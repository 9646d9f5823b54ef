"""The check itself: a secret that is shown on purpose is found, whatever the way and whatever the form."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
import os
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest
from fastmcp import Client, FastMCP
from oneiric import ConfigStore, discover
from rich.console import Console
from rich.table import Table

from .canaries import Canaries
from .capture import capturing
from .planting import Planter

if TYPE_CHECKING:
    from collections.abc import Callable

    from .world import World

log = logging.getLogger("a.logger")


def raising(secret: str) -> Exception:
    error = RuntimeError("the end")
    error.__cause__ = ExceptionGroup("several", [ValueError(secret)])
    return error


def in_a_thread(secret: str) -> None:
    def fail() -> None:
        raise RuntimeError(secret)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def unraisable(secret: str) -> None:
    class Closing:
        def __del__(self) -> None:
            raise RuntimeError(secret)

    Closing()
    gc.collect()


def in_a_task(secret: str) -> None:
    async def fail() -> None:
        raise RuntimeError(secret)

    async def main() -> None:
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    asyncio.run(main())


WAYS: dict[str, Callable[[str], object]] = {
    "print": print,
    "stderr": lambda secret: print(secret, file=sys.stderr),
    "a file descriptor": lambda secret: os.write(2, secret.encode()),
    "a message of a log": lambda secret: log.debug(secret),
    "an argument of a log": lambda secret: log.info("%s", {"dsn": secret}),
    "what a log has extra": lambda secret: log.info("x", extra={"dsn": secret}),
    "a traceback in a log": lambda secret: log.error("x", exc_info=raising(secret)),
    "a logger that keeps to itself": lambda secret: logging.getLogger("fastmcp").debug(secret),
    "a warning": lambda secret: warnings.warn(secret, stacklevel=1),
    "a thread": in_a_thread,
    "__del__": unraisable,
    "a task": in_a_task,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_this_process_shows_is_found(way: str) -> None:
    canaries = Canaries()
    with capturing() as captured:
        WAYS[way](canaries.at("on purpose"))
    assert [found.partition(":")[0] for found in canaries.found_in(captured.text())] == ["on purpose"]
    with capturing() as captured:
        WAYS[way]("no secret")
    assert canaries.found_in(captured.text()) == []


def noted(secret: str) -> Exception:
    error = RuntimeError("x")
    error.add_note(secret)
    return error


def with_attribute(secret: str) -> Exception:
    error = RuntimeError("x")
    error.dsn = secret  # type: ignore[attr-defined]
    return error


def suppressed(secret: str) -> Exception:
    try:
        try:
            raise RuntimeError(secret)
        except RuntimeError:
            raise ValueError("x") from None
    except ValueError as error:
        return error


@pytest.mark.parametrize("kind", [ValueError, KeyError, raising, noted, with_attribute, suppressed])
def test_what_an_error_shows_is_found(kind: Callable[[str], Exception]) -> None:
    canaries = Canaries()
    with capturing() as captured:
        captured.add(kind(canaries.at("on purpose")))
    assert canaries.found_in(captured.text())


def wrapped(secret: str) -> str:
    """In a table that is too narrow for it."""
    console = Console(width=17)
    table = Table()
    table.add_row(secret)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.mark.parametrize(
    "form",
    [
        *(str, repr, json.dumps, quote, quote_plus, str.upper, wrapped),
        lambda secret: repr(repr(secret)),
        lambda secret: repr(secret.encode()),
        lambda secret: secret[::-1],
        lambda secret: secret.encode().hex(),
        lambda secret: secret[:12],
        lambda secret: secret[-12:],
        *(
            lambda secret, user=user: base64.b64encode(f"{user}:{secret}".encode()).decode()
            for user in ("a", "ab", "abc")
        ),
    ],
)
def test_every_form_is_found(form: Callable[[str], str]) -> None:
    canaries = Canaries()
    secret = canaries.at("on purpose")
    assert canaries.found_in(f"before {form(secret)} behind")
    assert canaries.found_in(f"before {form('harmless')} behind") == []


def test_a_token_that_was_not_made_here_is_found() -> None:
    canaries = Canaries()
    canaries.adopt("a token", "Abc-Def")
    assert canaries.found_in("Bearer ABC-def")
    assert canaries.found_in("Bearer abc") == []


async def test_a_tool_that_shows_a_secret_is_found(world: World) -> None:
    server: Any = FastMCP("leaking")
    config = ConfigStore.load()

    @server.tool
    def show(name: str) -> dict[str, Any]:
        return dict(config[name].values)

    with capturing() as captured:
        async with Client(server) as client:
            captured.add(await client.call_tool("show", {"name": "leaky_file"}))
    assert any("leaky_file.password" in found for found in world.canaries.found_in(captured.text()))


def test_a_process_that_shows_a_secret_is_found(world: World) -> None:
    code = "import logging, oneiric; values = oneiric.ConfigStore.load()['leaky_file'].values;"
    for leak in ("print(values)", "logging.getLogger('x').debug(values)", "raise RuntimeError(values)"):
        found = world.canaries.found_in(world.run("-c", f"{code} {leak}"))
        assert any("leaky_file.password" in each for each in found)


def test_a_secret_is_found_wherever_a_settings_class_can_have_one(world: World) -> None:
    places = list[str]()
    spec = discover()["leaky"]
    Planter(lambda path: places.append(path) or path, lambda _, text: text).config(spec.settings, spec.example)
    assert len(places) == len(set(places))
    deep = {".pool.password", ".pool.dsn", ".pools[0].password", ".proxy.url", ".credentials.token", ".by_name.key"}
    assert deep | {".password", ".key", ".pin", ".alias", ".tokens[0]", ".maybe", ".dsn", ".url", ".keywords"} <= set(
        places
    )
    assert ".api_key" not in places
