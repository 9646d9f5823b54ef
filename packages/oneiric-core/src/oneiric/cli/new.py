"""`new`: a package for a new adapter."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli.output import JsonOption, console, print_json
from oneiric.discovery import discover
from oneiric.discovery.catalog import TYPES
from oneiric.scaffold import Names, package_files, write_package

if TYPE_CHECKING:
    from collections.abc import Mapping


def new(
    name: Annotated[str, typer.Argument(help="The adapter's name, in kebab-case: `red-panda`.")],
    adapter_type: Annotated[
        str, typer.Option("--type", help="`database`, `vector`, `queue`, `messaging`, or a type of your own.")
    ],
    directory: Annotated[
        Path | None,
        typer.Option("--directory", help="Where to write it; otherwise a folder of the distribution's name."),
    ] = None,
    distribution: Annotated[
        str | None, typer.Option("--distribution", help="What pip will install; otherwise `oneiric-NAME`.")
    ] = None,
    own_type: Annotated[
        bool, typer.Option("--own-type", help="The type is one of your own, though its name is like that of another.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a package for a new adapter, whose tests run at once and fail only on what is left to write."""
    names = Names(name, adapter_type, distribution or f"oneiric-{name}")
    catalog = discover()
    names.check_free(catalog)
    if not own_type:
        names.check_type(catalog)
    files = package_files(names)
    folder = directory or Path(names.distribution)
    write_package(files, folder.absolute())
    answer = _answer(names, folder, files)
    if json:
        print_json(answer)
        return
    console.print(f"{folder}: {len(files)} files of a {adapter_type} adapter.", markup=False, soft_wrap=True)
    if adapter_type not in TYPES:
        console.print(_about_type(adapter_type), markup=False, soft_wrap=True)
    console.print("\nNext:", *answer["next"], sep="\n  ", markup=False, soft_wrap=True)


def _answer(names: Names, folder: Path, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": names.adapter,
        "type": names.type,
        "distribution": names.distribution,
        "module": names.module,
        "folder": str(folder.absolute()),
        "files": sorted(files),
        "next": [
            f"cd {shlex.quote(str(folder))}",
            'pip install -e ".[testing]"',
            f"oneiric info {names.adapter}",
            "pytest --exitfirst",
        ],
    }


def _about_type(adapter_type: str) -> str:
    return f"The type `{adapter_type}` has no contract here: it has to bring `init`, `health` and `cleanup`."
