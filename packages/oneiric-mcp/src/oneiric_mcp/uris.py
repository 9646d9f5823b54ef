"""The addresses of the resources."""

from __future__ import annotations

import re
from urllib.parse import unquote

ALL = "adapters://"
ONE = "adapters://{adapter_name}"
ONE_RELATIVE = "adapters/{adapter_name}"
"""Beside the absolute form, for clients that resolve it against the server's own address."""

_ONE = re.compile(r"adapters(?:://|/)([^/]+)")


def adapter_in(uri: str) -> str | None:
    """The adapter that an address of one adapter names; None for any other address."""
    match = _ONE.fullmatch(uri)
    return unquote(match[1]) if match else None


def uris_of(adapter: str) -> tuple[str, ...]:
    """Each address that shows something of an adapter."""
    return ALL, ONE.format(adapter_name=adapter), ONE_RELATIVE.format(adapter_name=adapter)
