"""The server's replies (RESP2), taken out of the bytes as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis import exceptions as driver
from redis._parsers.base import BaseParser

if TYPE_CHECKING:
    from asyncio import StreamReader

PENDING: Final = object()
"""In the place of a reply that has not come whole."""

_CHUNK = 65_536
_LONGEST_LINE = 65_536
_ERROR, _TEXT, _INTEGER, _BULK, _ARRAY = b"-+:$*"


class Replies:
    """What a connection has read, as replies.

    The driver's parser in Python awaits several coroutines for each line, which takes longer than all else that is done with
    the entries of a stream. This one looks at what has come without awaiting anything, and begins no reply anew.
    """

    def __init__(self, reader: StreamReader) -> None:
        self._reader = reader
        self._data = b""
        self._at = 0
        self._missing = 0
        """Bytes of a string that has begun and is still to come."""
        self._open: list[tuple[list[Any], int]] = []
        """The arrays that have begun, each with the number of its items, the outermost first."""

    async def more(self) -> None:
        """Wait for more to come. Raises ConnectionError, or an EOFError, at the end of the connection."""
        if (
            self._missing > _CHUNK
        ):  # at once: to put a long string together piece by piece would copy it again and again
            data = await self._reader.readexactly(self._missing)
        else:
            data = await self._reader.read(_CHUNK)
        if not data:
            raise driver.ConnectionError("closed by the server")
        self._data = self._data[self._at :] + data
        self._at = 0

    def next(self) -> Any:
        """The next reply, an error of the server's as an exception; PENDING where it is not there yet.

        Raises InvalidResponse.
        """
        try:
            return self._next()
        except (ValueError, IndexError) as error:
            raise driver.InvalidResponse("what came is no reply") from error

    def _next(self) -> Any:
        data, at, arrays = self._data, self._at, self._open
        value: Any
        while True:
            end = data.find(b"\r\n", at)
            if end < 0:
                return self._pending(at)
            kind = data[at]
            if kind == _BULK:
                begin = end + 2
                stop = begin + int(data[at + 1 : end])
                if stop < begin:
                    value, at = None, begin
                elif stop + 2 > len(data):
                    return self._pending(at, stop + 2 - len(data))
                else:
                    value, at = data[begin:stop], stop + 2
            elif kind == _ARRAY:
                size, at = int(data[at + 1 : end]), end + 2
                if size > 0:
                    arrays.append(([], size))
                    continue
                value = None if size else []
            else:
                value, at = _of_a_line(kind, data[at + 1 : end]), end + 2
            if arrays:
                value = self._collected(value)
            if value is not PENDING:
                self._at, self._missing = at, 0
                return value

    def _pending(self, at: int, missing: int = 0) -> Any:
        if not missing and len(self._data) - at > _LONGEST_LINE:
            raise ValueError("a line without an end")
        self._at, self._missing = at, missing
        return PENDING

    def _collected(self, value: Any) -> Any:
        """The outermost array, where this is the last value that it lacks; else PENDING."""
        arrays = self._open
        while arrays:
            items, size = arrays[-1]
            items.append(value)
            if len(items) < size:
                return PENDING
            value = arrays.pop()[0]
        return value


def _of_a_line(kind: int, text: bytes) -> Any:
    if kind == _INTEGER:
        return int(text)
    if kind == _TEXT:
        return text
    if kind == _ERROR:
        return BaseParser.parse_error(text.decode(errors="replace"))  # type: ignore[no-untyped-call]
    raise ValueError("an unknown kind")
