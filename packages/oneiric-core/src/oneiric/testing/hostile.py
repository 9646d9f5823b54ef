"""Data that break what is not careful, by a name that says what is special about each."""

from __future__ import annotations

import math
from typing import Any

TEXTS: dict[str, str] = {
    "empty": "",
    "space": " ",
    "line-breaks": "\r\n\t\v\f\u0085\u2028",
    "quote": "O'Brien's \"table\" `x` [y]",
    "only-a-quote": "'",
    "injection": "'; DROP TABLE things; --",
    "injection-by-comment": "x' OR 1 = 1 /*",
    "backslashes": "C:\\new\\' \\\\ \\x00 \\u0000",
    "placeholders": "$1 $2 ? ?1 :name @name %s %(name)s {} {0} ${x}",
    "percent": "100% _ like",
    "null-as-text": "NULL",
    "number-as-text": "007",
    "exponent-as-text": "1e3",
    "json": '{"a": ["b", null]}',
    "umlauts": "Zoë Çelik, 北京, Ελλάδα",
    "astral": "🧪𝔘𐍈",
    "joined-emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "combining": "e\u0301 is not é",
    "right-to-left": "שלום \u202eabc\u202c",
    "zero-width": "a\u200bb\ufeff",
    "noncharacter": "\uffff\U0010ffff",
    "control": "\x01\x1b[31m\x7f",
    "huge": "0123456789abcdef" * 65_536,
}
"""Texts that every backend keeps as they are."""

WITH_NUL: dict[str, str] = {"nul": "\0", "nul-inside": "before\0after", "nul-at-the-end": "before\0"}
"""Texts that a backend keeps or refuses, and never cuts off."""

SURROGATES: dict[str, str] = {"lone-surrogate": "a\ud800b", "surrogate-escape": "\udcff"}
"""What Python has as a str, and is no text."""

BLOBS: dict[str, bytes] = {
    "empty": b"",
    "nul": b"\0",
    "nul-inside": b"before\0after",
    "not-utf-8": b"\xff\xfe\x80",
    "all-bytes": bytes(range(256)),
    "quote": b"'; --",
    "hex-prefix": b"\\x41",
    "huge": bytes(range(256)) * 4096,
}

INTEGERS: dict[str, int] = {
    "zero": 0,
    "minus-one": -1,
    "31-bits": 2**31 - 1,
    "32-bits": 2**32,
    "beyond-a-double": 2**53 + 1,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
}
"""Integers of 64 bits."""

TOO_LARGE: dict[str, int] = {"above": 2**63, "below": -(2**63) - 1, "128-bits": 2**127, "a-googol": 10**100}
"""Integers of more than 64 bits."""

FLOATS: dict[str, float] = {
    "zero": 0.0,
    "minus-zero": -0.0,
    "tenth": 0.1,
    "a-third": 1 / 3,
    "largest": 1.7976931348623157e308,
    "smallest": 5e-324,
    "whole": 1e22,
    "17-digits": 1234567.1234567891,
    "infinity": math.inf,
    "minus-infinity": -math.inf,
}

NAMES: dict[str, str] = {
    "reserved": "select",
    "reserved-too": "order",
    "mixed-case": "CamelCase",
    "space": "two words",
    "quote": 'quo"te',
    "apostrophe": "it's",
    "injection": 'x"; DROP TABLE things; --',
    "placeholder": "$1",
    "question-mark": "why?",
    "percent": "%s",
    "colon": ":name",
    "comment": "a--b/*c",
    "brackets": "[a]`b`",
    "backslash": "a\\b",
    "unicode": "größe_北京",
    "astral": "🧪",
    "digit-first": "1st",
}
"""Names of tables and columns, none with a dot, all within 63 bytes."""

IDS: dict[str, str] = {
    "space": " ",
    "looks-like-an-integer": "42",
    "looks-like-the-same-integer": "042",
    "looks-like-a-negative": "-1",
    "looks-like-a-uuid": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
    "the-same-uuid-in-capitals": "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
    "the-same-uuid-without-hyphens": "6f9619ff8b86d011b42d00cf4fc964ff",
    "slashes": "../a/b?c=d#e",
    "quote": "'; DROP TABLE things; --",
    "percent": "%41%00",
    "unicode": "größe/北京",
    "combining": "e\u0301",
    "composed": "é",
    "astral": "🧪" * 20,
    "line-break": "a\nb",
    "null": "null",
    "longest": "x" * 512,
    "longest-in-bytes": "北" * 512,
}
"""Ids of records: any text that isn't empty, of up to 512 characters; all different."""

KEYS: dict[str, str] = {
    "empty": "",
    "dot": "a.b",
    "only-a-dot": ".",
    "quote": "it's",
    "double-quote": 'a"b',
    "brackets": "a[0]",
    "array": "a[]",
    "dollar": "$",
    "json-path": "$.a",
    "braces": "{a}",
    "backslash": "a\\b",
    "percent": "%s",
    "question-mark": "?",
    "at": "@",
    "injection": "a' OR 1=1; --",
    "space": " ",
    "line-break": "a\nb",
    "unicode": "größe",
    "astral": "🧪",
    "reserved": "id",
    "reserved-too": "payload",
    "reserved-by-sql": "select",
    "digits": "0",
}
"""Keys of payloads."""

PAYLOADS: dict[str, dict[str, Any]] = {
    "empty": {},
    "null": {"a": None},
    "empties": {"a": [], "b": {}, "c": ""},
    "booleans": {"a": True, "b": False, "c": [True, 1, 0]},
    "numbers": {"a": 2**53, "b": -(2**53), "c": 0.1, "d": 1e300, "e": 5e-324, "f": 1.0, "g": 1e23},
    "nested": {"a": {"b": [{"c": [[], [[1]]]}]}},
    "mixed-array": {"a": [1, "1", 1.5, None, True, {"b": 1}, [2]]},
    "keys": dict.fromkeys(KEYS.values(), 1),
    "texts": {name: text for name, text in TEXTS.items() if name != "huge"},
    "long-text": {"a": TEXTS["huge"]},
    "many-keys": {f"key-{number}": number for number in range(1_000)},
    "looks-like-a-date": {"a": "2026-01-01T00:00:00Z"},
}


def nested(depth: int) -> dict[str, Any]:
    """An object in an object, so many altogether."""
    found: dict[str, Any] = {}
    for _ in range(depth - 1):
        found = {"a": found}
    return found
