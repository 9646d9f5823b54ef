"""The file of bearer tokens: of each its name, what it may do, and its hash; the token itself is kept nowhere."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from oneiric.config.durable import write_new
from oneiric.errors import OneiricError
from platformdirs import user_config_path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from oneiric_mcp.auth.scopes import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PREFIX = "oneiric_"
"""What every token starts with, so that a scanner for leaked secrets knows one."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_MAX_SIZE = 1024 * 1024
_PATIENCE = 10.0
"""Seconds that a writer waits for another."""


class TokenFileRefused(OneiricError, OSError):
    """The file of tokens can't, or must not, be used; the message says why."""


class TokenNameRefused(OneiricError, ValueError):
    """There is a token of that name already, or none, or it can't be a name."""


class StoredToken(BaseModel):
    """One token, as the file keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, defer_build=True)

    name: str = Field(pattern=f"^{NAME}$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    created: AwareDatetime
    expires: AwareDatetime | None = None

    @property
    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)

    tokens: list[StoredToken] = []


def default_path() -> Path:
    """Where the tokens are unless another file is named: in the user's config folder."""
    return user_config_path("oneiric") / "tokens.json"


def hash_of(token: str) -> str:
    """What is stored of a token.

    One round of SHA-256, and no slow hash as for a password: a token is 256 random bits, which nobody can guess however
    fast each guess is, and a slow hash at every request would be a way to keep the server busy.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class TokenFile:
    """A file of tokens. Every method reads it anew; those that write it hold a lock, and leave the old file or the new."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def tokens(self) -> tuple[StoredToken, ...]:
        """The tokens, expired ones included. Raises TokenFileRefused."""
        try:
            with self.path.open("rb") as file:
                self._check_mode(os.fstat(file.fileno()))
                text = file.read(_MAX_SIZE + 1)
        except OSError as error:
            if isinstance(error, TokenFileRefused):
                raise
            hint = "Make it with `oneiric tokens create`." if isinstance(error, FileNotFoundError) else None
            raise TokenFileRefused(f"The tokens in {self.path} can't be read: {error.strerror}.", hint=hint) from None
        try:
            if len(text) > _MAX_SIZE:
                raise ValueError
            found = _Content.model_validate_json(text).tokens
            if len({token.name for token in found}) < len(found):
                raise ValueError
        except (ValidationError, ValueError):
            hint = "Make a new one with `oneiric tokens create`."
            raise TokenFileRefused(f"{self.path} is not a file of tokens.", hint=hint) from None
        return tuple(found)

    def create(self, name: str, scopes: Iterable[Scope], lifetime: timedelta | None = None) -> str:
        """Make a token, which may read whatever else it may, and return it: this once, as only its hash is stored.

        Raises TokenNameRefused where there is one of that name, and TokenFileRefused.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        token = PREFIX + secrets.token_urlsafe(32)
        try:
            made = StoredToken(
                name=name,
                sha256=hash_of(token),
                scopes=frozenset({Scope.READ, *scopes}),
                created=now,
                expires=now + lifetime if lifetime else None,
            )
        except ValidationError:
            hint = "Use up to 64 letters, digits, `.`, `_` and `-`, the first a letter or a digit."
            raise TokenNameRefused("That can't be the name of a token.", hint=hint) from None
        with self._locked():
            stored = self.tokens() if self.path.exists() else ()
            if name in {other.name for other in stored}:
                hint = f"Choose another, or first `oneiric tokens revoke {name}`."
                raise TokenNameRefused(f"There is a token `{name}` already.", hint=hint)
            self._write((*stored, made))
        return token

    def revoke(self, name: str) -> None:
        """Take a token's rights away, at once. Raises TokenNameRefused where there is none, and TokenFileRefused."""
        with self._locked():
            stored = self.tokens()
            kept = tuple(token for token in stored if token.name != name)
            if len(kept) == len(stored):
                known = ", ".join(f"`{token.name}`" for token in stored) or "none"
                raise TokenNameRefused(f"There is no token {name[:100]!r}.", hint=f"There are: {known}.")
            self._write(kept)

    def _check_mode(self, status: os.stat_result) -> None:
        """Refuse a file that others could add a token of their own to. A group may read it, as in a mounted secret."""
        if not stat.S_ISREG(status.st_mode):
            raise TokenFileRefused(f"{self.path} is not a file.")
        if sys.platform == "win32":  # the mode says nothing there
            return
        if stat.S_IMODE(status.st_mode) & 0o027:
            mode = f"{stat.S_IMODE(status.st_mode):04o}"
            raise TokenFileRefused(f"{self.path} is open to others (mode {mode}).", hint=f"Run: chmod 600 {self.path}")
        if status.st_uid not in (0, os.geteuid()):
            raise TokenFileRefused(f"{self.path} belongs to another user, who could add a token.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other writers out, by a lock on a file beside it: the file itself is replaced."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self._beside("lock"), timeout=_PATIENCE, mode=0o600):
                yield
        except Timeout:
            raise TokenFileRefused(f"{self.path} is being written by another process.", hint="Try again.") from None
        except OSError as error:
            if isinstance(error, TokenFileRefused):
                raise
            raise TokenFileRefused(f"{self.path} can't be written: {error.strerror}.") from None

    def _write(self, tokens: tuple[StoredToken, ...]) -> None:
        content = _Content(tokens=list(tokens)).model_dump_json(indent=2).encode() + b"\n"
        write_new(self.path, content, beside=self._beside("new"), like=self.path if self.path.exists() else None)

    def _beside(self, kind: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{kind}")
