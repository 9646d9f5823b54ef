"""What is wrong with a YAML file, as a sentence and the line that it is on, without any value that may be a secret."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from oneiric.masking import MASK

NO_SUCH_VALUE = "the value looks like a number or a date, or is tagged as something, and is none"
"""What is wrong where the parser's own code fails at a value."""

_QUOTES_NO_VALUE = re.compile(r"""([^'"]|(['"])(\\?.|<[a-z ]+>)\2)*""")
"""A sentence of the parser with nothing in quotes but single characters and the names of tokens."""

_HEAD = re.compile(
    r"""(?P<indent>[ \t]{0,80}(?:[-?][ \t]{1,8}){0,8})
        (?P<key>(?P<quote>["']?)[A-Za-z_][\w.-]{0,63}(?P=quote)[ ]?:(?=[ \t]|$)[ \t]{0,8})?""",
    re.VERBOSE,
)
"""What is shown of a line: its indentation, the dashes of a list, and a key that looks like one."""

_HARMLESS = frozenset(
    {"", "[", "]", "{", "}", "[]", "{}", "|", ">", "|-", ">-", "-", "---", "...", "<<", "*", "&", "!"}
)
"""What is shown of the rest, where it is nothing else."""


def described(error: Exception, text: str) -> tuple[int | None, str]:
    """The number of the line, where it is known, and what is wrong there: a sentence, then the line, and a mark below it."""
    place, sentence = _placed(error, text)
    if place is None:
        return None, f"{sentence}."
    line, column = place
    return line + 1, f"{sentence}.\n{_shown(text, line, column)}"


def _placed(error: Exception, text: str) -> tuple[tuple[int, int] | None, str]:
    """Line and column, from 0, and the sentence."""
    if isinstance(error, ReaderError):
        code = error.character if isinstance(error.character, int) else ord(error.character)
        return _place(text[: error.position]), f"the character U+{code:04X} can't stand in it"
    if isinstance(error, RecursionError):
        return None, "it is nested too deeply"
    if not isinstance(error, MarkedYAMLError):
        return None, f"it can't be parsed ({type(error).__name__})"
    mark, sentence = error.problem_mark or error.context_mark, _unquoted(error)
    end = len(text.rstrip())
    if mark is None or mark.index < end:
        return ((mark.line, mark.column) if mark else None), sentence
    # Nothing is to be seen at the end: where did it begin?
    if error.context_mark and error.context_mark.index < end:
        return (error.context_mark.line, error.context_mark.column), f"{sentence} ({error.context}, which begins here)"
    return _place(text[:end]), sentence


def _place(before: str) -> tuple[int, int]:
    """Line and column of the character that follows this text."""
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def _unquoted(error: MarkedYAMLError) -> str:
    """What the parser says is wrong, without what it quotes of the file: `password: *hunter2` is an undefined alias."""
    problem = error.problem or error.context or "it can't be parsed"
    duplicate = re.match(r'found duplicate key "(.*?)" with value', problem)
    if duplicate:
        return f"the key `{duplicate[1][:100]}` is there twice"
    if problem.startswith("failed to construct"):
        return NO_SUCH_VALUE
    if problem.startswith("but ") and error.context:
        problem = f"{error.context}, {problem}"
    if problem == r"found character '\t' that cannot start any token":
        return f"{problem}: indent with spaces"
    return problem if _QUOTES_NO_VALUE.fullmatch(problem) else re.split("['\"]", problem)[0].strip()


def _shown(text: str, line: int, column: int) -> str:
    """The line with its values masked, and a mark below the column, or below the mask that stands for it."""
    lines = text.split("\n")
    written = lines[line].rstrip("\r") if line < len(lines) else ""
    head = _HEAD.match(written)
    kept = head[0] if head else ""
    rest = written[len(kept) :].strip()
    shown = (kept + (rest if rest in _HARMLESS else MASK)).replace("\t", "→")
    number = str(line + 1)
    return f"  {number} | {shown}\n  {' ' * len(number)} | {' ' * min(column, len(kept))}^ column {column + 1}"
