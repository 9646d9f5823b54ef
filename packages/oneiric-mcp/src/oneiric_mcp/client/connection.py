"""Calling the tools of an MCP server over HTTP: one POST a call, bounded in time and size, whatever answers there.

Not by FastMCP's client: the server is Oneiric's own, so there is one protocol to speak, and that is without a session, in
which a call needs no handshake and outlives the server's restart. And that client reads what it is sent to its end,
follows the schemas that come with it, and takes three times as long.
"""

from __future__ import annotations

import asyncio
import ssl
from importlib.metadata import version
from itertools import count
from typing import TYPE_CHECKING, Any

import httpx2
from oneiric.errors import AuthenticationFailed, ConfigError, ConnectionFailed, DeadlineExceeded, TargetRefused
from oneiric.masking import without_passwords
from pydantic_core import from_json, to_json

from oneiric_mcp.client.errors import AnswerTooLarge, ToolFailed, WrongAnswer, WrongProtocol
from oneiric_mcp.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

PROTOCOL = "2026-07-28"
"""The one version of MCP that is spoken here."""

_UNSUPPORTED_VERSION = -32022
_LONGEST_QUOTE = 1000
"""How many characters of a server's own sentence are repeated."""
_META = "io.modelcontextprotocol/"


class Connection:
    """The way to one MCP server; what it opens is of the event loop that calls it first."""

    def __init__(self, url: str, token: SecretStr | None, max_answer_bytes: int) -> None:
        """Open nothing. Raises ConfigError for what is no URL of HTTP, and for a token that would go about in the clear."""
        self._url = _parsed(url)
        self.url = without_passwords(str(self._url))
        self._token = token
        self._max_answer_bytes = max_answer_bytes
        self._ids = count(1)
        is_local = is_loopback(self._url.host)
        if token is not None and self._url.scheme == "http" and not is_local:
            raise ConfigError(f"The token for {self.url} would be readable on its way.", hint="Use https://.")
        self._http = httpx2.AsyncClient(
            timeout=None,
            trust_env=not is_local,  # a proxy that the environment names is none for this machine's own servers
            verify=_authorities(self._url),
        )

    async def close(self) -> None:
        """Close the sockets; a call that comes later raises."""
        await self._http.aclose()

    async def call(self, tool: str, arguments: Mapping[str, Any], *, timeout: float) -> Any:
        """Call a tool; returns its structured content as it came, parsed and nothing more. `timeout` is in seconds.

        Raises ConnectionFailed, DeadlineExceeded, AuthenticationFailed, TargetRefused, or one of the ServerErrors.
        """
        try:
            async with asyncio.timeout(timeout):
                status, body = await self._post(tool, arguments)
        except TimeoutError:
            sentence = f"The MCP server {self.url} did not answer `{tool}` within {timeout:g} s."
            raise DeadlineExceeded(sentence, hint="Look whether it is stuck.") from None
        return self._content(tool, self._result(tool, status, body))

    async def _post(self, tool: str, arguments: Mapping[str, Any]) -> tuple[int, bytes]:
        try:
            try:
                return await self._posted(tool, arguments)
            except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
                # A connection that was kept, to a server that has been restarted. Tools that read can be called again.
                return await self._posted(tool, arguments)
        except httpx2.HTTPError as error:
            sentence = f"The MCP server {self.url} can't be reached: {_reason(error)}."
            raise ConnectionFailed(sentence, hint="Is `oneiric-mcp --http` running there?") from error

    async def _posted(self, tool: str, arguments: Mapping[str, Any]) -> tuple[int, bytes]:
        async with self._http.stream(
            "POST", self._url, content=self._request(tool, arguments), headers=self._headers(tool)
        ) as response:
            self._check(response)
            return response.status_code, await self._read(response)

    def _request(self, tool: str, arguments: Mapping[str, Any]) -> bytes:
        meta = {
            f"{_META}protocolVersion": PROTOCOL,
            f"{_META}clientInfo": {"name": "oneiric-mcp", "version": version("oneiric-mcp")},
            f"{_META}clientCapabilities": {},
        }
        params = {"name": tool, "arguments": dict(arguments), "_meta": meta}
        return to_json({"jsonrpc": "2.0", "id": next(self._ids), "method": "tools/call", "params": params})

    def _headers(self, tool: str) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",  # a few bytes could become any number
            "Content-Type": "application/json",
            "MCP-Protocol-Version": PROTOCOL,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        return headers | ({"Authorization": f"Bearer {self._token.get_secret_value()}"} if self._token else {})

    def _check(self, response: httpx2.Response) -> None:
        """Refuse what needs no reading."""
        status = response.status_code
        if status in (401, 403):
            hint = "Give a token with the scope that the tool needs: `oneiric tokens create` on the server's machine."
            raise AuthenticationFailed(f"The MCP server {self.url} refuses the call (HTTP {status}).", hint=hint)
        if 300 <= status < 400:
            hint = "If that is the right server, use its own URL."
            raise TargetRefused(f"{self.url} sends us to another address, where nobody follows.", hint=hint)
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._no_mcp("its answer is encoded, which was not asked for")

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_answer_bytes:
                limit = f"{self._max_answer_bytes / 1024 / 1024:g} MiB"
                raise AnswerTooLarge(
                    f"The MCP server {self.url} answers with more than {limit}; the rest was not read."
                )
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return _last_event(bytes(body)) if kind == "text/event-stream" else bytes(body)

    def _result(self, tool: str, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = from_json(body, allow_inf_nan=False)
        except ValueError:
            raise self._no_mcp(f"what it answers (HTTP {status}) is no JSON") from None
        if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
            raise self._no_mcp(f"what it answers (HTTP {status}) is no JSON-RPC")
        if isinstance(answer.get("error"), dict):
            raise self._refused(tool, answer["error"])
        if not isinstance(answer.get("result"), dict):
            raise self._no_mcp(f"what it answers (HTTP {status}) has no result")
        result: dict[str, Any] = answer["result"]
        return result

    def _refused(self, tool: str, error: dict[str, Any]) -> Exception:
        if error.get("code") == _UNSUPPORTED_VERSION:
            data = error.get("data")
            supported = data.get("supported") if isinstance(data, dict) else None
            versions = ", ".join(map(str, supported)) if isinstance(supported, list) else "another"
            return self._no_mcp(f"its protocol is {_quoted(versions)}")
        message = _quoted(error.get("message"))
        if error.get("code") in (-32600, -32601) or "rotocol" in message or "ession" in message:
            return self._no_mcp(f"it says: {message}")
        return ToolFailed(f"The MCP server {self.url} has failed at `{tool}`: {message}")

    def _content(self, tool: str, result: dict[str, Any]) -> Any:
        if result.get("isError"):
            raise ToolFailed(f"The MCP server {self.url} answers `{tool}` with an error: {_quoted(_text(result))}")
        if result.get("resultType", "complete") != "complete" or not isinstance(result.get("structuredContent"), dict):
            raise WrongAnswer(f"The MCP server {self.url} answers `{tool}` without the content that it should have.")
        return result["structuredContent"]

    def _no_mcp(self, why: str) -> WrongProtocol:
        sentence = f"{self.url} doesn't speak MCP {PROTOCOL}: {why}."
        return WrongProtocol(sentence, hint="Give the URL of an `oneiric-mcp --http`, of this version or a later one.")


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        parsed = httpx2.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ConfigError(
            "The URL of an MCP server should start with http:// or https://.", hint="As http://127.0.0.1:8679/mcp."
        )
    return parsed.copy_with(path="/mcp") if parsed.path == "/" else parsed


def _authorities(url: httpx2.URL) -> ssl.SSLContext | bool:
    """Who vouches for a server: with plain HTTP nobody, as to read the list of all takes longer than a call."""
    return True if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _last_event(body: bytes) -> bytes:
    """The data of the last message of an event stream: the answer ends it."""
    events = body.replace(b"\r\n", b"\n").strip(b"\n").split(b"\n\n")
    lines = (line for line in events[-1].split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def _text(result: dict[str, Any]) -> object:
    content = result.get("content")
    first = content[0] if isinstance(content, list) and content else None
    return first.get("text") if isinstance(first, dict) else None


def _quoted(text: object) -> str:
    """What a server says, as far as it can be shown."""
    if not isinstance(text, str):
        return "it doesn't say why"
    shown = "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]} …"


def _reason(error: httpx2.HTTPError) -> str:
    return str(error).rstrip(".") or type(error).__name__
