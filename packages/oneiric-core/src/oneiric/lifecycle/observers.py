"""Telling the plugins what happens to an instance; nothing that one of them does comes back."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from oneiric.lifecycle.deadline import Cancelled, DeadlinePassed, within

if TYPE_CHECKING:
    from collections.abc import Callable

    import pluggy

_log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds that an observer which is a coroutine may take."""


class Observers:
    """The plugins' implementations of the lifecycle's hooks."""

    def __init__(self, hooks: pluggy.PluginManager | None) -> None:
        self._hooks = hooks

    async def tell(self, event: str, **facts: Any) -> None:
        """Call every implementation of `oneiric_adapter_<event>`, one after the other, each with the facts it asks for.

        What one raises, or its lateness, is logged by its kind: the message may hold a secret.
        """
        name = f"oneiric_adapter_{event}"
        for observer in getattr(self._hooks.hook, name).get_hookimpls() if self._hooks else ():
            try:
                answer = _answer(observer.function, [facts[argument] for argument in observer.argnames])
                if inspect.isawaitable(answer):
                    await within(_PATIENCE, _awaited(answer))
            except DeadlinePassed:
                _log.warning("The observer %s of %s took too long.", name, observer.plugin_name)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an observer must not break what it watches
                _log.warning("The observer %s of %s raised %s.", name, observer.plugin_name, type(error).__name__)


def _answer(function: Callable[..., Any], facts: list[Any]) -> Any:
    try:
        return function(*facts)
    except asyncio.CancelledError:  # of a future that it looked into: nobody has cancelled us
        raise Cancelled from None


async def _awaited(answer: Any) -> None:
    await answer
