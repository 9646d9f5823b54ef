"""`config`: what is configured, and changes of the config file that are planned, shown, applied, and taken back."""

from __future__ import annotations

import json as jsonlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric.cli.assignments import changes_in, changes_of
from oneiric.cli.output import ConfigOption, JsonOption, console, errors, print_json, print_table
from oneiric.config import ConfigStore, apply_plan, explain, history_of, plan_change, plan_rollback, spec_of
from oneiric.discovery import discover
from oneiric.errors import ConfigChanged, ConfigError
from oneiric.validation import nearest

if TYPE_CHECKING:
    from oneiric.config import ConfigPlan

app = typer.Typer(help="Show and change the config file: plan, apply, history, rollback.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The instance's name, as under `adapters:` in the config.")]
Assignments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings, pool.size=4 for one inside of another; VALUE is YAML: 5, true, text, {$env: NAME}.",
    ),
]
Unset = Annotated[list[str] | None, typer.Option("--unset", metavar="KEY", help="Remove this setting from the file.")]
Remove = Annotated[bool, typer.Option("--remove", help="Remove the whole instance from the file.")]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="FILE", help="Read the settings from a YAML or JSON file (- is stdin); null removes."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


@app.command("get")
def get_values(
    instance: Name,
    key: Annotated[str | None, typer.Argument(help="One setting, or the settings inside of one.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show the values that take effect: secrets masked, references as they stand."""
    catalog, store = discover(), ConfigStore.load(config)
    configured = store[instance]
    values = {value.key: value.value for value in explain(configured, spec_of(configured, catalog).settings)}
    chosen = {name: value for name, value in values.items() if key is None or f"{name}.".startswith(f"{key}.")}
    if not chosen:
        near = "".join(f"Did you mean `{name}`?" for name in nearest(str(key), values))
        raise ConfigError(f"`{instance}` has no value `{str(key)[:100]}`.", hint=near or None)
    if json:
        print_json(chosen.get(str(key), chosen))
    elif key in chosen:
        console.print(_text(chosen[key]), markup=False, soft_wrap=True)
    else:
        print_table(f"Instance {instance}", ("key", "value"), ((name, _text(value)) for name, value in chosen.items()))


@app.command("plan")
def plan_only(
    instance: Name,
    assignments: Assignments = None,
    unset: Unset = None,
    remove: Remove = False,
    source: From = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what a change would do, and the plan's hash, which `config apply` needs. Changes nothing."""
    plan = _plan(instance, assignments, unset, remove, source, config)
    if json:
        print_json(_as_json(plan))
    else:
        _show(plan)


@app.command("set")
def set_values(
    instance: Name,
    assignments: Assignments = None,
    unset: Unset = None,
    remove: Remove = False,
    source: From = None,
    config: ConfigOption = None,
    yes: Yes = False,
    json: JsonOption = False,
) -> None:
    """Change an instance: show the plan, ask, and apply it."""
    _apply(_plan(instance, assignments, unset, remove, source, config), None, yes, json)


@app.command("apply")
def apply_planned(
    instance: Name,
    plan: Annotated[str, typer.Option("--plan", metavar="HASH", help="The hash of the plan that was agreed to.")],
    assignments: Assignments = None,
    unset: Unset = None,
    remove: Remove = False,
    source: From = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Apply a plan: the same change of the same file, or nothing."""
    _apply(_plan(instance, assignments, unset, remove, source, config), plan, False, json)


@app.command("history")
def show_history(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List the earlier versions of the config file, the latest first."""
    versions = history_of(config)
    if json:
        print_json(list(map(asdict, versions)))
        return
    rows = (
        (
            str(version.number),
            f"{version.replaced_at.astimezone():%Y-%m-%d %H:%M:%S}",
            "no file" if version.size is None else f"{version.size} bytes",
        )
        for version in versions
    )
    print_table("Versions", ("version", "replaced at", "size"), rows)


@app.command("rollback")
def roll_back(
    version: Annotated[int | None, typer.Argument(help="As `config history` shows it; otherwise the latest.")] = None,
    yes: Yes = False,
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="HASH", help="Don't ask, if this is the plan's hash.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its hash, and change nothing.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Put an earlier version of the config file back. That can be taken back likewise."""
    planned = plan_rollback(discover(), version, path=config)
    if not dry_run:
        _apply(planned, plan, yes, json)
    elif json:
        print_json(_as_json(planned))
    else:
        _show(planned)


def _plan(
    instance: str,
    assignments: list[str] | None,
    unset: list[str] | None,
    remove: bool,
    source: str | None,
    config: Any,
) -> ConfigPlan:
    ways = [bool(assignments or unset), remove, source is not None]
    if sum(ways) != 1:
        raise ConfigError("Say what to change: KEY=VALUE and --unset KEY, or --from FILE, or --remove.")
    if remove:
        return plan_change(instance, None, discover(), path=config)
    changes = changes_in(source) if source is not None else changes_of(assignments or (), unset or ())
    return plan_change(instance, changes, discover(), path=config)


def _apply(plan: ConfigPlan, agreed: str | None, yes: bool, json: bool) -> None:
    """Apply a plan that was agreed to, by its hash or by `--yes`, or that somebody agrees to now."""
    if agreed is not None and agreed != plan.hash:
        raise ConfigChanged(
            "That hash is of another plan: the file, or the change, is not the same.", hint="Plan again."
        )
    if not json:
        _show(plan)
    if agreed is None and not yes and plan.changes_something and not _is_agreed(json):
        console.print("Nothing was changed.")
        raise typer.Exit(1)
    version = apply_plan(plan)
    if json:
        print_json({**_as_json(plan), "applied": True, "version": version and version.number})
    elif version:
        console.print(f"Applied; the file as it was is version {version.number}.", style="green")


def _is_agreed(json: bool) -> bool:
    if json or not (sys.stdin and sys.stdin.isatty()):
        raise ConfigError(
            "Nothing was changed: there is nobody to ask.", hint="Say --yes, or --plan with the plan's hash."
        )
    return typer.confirm("Apply this?")


def _show(plan: ConfigPlan) -> None:
    about = f"{plan.path}, instance {plan.instance}:" if plan.instance else f"{plan.path}:"
    console.print(about, markup=False, soft_wrap=True)
    for change in plan.changes:
        key = change.key or plan.instance
        if change.before is None:
            line, style = f"  + {key}: {_text(change.after)}", "green"
        elif change.after is None:
            line, style = f"  - {key}: {_text(change.before)}", "red"
        else:
            is_hidden = change.before == change.after
            change_of = "another value" if is_hidden else f"{_text(change.before)} → {_text(change.after)}"
            line, style = f"  ~ {key}: {change_of}", "yellow"
        console.print(line, style=style, markup=False, soft_wrap=True)
    for warning in plan.warnings:
        errors.print(f"! {warning}", style="yellow", markup=False, soft_wrap=True)
    console.print(f"Plan {plan.hash}", soft_wrap=True)


def _as_json(plan: ConfigPlan) -> dict[str, Any]:
    return {
        "path": str(plan.path),
        "instance": plan.instance,
        "hash": plan.hash,
        "changes": list(map(asdict, plan.changes)),
        "warnings": plan.warnings,
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else jsonlib.dumps(value, default=str)
