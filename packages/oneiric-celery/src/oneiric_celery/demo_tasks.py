"""The tasks of `oneiric demo`: plain Celery tasks, as an application's are."""

from __future__ import annotations

import time
from pathlib import Path

from celery import Celery

app = Celery("oneiric-demo")

_GIVES_UP_AFTER = 60.0


@app.task  # type: ignore[untyped-decorator]
def count(text: str) -> dict[str, int]:
    """How often each word is in a text."""
    words = text.lower().split()
    return {word: words.count(word) for word in sorted(set(words))}


@app.task  # type: ignore[untyped-decorator]
def fail(text: str) -> int:
    """Fail: a text is rarely a number."""
    return int(text)


@app.task  # type: ignore[untyped-decorator]
def hold(path: str) -> str:
    """Wait until there is a file."""
    give_up = time.monotonic() + _GIVES_UP_AFTER
    while not Path(path).exists():
        if time.monotonic() > give_up:
            raise TimeoutError("nobody released the task")
        time.sleep(0.01)
    return "released"


TASKS = {"count": count, "fail": fail, "hold": hold}
