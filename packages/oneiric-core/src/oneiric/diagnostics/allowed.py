"""What a config that came over the wire may reach: hosts that the operator allows, and what the stored config reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.config import references_in
from oneiric.diagnostics.addresses import address_of, name_of
from oneiric.diagnostics.network import shown
from oneiric.embedded import Place, is_embedded
from oneiric.errors import ConfigError, TargetRefused
from oneiric.validation import path_of, shape_problem

if TYPE_CHECKING:
    from oneiric.adapters.targets import Endpoint, Targets
    from oneiric.config import Instance

_NAME = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_HOST_AND_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})")
_ALLOW = "Test the stored config, or let the operator start the server with --allow-host for that host."
_STORED = "Test the stored config, or let the operator put this into it."


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """A host that may be reached: `db.example.com`, `*.example.com`, `10.1.2.3`, `10.0.0.0/8`, each with `:port` or without.

    A network allows the addresses that a config names, and no name that may resolve into it.
    """

    name: str | None
    network: IPv4Network | IPv6Network | None
    port: int | None

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """Raises ConfigError for what is none of these forms."""
        parts = _HOST_AND_PORT.fullmatch(text)
        host = (parts["v6"] or parts["host"]) if parts else text.removeprefix("[").removesuffix("]")
        port = int(parts["port"]) if parts else None
        literal, slash, prefix = host.partition("/")
        address = address_of(literal)
        name = f"*.{name_of(host[2:])}" if host.startswith("*.") else name_of(host)
        try:
            if address is not None:
                return cls(None, ip_network(f"{address}{slash}{prefix}", strict=False), port)
        except ValueError:
            name = ""
        if not _NAME.fullmatch(name) or port == 0:
            hint = "Give a name, `*.` and a domain, an address, or a network, each with `:port` or without."
            raise ConfigError(f"{text[:100]!r} is no host that could be allowed.", hint=hint)
        return cls(name, None, port)

    def allows(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is on this host, and on its port where it says one."""
        if self.port not in (None, endpoint.port):
            return False
        address = address_of(endpoint.host)
        if address is not None or self.name is None:
            return address is not None and self.network is not None and address in self.network
        name = name_of(endpoint.host)
        return name.endswith(self.name[1:]) if self.name.startswith("*.") else name == self.name


@dataclass(frozen=True)
class AllowedTargets:
    """What a config that came over the wire may reach. Raises ConfigError for hosts that are written wrongly."""

    hosts: frozenset[str] = frozenset()
    """Each as `AllowedHost.parse` reads it."""
    stored: Sequence[Instance] = ()
    """The operator's own instances: what they reach may be reached, and their references may be used where they use them."""
    parsed: tuple[AllowedHost, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parsed", tuple(AllowedHost.parse(host) for host in sorted(self.hosts)))

    def check_values(self, instance: Instance) -> None:
        """Raise TargetRefused for a reference, or a URL of a file, that no stored config of this adapter has at the same key,
        and for a server on this machine that none of them starts.

        To be called before any reference is resolved: it would send a secret of this machine wherever the config says.
        """
        own = [
            stored.values
            for stored in self.stored
            if stored.adapter == instance.adapter and shape_problem(stored.values) is None
        ]
        known = [dict(references_in(values)) for values in own]
        for location, reference in references_in(instance.values):
            if not any(references.get(location) == reference for references in known):
                message = (
                    f"`{path_of(location)}` is a reference that no stored config of `{instance.adapter}` has there."
                )
                raise TargetRefused(message, adapter=instance.name, hint=_STORED)
        if (
            any(text.strip().lower().startswith("file:") for text in _texts(instance.values))
            and instance.values not in own
        ):
            raise TargetRefused("The config holds a `file:` URL.", adapter=instance.name, hint=_STORED)
        if not _embedded(instance.values) <= {place for values in own for place in _embedded(values)}:
            message = f"An `embedded:` URL in the config is in no stored config of `{instance.adapter}`."
            raise TargetRefused(message, adapter=instance.name, hint=_STORED)

    def check_targets(
        self, instance: Instance, targets: Targets | None, stored: Iterable[tuple[Instance, Targets]]
    ) -> None:
        """Raise TargetRefused for a target that is neither allowed nor among the stored instances', which are given."""
        if targets is None:
            message = f"`{instance.adapter}` doesn't say what a config of it would reach."
            raise TargetRefused(message, adapter=instance.name, hint="Test the stored config.")
        theirs = list(stored)
        for endpoint in targets.endpoints:
            if not self._allows(endpoint, theirs):
                message = f"{shown(endpoint)} is neither allowed nor what a stored config connects to."
                raise TargetRefused(message, adapter=instance.name, hint=_ALLOW)
        files = {_file(path) for other, known in theirs if other.adapter == instance.adapter for path in known.files}
        if not (files - {None}).issuperset(map(_file, targets.files)):
            message = f"A file that the config names is in no stored config of `{instance.adapter}`."
            raise TargetRefused(message, adapter=instance.name, hint=_STORED)

    def _allows(self, endpoint: Endpoint, stored: Iterable[tuple[Instance, Targets]]) -> bool:
        if any(host.allows(endpoint) for host in self.parsed):
            return True
        # With TLS where the stored one has it: what is sent to a host encrypted is not to be sent to it in the clear.
        return any(
            _place(endpoint) == _place(known) and endpoint.tls >= known.tls
            for _, targets in stored
            for known in targets.endpoints
        )


def _place(endpoint: Endpoint) -> tuple[object, int]:
    return address_of(endpoint.host) or name_of(endpoint.host), endpoint.port


def _file(path: str) -> str | None:
    """The file that a path leads to, through links; None for one that can't be."""
    try:
        return str(Path(path).expanduser().resolve())
    except (OSError, ValueError, RuntimeError):
        return None


def _embedded(values: Mapping[str, Any]) -> set[Place | None]:
    """The servers that are started for the values, unless they run; None for a URL that is none of theirs."""
    return {_place_of(text) for text in map(str.strip, _texts(values)) if is_embedded(text)}


def _place_of(url: str) -> Place | None:
    try:
        return Place.parse(url)
    except ConfigError:
        return None


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
