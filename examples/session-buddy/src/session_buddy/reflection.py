"""What is kept: a text, its tags, and when it was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from uuid import uuid4

MAX_TEXT = 100_000
MAX_TAGS = 32
MAX_LINE = 200
"""Characters of an id, and of a tag."""


class InvalidReflection(ValueError):
    """What some database or vector index could not keep as it is: so it is refused by all, and a move never finds one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reflection:
    """A reflection on a session. It is never changed: what is kept under an id stays."""

    text: str
    tags: Sequence[str] = ()
    id: str = field(default_factory=lambda: uuid4().hex)
    created_at: float = field(default_factory=lambda: datetime.now(UTC).timestamp())
    """Seconds since 1970."""

    def __post_init__(self) -> None:
        _check_text("text", self.text, MAX_TEXT)
        _check_text("id", self.id, MAX_LINE)
        if isinstance(self.tags, str) or len(self.tags) > MAX_TAGS:
            raise InvalidReflection(f"`tags` should be a list of at most {MAX_TAGS} texts.")
        for tag in self.tags:
            _check_text("tags", tag, MAX_LINE)
        if isinstance(self.created_at, bool) or not isinstance(self.created_at, int | float):
            raise InvalidReflection("`created_at` should be a number of seconds since 1970.")
        if not abs(self.created_at) < 2**40:  # NaN too
            raise InvalidReflection("`created_at` is no time that there is.")
        object.__setattr__(self, "tags", tuple(self.tags))
        object.__setattr__(self, "created_at", float(self.created_at))

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"id": self.id, "text": self.text, "tags": list(self.tags), "created_at": self.created_at}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Of such an object. Raises InvalidReflection."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A reflection that a search has found."""

    reflection: Reflection
    score: float
    """The nearer, the higher; 1 at most."""


def _check_text(name: str, value: object, most: int) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > most:
        raise InvalidReflection(f"`{name}` should be text of 1 to {most:,} characters.")
    # PostgreSQL takes no NUL, and nothing that encodes text takes half a surrogate pair.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InvalidReflection(f"`{name}` holds a NUL, or half a surrogate pair, which is no text.")
