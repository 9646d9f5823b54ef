"""What a config would reach, said without reaching it: endpoints on the network and files on this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A port of a host that an adapter would connect to."""

    host: str
    """A name, or an address without brackets, as the driver will read it."""
    port: int
    tls: bool = False
    """Whether it speaks TLS from the first byte, with a certificate that this machine's authorities vouch for. False where
    TLS is negotiated later, or the settings bring an authority or a certificate of their own: only the driver can try that.
    """


@dataclass(frozen=True, slots=True)
class Targets:
    """Everything that a config would reach; what is in neither list is not reached."""

    endpoints: tuple[Endpoint, ...] = ()
    """Proxies and every member of a cluster that the config names included."""
    files: tuple[str, ...] = ()
    """Whatever is opened on this machine: databases, directories, Unix sockets, certificates, keys."""
