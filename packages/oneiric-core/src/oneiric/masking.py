"""What is shown in place of a secret. Everything that shows a setting, or text of a driver's, goes through here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import Secret, SecretBytes, SecretStr

MASK = "**********"

_PASSWORD_IN_URL = re.compile(r"(?<=://)([^\s/:@]*):\S*@")
"""`user:password@` of any URL, up to its last `@`: a password may hold an `@` or a `/` that was not escaped."""


def without_passwords(text: str) -> str:
    """The text with the password of every URL in it masked."""
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


def is_secret(annotation: object) -> bool:
    """Whether a field of this annotation may hold a secret: `SecretStr`, `SecretStr | None`, `list[SecretStr]`, …"""
    if isinstance(annotation, type) and issubclass(annotation, SecretStr | SecretBytes | Secret):
        return True
    return any(is_secret(inner) for inner in get_args(annotation))
