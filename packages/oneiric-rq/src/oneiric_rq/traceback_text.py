"""A traceback that a worker has written down."""

from __future__ import annotations

import re

LONGEST_ERROR = 10_000
"""Characters of an error that are shown; the traceback has all of it."""

_MODULE = re.compile(r"^(?:[\w<>-]+\.)+(?=\w+(?::|$))", re.MULTILINE)
"""What Python writes before the class of an exception that isn't its own."""


def error_of(text: str) -> str:
    """The exception, `ValueError: …`, of a traceback, without its module; the whole text, where it is none."""
    lines = text.strip().split("\n")
    frames = [number for number, line in enumerate(lines) if line.startswith("  File ")]
    after = frames[-1] + 1 if frames else 0
    begins = next((number for number in range(after, len(lines)) if lines[number][:1].strip()), None)
    error = "\n".join(lines[begins:]) if begins is not None else lines[-1].strip()
    error = _MODULE.sub("", error, count=1) if frames and _MODULE.match(error) else error
    return error if len(error) <= LONGEST_ERROR else f"{error[:LONGEST_ERROR]}…"
