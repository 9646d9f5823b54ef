"""Canaries: texts that stand where secrets do, each of which can be told from all others wherever it turns up."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = "xqzvjk"
"""Each half of a canary begins with it. It stands nowhere else, a file's name or a line of source included."""

AWKWARD = "'\"\\ é/@:#&%41;"
"""What stands between the two halves: whatever any notation escapes, splits at, or ends a value by."""

PLAIN = "-"
"""The same for a place whose notation takes no more: a token in a header."""


class Canaries:
    """Makes canaries, and finds them in what was put out.

    Both halves of a canary are letters and digits, which every escaping leaves as they are; so a part of one is found too.
    """

    def __init__(self) -> None:
        self._places: list[str] = []
        self._others: dict[str, str] = {}

    def at(self, place: str, between: str = AWKWARD) -> str:
        """A canary for a place, which a failure will name."""
        number = len(self._places)
        self._places.append(place)
        return f"{_MARK}{number:05}{between}{_MARK}{number:05}"

    def adopt(self, place: str, text: str) -> None:
        """Look for a text too that isn't of our making, for example a token."""
        self._others[text.casefold()] = place

    def found_in(self, text: str) -> list[str]:
        """The places whose canaries, or parts of them, are in a text in whatever form, each with what stands before it."""
        found: dict[str, str] = {}
        for reading in _readings(text):
            for place, position in self._in(reading):
                found.setdefault(place, reading[max(0, position - 150) : position])
        for notation, form in _ENCODED:
            position = text.find(form)
            if position >= 0:
                found[f"one in {notation}"] = text[max(0, position - 150) : position]
        return [f"{place}: behind {before!r}" for place, before in sorted(found.items())]

    def _in(self, text: str) -> Iterator[tuple[str, int]]:
        for match in re.finditer(rf"{_MARK}(\d{{0,5}})", text):
            number = match[1]
            is_whole = len(number) == 5 and int(number) < len(self._places)
            yield (self._places[int(number)] if is_whole else f"a part of one ({number})"), match.start()
        yield from ((place, text.find(other)) for other, place in self._others.items() if other in text)


def _readings(text: str) -> tuple[str, ...]:
    """The text, the text without the lines that a table breaks it into, and both backwards."""
    folded = text.casefold()
    unbroken = re.sub(r"[\s│┃|╭╮╰╯─]+", "", folded)
    return folded, unbroken, folded[::-1], unbroken[::-1]


def _encoded(mark: str) -> Iterator[tuple[str, str]]:
    """The mark in hexadecimal, and in base64 for each place in a group of three that it may begin at."""
    yield "hexadecimal", mark.encode().hex()
    for shift in range(3):
        bits = 8 * (shift + len(mark))
        whole = base64.b64encode(b"\0" * shift + mark.encode()).decode()
        yield "base64", whole[-(-8 * shift // 6) : bits // 6]  # without what depends on its neighbours


_ENCODED = [*_encoded(_MARK)]
