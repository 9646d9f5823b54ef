"""SQL in pieces: enough of PostgreSQL's lexical rules to know a statement's words, its names and its operators."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_OPERATOR = r"(?:(?!--|/\*)[+\-*/<>=~!@\#%^&|`?])+"
_PIECE = re.compile(
    rf"""
    (?P<space>\s+)
    | (?P<string>[eEbBxXnN]?'(?:[^']|'')*'?)
    | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
    | (?P<quoted>"(?:[^"]|"")*"?)
    | (?P<comment>--[^\n]*)
    | (?P<block>/\*)
    | (?P<word>[^\W\d][\w$]*)
    | (?P<number>\.?\d[\w.]*)
    | (?P<parameter>\$\d+)
    | (?P<operator>{_OPERATOR})
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_END = re.compile(r"/\*|\*/")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Piece(NamedTuple):
    """A piece of SQL that is neither space nor comment."""

    kind: str
    text: str
    end: int
    """Where it ends in the statement."""


def pieces(sql: str) -> Iterator[Piece]:
    """The pieces of a statement, in order."""
    at = 0
    while at < len(sql):
        found = _PIECE.match(sql, at)
        if found is None:  # there is none: `other` is any character
            return
        kind, at = found.lastgroup or "other", found.end()
        if kind == "tag":
            kind = "dollar"
        if kind == "block":
            at = _after_comment(sql, at)
        elif kind not in {"space", "comment"}:
            yield Piece(kind, found[0], at)


def name_of(piece: Piece) -> str:
    """The name that a word or a quoted identifier is, folded and cut as the server does it."""
    text = piece.text[1:-1].replace('""', '"') if piece.kind == "quoted" else piece.text.translate(_LOWER)
    return text.encode(errors="replace")[:63].decode(errors="ignore")


def _after_comment(sql: str, at: int) -> int:
    """Where a comment ends that began before `at`; comments nest."""
    depth = 1
    while depth:
        mark = _COMMENT_END.search(sql, at)
        if mark is None:
            return len(sql)
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at
