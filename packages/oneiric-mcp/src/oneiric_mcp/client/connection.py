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
from oneiric.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionFailed,
    DeadlineExceeded,
    NotInitialized,
    TargetRefused,
)
from oneiric.masking import without_passwords
from pydantic_core import to_json

from oneiric_mcp.client.answer import PROTOCOL, Answer, no_mcp
from oneiric_mcp.client.errors import AnswerTooLarge
from oneiric_mcp.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr

_STALE = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
"""What comes of a connection that was kept, to a server that has been restarted."""


class Connection:
    """The way to one MCP server; what it opens is of the event loop that calls it first."""

    def __init__(self, url: str, token: SecretStr | None, max_answer_bytes: int) -> None:
        """Open nothing. Raises ConfigError for what is no URL of HTTP, and for a secret that would go about in the clear."""
        self._url = _parsed(url)
        self.url = without_passwords(str(self._url))
        self._token = token
        self._max_answer_bytes = max_answer_bytes
        self._ids = count(1)
        self._meta = {
            "io.modelcontextprotocol/protocolVersion": PROTOCOL,
            "io.modelcontextprotocol/clientInfo": {"name": "oneiric-mcp", "version": version("oneiric-mcp")},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        is_local = is_loopback(self._url.host)
        if (token is not None or self._url.userinfo) and self._url.scheme == "http" and not is_local:
            raise ConfigError(f"The secret for {self.url} would be readable on its way.", hint="Use https://.")
        self._http = httpx2.AsyncClient(
            timeout=None,
            trust_env=not is_local,  # a proxy that the environment names is none for this machine's own servers
            verify=_authorities(self._url),
        )

    async def close(self) -> None:
        """Close the sockets; a call that comes later raises."""
        await self._http.aclose()

    async def call(self, tool: str, arguments: Mapping[str, Any], *, timeout: float) -> dict[str, Any]:
        """Call a tool; returns its structured content as it came, parsed and nothing more. `timeout` is in seconds.

        Raises ConnectionFailed, DeadlineExceeded, AuthenticationFailed, TargetRefused, NotInitialized where it was closed, or
        one of the ServerErrors.
        """
        if self._http.is_closed:
            hint = "Make another OneiricAdapterClient."
            raise NotInitialized(f"The client of the MCP server {self.url} is closed.", hint=hint)
        try:
            async with asyncio.timeout(timeout):
                answer = await self._ask(tool, arguments)
        except TimeoutError:
            sentence = f"The MCP server {self.url} did not answer `{tool}` within {timeout:g} s."
            raise DeadlineExceeded(sentence, hint="Look whether it is stuck.") from None
        return answer.content()

    async def _ask(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        try:
            try:
                return await self._post(tool, arguments)
            except _STALE:  # tools that read can be called again
                return await self._post(tool, arguments)
        except httpx2.HTTPError as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise self._unreachable(reason) from error

    async def _post(self, tool: str, arguments: Mapping[str, Any]) -> Answer:
        number = next(self._ids)
        body, headers = self._request(number, tool, arguments), self._headers(tool)
        async with self._http.stream("POST", self._url, content=body, headers=headers) as response:
            self._check(response)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Answer(self.url, tool, number, response.status_code, kind, await self._read(response))

    def _request(self, number: int, tool: str, arguments: Mapping[str, Any]) -> bytes:
        params = {"name": tool, "arguments": dict(arguments), "_meta": self._meta}
        return to_json({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params})

    def _headers(self, tool: str) -> dict[str, str]:
        headers = {
            "Accept": "application/json, text/event-stream",
            "Accept-Encoding": "identity",  # else a few bytes could become any number
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
        if status >= 500:
            raise self._unreachable(f"it answers with HTTP {status}")
        if response.headers.get("content-encoding", "identity") != "identity":
            raise no_mcp(self.url, "its answer is encoded, which was not asked for")

    async def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self._max_answer_bytes:
                limit = f"{self._max_answer_bytes / 1024 / 1024:g} MiB"
                sentence = f"The MCP server {self.url} answers with more than {limit}; the rest was not read."
                raise AnswerTooLarge(sentence, hint="No answer of Oneiric's is so large: ask who runs that server.")
        return bytes(body)

    def _unreachable(self, reason: str) -> ConnectionFailed:
        sentence = f"The MCP server {self.url} can't be reached: {reason}."
        return ConnectionFailed(sentence, hint="Is `oneiric-mcp --http` running there?")


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError):
        parsed = httpx2.URL("")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        sentence = "The URL of an MCP server should start with http:// or https://."
        raise ConfigError(sentence, hint="As http://127.0.0.1:8679/mcp.")
    return parsed.copy_with(path="/mcp") if parsed.path == "/" else parsed


def _authorities(url: httpx2.URL) -> ssl.SSLContext | bool:
    """Who vouches for a server: with plain HTTP nobody, as to read the list of all takes longer than a call."""
    return True if url.scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
