"""Hosts in every spelling, and those that are never reached from here: link-local addresses and the metadata of clouds.

What answers there gives the credentials of the machine to whoever asks.
"""

from __future__ import annotations

import unicodedata
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import inet_aton
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

Address = IPv4Address | IPv6Address

_LINK_LOCAL = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))

_METADATA = tuple(
    ip_network(network)
    for network in (
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # Oracle's first
        "fd00:ec2::/32",  # Amazon: instances, containers, pods
        "fd20:ce::254",  # Google
        "fd00:42::42",  # Scaleway
    )
)

_METADATA_NAMES = (
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.azure.internal",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
    "metadata.packet.net",
    "metadata.cloud.ibm.com",
)

_ENDS_WITH_V4 = tuple(
    ip_network(network)
    for network in (
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of a site
    )
)
"""The networks of IPv6 whose addresses end with the IPv4 address that they stand for."""

_NAT64_OF_A_SITE = ip_network("64:ff9b:1::/48")
_ISATAP = (0x00005EFE, 0x02005EFE)


def address_of(host: str) -> Address | None:
    """The address that a host is, in any spelling that some resolver reads as one; None for a name.

    `2852039166`, `0xa9fea9fe`, `0251.0376.0251.0376`, `169.254.43518`, `①⑥⑨。254.169.254.` and `%3169.254.169.254` are
    169.254.169.254.
    """
    return _address(host) or _address(unquote(host))


def name_of(host: str) -> str:
    """A name in the one form in which names are compared: lower case, no dot at the end, international ones encoded."""
    name = _folded(unquote(host))
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def why_never(host: str | Address) -> str | None:
    """Why a host is never reached from here, whatever a config says: half a sentence, or None where it may be."""
    address = address_of(host) if isinstance(host, str) else host
    if address is None:
        name = name_of(str(host))
        is_metadata = any(name == metadata or name.endswith(f".{metadata}") for metadata in _METADATA_NAMES)
        return "it is the name of a cloud's metadata service" if is_metadata else None
    meanings = set(_meanings(address))
    if any(meaning in network for meaning in meanings for network in _METADATA) or IPv4Address(0xA9FEA9FE) in meanings:
        return "it is the address of a cloud's metadata service"
    if any(meaning in network for meaning in meanings for network in _LINK_LOCAL):
        return "it is a link-local address"
    return None


def _address(host: str) -> Address | None:
    text = _folded(host).removeprefix("[").partition("%")[0].removesuffix("]")
    try:
        return ip_address(text)
    except ValueError:
        pass
    try:
        return IPv4Address(inet_aton(text))
    except (OSError, ValueError):
        return None


def _folded(host: str) -> str:
    """The host as the resolver's IDNA reads it: digits and dots of other scripts are the plain ones."""
    return unicodedata.normalize("NFKC", host).replace("。", ".").strip().rstrip(".").lower()


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and each IPv4 address that a gateway may take it for."""
    yield address
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    if any(address in network for network in _ENDS_WITH_V4) or (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address in _NAT64_OF_A_SITE:
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | (number >> 40 & 0xFFFF))
    if address.sixtofour:
        yield address.sixtofour
    yield from address.teredo or ()
