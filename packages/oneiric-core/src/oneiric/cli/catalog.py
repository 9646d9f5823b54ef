"""`list`, `info` and `plugins`: what is installed."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli.output import JsonOption, console, errors, print_json, print_table
from oneiric.config import ConfigStore
from oneiric.discovery import discover
from oneiric.errors import ConfigError
from oneiric.inspection import AdapterInfo, describe, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oneiric.config import Instance


def list_adapters(
    adapter_type: Annotated[str | None, typer.Option("--type", help="Only adapters of this type.")] = None,
    json: JsonOption = False,
) -> None:
    """List the installed adapters."""
    catalog, config = discover(), _config()
    summaries = [summarise(spec, catalog, config) for spec in catalog.of_type(adapter_type)]
    if json:
        print_json(summaries)
        return
    print_table(
        "Adapters",
        ("name", "type", "status", "summary", "capabilities"),
        ((s.name, s.type, s.status, s.error or s.summary, ", ".join(s.capabilities)) for s in summaries),
    )
    if not summaries:
        console.print("No adapter is installed. Install one: pip install oneiric-sqlite")
    for plugin in catalog.troubled:
        errors.print(
            f"The plugin {plugin.name} is {plugin.status}: see `oneiric plugins`.", markup=False, soft_wrap=True
        )


def info(
    name: Annotated[str, typer.Argument(help="The adapter's name, as `oneiric list` shows it.")],
    json: JsonOption = False,
) -> None:
    """Show one adapter: what it is and can do, its settings, an example config."""
    catalog = discover()
    details = describe(catalog[name], catalog, _config())
    if json:
        print_json(details)
        return
    print_table(f"Adapter {details.name}", ("", ""), _facts(details))
    print_table("Settings", ("key", "type", "default", "description"), _settings(details.settings_schema))


def plugins(
    show_traceback: Annotated[bool, typer.Option("--traceback", help="Show where each failed plugin failed.")] = False,
    json: JsonOption = False,
) -> None:
    """List every installed plugin and what became of it. Works with all of them broken."""
    found = discover().plugins
    if json:
        print_json([asdict(plugin) for plugin in found])
        return
    print_table(
        "Plugins",
        ("name", "distribution", "version", "status", "adapters", "reason"),
        (
            (
                p.name,
                p.distribution,
                p.version,
                p.status,
                ", ".join(p.adapters),
                " ".join(filter(None, (p.reason, p.hint))),
            )
            for p in found
        ),
    )
    for plugin in found:
        if show_traceback and plugin.traceback:
            console.print(f"\n{plugin.name} ({plugin.distribution}):\n{plugin.traceback}", markup=False, soft_wrap=True)


def _config() -> Mapping[str, Instance]:
    """The config, or an empty one and a warning where it can't be read: what is installed can be shown without it."""
    try:
        return ConfigStore.load()
    except ConfigError as error:
        errors.print(f"Warning: {error}", markup=False, soft_wrap=True)
        return {}


def _facts(details: AdapterInfo) -> Iterator[tuple[str, str]]:
    facts = details.model_dump(mode="json", exclude={"settings_schema", "name", "passport"})
    for name, value in facts.items():
        if value not in (None, [], {}):
            yield name.replace("_", " "), _shown(value)
    if details.passport is not None:
        yield "passport", str(details.passport)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return jsonlib.dumps(value) if isinstance(value, dict) else str(value)


def _settings(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for key, field in schema.get("properties", {}).items():
        is_required = key in schema.get("required", ())
        default = "(required)" if is_required else str(field.get("default", ""))
        yield key, _type_of(field), default, " ".join(field.get("description", "").split())


def _type_of(field: Mapping[str, Any]) -> str:
    if isinstance(field.get("enum"), list):
        return " | ".join(map(str, field["enum"]))
    options = field.get("anyOf")
    if isinstance(options, list) and all(isinstance(option, dict) for option in options):
        return " | ".join(map(_type_of, options))
    return str(field.get("type", "object"))
