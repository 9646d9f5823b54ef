"""`explain`: what is configured, and where each value comes from."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer

from oneiric.cli.output import ConfigOption, JsonOption, console, print_json, print_table
from oneiric.config import ConfigStore, explain, problems_of, schemes_of, spec_of
from oneiric.discovery import discover


def explain_instance(
    instance: Annotated[str, typer.Argument(help="The instance's name, as under `adapters:` in the config.")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show each value of a configured instance, secrets masked, with the layer and the line or variable it comes from.

    Exit code 1 where the config of the instance is wrong.
    """
    catalog, store = discover(), ConfigStore.load(config)
    configured = store[instance]
    spec = spec_of(configured, catalog)
    explained = explain(configured, spec.settings)
    problems = problems_of(spec.settings, configured.values, schemes_of(catalog.hooks, store.variables))
    if json:
        print_json(
            {"instance": instance, "values": list(map(asdict, explained)), "problems": list(map(asdict, problems))}
        )
    else:
        rows = (
            (
                v.key,
                v.value if isinstance(v.value, str) else jsonlib.dumps(v.value, default=str),
                v.layer,
                v.location or "",
            )
            for v in explained
        )
        print_table(f"Instance {instance}", ("key", "value", "layer", "from"), rows)
        for problem in problems:
            console.print(f"✗ {problem}", style="red", markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)
