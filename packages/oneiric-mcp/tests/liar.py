"""An HTTP server that answers whatever it is told to."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Lie = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Liar:
    """`answers` has the structured content of each tool, or `lie` is given the socket instead."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Any] = {}
        self.lie: Lie | None = None
        self.requests: list[dict[str, Any]] = []
        self.sent = 0
        """How many bytes went out of `pour`."""

    def says(
        self, body: bytes | str, *, status: str = "200 OK", kind: str = "application/json", **headers: str
    ) -> None:
        """Answer everything with this."""
        data = body.encode() if isinstance(body, str) else body

        async def say(writer: asyncio.StreamWriter) -> None:
            await write_response(writer, data, status=status, kind=kind, **headers)

        self.lie = say

    async def pour(self, writer: asyncio.StreamWriter, size: int) -> None:
        """Write so many bytes, as long as somebody reads them."""
        piece = b"x" * 65_536
        while self.sent < size:
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].split("\r\n")[0])
                request = json.loads(await reader.readexactly(length))
                self.requests.append(request)
                await (self.lie or self._answer(request))(writer)
        writer.close()

    def _answer(self, request: Mapping[str, Any]) -> Lie:
        content = self.answers[request["params"]["name"]]
        result = {"content": [], "isError": False, "resultType": "complete", "structuredContent": content}
        body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()

        async def answer(writer: asyncio.StreamWriter) -> None:
            await write_response(writer, body)

        return answer


async def write_response(
    writer: asyncio.StreamWriter, body: bytes, *, status: str = "200 OK", kind: str = "application/json", **headers: str
) -> None:
    """A whole response."""
    named = {"Content-Type": kind, "Content-Length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
    await writer.drain()


@asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    """A liar that listens."""
    liar, tasks = Liar(), set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        tasks.add(task)
        try:
            await liar.serve(reader, writer)
        except asyncio.CancelledError:
            writer.close()
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    liar.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"
    try:
        yield liar
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await server.wait_closed()
