"""The guard at the sockets; the connection test's own are in test_diagnostics_refusals.py."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
from oneiric import TargetRefused
from oneiric.diagnostics.guard import Guard, guarded, unguarded

FOR_GOOD = """
import asyncio, socket, threading
from ipaddress import ip_network
from oneiric.diagnostics import addresses, refuse_for_good
from oneiric.diagnostics.guard import unguarded
from oneiric.errors import TargetRefused

addresses._METADATA = (ip_network("127.0.0.2"),)
found = []

def connect(host, kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as client:
        try:
            client.connect((host, port))
            found.append("connected")
        except TargetRefused:
            found.append("refused")

refuse_for_good()
refuse_for_good()
with socket.create_server(("", 0)) as server:
    port = server.getsockname()[1]
    thread = threading.Thread(target=connect, args=("127.0.0.2",))
    thread.start()
    thread.join()
    connect("127.0.0.1")
    connect("localhost")
    connect("127.0.0.2", socket.SOCK_DGRAM)
    with unguarded():
        connect("127.0.0.2")
    try:
        asyncio.run(asyncio.open_connection("127.0.0.2", port))
    except TargetRefused:
        found.append("refused")
print(*found)
"""


def test_a_process_can_refuse_for_good_in_every_thread():
    done = subprocess.run([sys.executable, "-c", FOR_GOOD], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == [
        "refused",
        "connected",
        "connected",
        "connected",
        "connected",
        "refused",
    ], done.stderr


def test_nothing_is_refused_outside_of_the_block():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with guarded(Guard(frozenset())) as guard, socket.socket() as client, pytest.raises(TargetRefused):
            client.connect(server.getsockname())
        assert len(guard.refusals) == 1
        socket.create_connection(server.getsockname(), 10).close()


def test_an_inner_block_may_be_let_through():
    with socket.create_server(("127.0.0.1", 0)) as server, guarded(Guard(frozenset())):
        with unguarded():
            socket.create_connection(server.getsockname(), 10).close()
        with pytest.raises(TargetRefused):
            socket.create_connection(server.getsockname(), 10)


async def test_tasks_and_threads_of_the_block_are_held_to_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        with guarded(Guard(frozenset())):
            task = asyncio.create_task(asyncio.open_connection(host, port))
        with pytest.raises(TargetRefused):
            await task
        with guarded(Guard(frozenset())), pytest.raises(TargetRefused):
            await asyncio.to_thread(socket.create_connection, (host, port), 10)


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
def test_connecting_without_waiting_is_connecting(host: str):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with guarded(Guard()), socket.socket(family) as client:
        client.setblocking(False)
        with pytest.raises(TargetRefused):
            client.connect_ex((host, 80))
