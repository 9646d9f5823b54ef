"""What FastMCP and the MCP SDK log of the messages that they get: at DEBUG it is all of them, a config's secrets included."""

from __future__ import annotations

import logging

LOGGERS = ("fastmcp.server.mixins.mcp_operations", "mcp.server.runner", "mcp.shared.jsonrpc_dispatcher")
"""Those that log messages, or the errors that quote them."""


def keep_messages_out() -> None:
    """Leave out what these loggers say at DEBUG, from here on and in the whole process."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_is_above_debug)  # the same one is added once


def _is_above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
