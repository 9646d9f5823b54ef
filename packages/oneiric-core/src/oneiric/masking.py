"""What is shown in place of a secret. Everything that shows a setting, or text of a driver's, goes through here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote, quote_plus, unquote

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MASK = "**********"

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):(\S*)@")
"""`user:password@` of any URL, up to its last `@`: a password may hold an `@` or a `/` that was not escaped."""

_PASSWORD_IN_KEYWORD = re.compile(
    r"\b((?:[\w-]*(?:password|passwd|pwd|secret|token)|api_?key)\s*=\s*)('[^']*'|[^\s&;,'\")]+)", re.IGNORECASE
)
"""`password=…` of a query string or of a DSN made of keywords."""

_SHORTEST_SECRET = 3
"""Shorter values are no secrets, and striking them out of a text would leave none of it."""


def without_passwords(text: str) -> str:
    """The text with the password of every URL and DSN in it masked."""
    if "=" in text:
        text = _PASSWORD_IN_KEYWORD.sub(rf"\1{MASK}", text)
    return _PASSWORD_IN_URL.sub(rf"\1:{MASK}@", text)


def masked(value: Any) -> Any:
    """The value as it may be shown: secret types masked, and the passwords of URLs, however deep they are."""
    if isinstance(value, SecretStr | SecretBytes | Secret):
        return MASK
    if isinstance(value, str):
        return without_passwords(value)
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value


def is_secret(annotation: object, within: tuple[object, ...] = ()) -> bool:
    """Whether a field of this annotation may hold a secret: `SecretStr`, `list[SecretStr]`, a model with such a field, …

    `within` has the models that this is looked at in, as one may hold itself.
    """
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes | Secret):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in within:
        inside = (field.annotation for field in annotation.model_fields.values())
        return any(is_secret(inner, (*within, annotation)) for inner in inside)
    return any(is_secret(inner, within) for inner in get_args(annotation))


def secrets_in(value: object) -> frozenset[str]:
    """The secrets in a value, in every form in which a driver may repeat them: secret types, passwords of URLs and DSNs."""
    return frozenset(form for secret in _secrets(value) for form in _forms(secret) if len(form) >= _SHORTEST_SECRET)


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr | SecretBytes | Secret):
        secret = value.get_secret_value()
        yield secret.decode(errors="replace") if isinstance(secret, bytes) else str(secret)
    elif isinstance(value, str):
        yield from (match[2] for match in _PASSWORD_IN_URL.finditer(value))
        yield from (match[2].strip("'") for match in _PASSWORD_IN_KEYWORD.finditer(value))
    elif isinstance(value, BaseModel):
        yield from (secret for _, item in value for secret in _secrets(item))
    elif isinstance(value, Mapping):
        yield from (secret for item in value.values() for secret in _secrets(item))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (secret for item in value for secret in _secrets(item))


def _forms(secret: str) -> Iterator[str]:
    """As it is, as `repr` escapes it, and as a URL does."""
    plain = unquote(secret)
    yield from (secret, plain, repr(secret)[1:-1], repr(plain)[1:-1], quote(plain, safe=""), quote_plus(plain))


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """The text with each of the secrets masked, and the password of every URL and DSN."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, MASK)
    return without_passwords(text)


def hide_secrets(error: BaseException, secrets: Collection[str]) -> bool:
    """Take the secrets out of an error, and of every error that it was raised from or during.

    Changes their arguments, notes and attributes in place. Nobody can tell what a class makes its message from: one that
    still shows a secret then is cut off from what it has caused, and where it is `error` itself, the answer is False.
    """
    if not secrets:
        return True
    seen = {id(error)}
    waiting = [error]
    while waiting:
        each = waiting.pop()
        _hide(each, secrets)
        for link in ("__cause__", "__context__"):
            other: BaseException | None = getattr(each, link)
            if other is None or id(other) in seen:
                continue
            _hide(other, secrets)
            if _shows(other, secrets):
                setattr(each, link, None)
                each.add_note(f"It was raised from a {type(other).__name__}, left out as it holds a secret.")
                continue
            seen.add(id(other))
            waiting.append(other)
        if isinstance(each, BaseExceptionGroup):
            waiting += [inner for inner in each.exceptions if id(inner) not in seen]
            seen |= {id(inner) for inner in each.exceptions}
    return not _shows(error, secrets)


def _hide(error: BaseException, secrets: Collection[str]) -> None:
    attributes = ("filename", "filename2", "strerror", "object", "reason", "name", "path", "msg", "text")
    for name in ("args", *attributes, *getattr(error, "__dict__", ())):
        value = getattr(error, name, None)
        hidden = _hidden(value, secrets)
        if hidden is not value:
            try:
                setattr(error, name, hidden)
            except (AttributeError, TypeError, ValueError):
                continue  # of those that can't be set, what is shown is looked at afterwards


def _hidden(value: Any, secrets: Collection[str]) -> Any:
    """The value without the secrets; the same object where it has none, or is of no kind that is looked into."""
    if isinstance(value, str):
        hidden = without_secrets(value, secrets)
        return value if hidden == value else hidden
    if isinstance(value, bytes):
        hidden = without_secrets(value.decode("latin-1"), {secret.encode().decode("latin-1") for secret in secrets})
        return value if hidden.encode("latin-1") == value else hidden.encode("latin-1")
    if type(value) in (list, tuple):
        items = [_hidden(item, secrets) for item in value]
        return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else value
    if type(value) is dict:
        pairs = {_hidden(key, secrets): _hidden(item, secrets) for key, item in value.items()}
        return pairs if any(pairs.get(key) is not item for key, item in value.items()) else value
    return value


def _shows(error: BaseException, secrets: Collection[str]) -> bool:
    try:
        text = f"{error!s} {error!r}"
    except Exception:  # noqa: BLE001 - an error that can't be shown shows nothing
        return False
    return any(secret in text for secret in secrets)
