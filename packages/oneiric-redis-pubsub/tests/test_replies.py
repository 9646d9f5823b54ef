"""Replies are taken out of the bytes as the driver does it, however they are cut."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric_redis_pubsub.replies import PENDING, Replies
from redis._parsers import _AsyncRESP2Parser
from redis._parsers.encoders import Encoder
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import InvalidResponse, NoScriptError, ResponseError


def _sent(value: Any) -> bytes:
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case str():
            return b"%b\r\n" % value.encode()
    return b"*%d\r\n%b" % (len(value), b"".join(map(_sent, value)))


LINES = st.sampled_from(["+OK", "-ERR what", "-NOSCRIPT none", "-WRONGTYPE it is another"])
VALUES = st.recursive(
    st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=30) | LINES,
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:stop] for start, stop in pairwise(marks)]


async def _read(chunks: list[bytes]) -> list[Any]:
    reader = asyncio.StreamReader()
    replies, found = Replies(reader), []
    for chunk in chunks:
        reader.feed_data(chunk)
        await replies.more()
        while (reply := replies.next()) is not PENDING:
            found.append(reply)
    return found


async def _read_by_the_driver(data: bytes, count: int) -> list[Any]:
    parser = _AsyncRESP2Parser(65536)
    parser.encoder = Encoder("utf-8", "strict", decode_responses=False)
    parser._stream, parser._connected = asyncio.StreamReader(), True
    parser._stream.feed_data(data)
    return [await parser.read_response() for _ in range(count)]


def _comparable(value: Any) -> Any:
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return (type(value), str(value)) if isinstance(value, Exception) else value


@given(st.lists(VALUES, max_size=8), st.lists(st.integers(0, 10_000), max_size=20))
def test_replies_are_what_the_driver_makes_of_them_however_they_are_cut(values: list[Any], places: list[int]) -> None:
    async def compare() -> None:
        data = b"".join(map(_sent, values))
        ours = await _read(_cut(data, places))
        assert _comparable(ours) == _comparable(await _read_by_the_driver(data, len(values)))

    asyncio.run(compare())


async def test_errors_are_of_the_drivers_classes() -> None:
    (first, second) = await _read([b"-NOSCRIPT none\r\n-ERR what\r\n"])
    assert isinstance(first, NoScriptError)
    assert isinstance(second, ResponseError)


@pytest.mark.parametrize("rubbish", [b"?what\r\n", b"$x\r\n", b":\r\n", b"\r\n", b"*1\r\n%1\r\n", b"x" * 70_000])
async def test_what_is_no_reply_is_an_error(rubbish: bytes) -> None:
    with pytest.raises(InvalidResponse):
        await _read(_cut(rubbish, [60_000]))


async def test_a_long_string_is_waited_for_as_a_whole() -> None:
    reader = asyncio.StreamReader()
    replies = Replies(reader)
    text = b"x" * 1_000_000
    reader.feed_data(b"*2\r\n:7\r\n$1000000\r\n")
    await replies.more()
    assert replies.next() is PENDING
    reader.feed_data(text + b"\r\n:8\r\n")
    await replies.more()
    assert replies.next() == [7, text]
    await replies.more()
    assert replies.next() == 8


async def test_the_end_of_the_connection_is_an_error() -> None:
    reader = asyncio.StreamReader()
    reader.feed_eof()
    with pytest.raises(DriverConnectionError):
        await Replies(reader).more()
