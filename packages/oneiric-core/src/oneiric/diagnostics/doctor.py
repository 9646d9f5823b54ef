"""The doctor: everything that can be found wrong, with what mends it, however broken the rest is."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from oneiric.config import schemes_of
from oneiric.diagnostics.config_findings import instance_findings, load
from oneiric.diagnostics.connection import check_connection
from oneiric.diagnostics.findings import Diagnosis, Finding, Section, Verdict
from oneiric.diagnostics.packages import package_findings
from oneiric.discovery import PluginStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from oneiric.config import ConfigStore, Instance
    from oneiric.discovery import Catalog

AT_ONCE = 8
"""How many connections are tested at a time."""

_VERDICTS = {
    PluginStatus.LOADED: Verdict.OK,
    PluginStatus.BLOCKED: Verdict.WARNING,
    PluginStatus.FAILED: Verdict.WRONG,
    PluginStatus.COLLIDED: Verdict.WRONG,
}


async def diagnose(
    catalog: Catalog,
    path: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    connect: bool = True,
    timeout: float = 10.0,
) -> Diagnosis:
    """Look at the installation, the plugins, the config, each instance and, where `connect`, each one's connection.

    `path` is the config file, which is looked for where it is None. `timeout` (seconds) bounds each reference and each stage
    of a connection. Raises nothing for what is wrong.
    """
    findings = [*package_findings(catalog), *_plugin_findings(catalog)]
    store, file, of_config = load(path, environ)
    findings += of_config
    schemes = schemes_of(catalog.hooks, store.variables)
    looked_at = await asyncio.gather(
        *(instance_findings(instance, catalog, schemes, file, timeout) for instance in store.values())
    )
    findings += [finding for of_instance in looked_at for finding in of_instance]
    if connect:
        wrong = {finding.subject for finding in findings if _is_wrong(finding) and finding.section is Section.INSTANCES}
        usable = [instance for name, instance in store.items() if name not in wrong]
        findings += await _connection_findings(usable, catalog, store, timeout)
    return Diagnosis(healthy=not any(map(_is_wrong, findings)), findings=findings)


def _is_wrong(finding: Finding) -> bool:
    return finding.verdict is Verdict.WRONG


def _plugin_findings(catalog: Catalog) -> Iterator[Finding]:
    for plugin in catalog.plugins:
        adapters = ", ".join(plugin.adapters)
        yield Finding(
            section=Section.PLUGINS,
            subject=plugin.name,
            verdict=_VERDICTS[plugin.status],
            detail=plugin.reason or (f"adapters: {adapters}" if adapters else "loaded"),
            location=f"{plugin.distribution} {plugin.version}",
            mend=plugin.hint,
        )


async def _connection_findings(
    instances: list[Instance], catalog: Catalog, store: ConfigStore, timeout: float
) -> list[Finding]:
    places = asyncio.Semaphore(AT_ONCE)

    async def test(instance: Instance) -> Finding:
        async with places:
            result = await check_connection(instance, catalog, variables=store.variables, timeout=timeout)
        return Finding(
            section=Section.CONNECTIONS,
            subject=instance.name,
            verdict=Verdict.OK if result.success else Verdict.WRONG,
            detail=result.error or f"answers; all stages took {result.latency_ms:.1f} ms",
            mend=result.next_step,
            connection=result,
        )

    return await asyncio.gather(*map(test, instances))
