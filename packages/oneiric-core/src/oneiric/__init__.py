"""Oneiric: one small async contract for each kind of backend, and each backend one pip package that fulfils it."""

from oneiric.adapters.base import Adapter, AdapterSettings, Health
from oneiric.adapters.targets import Endpoint, Targets
from oneiric.config import ConfigStore
from oneiric.discovery import Catalog, discover
from oneiric.errors import (
    AdapterUnavailable,
    AuthenticationFailed,
    ConfigChanged,
    ConfigError,
    ConnectionFailed,
    ConstraintViolation,
    DatabaseError,
    DeadlineExceeded,
    DiscoveryError,
    InitFailed,
    InvalidSpec,
    NotInitialized,
    OneiricError,
    QueryError,
    ShuttingDown,
    TargetRefused,
    TransactionClosed,
    Unhealthy,
    UnknownAdapter,
    UnresolvedReference,
    Unsupported,
)
from oneiric.hookspecs import hookimpl
from oneiric.lifecycle import AdapterManager, Limits, State
from oneiric.spec import AdapterSpec

__all__ = [
    "Adapter",
    "AdapterManager",
    "AdapterSettings",
    "AdapterSpec",
    "AdapterUnavailable",
    "AuthenticationFailed",
    "Catalog",
    "ConfigChanged",
    "ConfigError",
    "ConfigStore",
    "ConnectionFailed",
    "ConstraintViolation",
    "DatabaseError",
    "DeadlineExceeded",
    "DiscoveryError",
    "Endpoint",
    "Health",
    "InitFailed",
    "InvalidSpec",
    "Limits",
    "NotInitialized",
    "OneiricError",
    "QueryError",
    "ShuttingDown",
    "State",
    "TargetRefused",
    "Targets",
    "TransactionClosed",
    "Unhealthy",
    "UnknownAdapter",
    "UnresolvedReference",
    "Unsupported",
    "discover",
    "hookimpl",
]
