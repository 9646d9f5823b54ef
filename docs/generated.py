"""The parts of the docs that are made from the code; each function prints Markdown, and cog puts it in its place."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from oneiric.adapters.base import AdapterSettings


def hooks() -> None:
    """Every hookspec: its signature and its docstring."""
    from oneiric import hookspecs

    for name, function in inspect.getmembers(hookspecs, inspect.isfunction):
        if name.startswith("oneiric_"):
            print(f"## `{name}`\n\n```python\ndef {name}{_signature(function)}\n```\n")
            print(f"{inspect.getdoc(function)}\n")


def _signature(function: Callable[..., Any]) -> str:
    return str(inspect.signature(function)).replace("'", "")


def settings(settings_class: type[AdapterSettings], without: type[AdapterSettings] | None = None) -> None:
    """A settings class as a table of its keys; those of the class `without` are told elsewhere."""
    schema = settings_class.model_json_schema()
    told = without.model_fields if without else {}
    print("| key | type | default | |\n|---|---|---|---|")
    for key, field in schema["properties"].items():
        if key in told:
            continue
        default = "required" if key in schema.get("required", ()) else f"`{field.get('default')!r}`".replace("'", "")
        print(f"| `{key}` | {_type(field)} | {default} | {' '.join(field.get('description', '').split())} |")


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    return " or ".join(_type(option) for option in field["anyOf"]) if "anyOf" in field else field.get("type", "object")


def capabilities(adapter_type: str) -> None:
    """What a type's contract leaves to choice, and which of the installed adapters have it."""
    from importlib import import_module

    from oneiric.discovery import discover

    contract = import_module(f"oneiric.adapters.{adapter_type}.base")
    specs = [spec for spec in discover() if spec.type == adapter_type]
    print(f"| capability | {' | '.join(f'`{spec.name}`' for spec in specs)} | |")
    print("|---|" + "---|" * (len(specs) + 1))
    for constant, meaning in _module_docs(contract).items():
        name = getattr(contract, constant)
        if any(name in spec.capabilities for spec in specs):
            has = " | ".join("yes" if name in spec.capabilities else "" for spec in specs)
            print(f"| `{name}` | {has} | {meaning} |")


def states() -> None:
    """The states of an instance, and what may follow each."""
    from oneiric.lifecycle import TRANSITIONS, State

    print("| state | then | |\n|---|---|---|")
    meanings = _attribute_docs(State)
    for state, following in TRANSITIONS.items():
        then = ", ".join(f"`{other}`" for other in State if other in following)
        print(f"| `{state}` | {then} | {meanings.get(state.name, '')} |")


def limits() -> None:
    """The limits of a manager, each with its default."""
    from oneiric import Limits

    print("| limit | default | |\n|---|---|---|")
    meanings = _attribute_docs(Limits)
    for name in inspect.signature(Limits).parameters:
        print(f"| `{name}` | `{getattr(Limits(), name)}` | {meanings.get(name, '')} |")


def _attribute_docs(documented: type) -> dict[str, str]:
    """The string below each attribute of a class."""
    (body,) = ast.parse(inspect.getsource(documented)).body
    assert isinstance(body, ast.ClassDef)
    return _docs_below(body.body)


def _module_docs(documented: ModuleType) -> dict[str, str]:
    """The string below each constant of text of a module."""
    docs = _docs_below(ast.parse(inspect.getsource(documented)).body)
    return {name: meaning for name, meaning in docs.items() if isinstance(getattr(documented, name), str)}


def _docs_below(statements: list[ast.stmt]) -> dict[str, str]:
    docs = {}
    for statement, following in pairwise(statements):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and isinstance(following, ast.Expr):
            docs[target.id] = " ".join(str(ast.literal_eval(following.value)).split())
    return docs


def tools() -> None:
    """Every tool and resource of the MCP server, as a client sees them."""
    from oneiric_mcp import build_server

    server = build_server(allow_writes=True)
    print("| tool | arguments | gives | |\n|---|---|---|---|")
    for tool in asyncio.run(server.list_tools()):
        arguments = ", ".join(f"`{name}`" for name in tool.parameters.get("properties", {})) or "none"
        gives = ", ".join(f"`{name}`" for name in _fields(tool.output_schema or {}))
        print(f"| `{tool.name}` | {arguments} | {gives} | {(tool.description or '').splitlines()[0]} |")
    print("\n| resource | |\n|---|---|")
    for resource in asyncio.run(server.list_resources()):
        print(f"| `{resource.uri}` | {resource.description} |")
    for template in asyncio.run(server.list_resource_templates()):
        print(f"| `{template.uri_template}` | {template.description} |")


def _fields(schema: dict[str, Any]) -> list[str]:
    properties = schema.get("properties", {})
    items = properties.get("result", {}).get("items", {})
    if "$ref" in items:
        items = schema["$defs"][items["$ref"].rpartition("/")[2]]
    return [f"[].{name}" for name in items.get("properties", {})] or list(properties)


def usage(*command: str) -> None:
    """What a command prints with `--help`, at a width of 100 columns and without colours."""
    environment = {
        **os.environ,
        "COLUMNS": "100",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "_TYPER_FORCE_DISABLE_TERMINAL": "1",
    }
    output = subprocess.run(  # noqa: S603
        [sys.executable, "-m", *command, "--help"], check=True, capture_output=True, text=True, env=environment
    ).stdout
    print("```text\n" + "\n".join(line.rstrip() for line in output.strip().splitlines()) + "\n```")
