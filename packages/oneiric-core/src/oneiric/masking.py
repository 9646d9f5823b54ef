"""What is shown in place of a secret. Everything that shows a setting, or text of a driver's, goes through here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from pydantic import BaseModel, Secret, SecretBytes, SecretStr, ValidationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MASK = "**********"

_USER_IN_URL = re.compile(r"(?<=://)[^/:]*:")
_WORD = re.compile(r"\S+")
_IS_URL = re.compile(r"\s*[A-Za-z][\w.+-]*://")

_PASSWORD_IN_KEYWORD = re.compile(
    r"((?:password|passwd|pwd|secret|token|api_?key)\s*=\s*)"
    r"""('(?:\\.|''|[^'\\])*'?|"(?:\\.|""|[^"\\])*"?|[^\s&;,'")]+)""",
    re.IGNORECASE | re.DOTALL,
)
"""`password=…` of a query string or of a DSN made of keywords. What stands before the word is nothing to look for: to try
each beginning of a long text with dashes would take hours."""

_SHORTEST_SECRET = 3
"""Shorter values are no secrets, and striking them out of a text would leave none of it."""


def without_passwords(text: str) -> str:
    """The text with the password of every URL and DSN in it masked."""
    if "=" in text:
        text = _PASSWORD_IN_KEYWORD.sub(rf"\1{MASK}", text)
    shown, end = [], 0
    for start, stop in _passwords_in_urls(text):
        shown += [text[end:start], MASK]
        end = stop
    return "".join([*shown, text[end:]])


def _passwords_in_urls(text: str) -> Iterator[tuple[int, int]]:
    """Where the password of each URL begins and ends: at its last `@`, as it may hold an `@` or a `/` that was not escaped.

    Where nothing but a URL is expected, spaces don't end it. Each part of the text is looked at once.
    """
    if "://" not in text or "@" not in text:
        return
    urls = [(0, len(text))] if _IS_URL.match(text) else (word.span() for word in _WORD.finditer(text))
    for start, end in urls:
        last = text.rfind("@", start, end)
        user = _USER_IN_URL.search(text, start, last) if last >= 0 else None
        if user is not None:
            yield user.end(), last


def masked(value: Any) -> Any:
    """The value as it may be shown: secret types masked, and the passwords of URLs, however deep they are."""
    if isinstance(value, SecretStr | SecretBytes | Secret):
        return MASK
    if _is_text(value):
        return without_passwords(str(value))
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value


def _is_text(value: object) -> bool:
    """Whether it is a string, or one of pydantic's URLs, which shows its password."""
    return isinstance(value, str) or hasattr(value, "unicode_string")


def is_secret(annotation: object, within: tuple[object, ...] = ()) -> bool:
    """Whether a field of this annotation may hold a secret: `SecretStr`, `list[SecretStr]`, a model with such a field, …

    `within` has the classes that this is looked at in, as one may hold itself.
    """
    kind = get_origin(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes | Secret):
        return True
    inner = list(get_args(annotation))
    if isinstance(kind, type) and kind not in within:
        inner += _annotations_in(kind)
        within = (*within, kind)
    # What `type X = …` and NewType name.
    inner += filter(None, (getattr(annotation, name, None) for name in ("__value__", "__supertype__")))
    return any(is_secret(each, within) for each in inner)


def _annotations_in(kind: type) -> Iterator[object]:
    """Of each field that pydantic finds in a class."""
    if issubclass(kind, BaseModel):
        yield from (field.annotation for field in kind.model_fields.values())
    elif (
        is_dataclass(kind) or hasattr(kind, "__total__") or hasattr(kind, "_fields")
    ):  # a TypedDict has the first of these
        try:
            yield from get_type_hints(kind).values()
        except Exception:  # noqa: BLE001 - who can't say what its fields are is taken to have a secret one
            yield SecretStr


