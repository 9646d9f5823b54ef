"""Its suite of the conformance kit, most of which it fails."""

from oneiric.testing import AdapterSuite

from oneiric_leaky.adapter import Leaky


class LeakySuite(AdapterSuite):
    adapter_name = "leaky"
    contract = Leaky

    async def probe(self, adapter):
        await adapter.tell_later("caused")
