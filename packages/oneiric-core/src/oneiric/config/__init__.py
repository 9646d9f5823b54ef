"""What is configured: the instances of adapters, from layers of YAML, variables and overrides, each value with its source."""

from oneiric.config.checking import problems_of, references_in
from oneiric.config.environment import dotenv_of
from oneiric.config.explanation import ExplainedValue, explain
from oneiric.config.layers import LayerName, Source
from oneiric.config.references import Resolver, has_references, is_reference, resolved, schemes_of
from oneiric.config.store import ConfigStore, Instance, spec_of
from oneiric.config.yaml_file import FILE_NAME, FILE_VARIABLE, find_file

__all__ = [
    "FILE_NAME",
    "FILE_VARIABLE",
    "ConfigStore",
    "ExplainedValue",
    "Instance",
    "LayerName",
    "Resolver",
    "Source",
    "dotenv_of",
    "explain",
    "find_file",
    "has_references",
    "is_reference",
    "problems_of",
    "references_in",
    "resolved",
    "schemes_of",
    "spec_of",
]
