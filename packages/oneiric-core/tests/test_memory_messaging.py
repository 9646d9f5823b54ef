"""The bus in memory passes the kit, also where it is to do without what it can; and what it is beyond the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from oneiric.testing.memory.messaging import CAPABILITIES, SPEC
from oneiric.testing.messaging.suite import MessagingSuite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.spec import AdapterSpec


class TestMemoryMessaging(MessagingSuite):
    adapter_name = "memory-messaging"

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        return SPEC

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex}

    @pytest.fixture
    def interrupt(self) -> Any:
        async def interrupt(adapter: Any) -> None:
            adapter.report_gap()

        return interrupt


class TestMemoryMessagingThatCanDoLittle(TestMemoryMessaging):
    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex, "without": CAPABILITIES}


class TestMemoryMessagingWithoutGroups(TestMemoryMessaging):
    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        return {"broker": uuid4().hex, "without": {"groups", "dead-letters"}}
