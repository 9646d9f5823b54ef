"""What is configured: the instances of adapters, from layers of YAML, environment and overrides."""

from oneiric.config.store import ConfigStore, Instance
from oneiric.config.yaml_file import FILE_NAME, FILE_VARIABLE, find_file

__all__ = ["FILE_NAME", "FILE_VARIABLE", "ConfigStore", "Instance", "find_file"]
