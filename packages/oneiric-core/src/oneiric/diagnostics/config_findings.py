"""What the doctor finds of the configuration: its layers, its variables, and each instance with its references."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oneiric.config import (
    FILE_VARIABLE,
    ConfigStore,
    dotenv_of,
    find_file,
    problems_of,
    references_in,
    resolved,
    spec_of,
)
from oneiric.config.yaml_file import read_file
from oneiric.diagnostics.findings import Finding, Section, Verdict
from oneiric.diagnostics.guard import unguarded
from oneiric.discovery import BLOCK_VARIABLE, ONLY_VARIABLE
from oneiric.errors import ConfigError, OneiricError, UnknownAdapter, UnresolvedReference
from oneiric.lifecycle.patience import Late, called
from oneiric.validation import nearest, path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from oneiric.config import Instance, Resolver
    from oneiric.config.yaml_file import YamlFile
    from oneiric.discovery import Catalog

_INSTANCES = "ONEIRIC_ADAPTERS"
_OF_THE_PROCESS = (FILE_VARIABLE, BLOCK_VARIABLE, ONLY_VARIABLE)
"""Variables that are read from the environment alone, before there is a `.env`."""


def load(path: Path | None, environ: Mapping[str, str]) -> tuple[ConfigStore, YamlFile | None, list[Finding]]:
    """The config, an empty one where it can't be read, its file, and what there is to say of its layers."""
    found = find_file(path, environ)
    where = (
        str(found) if found else "No file: none is named, and there is no oneiric.yaml here or in the user's folder."
    )
    findings = [Finding(section=Section.CONFIG, subject="file", detail=where)]
    try:
        file = read_file(found) if found else None
        store = ConfigStore.from_file(file, environ=environ)
    except ConfigError as error:
        wrong = Finding(
            section=Section.CONFIG,
            subject="layers",
            verdict=Verdict.WRONG,
            detail=error.message,
            mend=error.hint or _MEND,
        )
        return ConfigStore({}), None, [*findings, wrong, *_variable_findings(environ, "")]
    dotenv = dotenv_of(found)
    if dotenv.is_file():
        findings.append(Finding(section=Section.CONFIG, subject=".env", detail=str(dotenv)))
    setting = [name for name in environ if name.upper().startswith(f"{_INSTANCES}__") or name.upper() == _INSTANCES]
    if setting:
        findings.append(Finding(section=Section.CONFIG, subject="environment", detail=", ".join(sorted(setting))))
    findings += _variable_findings(environ, "")
    in_dotenv = {name: value for name, value in store.variables.items() if name not in environ}
    findings += _variable_findings(in_dotenv, f"{dotenv}: ")
    return store, file, findings


_MEND = "Correct that; until then no instance can be used."


def _variable_findings(variables: Mapping[str, str], where: str) -> Iterator[Finding]:
    """Variables that look like Oneiric's and do nothing."""
    for name in sorted(variables):
        upper = name.upper()
        if not upper.startswith("ONEIRIC_") or upper == _INSTANCES or upper.startswith(f"{_INSTANCES}__"):
            continue
        if name in _OF_THE_PROCESS and not where:
            continue
        near = next(iter(nearest(upper, (*_OF_THE_PROCESS, _INSTANCES))), None)
        detail = "No variable of Oneiric's has this name." + (f" Did you mean {near}?" if near else "")
        if name in _OF_THE_PROCESS:
            detail = "It has no effect in `.env`, which is read later."
        yield Finding(
            section=Section.CONFIG,
            subject=name,
            verdict=Verdict.WARNING,
            detail=detail,
            location=f"{where}{name}" if where else None,
            mend="Set it in the environment." if name in _OF_THE_PROCESS else "Rename or remove it.",
        )


async def instance_findings(
    instance: Instance, catalog: Catalog, schemes: Mapping[str, Resolver], file: YamlFile | None, timeout: float
) -> list[Finding]:
    """Everything that is wrong with an instance's config, references that nothing is behind included; or that nothing is."""

    def wrong(detail: str, path: str, mend: str | None) -> Finding:
        return Finding(
            section=Section.INSTANCES,
            subject=instance.name,
            verdict=Verdict.WRONG,
            detail=detail,
            location=location_of(instance, path, file),
            mend=mend,
        )

    try:
        spec = spec_of(instance, catalog)
    except UnknownAdapter as error:
        return [wrong(error.message, "adapter", error.hint)]
    unavailable = catalog.why_unavailable(spec)
    findings = [wrong(unavailable.message, "adapter", unavailable.hint)] if unavailable else []
    problems = problems_of(spec.settings, instance.values, schemes)
    settings = f"`oneiric info {spec.name}` shows its settings."
    findings += [wrong(str(problem), problem.path, settings) for problem in problems]
    places = {problem.path for problem in problems}
    if "" not in places:  # of what can't be a config at all, nothing is looked at more closely
        references = [(path_of(location), it) for location, it in references_in(instance.values)]
        tried = [(path, reference) for path, reference in references if path not in places]
        errors = await asyncio.gather(*(_unresolved(reference, schemes, timeout) for _, reference in tried))
        findings += [
            wrong(error.message, path, error.hint) for (path, _), error in zip(tried, errors, strict=True) if error
        ]
    return findings or [
        Finding(
            section=Section.INSTANCES, subject=instance.name, detail=f"`{instance.adapter}`, and its config is right."
        )
    ]


async def _unresolved(
    reference: Mapping[str, object], schemes: Mapping[str, Resolver], seconds: float
) -> OneiricError | None:
    """Why a reference can't be resolved; what it resolves to goes nowhere."""
    try:
        with unguarded():
            await called(resolved, reference, schemes, seconds=seconds)
    except Late:
        scheme, name = next(iter(reference.items()))
        return UnresolvedReference(f"The reference {{{scheme}: {name}}} was not resolved within {seconds:g} s.")
    except UnresolvedReference as error:
        return error
    return None


def location_of(instance: Instance, path: str, file: YamlFile | None) -> str | None:
    """The file and line, or the variable, of the value at `pool.hosts[2]`; else of what it is in; else of the instance."""
    places = {path_of(keys): source.location for keys, source in instance.sources.items()}
    around = [known for known in places if path == known or path.startswith((f"{known}.", f"{known}["))]
    inside = [known for known in places if known.startswith(f"{path}.")]
    best = max(around, key=len, default=None) or next(iter(inside), None) or next(iter(places), None)
    if best is None and file is not None:
        return file.locate(("adapters", instance.name))
    return places[best] if best is not None else None
