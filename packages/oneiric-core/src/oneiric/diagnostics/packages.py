"""What the doctor finds of the installation: Python, Oneiric's packages, and the drivers beneath them."""

from __future__ import annotations

import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from typing import TYPE_CHECKING

from oneiric.diagnostics.findings import Finding, Section, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.requirements import Requirement

    from oneiric.discovery import Catalog

CORE = "oneiric-core"


def package_findings(catalog: Catalog) -> Iterator[Finding]:
    """Python, then each of Oneiric's packages and those of the plugins, with the versions of what they need."""
    version = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    yield Finding(section=Section.INSTALLATION, subject="Python", detail=version)
    yield from _foreign()
    names = {CORE, *_ours(), *(plugin.distribution for plugin in catalog.plugins)}
    for name in sorted(names, key=lambda name: (name != CORE, name)):
        yield _package(name)


def _foreign() -> Iterator[Finding]:
    """Another project's distribution `oneiric`, which brings a module of the same name as oneiric-core's."""
    try:
        version = distribution("oneiric").version
    except PackageNotFoundError:
        return
    yield Finding(
        section=Section.INSTALLATION,
        subject="oneiric",
        verdict=Verdict.WRONG,
        detail=f"Another project's package `oneiric` {version} is installed, and its module has the name of {CORE}'s.",
        mend=f"Run: pip uninstall oneiric && pip install --force-reinstall {CORE}",
    )


def _ours() -> Iterator[str]:
    for found in distributions():
        try:
            name: str | None = found.name  # of metadata without a name there is none, whatever the type says
        except Exception:  # noqa: BLE001, S112 - metadata that can't be read; if a plugin is in it, discovery tells
            continue
        if name and re.match(r"oneiric[-_.]", name):
            yield re.sub(r"[-_.]+", "-", name).lower()


def _package(name: str) -> Finding:
    try:
        found = distribution(name)
        needs = list(_needs(found))
        version = found.version
    except Exception as error:  # noqa: BLE001 - whatever is in the metadata of a third party's package
        detail = f"Its metadata can't be read ({type(error).__name__})."
        mend = f"Run: pip install --force-reinstall {name}"
        return Finding(section=Section.INSTALLATION, subject=name, verdict=Verdict.WARNING, detail=detail, mend=mend)
    wrong = [f"{said}" for said, is_met, _ in needs if not is_met]
    detail = ", ".join([version, *(f"{said}" for said, _, _ in needs)])
    mend = "Run: pip install " + " ".join(f'"{requirement}"' for _, is_met, requirement in needs if not is_met)
    return Finding(
        section=Section.INSTALLATION,
        subject=name,
        verdict=Verdict.WRONG if wrong else Verdict.OK,
        detail=detail,
        mend=mend if wrong else None,
    )


def _needs(found: Distribution) -> Iterator[tuple[str, bool, Requirement]]:
    """What a package needs: half a sentence, whether it is there in a version that will do, and the requirement."""
    # Imported here: it takes longer than all else of this package, for the doctor alone, and who starts a server waits.
    from packaging.requirements import Requirement

    for text in found.requires or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        requirement.marker = None
        try:
            version = distribution(requirement.name).version
        except PackageNotFoundError:
            yield f"needs {requirement}, which is not installed", False, requirement
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} {version}", True, requirement
        else:
            yield f"needs {requirement}, and {version} is installed", False, requirement
