"""The audit log: every call that writes, tests or runs is in it, whatever came of it, and no value ever is."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from oneiric_mcp import Installation, build_server
from oneiric_mcp.audit import AUDITED, AuditLog, AuditRefused
from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.token_file import TokenFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Site, Starter

CANARY = "hunter2-canary"


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="ascii")
    assert text.endswith("\n") or not text
    return [json.loads(line) for line in text.splitlines()]


def content(path: Path) -> str:
    return path.read_text(encoding="ascii")


def block(path: Path) -> None:
    """Put something in the file's place that can't be written."""
    path.unlink()
    path.mkdir()


@pytest.fixture
def log(living: Site) -> Path:
    return living.work / "audit.log"


def server_with(log: Path) -> Any:
    return build_server(Installation(), allow_writes=True, audit=AuditLog(log))


async def test_every_tool_that_is_not_only_for_reading_is_recorded(living: Site):
    server = build_server(Installation(), allow_writes=True)
    reading = {"list_adapters", "get_adapter_info", "validate_adapter_config", "get_adapter_config"}
    assert {tool.name for tool in await server.list_tools()} - reading == AUDITED


async def test_a_call_is_recorded_before_and_after(log: Path):
    async with Client(server_with(log)) as client:
        await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
    called, answered = lines(log)
    assert called.pop("time") <= answered.pop("time")
    assert called == {
        "event": "called",
        "call": answered["call"],
        "tool": "initialize_adapter",
        "adapter": "orders",
        "principal": "in-process",
    }
    assert answered == called | {"event": "answered", "outcome": "done", "state": "ready", "healthy": True}


async def test_a_change_is_recorded_by_its_hash_and_keys_and_not_its_values(log: Path):
    config = {"path": CANARY, "password": CANARY}
    async with Client(server_with(log)) as client:
        arguments = {"adapter_name": "orders", "config": config}
        plan = (await client.call_tool("set_adapter_config", arguments)).structured_content
        await client.call_tool("set_adapter_config", arguments | {"plan_hash": plan["plan_hash"]})
    planned, applied = lines(log)[1::2]
    assert (planned["applied"], applied["applied"]) == (False, True)
    assert planned["plan_hash"] == applied["plan_hash"] == plan["plan_hash"]
    assert sorted(planned["keys"]) == ["password", "path"]
    assert CANARY not in content(log)


async def test_what_fails_is_refused_or_is_no_call_at_all_is_recorded(log: Path):
    async with Client(build_server(Installation(), audit=AuditLog(log))) as client:
        for tool, arguments in (
            ("set_adapter_config", {"adapter_name": "orders", "config": None, "confirm": True}),
            ("initialize_adapter", {"adapter_name": "oders"}),
            ("initialize_adapter", {"adapter_nam": CANARY}),
            ("cleanup_adapter", {"adapter_name": [CANARY]}),
        ):
            assert (await client.call_tool(tool, arguments, raise_on_error=False)).is_error
    answers = lines(log)[1::2]
    assert [(line["outcome"], line.get("error")) for line in answers] == [
        ("refused", None),
        ("failed", "UnknownAdapter"),
        ("invalid", None),
        ("invalid", None),
    ]
    assert [line["adapter"] for line in answers] == ["orders", "oders", None, None]
    assert CANARY not in content(log)


async def test_a_call_that_is_cut_off_is_recorded(living: Site, log: Path, until: Callable[..., Any]):
    living.configure("adapters: {orders: {adapter: shelf, path: hang}}")
    async with Client(server_with(log)) as client:
        waiting = asyncio.create_task(client.call_tool("initialize_adapter", {"adapter_name": "orders"}))
        await until(lambda: living.life)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert [line.get("outcome") for line in lines(log)] == [None, "cancelled"]


async def test_reading_is_not_recorded(log: Path):
    async with Client(server_with(log)) as client:
        await client.call_tool("list_adapters")
        await client.call_tool("get_adapter_config", {"adapter_name": "orders"})
        await client.read_resource("adapters://")
    assert content(log) == ""


@pytest.mark.parametrize(
    "name",
    [
        'x\n{"event": "answered"}',
        "x\r\nforged",
        "\u2028forged",
        "\x1b[2Jforged",
        "x\x00",
        "é" * 5000,
        '"}',
        "\N{GRINNING FACE}",
    ],
)
async def test_a_name_can_not_forge_a_line(log: Path, name: str):
    async with Client(server_with(log)) as client:
        await client.call_tool("initialize_adapter", {"adapter_name": name}, raise_on_error=False)
    called, answered = lines(log)
    assert called["adapter"] == answered["adapter"] == name[:200]
    assert all(sign == "\n" or " " <= sign < "\x7f" for sign in content(log))


@pytest.mark.parametrize("path", ["gone/audit.log", ".", "", "/dev/full"])
def test_a_path_that_can_not_be_written_is_told_at_once(living: Site, path: str):
    with pytest.raises(AuditRefused, match="can't be written"):
        AuditLog(living.work / path)


async def test_where_no_line_can_be_written_nothing_is_done(living: Site, log: Path):
    async with Client(server_with(log)) as client:
        block(log)
        for tool, arguments in (
            ("initialize_adapter", {}),
            ("set_adapter_config", {"config": {"path": "y"}, "confirm": True}),
        ):
            answer = await client.call_tool(tool, {"adapter_name": "orders", **arguments}, raise_on_error=False)
            assert answer.content[0].text == "This call can't be recorded in the audit log, so nothing was done."
        assert living.life == []
        assert "path" not in (living.work / "oneiric.yaml").read_text()


def test_after_a_line_that_was_cut_off_the_next_is_a_line_of_its_own(log: Path):
    code = (
        "import resource, signal, sys; from pathlib import Path; from oneiric_mcp.audit import AuditLog, AuditRefused\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); audit = AuditLog(Path(sys.argv[1]))\n"
        "limits = resource.getrlimit(resource.RLIMIT_FSIZE); resource.setrlimit(resource.RLIMIT_FSIZE, (30, limits[1]))\n"
        "try: audit.write({'event': 'one'})\n"
        "except AuditRefused: resource.setrlimit(resource.RLIMIT_FSIZE, limits); audit.write({'event': 'two'})\n"
    )
    subprocess.run([sys.executable, "-c", code, str(log)], check=True, timeout=60)
    torn, whole = content(log).splitlines()
    assert len(torn) == 30
    assert json.loads(whole)["event"] == "two"


def test_a_log_that_is_moved_away_is_begun_anew(log: Path):
    audit = AuditLog(log)
    audit.write({"event": "one"})
    log.rename(log.with_suffix(".1"))
    audit.write({"event": "two"})
    assert [line["event"] for line in lines(log)] == ["two"]
    assert log.stat().st_mode & 0o777 == 0o600


def test_every_line_goes_to_the_logger_too(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "oneiric.audit"):
        AuditLog().write({"event": "one"})
    assert json.loads(caplog.messages[0])["event"] == "one"


async def test_over_stdio_the_principal_is_stdio_and_the_lines_are_on_stderr(living: Site, log: Path):
    with (living.work / "stderr").open("w") as stderr:
        transport = StdioTransport(
            sys.executable,
            ["-m", "oneiric_mcp", "--audit", str(log)],
            env=living.environment,
            cwd=str(living.work),
            keep_alive=False,
            log_file=stderr,
        )
        async with Client(transport) as client:
            await client.call_tool("initialize_adapter", {"adapter_name": "orders"})
    assert [line["principal"] for line in lines(log)] == ["stdio", "stdio"]
    written = [json.loads(line) for line in (living.work / "stderr").read_text().splitlines()]
    assert written == lines(log)


async def test_over_http_the_principal_is_the_token_s_name_or_nobody(start: Starter, living: Site, log: Path):
    file = TokenFile(living.work / "tokens.json")
    reader, runner = file.create("reader", []), file.create("runner", [Scope.RUN])
    http = ("--http", "--port", "0", "--audit", str(log))
    async with start(*http, "--tokens", "tokens.json") as server:
        for token in (reader, runner):
            transport = StreamableHttpTransport(server.url, headers={"Authorization": f"Bearer {token}"})
            async with Client(transport) as client:
                await client.call_tool("initialize_adapter", {"adapter_name": "orders"}, raise_on_error=False)
    async with start(*http) as server, Client(server.url) as client:
        await client.call_tool("cleanup_adapter", {"adapter_name": "orders"})
    answers = [(line["principal"], line["outcome"]) for line in lines(log)[1::2]]
    assert answers == [("token:reader", "refused"), ("token:runner", "done"), ("anonymous", "done")]


def test_an_audit_file_that_can_not_be_written_keeps_the_server_from_starting(site: Site):
    done = site.run("-m", "oneiric_mcp", "--audit", "gone/audit.log")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: The audit log gone/audit.log can't be written: No such file or directory.\n",
    )
