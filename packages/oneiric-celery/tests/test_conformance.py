"""The conformance kit, on Valkey with workers of `oneiric-celery worker`."""

from __future__ import annotations

from oneiric_celery.conformance import CelerySuite


class TestCelery(CelerySuite):
    """The suite that `oneiric conformance celery` runs."""
