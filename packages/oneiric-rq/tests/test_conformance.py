"""The conformance kit, on a server and workers of its own."""

from __future__ import annotations

from oneiric_rq.conformance import RqSuite


class TestRq(RqSuite):
    pass
