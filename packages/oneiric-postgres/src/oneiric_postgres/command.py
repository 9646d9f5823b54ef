"""`oneiric migrate`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from oneiric.cli.output import ConfigOption, JsonOption, console, print_json
from oneiric.cli.running import end, run
from oneiric.errors import Unsupported
from oneiric.lifecycle import AdapterManager

if TYPE_CHECKING:
    from oneiric_postgres.migrations import Migration


def migrate(
    instance: Annotated[str, typer.Argument(help="The instance's name, as under `adapters:` in the config.")],
    folder: Annotated[Path, typer.Argument(help="The folder of .sql files: 0001_name.sql, 0002_…")],
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds that it may take in all.")] = 600.0,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Apply the numbered .sql files of a folder that are not applied yet, each in a transaction, to a PostgreSQL database."""
    applied = run(_migrate(instance, folder, timeout, config))
    if json:
        print_json({"applied": [{"number": each.number, "name": each.name} for each in applied]})
    else:
        for each in applied:
            console.print(f"✓ {each.file}", markup=False)
        console.print(f"{len(applied)} applied; {instance} is up to date.", markup=False)
    end(ok=True)


async def _migrate(instance: str, folder: Path, timeout: float, config: Path | None) -> list[Migration]:
    # Imported here, as it imports the driver, and `oneiric` imports this module to register the command.
    from oneiric_postgres.adapter import PostgresAdapter

    async with AdapterManager.from_config(config) as adapters:
        adapter = await adapters.get(instance)
        if not isinstance(adapter, PostgresAdapter):
            raise Unsupported(f"{instance} is no `postgres` adapter.", hint="Name an instance that is.")
        return await adapter.migrate(folder, timeout=timeout)
