"""The tools of the config: see what an instance's is and where it comes from, and change it."""

# No `from __future__ import annotations`: FastMCP makes each tool's schemas from its annotations.
import asyncio
from typing import Annotated, Any

from fastmcp import FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.server.auth import AuthProvider
from mcp_types import ToolAnnotations
from oneiric.config import ExplainedValue, apply_plan, explain, plan_change, problems_of, schemes_of, spec_of
from oneiric.inspection import ConfigProblem
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_jsonable_python

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.installation import Installation
from oneiric_mcp.instance_config import ConfigValue, InstanceConfig
from oneiric_mcp.lifecycle import Instances
from oneiric_mcp.subscriptions import Subscriptions
from oneiric_mcp.tools.arguments import InstanceName, needing, reads, told

_WRITES = ToolAnnotations(
    title="Change an adapter's config",
    read_only_hint=False,
    destructive_hint=True,
    idempotent_hint=True,
    open_world_hint=False,
)
_ANOTHER_PLAN = (
    "This plan_hash is not that of this change to the config file as it is now. Nothing was written. "
    "Leave plan_hash out to see the plan as it is now."
)


class ChangedValue(BaseModel):
    """One value of the config file that a change touches."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    key: str
    """`pool.size`; empty for an instance without values."""
    before: Any
    """As in the file, secrets masked; nothing where it has none."""
    after: Any


class ConfigChange(BaseModel):
    """A change of the config file: what it would do, or has done."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    instance: str
    applied: bool
    """Whether the file was written."""
    changes: list[ChangedValue]
    warnings: list[str]
    """What the change does not do, or should not."""
    plan_hash: str
    """Give it back to apply just this change to just this file."""
    next_step: str
    """What to call next."""


def add_configuration_tools(server: FastMCP, installation: Installation, instances: Instances) -> None:
    """Add the tool that shows a config."""

    @server.tool(annotations=reads("Show an adapter's config"))
    async def get_adapter_config(adapter_name: InstanceName) -> InstanceConfig:
        """Show the config of an instance: each value, secrets masked, with the layer and the line or variable it is from."""
        with told():
            instance = installation.instance(adapter_name)
            spec = spec_of(instance, installation.catalog)
            schemes = schemes_of(installation.catalog.hooks, installation.config.variables)
            problems = problems_of(spec.settings, instance.values, schemes)
            return InstanceConfig(
                instance=instance.name,
                adapter=instance.adapter,
                adapter_class=spec.adapter,
                values=list(map(_shown, explain(instance, spec.settings))),
                problems=[ConfigProblem(path=p.path, message=p.message, suggestion=p.suggestion) for p in problems],
                state=instances.state(instance.name),
            )


def add_writing_tools(
    server: FastMCP,
    installation: Installation,
    instances: Instances,
    subscriptions: Subscriptions,
    auth: AuthProvider | None,
) -> None:
    """Add the tool that changes the config, for callers with the scope."""

    @server.tool(annotations=_WRITES, auth=needing(Scope.WRITE, auth))
    async def set_adapter_config(
        adapter_name: InstanceName,
        config: Annotated[
            dict[str, Any] | None,
            Field(
                description="What to change, as a JSON Merge Patch: keys are set, objects merge, null removes a key, and "
                "null for the whole removes the instance. An instance that isn't there is made. A secret should be a "
                'reference, as {"$env": "NAME"}.'
            ),
        ],
        plan_hash: Annotated[
            str | None, Field(description="Of a plan that this tool gave: apply it, if it is still the same.")
        ] = None,
        confirm: Annotated[bool, Field(strict=True, description="Apply at once, without a look at the plan.")] = False,
    ) -> ConfigChange:
        """Change the config of an instance in the config file. Plans only, unless plan_hash or confirm is given."""
        with told():
            plan = await asyncio.to_thread(
                plan_change, adapter_name, config, installation.catalog, path=installation.config_path
            )
            if plan_hash is not None and plan_hash != plan.hash:
                raise ToolError(_ANOTHER_PLAN)
            is_applied = plan_hash is not None or confirm
            if is_applied:
                await asyncio.to_thread(apply_plan, plan)
                subscriptions.look()
        return ConfigChange(
            instance=adapter_name,
            applied=is_applied,
            changes=[ChangedValue(key=c.key, before=_json(c.before), after=_json(c.after)) for c in plan.changes],
            warnings=list(plan.warnings),
            plan_hash=plan.hash,
            next_step=next_step(adapter_name, is_applied=is_applied),
        )

    def next_step(name: str, *, is_applied: bool) -> str:
        if not is_applied:
            return "Nothing was written. Call again with this plan_hash to apply it."
        if instances.is_running(name):
            return f"`{name}` still runs here with its old config: call cleanup_adapter, then initialize_adapter."
        return "Call test_adapter_connection to see whether it works."


def _shown(explained: ExplainedValue) -> ConfigValue:
    return ConfigValue(
        key=explained.key, value=_json(explained.value), layer=explained.layer, location=explained.location
    )


def _json(value: Any) -> Any:
    """A value as JSON; of what a settings class has that JSON has not, the name of its type."""
    return to_jsonable_python(value, fallback=lambda other: f"<{type(other).__name__}>")
