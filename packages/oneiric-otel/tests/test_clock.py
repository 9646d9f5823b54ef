"""When what is under way has begun."""

from __future__ import annotations

import threading

from oneiric_otel.clock import Clock


def test_the_last_begin_counts():
    clock = Clock()
    clock.begin("init", "orders")
    first = clock.since("init", "orders")
    assert 0 < first <= clock.since("init", "orders")
    between = clock.since("init", "orders")
    clock.begin("init", "orders")
    clock.begin("cleanup", "orders")
    assert clock.since("cleanup", "orders") < clock.since("init", "orders") + between


def test_what_has_not_begun_takes_no_time():
    clock = Clock()
    clock.begin("init", "orders")
    assert clock.since("cleanup", "orders") == clock.since("init", "other") == 0.0


def test_each_thread_has_its_own():
    clock, found = Clock(), []
    clock.begin("init", "orders")
    thread = threading.Thread(target=lambda: found.append(clock.since("init", "orders")))
    thread.start()
    thread.join()
    assert found == [0.0]
