"""What is configured: the instances of adapters, from layers of YAML, variables and overrides, each value with its source."""

from oneiric.config.checking import problems_of, references_in
from oneiric.config.comparison import PlannedChange
from oneiric.config.environment import dotenv_of
from oneiric.config.explanation import ExplainedValue, explain
from oneiric.config.history import Version, history_of
from oneiric.config.layers import LayerName, Source
from oneiric.config.plans import ConfigPlan, apply_plan, plan_change, plan_rollback
from oneiric.config.references import Resolver, has_references, is_reference, resolved, schemes_of
from oneiric.config.settings import settings_of
from oneiric.config.store import ConfigStore, Instance, spec_of
from oneiric.config.yaml_file import FILE_NAME, FILE_VARIABLE, find_file, read_value

__all__ = [
    "FILE_NAME",
    "FILE_VARIABLE",
    "ConfigPlan",
    "ConfigStore",
    "ExplainedValue",
    "Instance",
    "LayerName",
    "PlannedChange",
    "Resolver",
    "Source",
    "Version",
    "apply_plan",
    "dotenv_of",
    "explain",
    "find_file",
    "has_references",
    "history_of",
    "is_reference",
    "plan_change",
    "plan_rollback",
    "problems_of",
    "read_value",
    "references_in",
    "resolved",
    "schemes_of",
    "settings_of",
    "spec_of",
]
