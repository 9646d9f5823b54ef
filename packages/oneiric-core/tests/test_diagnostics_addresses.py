"""Hosts in every spelling, and those that are never reached."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.diagnostics.addresses import address_of, name_of, why_never

SPELLINGS = [
    "169.254.169.254",
    "169.254.169.254.",
    " 169.254.169.254 ",
    "2852039166",
    "0xa9fea9fe",
    "0xA9.0xFE.0xA9.0xFE",
    "0251.0376.0251.0376",
    "169.16689662",
    "169.254.43518",
    "0xa9.254.0251.254",
    "①⑥⑨。②⑤④。①⑥⑨。②⑤④",
    "１６９.254.169.254",  # noqa: RUF001
    "169｡254｡169｡254",
    "%3169.254.169.254",
    "%31%36%39.254.169.254",
    "::ffff:169.254.169.254",
    "[::ffff:a9fe:a9fe]",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2001:db8::5efe:169.254.169.254",
    "fe80::200:5efe:169.254.169.254",
]


@pytest.mark.parametrize("host", SPELLINGS)
def test_the_metadata_service_is_seen_in_every_spelling(host: str):
    assert why_never(host) == "it is the address of a cloud's metadata service"


@pytest.mark.parametrize(
    "host",
    [
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "FD00:0EC2:0:0:0:0:0:23",
        "fd20:ce::254",
        "metadata.google.internal",
        "METADATA.Google.Internal.",
        "metadata。google。internal",
        "mеtadata.google.internal".replace("е", "e"),  # noqa: RUF001
        "x.metadata.google.internal",
        "metadata%2egoogle%2einternal",
        "instance-data",
        "instance-data.ec2.internal",
    ],
)
def test_so_are_those_of_other_clouds_and_their_names(host: str):
    assert "cloud's metadata service" in str(why_never(host))


@pytest.mark.parametrize(
    "host",
    ["169.254.0.1", "169.254.170.2", "fe80::1", "FE80::1%eth0", "[fe80::1%25eth0]", "febf::1", "::ffff:169.254.1.1"],
)
def test_link_local_addresses_are_seen(host: str):
    assert why_never(host) in ("it is a link-local address", "it is the address of a cloud's metadata service")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "::1", "localhost", "10.0.0.1", "db.internal", "metadata", "metadata.example.com", "168.63.1.1",
     "google.internal", "2001:db8::1", "0.0.0.0", "", "a b", "x" * 100_000, "169.254.169.254.example.com", "\udcff", "a\0b"],
)  # fmt: skip
def test_others_are_not(host: str):
    assert why_never(host) is None


def test_a_name_has_one_form():
    assert name_of("BÜCHER.Example.") == name_of("bücher.example") == "xn--bcher-kva.example"


@given(st.ip_addresses())
def test_an_address_is_the_same_however_it_is_written(address: IPv4Address):
    assert address_of(str(address)) == address
    assert address_of(address.exploded.upper()) == address
    if isinstance(address, IPv4Address):
        first, second, third, fourth = address.packed
        number = int(address)
        for text in (
            str(number),
            hex(number),
            f"{first}.{number & 0xFFFFFF}",
            f"{first}.{second}.{third:#x}.{fourth:#o}",
        ):
            assert address_of(text.replace("0o", "0")) == address
        assert why_never(address) == why_never(f"::ffff:{address}") == why_never(f"64:ff9b::{address}")


@given(st.text())
def test_nothing_that_is_written_breaks_it(host: str):
    why_never(host)
    assert address_of(host) is None or ip_address(str(address_of(host)))
