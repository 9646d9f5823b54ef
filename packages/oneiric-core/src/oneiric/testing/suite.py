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

from oneiric.passport import SUITE_LEVEL as SUITE_LEVEL
from oneiric.testing.concurrency import ConcurrencyTests
from oneiric.testing.hygiene import HygieneTests
from oneiric.testing.lifecycle import LifecycleTests
from oneiric.testing.resilience import ResilienceTests


class AdapterSuite(HygieneTests, LifecycleTests, ConcurrencyTests, ResilienceTests):
    """What holds for an adapter of any type; the suites of the types add their contracts.

    A subclass names its adapter and gives a config of a backend that is empty, anew for each test.
    """
