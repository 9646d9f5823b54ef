"""A dict that doesn't grow without end."""

from __future__ import annotations

from oneiric_otel.recent import LIMIT, Recent


def test_what_came_first_goes():
    recent: Recent[int, str] = Recent()
    for number in range(LIMIT + 1):
        recent[number] = "first"
    recent[1] = "again"
    assert len(recent) == LIMIT
    assert (0 in recent, recent[1], recent[LIMIT]) == (False, "again", "first")
