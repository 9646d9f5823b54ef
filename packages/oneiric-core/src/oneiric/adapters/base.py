"""What every adapter is: a class with settings, `init`, `health` and `cleanup`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from oneiric.errors import ConfigError, NotInitialized
from oneiric.masking import masked, secrets_in, without_secrets
from oneiric.validation import check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from oneiric.adapters.targets import Targets


class AdapterSettings(BaseModel):
    """What an adapter needs to know. Subclass it with one field a setting, each with a description.

    Frozen; an unknown key is an error; a value never appears in an error. A secret is a `pydantic.SecretStr`.
    """

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """The fields as `repr` shows them: without the passwords of URLs, as SecretStr shows none of its own."""
        return ((name, masked(value)) for name, value in super().__repr_args__())

    def __repr_str__(self, join_str: str) -> str:
        """What `repr` and `str` show, without the passwords of URLs that are deeper inside, and what references stood for."""
        shown: str = super().__repr_str__(join_str)  # type: ignore[misc]  # pydantic types it as an attribute
        return without_secrets(shown, secrets_in(self) | self._referenced)

    _referenced: frozenset[str] = PrivateAttr(frozenset())
    """The secrets that references were resolved to, whatever the types of their settings; set by who resolves them."""

    def targets(self) -> Targets | None:
        """What these settings would reach; None, the default, where the class doesn't say.

        A connection test resolves and connects to each endpoint before the driver does, and of a config that somebody sends
        over the wire it tries only what names all it would reach. Opens nothing and imports no driver.
        """
        return None

    def lacks(self) -> frozenset[str]:
        """The capabilities of the adapter's spec that an adapter with these settings has not; mostly none.

        A database in memory isn't durable, say, though the adapter declares that it can be.
        """
        return frozenset()

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True, slots=True)
class Health:
    """The answer to "does it work now?". Truthy when it does."""

    ok: bool
    detail: str = ""
    """One sentence; why not, when not. Never a secret."""
    latency_ms: float | None = None
    """How long the check took, in milliseconds."""

    def __bool__(self) -> bool:
        return self.ok


class Adapter(ABC):
    """Base of every adapter. A subclass with `init`, `health` and `cleanup` is a whole adapter; settings are optional.

    `async with adapter:` is `init()` and `cleanup()`. The methods of one adapter may be called from any number of tasks
    of the event loop that called `init()`.
    """

    settings_class: ClassVar[type[AdapterSettings]] = AdapterSettings
    """The class that `settings` is an object of."""

    settings: AdapterSettings

    name: str | None = None
    """The instance's name in the config, where an AdapterManager made this adapter; it goes into errors."""

    def __init__(self, settings: AdapterSettings | Mapping[str, Any] | None = None) -> None:
        """Take the settings, a mapping that is validated into them, or nothing where defaults do.

        Raises ConfigError with every problem at once.
        """
        if isinstance(settings, self.settings_class):
            self.settings = settings
            return
        if isinstance(settings, BaseModel):
            settings = settings.model_dump()
        valid, problems = check(self.settings_class, settings)
        if valid is None:
            raise ConfigError(f"{type(self).__name__} can't use these settings.", problems=problems)
        self.settings = valid

    @abstractmethod
    async def init(self) -> None:
        """Open what is needed. Idempotent, bounded in time; after an error `cleanup()` and another `init()` work."""

    @abstractmethod
    async def health(self) -> bool | Health:
        """Say whether it works now. Never raises, never hangs, shows no secret; before `init()` the answer is no."""

    @abstractmethod
    async def cleanup(self) -> None:
        """Close everything. Idempotent, and safe after a failed or missing `init()`.

        Calls that are under way end: with what they return, or one of our errors.
        """

    async def __aenter__(self) -> Self:
        try:
            await self.init()
        except BaseException as error:
            try:
                await self.cleanup()
            except Exception as second:  # noqa: BLE001 - what failed first is what the caller has to know
                error.add_note(f"Its cleanup() raised {type(second).__name__} too.")
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.cleanup()

    def not_initialized(self) -> NotInitialized:
        """The error for a call that needs `init()` first, to be raised by the subclass that was called."""
        return NotInitialized(
            f"{self.name or type(self).__name__} is not initialised.",
            adapter=self.name,
            hint="Call `await adapter.init()`, use `async with adapter:`, or get it from an AdapterManager.",
        )
