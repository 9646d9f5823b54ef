"""oneiric-otel with real adapters: what a scrape, an exporter and `opentelemetry-instrument` show of their lives."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

README = (Path(__file__).parent.parent / "packages" / "oneiric-otel" / "README.md").read_text(encoding="utf-8")

LIVES = """
import asyncio, json
from pathlib import Path
from oneiric import AdapterManager, ConfigStore, OneiricError
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter, reader, provider = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
ups = []

def note():
    for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics:
        for metric in scope.metrics:
            if metric.name == "oneiric.adapter.up":
                ups.append({point.attributes["oneiric.instance"]: point.value for point in metric.data.data_points})

CONFIG = {
    "orders": {"adapter": "sqlite", "path": "orders.db"},
    "events": {"adapter": "redis-streams", "url": f"embedded://{Path.cwd()}/broker"},
    "lost": {"adapter": "postgres", "dsn": "postgresql://app:hunter2@127.0.0.1:1/orders"},
}

async def main():
    async with AdapterManager(ConfigStore.load(overrides=CONFIG, environ={})) as adapters:
        db = await adapters.get("orders")
        await (await adapters.get("events")).publish("deployments", {"secret": "hunter2"})
        await db.execute("create table hunter2 (x)")
        try:
            await adapters.get("lost")
        except OneiricError:
            note()
        Path("orders.db").unlink()
        assert not await adapters.health("orders")
        assert await adapters.health("events")
        note()
        await adapters.swap("orders", {"adapter": "sqlite", "path": ":memory:"})
        note()
    note()

asyncio.run(main())
print(json.dumps({
    "ups": ups,
    "spans": [[span.name, dict(span.attributes)] for span in exporter.get_finished_spans()],
    "all": reader.get_metrics_data().to_json() + "".join(span.to_json() for span in exporter.get_finished_spans()),
}))
"""


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ONEIRIC_", "OTEL_"))}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(folder)}


def block(language: str, text: str = README) -> str:
    match = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert match, language
    return match[1]


def test_the_lives_of_a_file_a_server_and_one_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", LIVES]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ups"] == [
        {"orders": 1, "events": 1, "lost": 0},
        {"orders": 0, "events": 1, "lost": 0},
        {"orders": 1, "events": 1, "lost": 0},
        {"orders": 0, "events": 0, "lost": 0},
    ]
    assert [name for name, _ in told["spans"]] == [
        *("init orders", "init events", "init lost", "swap orders", "cleanup events", "cleanup orders"),
    ]
    assert told["spans"][2][1] == {
        "oneiric.instance": "lost",
        "oneiric.adapter.name": "postgres",
        "oneiric.adapter.type": "database",
        "error.type": "oneiric.errors.ConnectionFailed",
    }
    assert not any(value in told["all"] for value in ("hunter2", "orders.db", "127.0.0.1", "deployments"))


def scraped(url: str) -> str:
    try:
        with urlopen(url, timeout=10) as answer:
            page: bytes = answer.read()
            return page.decode()
    except (URLError, ConnectionError):
        return ""


def test_the_example_is_scraped_as_the_readme_shows(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    (tmp_path / "oneiric.yaml").write_text(block("yaml"))
    (tmp_path / "app.py").write_text(block("python").replace("9464", port))
    expected = [re.escape(line).replace("…", ".*") for line in block("text").splitlines()]
    assert len(expected) == 2
    app = subprocess.Popen([sys.executable, "-W", "error", "app.py"], cwd=tmp_path, env=environment(tmp_path))
    try:
        deadline, page = time.monotonic() + 60, ""
        while not all(re.search(f"^{line}$", page, re.MULTILINE) for line in expected):
            assert app.poll() is None
            assert time.monotonic() < deadline, page
            page = scraped(f"http://127.0.0.1:{port}/metrics")
        app.send_signal(signal.SIGTERM)
        assert app.wait(30) == 0
    finally:
        app.kill()
        app.wait()


def test_a_program_that_is_not_ours_is_instrumented_by_the_command_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "oneiric.yaml").write_text(block("yaml"))
    command = block("", README.partition("<!-- instrument -->")[2]).strip()
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"name": "init orders"' in done.stdout
    assert '"name": "cleanup orders"' in done.stdout
