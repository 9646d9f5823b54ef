"""Entry points to plugins to a Catalog of AdapterSpecs, with every failure kept."""

from oneiric.discovery.catalog import Catalog, discover
from oneiric.discovery.loading import BLOCK_VARIABLE, GROUP, ONLY_VARIABLE
from oneiric.discovery.plugins import Plugin, PluginStatus

__all__ = ["BLOCK_VARIABLE", "GROUP", "ONLY_VARIABLE", "Catalog", "Plugin", "PluginStatus", "discover"]
