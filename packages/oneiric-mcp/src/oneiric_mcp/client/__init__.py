"""A client of the Oneiric MCP server, for applications that take their adapters' configs from one."""

from oneiric_mcp.client.adapter_client import OneiricAdapterClient
from oneiric_mcp.client.errors import (
    AnswerTooLarge,
    ClassRefused,
    ServerError,
    ToolFailed,
    ValueMasked,
    WrongAnswer,
    WrongProtocol,
)
from oneiric_mcp.instance_config import ConfigValue, InstanceConfig

__all__ = [
    "AnswerTooLarge",
    "ClassRefused",
    "ConfigValue",
    "InstanceConfig",
    "OneiricAdapterClient",
    "ServerError",
    "ToolFailed",
    "ValueMasked",
    "WrongAnswer",
    "WrongProtocol",
]
