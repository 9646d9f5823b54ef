"""Changing a YAML file and nothing else in it."""

from __future__ import annotations

from typing import Any

import pytest
from oneiric import ConfigError
from oneiric.config.positions import CantEdit
from yaml_change import change

EXAMPLES = {
    "a value, its comment stays": (
        "adapters:\n  a:\n    p: 1   # one\n",
        {"p": 2},
        "adapters:\n  a:\n    p: 2   # one\n",
    ),
    "quotes that are not needed any more": ("adapters:\n  a:\n    p: 'x'\n", {"p": "y"}, "adapters:\n  a:\n    p: y\n"),
    "what is so already": ("adapters:\n  a: {p:   'x' }\n", {"p": "x"}, "adapters:\n  a: {p:   'x' }\n"),
    "a new key, before the comments that follow": (
        "adapters:\n  a:\n    p: 1 # one\n    # q: 5\n\n  # about b\n  b:\n",
        {"q": 2},
        "adapters:\n  a:\n    p: 1 # one\n    q: 2\n    # q: 5\n\n  # about b\n  b:\n",
    ),
    "no newline at the end": ("adapters:\n  a:\n    p: 1", {"q": 2}, "adapters:\n  a:\n    p: 1\n    q: 2"),
    "no newline at the end, the last removed": (
        "adapters:\n  a:\n    p: 1\n    q: 2",
        {"q": None},
        "adapters:\n  a:\n    p: 1",
    ),
    "line ends of another system": (
        "adapters:\r\n  a: # x\r\n    p: 1\r\n",
        {"q": {"r": 2}},
        "adapters:\r\n  a: # x\r\n    p: 1\r\n    q:\r\n      r: 2\r\n",
    ),
    "a byte order mark": ("\ufeffadapters:\n  a:\n    p: 1\n", {"p": 2}, "\ufeffadapters:\n  a:\n    p: 2\n"),
    "a byte order mark and nothing": ("\ufeff", {"p": 2}, "\ufeffadapters:\n  a:\n    p: 2\n"),
    "an empty file": ("", {"p": {"$env": "X"}}, "adapters:\n  a:\n    p: {$env: X}\n"),
    "only comments": ("# top\n", {"p": 1}, "# top\nadapters:\n  a:\n    p: 1\n"),
    "only a comment, no newline": ("# top", {"p": 1}, "# top\nadapters:\n  a:\n    p: 1"),
    "the start of a document": ("---\n", {"p": 1}, "---\nadapters:\n  a:\n    p: 1\n"),
    "start and end": ("--- # x\n# y\n...\n", {"p": 1}, "--- # x\n# y\nadapters:\n  a:\n    p: 1\n...\n"),
    "an end after the content": (
        "adapters:\n  a:\n    p: 1\n...\n",
        {"q": 2},
        "adapters:\n  a:\n    p: 1\n    q: 2\n...\n",
    ),
    "null": ("null # x\n", {"p": 1}, "adapters:\n  a:\n    p: 1 # x\n"),
    "{}": ("{}\n", {"p": 1}, "adapters:\n  a:\n    p: 1\n"),
    "adapters: nothing": ("adapters: # x\n# y\n", {"p": 1}, "adapters: # x\n  a:\n    p: 1\n# y\n"),
    "adapters: null": ("adapters: null  # x\n", {"p": 1}, "adapters:  # x\n  a:\n    p: 1\n"),
    "adapters: ~": ("adapters: ~\n", {"p": 1}, "adapters:\n  a:\n    p: 1\n"),
    "adapters: {}": ("adapters: {}\n", {"p": 1}, "adapters:\n  a:\n    p: 1\n"),
    "an instance without settings": ("adapters:\n  a:\n  b: {}\n", {"p": 1}, "adapters:\n  a:\n    p: 1\n  b: {}\n"),
    "an instance {}": ("adapters:\n  a: {} # x\n  b:\n", {"p": 1}, "adapters:\n  a: # x\n    p: 1\n  b:\n"),
    "a new instance": (
        "adapters:\n  b:\n    p: 1\n\n# end\n",
        {"p": 1},
        "adapters:\n  b:\n    p: 1\n  a:\n    p: 1\n\n# end\n",
    ),
    "a new instance without settings": ("adapters:\n  b:\n", {}, "adapters:\n  b:\n  a: {}\n"),
    "as the file indents": (
        "adapters:\n    b:\n        p: 1\n",
        {"q": {"r": 1}},
        "adapters:\n    b:\n        p: 1\n    a:\n        q:\n            r: 1\n",
    ),
    "in flow": ("adapters: {b: {p: 1}}\n", {"p": 1}, "adapters: {b: {p: 1}, a: {p: 1}}\n"),
    "JSON": ('{"adapters": {"a": {"p": 1}}}', {"p": "x", "q": [1]}, '{"adapters": {"a": {"p": x, q: [1]}}}'),
    "in flow, a key more": (
        "adapters:\n  a: { p: 1, q: x } # y\n",
        {"r": {"s": "t"}},
        "adapters:\n  a: { p: 1, q: x, r: {s: t} } # y\n",
    ),
    "in flow, a comma at the end": ("adapters:\n  a: {p: 1, }\n", {"q": 1}, "adapters:\n  a: {p: 1, q: 1, }\n"),
    "in flow, without values": ("adapters:\n  a: {p, q: }\n", {"p": 1, "q": 2}, "adapters:\n  a: {p: 1, q: 2 }\n"),
    "in flow, over lines": (
        "adapters:\n  a: {\n    p: 1, # one\n    q: 2 # two\n  }\n",
        {"q": 3, "r": 4},
        "adapters:\n  a: {\n    p: 1, # one\n    q: 3, r: 4 # two\n  }\n",
    ),
    "in flow, the first removed": (
        "adapters:\n  a: {p: 1, q: 2, r: 3}\n",
        {"p": None},
        "adapters:\n  a: {q: 2, r: 3}\n",
    ),
    "in flow, the last removed": (
        "adapters:\n  a: {p: 1, q: 2, r: 3}\n",
        {"q": None, "r": None},
        "adapters:\n  a: {p: 1}\n",
    ),
    "in flow, all replaced": (
        "adapters:\n  a: {p: 1, q: 2}\n",
        {"p": None, "q": None, "r": 1},
        "adapters:\n  a: {r: 1}\n",
    ),
    "in flow, all removed": ("adapters:\n  a: {p: 1}\n", {"p": None}, "adapters:\n  a: {}\n"),
    "a key removed": (
        "adapters:\n  a:\n    # of p\n    p: 1 # one\n    # of q\n    q: 2\n",
        {"p": None},
        "adapters:\n  a:\n    # of p\n    # of q\n    q: 2\n",
    ),
    "a key that isn't there removed": ("adapters:\n  a:\n    p: 1\n", {"q": None}, "adapters:\n  a:\n    p: 1\n"),
    "all keys removed": (
        "adapters:\n  a: # x\n    # y\n    p: 1\n  # z\n",
        {"p": None},
        "adapters:\n  a: {} # x\n    # y\n  # z\n",
    ),
    "all keys removed, one put": (
        "adapters:\n  a: # x\n    # y\n    p: 1\n",
        {"p": None, "q": 1},
        "adapters:\n  a: # x\n    # y\n    q: 1\n",
    ),
    "the instance removed": (
        "adapters:\n  # a\n  a:\n    p: 1\n    # inside\n    q: 1 # end\n  # b\n  b:\n",
        None,
        "adapters:\n  # a\n  # b\n  b:\n",
    ),
    "the only instance removed": ("adapters:\n  # a\n  a:\n    p: 1\n# z\n", None, "adapters: {}\n  # a\n# z\n"),
    "a nested key": (
        "adapters:\n  a:\n    pool:\n      size: 1 # s\n      idle: 2\n    p: 1\n",
        {"pool": {"size": 3, "idle": None, "max": 4}},
        "adapters:\n  a:\n    pool:\n      size: 3 # s\n      max: 4\n    p: 1\n",
    ),
    "a mapping emptied": (
        "adapters:\n  a:\n    pool:\n      size: 1\n    p: 1\n",
        {"pool": {"size": None}},
        "adapters:\n  a:\n    pool: {}\n    p: 1\n",
    ),
    "a mapping replaced by a value": (
        "adapters:\n  a:\n    pool: # x\n      size: 1\n      idle: 1\n    # y\n    p: 1\n",
        {"pool": {"$env": "X"}},
        "adapters:\n  a:\n    pool: {$env: X} # x\n    # y\n    p: 1\n",
    ),
    "a reference in a block replaced": (
        "adapters:\n  a:\n    p:\n      $env: X\n",
        {"p": {"$file": "y"}},
        "adapters:\n  a:\n    p: {$file: y}\n",
    ),
    "a reference replaced by a mapping": (
        "adapters:\n  a:\n    p:\n      $env: X\n    q: 1\n",
        {"p": {"x": 1}},
        "adapters:\n  a:\n    p:\n      x: 1\n    q: 1\n",
    ),
    "a value replaced by a mapping": (
        "adapters:\n  a:\n    p: 5 # x\n    q: 1\n",
        {"p": {"x": 1}},
        "adapters:\n  a:\n    p: # x\n      x: 1\n    q: 1\n",
    ),
    "nothing replaced by a value": (
        "adapters:\n  a:\n    p:\n    q: # x\n",
        {"p": 1, "q": 2},
        "adapters:\n  a:\n    p: 1\n    q: 2 # x\n",
    ),
    "a value on its own line": (
        "adapters:\n  a:\n    p: # x\n      # y\n      v # z\n",
        {"p": "w"},
        "adapters:\n  a:\n    p: # x\n      # y\n      w # z\n",
    ),
    "a value over lines": (
        "adapters:\n  a:\n    p: v\n      w\n\n      x\n    q: 'v\n\n      w'   # x\n",
        {"p": 1, "q": 2},
        "adapters:\n  a:\n    p: 1\n    q: 2   # x\n",
    ),
    "after a value over lines": (
        "adapters:\n  a:\n    q: 'v\n\n      w'   # x\n",
        {"p": 1},
        "adapters:\n  a:\n    q: 'v\n\n      w'   # x\n    p: 1\n",
    ),
    "a literal block": (
        "adapters:\n  a:\n    p: | # x\n      v\n      # no comment\n\n    # y\n    q: 1\n",
        {"p": "w"},
        "adapters:\n  a:\n    p: w # x\n\n    # y\n    q: 1\n",
    ),
    "after a literal block": (
        "adapters:\n  a:\n    p: |\n      v\n\n  # y\n",
        {"q": 1},
        "adapters:\n  a:\n    p: |\n      v\n    q: 1\n\n  # y\n",
    ),
    "after a block that keeps its end": (
        "adapters:\n  a:\n    p: |+\n      v\n\n\n  b:\n",
        {"q": 1},
        "adapters:\n  a:\n    p: |+\n      v\n\n\n    q: 1\n  b:\n",
    ),
    "a block replaced by a mapping": (
        "adapters:\n  a:\n    p: >-\n      v\n    q: 1\n",
        {"p": {"x": 1}},
        "adapters:\n  a:\n    p:\n      x: 1\n    q: 1\n",
    ),
    "a list": (
        "adapters:\n  a:\n    p:  # x\n    # y\n    - 1\n    - b: 2\n      c: 3 # z\n    q: 1\n",
        {"p": ["u", {"v": "w, x"}]},
        "adapters:\n  a:\n    p:  # x\n    # y\n    - u\n    - {v: 'w, x'}\n    q: 1\n",
    ),
    "a list emptied": (
        "adapters:\n  a:\n    p:\n      - 1\n    q: 1\n",
        {"p": []},
        "adapters:\n  a:\n    p: []\n    q: 1\n",
    ),
    "a list on its line": (
        "adapters:\n  a:\n    p: [1, 2] # x\n",
        {"p": ["y: z"]},
        "adapters:\n  a:\n    p: ['y: z'] # x\n",
    ),
    "quoted keys": (
        "adapters:\n  'a':\n    \"p\" : 1\n",
        {"p": 2, "q r": 1, "yes: no": 2},
        "adapters:\n  'a':\n    \"p\" : 2\n    q r: 1\n    'yes: no': 2\n",
    ),
    "a tagged value": ("adapters:\n  a:\n    p: !!str 1 # x\n", {"p": 2}, "adapters:\n  a:\n    p: 2 # x\n"),
    "an anchor that nothing needs": ("adapters:\n  a: &a\n    p: &p 1\n", {"p": 2}, "adapters:\n  a: &a\n    p: 2\n"),
    "an alias beside": (
        "adapters:\n  b: &b\n    p: 1\n  a:\n    q: *b\n    p: 1\n",
        {"p": 2},
        "adapters:\n  b: &b\n    p: 1\n  a:\n    q: *b\n    p: 2\n",
    ),
    "number keys": (
        "adapters:\n  a:\n    1: x\n    0x2: y\n",
        {"p": 2},
        "adapters:\n  a:\n    1: x\n    0x2: y\n    p: 2\n",
    ),
    "a number key": ("adapters:\n  a:\n    p:\n      1: x\n", {"p": {1: "y"}}, "adapters:\n  a:\n    p:\n      1: y\n"),
    "lines by carriage returns": ("adapters:\r  a:\r    p: 1\r", {"q": 1}, "adapters:\r  a:\r    p: 1\r    q: 1\r"),
    "tabs in comments": ("adapters:\n  a:\n    p: 1 #\tx\n", {"p": 2}, "adapters:\n  a:\n    p: 2 #\tx\n"),
    "nothing, and comments after it": (
        "adapters:\n  b:  # x\n\n  # y\n\n# z\n",
        {"p": 1},
        "adapters:\n  b:  # x\n  a:\n    p: 1\n\n  # y\n\n# z\n",
    ),
    "a list with nothing at its end": (
        "adapters:\n  a:\n    p:\n    - 1\n    - # x\n    # y\n",
        {"q": 1},
        "adapters:\n  a:\n    p:\n    - 1\n    - # x\n    q: 1\n    # y\n",
    ),
    "strings on one line": (
        "adapters:\n  a: {}\n",
        {"p": "a\n\tb", "q": "5", "r": "", "s": "é"},
        "adapters:\n  a:\n    p: \"a\\n\\tb\"\n    q: '5'\n    r: ''\n    s: é\n",
    ),
}


