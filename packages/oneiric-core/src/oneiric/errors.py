"""Every error that Oneiric raises, in one tree.

```
OneiricError
├── ConfigError (ValueError)             a config file or value is wrong: `.problems` has each one
│   ├── UnresolvedReference              a `{$env: …}` or `{$file: …}` has nothing behind it
│   └── ConfigChanged                    the config file is no longer what the plan was made from
├── DiscoveryError
│   ├── InvalidSpec (ValueError)         a plugin declares an AdapterSpec that can't be
│   ├── UnknownAdapter (LookupError)     no installed plugin (or no configured instance) has that name
│   └── AdapterUnavailable (ImportError) the plugin is there, its adapter or driver can't be imported
├── NotInitialized (RuntimeError)        used before init() or after cleanup()
│   └── ShuttingDown                     used while its manager is being left
├── InitFailed (RuntimeError)            init() raised something that is not one of ours
├── Unhealthy (RuntimeError)             the adapter that was to be swapped in is not healthy
├── DeadlineExceeded (TimeoutError)      a wait reached its deadline
├── Unsupported (NotImplementedError)    the backend, or this adapter, can't do that
├── ConnectionFailed (ConnectionError)   the backend can't be reached or went away
├── AuthenticationFailed (PermissionError) the backend was reached, and refuses the credentials
├── TargetRefused (PermissionError)      a host or file that must not be reached from here
├── DatabaseError
│   ├── QueryError (ValueError)          the statement or its values are wrong
│   ├── ConstraintViolation (ValueError) the data breaks a constraint of the schema
│   └── TransactionClosed (RuntimeError) a transaction's handle was used after its end
├── VectorError
│   ├── CollectionNotFound (LookupError) there is no such collection
│   ├── CollectionExists (ValueError)    there is another collection of that name
│   ├── InvalidRecord (ValueError)       an id, vector or payload that can't be stored or searched for
│   ├── InvalidRequest (ValueError)      a collection's name, a dimension, a limit or an option that can't be
│   └── InvalidFilter (ValueError)       a filter that can't be
├── QueueError
│   ├── InvalidTask (ValueError)         a name, arguments or options that can't be
│   ├── UnknownTask (LookupError)        there is no trace of such a task
│   ├── TaskFailed (RuntimeError)        the task that was waited for has failed
│   └── TaskCancelled (RuntimeError)     the task that was waited for was cancelled
└── MessagingError
    └── InvalidMessage (ValueError)      a message, queue or option that can't be
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneiric.validation import Problem


class OneiricError(Exception):
    """Base of all errors of Oneiric.

    `adapter` is the instance or adapter that it is about (or None), `hint` the one sentence that says what to do, and
    `transient` whether the same call may succeed later without anybody changing anything. The driver's own error, where
    there is one, is the `__cause__`.
    """

    transient: bool = False

    def __init__(
        self,
        message: str,
        *,
        adapter: str | None = None,
        hint: str | None = None,
        transient: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.adapter = adapter
        self.hint = hint
        if transient is not None:
            self.transient = transient

    def __str__(self) -> str:
        """The sentence and the hint; `adapter` is said in front where the sentence doesn't name it."""
        about = f"{self.adapter}: " if self.adapter and self.adapter not in self.message else ""
        return f"{about}{self.message}" + (f" {self.hint}" if self.hint else "")


class ConfigError(OneiricError, ValueError):
    """A config is wrong. `problems` lists everything that is, each with its path, so that it can be mended in one go."""

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        adapter: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, adapter=adapter, hint=hint)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return super().__str__() + "".join(f"\n  - {problem}" for problem in self.problems)


class UnresolvedReference(ConfigError):
    """A reference to a secret is empty, missing, or of a scheme that nobody brings; the message names the reference."""


class ConfigChanged(ConfigError):
    """The config file has changed since the plan was made, or since the hash was; nothing was written."""


class DiscoveryError(OneiricError):
    """Something is wrong with what is installed."""


class InvalidSpec(DiscoveryError, ValueError):
    """A plugin declares an AdapterSpec that can't be."""


class UnknownAdapter(DiscoveryError, LookupError):
    """There is no adapter, or no configured instance, of that name; the hint has the nearest names."""


class AdapterUnavailable(DiscoveryError, ImportError):
    """The adapter's class, or the driver beneath it, can't be imported; the hint has the command that mends it."""


class NotInitialized(OneiricError, RuntimeError):
    """The adapter was used before `init()` or after `cleanup()`."""


class ShuttingDown(NotInitialized):
    """The adapter was used when its AdapterManager was being left, or had been: the calls under way are still finished."""


class Unhealthy(OneiricError, RuntimeError):
    """The adapter that was to be swapped in started, and says that it is not healthy; the old one serves on."""


class InitFailed(OneiricError, RuntimeError):
    """An adapter's `init()` raised something that is not one of Oneiric's errors; that is the `__cause__`."""


class DeadlineExceeded(OneiricError, TimeoutError):
    """A wait reached its deadline; whether the backend did the work is not known unless the message says so."""

    transient = True


class Unsupported(OneiricError, NotImplementedError):
    """The operation is not among the adapter's capabilities, or the backend can't express it."""


class ConnectionFailed(OneiricError, ConnectionError):
    """The backend can't be reached, or went away in the middle of a call."""

    transient = True


class AuthenticationFailed(OneiricError, PermissionError):
    """The backend was reached, and refuses the credentials, or what they may do."""


class TargetRefused(OneiricError, PermissionError):
    """A host or file that must not be reached from here, whatever the config says."""


class DatabaseError(OneiricError):
    """A database refused an operation."""


class QueryError(DatabaseError, ValueError):
    """The statement is wrong, or its values don't fit it."""


class ConstraintViolation(DatabaseError, ValueError):
    """The data breaks a constraint of the schema (unique, foreign key, check, not null)."""


class TransactionClosed(DatabaseError, RuntimeError):
    """A transaction's handle was used after its `async with` block had ended."""


class VectorError(OneiricError):
    """A vector index refused an operation."""


class CollectionNotFound(VectorError, LookupError):
    """There is no collection of that name."""


class CollectionExists(VectorError, ValueError):
    """There is a collection of that name already, of another dimension or distance."""


class InvalidRecord(VectorError, ValueError):
    """An id, vector or payload can't be stored, or a vector not be searched for; nothing was stored."""


class InvalidRequest(VectorError, ValueError):
    """A collection's name, its dimension, a limit or an option can't be; nothing was done."""


class InvalidFilter(VectorError, ValueError):
    """A filter has a form, a field or a value that can't be."""


class QueueError(OneiricError):
    """A task queue refused an operation."""


class InvalidTask(QueueError, ValueError):
    """A task's name, arguments or options can't be; nothing was submitted."""


class UnknownTask(QueueError, LookupError):
    """There is no trace of the task: it was never submitted, or its record has expired."""


class TaskFailed(QueueError, RuntimeError):
    """The task that was waited for has failed. `error` is its exception as text, `traceback` where it was raised."""

    def __init__(self, message: str, *, error: str | None = None, traceback: str | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.error = error
        self.traceback = traceback


class TaskCancelled(QueueError, RuntimeError):
    """The task that was waited for was cancelled."""


class MessagingError(OneiricError):
    """A message bus refused an operation."""


class InvalidMessage(MessagingError, ValueError):
    """A message, a queue's name or an option can't be; nothing was published."""
