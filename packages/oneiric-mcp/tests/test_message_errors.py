"""Messages that are no JSON-RPC, over HTTP: the answer repeats nothing of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from conftest import Starter

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


async def test_a_message_that_is_none_is_not_quoted(start: Starter):
    messages = ({"jsonrpc": "2.0", "method": {"password": "hunter2"}}, {"password": "hunter2"}, ["hunter2"])
    async with start("--http", "--port", "0") as server, httpx2.AsyncClient(headers=HEADERS, timeout=30) as http:
        for message in messages:
            answer = await http.post(server.url, content=json.dumps(message))
            assert answer.status_code == 400
            assert "hunter2" not in answer.text
        assert answer.json()["error"]["message"]