def secrets_in(value: object) -> frozenset[str]:
    """The secrets in a value: secret types, passwords of URLs and DSNs; as they stand there, and unquoted."""
    forms = (form for secret in _secrets(value) for form in (secret, unquote(secret)))
    return frozenset(form for form in forms if len(form) >= _SHORTEST_SECRET)


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr | SecretBytes | Secret):
        yield from _texts(value.get_secret_value())
    elif _is_text(value):
        text = str(value)
        yield from _passwords_of_urls(text)
        yield from (_unquoted(match[2]) for match in _PASSWORD_IN_KEYWORD.finditer(text))
    elif isinstance(value, BaseModel):
        yield from (secret for _, item in value for secret in _secrets(item))
    elif isinstance(value, Mapping):
        yield from (secret for item in value.values() for secret in _secrets(item))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (secret for item in value for secret in _secrets(item))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (secret for each in fields(value) for secret in _secrets(getattr(value, each.name, None)))


def _texts(secret: object) -> Iterator[str]:
    """What a secret holds as text, whatever its type."""
    if isinstance(secret, bytes):
        yield secret.decode(errors="replace")
    elif isinstance(secret, Mapping):
        yield from (text for item in secret.values() for text in _texts(item))
    elif isinstance(secret, list | tuple | set | frozenset):
        yield from (text for item in secret for text in _texts(item))
    else:
        yield str(secret)


def _passwords_of_urls(text: str) -> Iterator[str]:
    """Each password, and its pieces where it holds what ends a part of a URL: a driver takes these for something else."""
    for start, end in _passwords_in_urls(text):
        yield text[start:end]
        yield from re.split(r"[/?#@:\s]", text[start:end])


