"""A new adapter's package, made from the contract of its type: what `oneiric new` writes."""

from oneiric.scaffold.names import Names
from oneiric.scaffold.package import package_files
from oneiric.scaffold.writing import write_package

__all__ = ["Names", "package_files", "write_package"]
