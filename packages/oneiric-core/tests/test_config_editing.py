"""Changing a YAML file and nothing else in it."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigError
from oneiric.config import apply_plan, plan_change, plan_rollback
from oneiric.config.editing import edited
from oneiric.config.patch import same, with_instance
from oneiric.config.positions import CantEdit
from oneiric.config.references import is_reference
from oneiric.config.yaml_file import parse
from pydantic import ConfigDict

PATH = Path("oneiric.yaml")


def change(text: str, changes: dict[str, Any] | None, name: str = "a") -> str:
    """The text after a change of an instance, which holds what it should."""
    old = parse(PATH, text.encode())
    content = with_instance(old.content, name, changes)
    new = edited(old, content)
    assert same(parse(PATH, new.encode()).content, content), new
    return new


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


WORDS = [
    "x",
    "long word",
    "a: b",
    "c #d",
    "#e",
    "",
    " f ",
    "yes",
    "12",
    "1e3",
    "null",
    "g\nh",
    "i\n\n",
    "é",
    "- j",
    "'k\"",
    "{l",
    "~",
]
leaves = st.one_of(
    st.sampled_from(WORDS),
    st.integers(-5, 5),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
    st.builds(lambda name: {"$env": name}, st.sampled_from("XY")),
    st.lists(st.one_of(st.integers(), st.sampled_from(WORDS), st.just({"m": [1]})), max_size=3),
)
settings_keys = st.sampled_from(["p", "q", "r", "a b", "no", "7"])
keys = settings_keys | st.just("$s")
values = st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=3), max_leaves=6)
instances = st.dictionaries(settings_keys, values, max_size=4)
patches = st.dictionaries(settings_keys, st.one_of(st.none(), values), max_size=4)


@dataclass
class Writer:
    """Writes a content as people might: any style, with comments and empty lines anywhere."""

    random: Random
    comments: int = 0
    lines: list[str] = field(default_factory=list)
    has_text: bool = False
    within: dict[str, set[str]] = field(default_factory=dict)
    """The comments inside of each key of the instance `a`."""

    def any_of(self, *choices: Any) -> Any:
        return self.random.choice(choices)

    def comment(self) -> str:
        self.comments += 1
        return f"#:{self.comments}:"

    def end_of_line(self) -> str:
        return self.any_of("", "", "  ", " " + self.comment())

    def between(self, indent: int) -> None:
        for _ in range(self.any_of(0, 0, 1, 2)):
            # A comment that is removed from behind could come to stand in a text: that is refused, and tested apart.
            column = 0 if self.has_text else self.any_of(0, indent)
            self.lines.append(self.any_of("", " " * column + self.comment()))

    def document(self, instance: dict[str, Any], newline: str, ends: bool) -> tuple[str, int, int, str]:
        """A file whose lines from a start to an end are the instance `a`, and how it ends."""
        self.between(0)
        self.lines.append("adapters:" + self.end_of_line())
        self.mapping({"b": {"p": "x"}}, 2)
        start = len(self.lines)
        self.between(2)
        self.lines.append("  a:" + self.any_of("" if instance else " {}") + self.end_of_line())
        self.mapping(instance, 4, is_instance=True)
        end = len(self.lines)
        self.between(2)
        self.mapping(self.any_of({}, {"c": {"q": "y"}}), 2)
        self.between(0)
        last = newline if ends or not self.lines[-1].startswith((" ", "adapters")) else ""
        return newline.join(self.lines) + last, start, end, last

    def key(self, key: str) -> str:
        return self.any_of(f'"{key}"', f"'{key}'", *([key, key] if key in "pqr" else []))

    def mapping(self, values: dict[str, Any], indent: int, *, is_instance: bool = False) -> None:
        for key, value in values.items():
            self.between(indent)
            start = self.comments
            self.entry(" " * indent + self.key(key) + self.any_of(":", ":", " :"), value, indent)
            if is_instance:
                self.within[key] = {f"#:{number}:" for number in range(start + 1, self.comments + 1)}

    def entry(self, start: str, value: Any, indent: int) -> None:
        is_block = self.any_of(True, True, False)
        inner = indent + self.any_of(1, 2, 4)
        if isinstance(value, dict) and value and is_block:
            self.lines.append(start + self.end_of_line())
            self.mapping(value, inner)
        elif isinstance(value, list) and value and is_block:
            self.lines.append(start + self.end_of_line())
            for item in value:
                self.between(inner)
                self.lines.append(" " * inner + "- " + self.inline(item) + self.end_of_line())
        elif value is None and is_block:
            self.lines.append(start + self.end_of_line())
        elif isinstance(value, str) and re.fullmatch(r"[a-zé]+\n?", value) and is_block:
            self.has_text = True
            chomping = "" if value.endswith("\n") else "-"
            self.lines += [
                f"{start} {self.any_of('|', '>')}{chomping}{self.end_of_line()}",
                " " * inner + value.strip(),
            ]
        else:
            self.lines.append(f"{start} {self.inline(value)}{self.end_of_line()}")

    def inline(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self.key(key)}: {self.inline(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.inline, value)) + self.any_of("]", " ]")
        if isinstance(value, str) and re.fullmatch(r"[a-zé]+( [a-z]+)*", value) and value not in ("yes", "null"):
            return self.any_of(value, f"'{value}'")
        if isinstance(value, str) and value.isprintable() and self.any_of(True, False):
            return "'" + value.replace("'", "''") + "'"
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            return ".inf" if value > 0 else "-.inf"
        return json.dumps(value, ensure_ascii=isinstance(value, str) and not value.isprintable())


def merge_patch(target: Any, patch: Any, *, is_instance: bool = False) -> Any:
    """RFC 7396, as it says it, but for references."""
    if not isinstance(patch, dict) or (is_reference(patch) and not is_instance):
        return patch
    target = dict(target) if isinstance(target, dict) and (is_instance or not is_reference(target)) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge_patch(target.get(name), value)
    return target


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.integers(0, 2**32), instances, patches, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_changed_is_right_and_the_rest_is_as_it_was(
    seed: int, instance: dict[str, Any], patch: dict[str, Any], newline: str, ends: bool
):
    writer = Writer(Random(seed))
    text, start, end, last = writer.document(instance, newline, ends)
    old = parse(PATH, text.encode()).content
    assert old["adapters"]["a"] == instance

    new = change(text, patch)
    result = parse(PATH, new.encode()).content
    merged = merge_patch(instance, patch, is_instance=True)
    assert result["adapters"] == {**old["adapters"], "a": merged}
    assert [*result["adapters"]["a"]] == [*merged]
    unchanged = newline.join(writer.lines[:start])
    assert new.startswith(unchanged)
    assert new.endswith(newline.join(["", *writer.lines[end:]]) + last if writer.lines[end:] else last)
    comments, kept = (re.findall(r"#:\d+:", each) for each in (text, new))
    assert [comment for comment in comments if comment in kept] == kept
    inside = set[str]().union(*(writer.within[key] for key in patch if key in instance))
    assert set(comments) - set(kept) <= inside
    for removed in (None, {}):
        assert "adapters" in change(new, removed)


class Anything(AdapterSettings):
    model_config = ConfigDict(extra="allow")


CATALOG = Catalog([AdapterSpec(name, type="x", summary="S.", adapter="m:C", settings=Anything) for name in "abc"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.integers(0, 2**32), instances, patches, st.sampled_from(["\n", "\r\n"]), st.sampled_from([0o600, 0o644, 0o604])
)
def test_planned_applied_and_rolled_back_a_file_is_byte_for_byte_what_it_was(
    seed: int, instance: dict[str, Any], patch: dict[str, Any], newline: str, mode: int
):
    text = Writer(Random(seed)).document(instance, newline, ends=True)[0].encode()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "oneiric.yaml"
        path.write_bytes(text)
        path.chmod(mode)
        is_refused = "$s" in repr(merge_patch(instance, patch))  # it may look like a reference, and is none
        with suppress(ConfigError) if is_refused else nullcontext():
            apply_plan(plan_change("a", patch, CATALOG, path=path, environ={}))
        changed = path.read_bytes()
        if changed != text:
            apply_plan(plan_rollback(CATALOG, path=path, environ={}))
        assert path.read_bytes() == text
        assert path.stat().st_mode & 0o777 == mode
        if changed != text:
            apply_plan(plan_rollback(CATALOG, path=path, environ={}))
        assert path.read_bytes() == changed
