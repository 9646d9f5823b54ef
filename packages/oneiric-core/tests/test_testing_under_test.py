"""What the kit's tests are given."""

from __future__ import annotations

import pytest
from oneiric.testing import MessagingSuite, QueueSuite
from oneiric.testing.guard import KitSkip
from oneiric.testing.under_test import AskedFor


@pytest.mark.parametrize("suite", [QueueSuite, MessagingSuite])
def test_each_capability_that_a_test_needs_is_one_that_it_proves(suite: type[QueueSuite | MessagingSuite]):
    proved: list[str] = []
    capabilities = AskedFor({"groups", "replay"}, proved.append)
    suite().needs(capabilities, "groups", "replay")
    assert proved == ["groups", "replay"]
    with pytest.raises(KitSkip, match="`durable`"):
        suite().needs(capabilities, "durable")
