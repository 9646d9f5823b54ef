"""What can be wrong with an MCP server's answer.

```
OneiricError
├── ServerError                          the MCP server is there, and what it answers can't be used
│   ├── ToolFailed (RuntimeError)        the tool has answered with an error
│   ├── WrongAnswer (ValueError)         the answer hasn't the form that this tool's has
│   ├── AnswerTooLarge (ValueError)      the answer is larger than any should be
│   ├── WrongProtocol (RuntimeError)     it speaks no MCP, or none of the version that this client speaks
│   └── ClassRefused (PermissionError)   it names a class that the installed plugin doesn't declare
└── ConfigError
    └── ValueMasked                      a value that is needed was masked on the way
```

A server that can't be reached is a ConnectionFailed, one that is silent a DeadlineExceeded, one that wants another token an
AuthenticationFailed, one that sends us elsewhere a TargetRefused.
"""

from __future__ import annotations

from oneiric.errors import ConfigError, OneiricError


class ServerError(OneiricError):
    """The MCP server is there, and what it answers can't be used."""


class ToolFailed(ServerError, RuntimeError):
    """The tool has answered with an error, which the message repeats."""


class WrongAnswer(ServerError, ValueError):
    """The answer hasn't the form that this tool's has."""


class AnswerTooLarge(ServerError, ValueError):
    """The answer is larger than any should be; the rest of it was not read."""


class WrongProtocol(ServerError, RuntimeError):
    """What answers there speaks no MCP, or none of the version that this client speaks."""


class ClassRefused(ServerError, PermissionError):
    """The server names a class that the installed plugin doesn't declare; nothing was imported."""


class ValueMasked(ConfigError):
    """A value was masked by the server, as it is or holds a secret: the adapter can't be made of it."""
