"""A dict that doesn't grow without end."""

from __future__ import annotations

from oneiric_otel.recent import LIMIT, Recent


def test_what_was_set_last_is_kept():
    recent: Recent[int, str] = Recent()
    for number in range(LIMIT):
        recent[number] = "first"
    recent[0] = "again"
    recent[LIMIT] = "new"
    assert len(recent) == LIMIT
    assert (recent[0], recent[LIMIT], 1 in recent) == ("again", "new", False)
