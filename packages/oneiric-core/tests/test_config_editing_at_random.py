"""Files as people might write them, changed at random: what is meant is changed, and nothing else."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric import AdapterSettings, AdapterSpec, Catalog, ConfigError
from oneiric.config import apply_plan, plan_change, plan_rollback
from oneiric.config.references import is_reference
from oneiric.config.yaml_file import parse
from pydantic import ConfigDict
from yaml_change import PATH, change

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
