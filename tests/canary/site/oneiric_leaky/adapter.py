"""The adapter: at the point that its settings name it raises all that it knows."""

import asyncio
import inspect
import json
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import quote, quote_plus, unquote

from oneiric.adapters.base import Adapter, Health

from oneiric_leaky.errors import WAYS
from oneiric_leaky.settings import LeakySettings


class Leaky(Adapter):
    settings_class = LeakySettings
    settings: LeakySettings

    def __init__(self, settings=None):
        super().__init__(settings)
        if self.settings.at == "making":
            self.tell(self.settings.how)

    def __repr__(self):
        return f"<Leaky {self.settings!r} {self.knowledge}>"

    @property
    def knowledge(self):
        """Every secret, in every form in which a driver repeats one."""
        return "\n".join(dict.fromkeys(form for secret in _secrets(self.settings) for form in _forms(secret)))

    async def init(self):
        await self._raise_at("init")

    async def health(self):
        await self._raise_at("health")
        return Health(ok=self.settings.how != "unhealthy", detail=self.knowledge)

    async def cleanup(self):
        await self._raise_at("cleanup")

    def tell(self, how):
        return WAYS[how](self.knowledge)

    async def tell_later(self, how):
        told = WAYS[how](self.knowledge)
        if inspect.isawaitable(told):
            await told

    def pending(self, how):
        return Pending(lambda: self.tell(how))

    async def rows(self, how):
        yield 1
        WAYS[how](self.knowledge)

    @asynccontextmanager
    async def session(self, how, *, at):
        if at == "enter":
            WAYS[how](self.knowledge)
        try:
            yield lambda: WAYS[how](self.knowledge)
        finally:
            if at == "exit":
                WAYS[how](self.knowledge)

    @contextmanager
    def lock(self, how):
        yield
        WAYS[how](self.knowledge)

    @property
    def broken(self):
        return WAYS["plain"](self.knowledge)

    async def _raise_at(self, place):
        if self.settings.at == place and self.settings.how != "unhealthy":
            await self.tell_later(self.settings.how)


class Pending:
    """What a driver gives for something to be awaited that is no coroutine."""

    def __init__(self, tell):
        self.tell = tell

    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        self.tell()


def _secrets(value):
    if hasattr(value, "get_secret_value"):
        yield value.get_secret_value()
    elif hasattr(value, "unicode_string"):
        yield str(value)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _secrets(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item)
    elif hasattr(value, "__dict__"):
        yield from _secrets(vars(value))


def _forms(secret):
    if not secret:
        return
    if isinstance(secret, bytes):
        yield repr(secret)
        secret = secret.decode()
    yield from (secret, repr(secret), repr(secret.encode()), json.dumps(secret), unquote(secret))
    if "://" in secret:
        password = secret.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (password, unquote(password), repr(unquote(password)))
    else:
        yield from (quote(secret), quote_plus(secret), quote(secret, safe=""))
