"""The MCP server as a process, over stdio and HTTP, with all logging on: nothing that it writes anywhere holds a secret.

Tokens are secrets too, the right ones and the wrong.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from joserfc import jwt
from joserfc.jwk import OKPKey
from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.token_file import TokenFile

from .canaries import PLAIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from .world import World

GREETING = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "canary", "version": "1"},
}
INITIALIZED = '{"jsonrpc": "2.0", "method": "notifications/initialized"}'


def message(method: str, params: Any, number: int = 1) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def calls(world: World, what: str) -> Iterator[str]:
    """Right and wrong calls, as a client sends them."""
    password = world.canaries.at(f"an argument over {what}")
    arguments: list[tuple[str, dict[str, Any]]] = [
        ("list_adapters", {"pasword": password}),
        ("get_adapter_config", {"adapter_name": "leaky_file"}),
        ("validate_adapter_config", {"adapter_name": "leaky", "config": {"pasword": password, "pool": password}}),
        ("validate_adapter_config", {"adapter_name": "leaky", "config": password}),
        ("test_adapter_connection", {"adapter_name": "unescaped_True"}),
        ("test_adapter_connection", {"adapter_name": "leaky_file", "config": {"password": password}}),
        ("initialize_adapter", {"adapter_name": "leaky_by_file"}),
        ("initialize_adapter", {"adapter_name": "init_stubborn"}),
        ("check_adapter_health", {"adapter_name": "leaky_by_file"}),
        ("set_adapter_config", {"adapter_name": "leaky_file", "config": {"password": password}, "confirm": True}),
        ("set_adapter_config", {"adapter_name": "leaky_file", "config": {"pasword": password}, "confirm": True}),
        ("cleanup_adapter", {"adapter_name": "leaky_by_file"}),
        ("no_such_tool", {"password": password}),
    ]
    for name, given in arguments:
        yield message("tools/call", {"name": name, "arguments": given})
    yield message("resources/read", {"uri": "adapters://leaky"})


def garbage(world: World, what: str) -> Iterator[str]:
    """Messages that are none."""
    password = world.canaries.at(f"a broken message over {what}")
    yield json.dumps({"password": password})[:-1]
    yield json.dumps({"jsonrpc": "2.0", "method": {"password": password}})
    yield json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [password]})
    yield message("tools/call", {"name": ["x"], "arguments": {"password": password}})
    yield message("initialize", {"protocolVersion": [password]})
    yield message("no/such/method", {"password": password})
    yield json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"password": password}})
    yield json.dumps({"jsonrpc": "2.0", "id": 99, "error": {"code": 1, "message": password}})
    yield json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": password}})


class Server:
    """The process, and all that it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written: list[str] = []

    async def line(self) -> str:
        assert self.process.stdout
        async with asyncio.timeout(60):
            line = (await self.process.stdout.readline()).decode(errors="backslashreplace")
        self.written.append(line)
        assert line, "it ended"
        return line

    async def send(self, text: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(text.encode() + b"\n")
        await self.process.stdin.drain()

    async def ask(self, text: str) -> None:
        """Send a request and wait for its answer."""
        await self.send(text)
        while json.loads(await self.line()).get("id") != json.loads(text)["id"]:
            pass


@asynccontextmanager
async def started(world: World, folder: Path, *options: str) -> AsyncIterator[Server]:
    """The server, which has ended and whose writings are complete when the block is left."""
    config = world.copy_to(folder, small=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-X", "dev", "-m", "oneiric_mcp", "--config", str(config), "--allow-writes"),
        *("--audit", str(folder / "audit"), *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=world.environment,
        limit=4 * 1024 * 1024,
    )
    assert process.stderr
    errors = asyncio.create_task(process.stderr.read())
    server = Server(process)
    try:
        yield server
        process.terminate()
        async with asyncio.timeout(30):
            assert process.stdout
            server.written.append((await process.stdout.read()).decode(errors="backslashreplace"))
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        server.written.append((await errors).decode(errors="backslashreplace"))


def check(world: World, server: Server, folder: Path) -> None:
    world.check("\n".join(server.written))
    world.check((folder / "audit").read_text(encoding="utf-8"))
    assert " DEBUG " in server.written[-1]


async def test_nothing_is_written_over_stdio(world: World, tmp_path: Path) -> None:
    async with started(world, tmp_path) as server:
        for text in garbage(world, "stdio, before the greeting"):
            await server.send(text)
        await server.ask(message("initialize", GREETING, 1000))
        await server.send(INITIALIZED)
        for number, text in enumerate(calls(world, "stdio")):
            await server.ask(json.dumps({**json.loads(text), "id": 2000 + number}))
        for text in garbage(world, "stdio"):
            await server.send(text)
        await server.ask(message("ping", {}, 3000))
    check(world, server, tmp_path)


async def test_nothing_is_written_over_http(world: World, tmp_path: Path) -> None:
    token = TokenFile(tmp_path / "tokens.json").create("ada", list(Scope), None)
    key = ed25519.Ed25519PrivateKey.generate()
    world.canaries.adopt("a token", token[12:])
    options = ("--http", "--port", "0", "--tokens", str(tmp_path / "tokens.json"), *jwt_options(tmp_path, key))
    async with started(world, tmp_path, *options) as server:
        while not (found := re.search(r"http://\S+/mcp", await server.line())):
            pass
        async with httpx2.AsyncClient(timeout=30) as http:
            for right in (token, signed(world, key)):
                await talk(http, found[0], server, right, world)
            for headers, query in refused(world, key):
                body = message("tools/call", {"name": "list_adapters", "arguments": {}})
                answer = await http.post(found[0] + query, content=body, headers={**HEADERS, **headers})
                assert answer.status_code in (400, 401, 403), (answer.status_code, headers)
                server.written += [answer.text, str(answer.headers)]
    check(world, server, tmp_path)
    assert "token:ada" in (tmp_path / "audit").read_text(encoding="utf-8")
    assert "jwt:ada" in (tmp_path / "audit").read_text(encoding="utf-8")
    world.check((tmp_path / "tokens.json").read_text(encoding="utf-8"))


HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def talk(http: httpx2.AsyncClient, url: str, server: Server, token: str, world: World) -> None:
    """A session with a token, from the greeting on."""
    headers = {**HEADERS, "Authorization": f"Bearer {token}"}
    greeting = await http.post(url, content=message("initialize", GREETING), headers=headers)
    assert greeting.status_code == 200, greeting.text
    headers |= {"Mcp-Session-Id": greeting.headers["mcp-session-id"], "Mcp-Protocol-Version": "2025-06-18"}
    await http.post(url, content=INITIALIZED, headers=headers)
    for text in (*calls(world, "HTTP"), *garbage(world, "HTTP")):
        answer = await http.post(url, content=text, headers=headers)
        server.written += [answer.text, str(answer.headers)]


def jwt_options(folder: Path, key: ed25519.Ed25519PrivateKey) -> tuple[str, ...]:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "key.pem").write_bytes(key.public_key().public_bytes(encoding, form))
    return (
        *("--jwt-key", str(folder / "key.pem"), "--jwt-algorithm", "Ed25519"),
        *("--jwt-issuer", "https://issuer.example", "--jwt-audience", "oneiric"),
    )


def signed(world: World, key: ed25519.Ed25519PrivateKey, **changes: Any) -> str:
    """A JWT, which is looked for from now on: as a whole, and each of its parts alone."""
    claims = {
        "iss": "https://issuer.example",
        "aud": "oneiric",
        "sub": "ada",
        "scope": " ".join(Scope),
        "exp": int(time.time()) + 600,
        "nonce": world.canaries.at("a claim of a JWT"),
        **changes,
    }
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = jwt.encode({"alg": "Ed25519"}, claims, OKPKey.import_key(private), algorithms=["Ed25519"])
    for part in made.split(".")[1:]:
        world.canaries.adopt(f"a JWT with {changes}", part)
    return made


def refused(world: World, key: ed25519.Ed25519PrivateKey) -> Iterator[tuple[dict[str, str], str]]:
    """Headers and a query that nobody is let in with."""
    wrong = world.canaries.at("a wrong token", between=PLAIN)
    other = ed25519.Ed25519PrivateKey.generate()
    tokens = [
        wrong,
        f"oneiric_{wrong}",
        f"{wrong}.{wrong}.{wrong}",
        signed(world, key, exp=1),
        signed(world, key, aud="another"),
        signed(world, key, iss="https://another.example"),
        signed(world, key, scope=wrong),
        signed(world, key, nbf=2**40),
        signed(world, other),
        "x" * 9000 + wrong,
    ]
    yield from (({"Authorization": f"Bearer {token}"}, "") for token in tokens)
    basic = base64.b64encode(f"ada:{wrong}".encode()).decode()
    yield {"Authorization": f"Basic {basic}"}, ""
    yield {"Authorization": wrong}, f"?access_token={wrong}&token={wrong}"
    yield {"Cookie": f"token={wrong}", "X-API-Key": wrong}, ""


@pytest.mark.parametrize(
    "options",
    [("--tokens", "FILE", "--http"), ("--http", "--jwt-key", "FILE", "--jwt-issuer", "x", "--jwt-audience", "x")],
)
async def test_a_file_of_keys_or_tokens_that_is_wrong_is_not_shown(
    world: World, tmp_path: Path, options: tuple[str, ...]
) -> None:
    file = tmp_path / "file"
    file.write_text(f"-----BEGIN PRIVATE KEY-----\n{world.canaries.at('a key', PLAIN)}\n", encoding="utf-8")
    text = world.run("-m", "oneiric_mcp", *(str(file) if option == "FILE" else option for option in options))
    assert "exit code 1" in text
    world.check(text)
