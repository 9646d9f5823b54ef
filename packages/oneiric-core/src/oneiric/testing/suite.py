"""What every adapter's suite is built on: which adapter is meant, with which config, and how one is made.

```python
class TestSqlite(DatabaseSuite):
    adapter_name = "sqlite"

    @pytest.fixture
    def config(self, tmp_path):
        return {"path": str(tmp_path / "test.db")}
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import pytest_asyncio

from oneiric.discovery import discover

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from oneiric.adapters.base import Adapter
    from oneiric.spec import AdapterSpec

SUITE_LEVEL = 1
"""Which edition of the kit this is: it rises when a test is added that a right adapter may have failed until now."""


class AdapterSuite:
    """Base of the suites. A subclass names its adapter and gives a config of a backend that is empty, anew for each test."""

    adapter_name: ClassVar[str]

    @pytest.fixture
    def config(self) -> Mapping[str, Any]:
        """The settings of the adapter: the one fixture that a subclass must bring."""
        raise NotImplementedError(
            "Bring a fixture `config` that returns the settings of an adapter on an empty backend."
        )

    @pytest.fixture
    def spec(self) -> AdapterSpec:
        """What the plugin declares of the adapter."""
        return discover()[self.adapter_name]

    @pytest.fixture
    def capabilities(self, spec: AdapterSpec, config: Mapping[str, Any]) -> frozenset[str]:
        """What an adapter with this config can do: what the plugin declares, less what the settings do without."""
        return spec.capabilities - spec.settings.model_validate(dict(config)).lacks()

    @pytest.fixture
    def make(self, spec: AdapterSpec, config: Mapping[str, Any]) -> Callable[..., Adapter]:
        """Make another adapter on the same backend, not initialised; keyword arguments change its settings."""

        def make(**changes: Any) -> Adapter:
            adapter = spec.load()({**config, **changes})
            adapter.name = f"{spec.name}-under-test"
            return adapter

        return make

    @pytest_asyncio.fixture
    async def adapter(self, make: Callable[..., Adapter]) -> AsyncIterator[Adapter]:
        """An initialised adapter."""
        adapter = make()
        async with adapter:
            yield adapter
