"""A validator's sentence without what it may repeat of the input.

Its own words stay, though the input holds them too: those that stand in the code that has raised the error. A third party's
code may quote what it was given, and of that everything else goes: a word that is struck out for nothing costs less than a
piece of a password that is not.
"""

from __future__ import annotations

import re
import traceback
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SCHEME = re.compile(r"\A\s*[A-Za-z][A-Za-z0-9+.-]*(?=://)")
"""What a URL begins with, which is no secret, and which a sentence has to be able to name."""
_QUOTED = re.compile(r"""(?<!\w)'[^']+'|"[^"]+\"""")
_SHORTEST_SECRET = 3
"""Shorter values are no secrets, and striking them out of a sentence would leave none of it."""
_WORD = re.compile(rf"\w{{{_SHORTEST_SECRET + 1},}}")


def without_values(sentence: str, given: Sequence[str], secrets: Sequence[str], error: object) -> str:
    """The sentence of `error` with each value struck out, what is quoted, and each word that occurs in a value.

    `given` is the input's text. Of `secrets`, that of it which is declared to be secret, not even a word of the sentence's own
    is left.
    """
    own = _own_text(error)
    hidden = _forms(secrets)
    for form in sorted(_forms(given) | hidden, key=len, reverse=True):
        if len(form.strip()) >= _SHORTEST_SECRET and (form in hidden or not _stands_in(form, own)):
            sentence = re.sub(re.escape(form), "…", sentence, flags=re.IGNORECASE)
    values, secret_values = _folded(given), _folded(secrets)
    words = set(re.findall(r"\w+", own.casefold()))

    def shown(found: re.Match[str]) -> str:
        word = found[0].casefold()
        is_own = word in words and word not in secret_values
        return found[0] if is_own or word not in values + secret_values else "…"

    sentence = _QUOTED.sub(lambda found: found[0] if _stands_in(found[0][1:-1], own) else "…", sentence)
    return _WORD.sub(shown, sentence)


def _forms(given: Sequence[str]) -> set[str]:
    return {form for text in given for form in (text, repr(text)[1:-1], *text.split())}


def _folded(given: Sequence[str]) -> str:
    return " ".join(_SCHEME.sub("", text) for text in given).casefold()


def _stands_in(form: str, own: str) -> bool:
    """Whether it does as a whole word, or as several."""
    before, after = (r"(?<!\w)" if form[0].isalnum() else ""), (r"(?!\w)" if form[-1].isalnum() else "")
    return re.search(f"{before}{re.escape(form)}{after}", own, re.IGNORECASE) is not None


def _own_text(error: object) -> str:
    """All text in the functions that have raised the error, or what it was raised from, and in the strings that these name."""
    texts: list[str] = []
    while isinstance(error, BaseException):
        for frame, _ in traceback.walk_tb(error.__traceback__):
            texts += _strings(frame.f_code)
            named = (frame.f_globals.get(name) for name in frame.f_code.co_names)
            texts += (value for value in named if isinstance(value, str))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def _strings(constant: object) -> Iterator[str]:
    if isinstance(constant, str):
        yield constant
    elif isinstance(constant, CodeType):
        yield from _strings(constant.co_consts)
    elif isinstance(constant, tuple | frozenset):
        for each in constant:
            yield from _strings(each)
