"""Errors of a vector index, from those that the package has for databases."""

from __future__ import annotations

from oneiric.errors import DatabaseError, OneiricError, VectorError

from oneiric_postgres import errors


def translated(error: BaseException, adapter: str | None) -> BaseException:
    """Oneiric's error for one of the driver's; another is given back as it is. `adapter` is put into either."""
    ours = errors.translated(error, adapter)
    if isinstance(ours, DatabaseError):  # a word about transactions or statements says nothing to who searches
        return VectorError(ours.message, adapter=adapter, transient=ours.transient, hint=_hint(ours))
    if isinstance(ours, OneiricError):
        ours.adapter = adapter
    return ours


def _hint(error: OneiricError) -> str | None:
    return "Run it again." if error.transient else error.hint
