"""`session-buddy serve`: what comes over the pipe may be anything."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from session_buddy.process import BuddyProcess, Gone, Refused

if TYPE_CHECKING:
    from conftest import Store

import pytest


def test_whatever_a_line_is_it_has_one_answer_and_the_others_have_theirs(store: Store) -> None:
    lines: list[Any] = [
        b"no json",
        b"[1]",
        b'{"id": 3}',
        b'{"id": 4, "do": "drop"}',
        b'{"id": 5, "do": "save"}',
        b'{"id": 6, "do": "save", "text": "a", "tgas": []}',
        b'{"id": 7, "do": "save", "text": "a\\u0000"}',
        b'{"id": 8, "do": "search", "text": "a", "limit": -1}',
        b'{"id": 9, "do": "move"}',
        b'{"id": 10, "do": "move", "to": "/nowhere.yaml"}',
        b'{"id": 11, "do": "save", "text": "a", "key": "k"}',
        b"\xff\xfe",
    ]
    command = [sys.executable, "-m", "session_buddy", "serve", "--config", str(store.config)]
    ran = subprocess.run(command, input=b"\n".join(lines) + b"\n", capture_output=True, timeout=60, check=False)
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, len(answers), ran.stderr) == (0, len(lines), b"")
    assert [each["id"] for each in answers if "answer" in each] == [11]
    assert all(each["error"] for each in answers if "answer" not in each)


async def test_who_asks_gets_the_answer_the_refusal_or_the_end(store: Store) -> None:
    async with BuddyProcess.start(store.config) as buddy:
        assert (await buddy.ask("save", text="a", key="k"))["id"] == "k"
        with pytest.raises(Refused, match="InvalidReflection"):
            await buddy.ask("save", text="")
        await buddy.kill()
        with pytest.raises(Gone):
            await buddy.ask("count")