@pytest.mark.parametrize("what", EXAMPLES)
def test_only_what_is_meant_is_changed(what: str):
    before, changes, after = EXAMPLES[what]
    assert change(before, changes) == after


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("adapters:\n  b: &b {p: 1}\n  a: *b\n", {"q": 1}),
        ("adapters:\n  b: &b {p: 1}\n  a:\n    q: *b\n", {"q": 1}),
        ("adapters:\n  b: &b {p: 1}\n  a:\n    q: *b\n", {"r": 1}),
        ("adapters:\n  b: &b {p: 1}\n  a: {q: *b}\n", {"r": 1}),
        ("adapters:\n  b: &b {p: 1}\n  a:\n    <<: *b\n", {"p": 2}),
        ("adapters:\n  b: &b {p: 1}\n  a:\n    <<: *b\n", {"p": None}),
        ("adapters:\n  a:\n    q: [&x 1, *x]\n    p:\n    - &y 1\n    - *y\n", {"r": 1}),
        ("adapters:\n  a:\n    ? p\n    : 1\n", {"p": {"x": 1}}),
        ("adapters:\n  a:\n    ? p\n    : 1\n", {"p": None}),
        ("? adapters\n: a:\n    p: 1\n", None),
    ],
)
def test_an_unusual_form_in_the_way_is_refused_with_its_line(text: str, changes: dict[str, Any] | None):
    with pytest.raises(CantEdit) as caught:
        change(text, changes)
    assert 1 <= caught.value.line <= text.count("\n")


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("adapters:\n  a: &a\n    p: 1\n  b: *a\n", {"p": 2}),
        ("adapters:\n  a:\n    p: &p 1\n  b:\n    p: *p\n", {"p": 2}),
        ("adapters:\n  a: !!map\n    p: 1\n", {"p": None}),
        ("adapters:\n  a:\n    p: |\n      no newline", {"q": 2}),
        ("adapters:\n  b:\n    p: |\n     x\n  a:\n    p: 1\n     # would be text of b then\n", None),
        ("%YAML 1.1\n---\nadapters:\n  a:\n    p: 1\n", {"p": "yes"}),
    ],
)
def test_what_comes_out_wrong_is_seen_by_parsing_it(text: str, changes: dict[str, Any] | None):
    with pytest.raises((AssertionError, ConfigError)):
        change(text, changes)