def _unquoted(password: str) -> str:
    quote = password[:1]
    return re.sub(rf"\\(.)|{quote}({quote})", r"\1\2", password.strip(quote)) if quote in ("'", '"') else password


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """The text with each of the secrets masked, in whatever form, and the password of every URL and DSN."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        if _core(secret) in text:
            text = _pattern(secret).sub(MASK, text)
    return without_passwords(text)


@lru_cache(maxsize=1024)
def _core(secret: str) -> str:
    """The longest part of a secret that nothing escapes: a text without it, as most are, is without the secret too."""
    cores: list[str] = re.findall(r"[A-Za-z0-9]*", secret)
    return max(cores, key=len)


@lru_cache(maxsize=1024)
def _pattern(secret: str) -> re.Pattern[str]:
    """The secret, with each of its characters as it is or escaped, as often as anybody likes.

    The quantifiers are possessive: of a long run of backslashes nothing is tried twice.
    """
    return re.compile(_beginning(secret) + "".join(map(_escaped, _RUN.findall(secret))))


def _beginning(secret: str) -> str:
    """That of a run, where the secret begins with one: else each place in a long run would be tried."""
    if secret[0].isascii() and secret[0].isalnum():
        return ""
    return rf"(?<![\\'\"]){_not_after('(?:5[Cc]|2[27])')}" if secret[0] in "\\'\"" else rf"(?<!\\){_not_after('5[Cc]')}"


def _not_after(code: str) -> str:
    return "".join(f"(?<!%{'25' * times}{code})" for times in range(_MOST_TIMES + 1))


_RUN = re.compile(r"""[\\'"]+|.""", re.DOTALL)
"""A character, or a run of those that escaping multiplies."""
_MOST_TIMES = 3
"""How often a URL's escape is escaped again, at most."""
_PERCENT = f"%(?:25){{0,{_MOST_TIMES}}}"
_BACKSLASH = rf"(?:\\|{_PERCENT}5[Cc])"


@cache
def _escaped(run: str) -> str:
    """A character as it is, and as `repr`, JSON and URLs escape it; what any of these made is escaped again by the next."""
    if run.isascii() and run.isalnum():
        return run
    if run[0] in "\\'\"":
        return rf"(?:{_BACKSLASH}|['\"]|{_PERCENT}2[27])++"
    encoded = run.encode(errors="surrogatepass")
    escapes = (json.dumps(run)[1:-1], repr(run)[1:-1], repr(encoded)[2:-1])
    forms = {
        re.escape(run),
        "".join(f"{_PERCENT}(?i:{byte:02x})" for byte in encoded),
        *(f"{_BACKSLASH}++".join(map(re.escape, filter(None, escape.split("\\")))) for escape in escapes),
        *([rf"\+|{_PERCENT}2[Bb]"] if run == " " else ()),
    }
    return rf"(?:{_BACKSLASH}*+(?:{'|'.join(sorted(forms))}))"


def hide_secrets(error: BaseException, secrets: Collection[str]) -> bool:
    """Take the secrets out of an error, and of every error that it was raised from or during.

    Changes their arguments, notes and attributes in place. Nobody can tell what a class makes its message from: one that
    still shows a secret then is cut off from what it has caused, and where it is `error` itself, or a member of a group
    that is, the answer is False.
    """
    if not secrets:
        return True
    known = frozenset(secrets)
    errors = list(_reached_from(error))
    for each in errors:
        _hide(each, known)
    showing = {id(each) for each in errors if _shows(each, known)}
    for each in reversed(errors):  # a group comes before its members
        if any(id(member) in showing for member in _members(each)):
            showing.add(id(each))
    for each in errors:
        for link in ("__cause__", "__context__"):
            other = getattr(each, link)
            if id(other) in showing:
                setattr(each, link, None)
                each.add_note(f"It was raised from a {type(other).__name__}, left out as it holds a secret.")
    return id(error) not in showing


def _reached_from(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from or during, and the members of groups among them; each once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            behind = (each.__cause__, each.__context__)
            waiting += [*_members(each), *(other for other in behind if other is not None)]


def _members(error: BaseException) -> tuple[BaseException, ...]:
    return error.exceptions if isinstance(error, BaseExceptionGroup) else ()


def _hide(error: BaseException, secrets: frozenset[str]) -> None:
    attributes = (
        "filename",
        "filename2",
        "strerror",
        "object",
        "reason",
        "name",
        "path",
        "msg",
        "text",
        "code",
        "value",
    )
    for name in ("args", *attributes, *getattr(error, "__dict__", ())):
        try:
            value = getattr(error, name, None)
            hidden = _hidden(value, secrets, {})
            if hidden is not value:
                setattr(error, name, hidden)
        except Exception:  # noqa: BLE001, S112 - a property may raise anything, and nest without end
            continue  # what is shown is looked at afterwards


def _hidden(value: Any, secrets: frozenset[str], seen: dict[int, Any]) -> Any:
    """The value without the secrets; the same object where it has none, or is of no kind that is looked into.

    `seen` has what became of each container: one may be in many places, or hold itself.
    """
    if isinstance(value, str):
        hidden = without_secrets(value, secrets)
        return value if hidden == value else hidden
    if isinstance(value, bytes):
        hidden = without_secrets(value.decode("latin-1"), [secret.encode().decode("latin-1") for secret in secrets])
        return value if hidden.encode("latin-1") == value else hidden.encode("latin-1")
    if type(value) not in (list, tuple, dict):
        return value
    if id(value) not in seen:
        seen[id(value)] = value
        seen[id(value)] = _without(value, secrets, seen)
    return seen[id(value)]


def _without(value: Any, secrets: frozenset[str], seen: dict[int, Any]) -> Any:
    if type(value) is dict:
        pairs = {_hidden(key, secrets, seen): _hidden(item, secrets, seen) for key, item in value.items()}
        return pairs if any(pairs.get(key) is not item for key, item in value.items()) else value
    items = [_hidden(item, secrets, seen) for item in value]
    return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else value


def _shows(error: BaseException, secrets: frozenset[str]) -> bool:
    try:
        text = f"{error!s} {error!r}"
        if isinstance(error, ValidationError):  # it quotes the beginning and the end of what it was given
            text = f"{error.errors(include_url=False)}"
    except Exception:  # noqa: BLE001 - an error that can't be shown shows nothing
        return False
    return any(_core(secret) in text and _pattern(secret).search(text) for secret in secrets)
