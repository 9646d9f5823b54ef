"""What the plugin and the settings say, and what is never shown."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import oneiric_celery
import pytest
from oneiric import Targets
from oneiric.adapters.targets import Endpoint
from oneiric.errors import AuthenticationFailed, ConnectionFailed
from oneiric.validation import check
from oneiric_celery import CeleryQueueAdapter, CelerySettings
from oneiric_celery.plugin import oneiric_adapters

PASSWORD = "hunter2-of-the-broker"
README = Path(__file__).parents[1] / "README.md"


def test_the_spec_loads_and_its_example_validates() -> None:
    (spec,) = oneiric_adapters()
    settings, problems = check(spec.settings, spec.example)
    assert (spec.name, spec.type, problems) == ("celery", "queue", ())
    assert isinstance(settings, CelerySettings)
    assert spec.load() is CeleryQueueAdapter


def test_plugin_and_settings_import_no_driver() -> None:
    code = (
        "import sys, oneiric_celery.plugin, oneiric_celery.settings; oneiric_celery.plugin.oneiric_adapters();"
        "sys.exit(' '.join({'celery', 'kombu', 'redis', 'amqp', 'billiard'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_face_has_what_it_says() -> None:
    assert [getattr(oneiric_celery, name).__name__ for name in oneiric_celery.__all__] == oneiric_celery.__all__
    assert set(oneiric_celery.__all__) <= set(dir(oneiric_celery))
    with pytest.raises(AttributeError, match="nothing"):
        _ = oneiric_celery.nothing


@pytest.mark.parametrize(
    ("config", "targets"),
    [
        ({"broker_url": "redis://a/1"}, Targets((Endpoint("a", 6379),))),
        ({"broker_url": "rediss://a:7000"}, Targets((Endpoint("a", 7000, tls=True),))),
        ({"broker_url": "rediss://a", "tls_ca_file": "/ca"}, Targets((Endpoint("a", 6379),), ("/ca",))),
        (
            {"broker_url": "amqps://u@[::1]/v", "result_backend": "redis://b"},
            Targets((Endpoint("::1", 5671, tls=True), Endpoint("b", 6379))),
        ),
        ({"broker_url": "unix:///run/x.sock?db=3"}, Targets(files=("/run/x.sock",))),
        ({"broker_url": "embedded:///home/x"}, Targets(files=("/home/x",))),
        ({"broker_url": "embedded://"}, Targets()),
    ],
)
def test_what_it_reaches_is_broker_and_results(config: dict[str, Any], targets: Targets) -> None:
    assert CelerySettings(**config).targets() == targets


def test_broker_and_results_are_one_where_their_urls_say_so() -> None:
    assert CelerySettings(broker_url="redis://a", result_backend="redis://a:6379/0").is_direct
    assert not CelerySettings(broker_url="redis://a", result_backend="redis://a/1").is_direct


async def test_a_password_is_used_and_never_shown(own_valkey: Any) -> None:
    own_valkey.client.config_set("requirepass", PASSWORD)
    for config in (
        {"broker_url": f"redis://:{PASSWORD}@127.0.0.1:{own_valkey.port}/0"},
        {"broker_url": f"redis://127.0.0.1:{own_valkey.port}/0", "password": PASSWORD},
    ):
        adapter = CeleryQueueAdapter(config)
        assert PASSWORD not in f"{adapter.settings!r} {adapter.settings.broker!r}"
        async with adapter:
            await adapter.submit_task("x")
    for wrong in ({"password": "not-the-one"}, {}):
        with pytest.raises(AuthenticationFailed) as caught:
            await CeleryQueueAdapter({"broker_url": f"redis://127.0.0.1:{own_valkey.port}/0", **wrong}).init()
        assert "not-the-one" not in str(caught.value)
        assert not caught.value.transient


async def test_a_server_that_is_not_there_is_said_without_its_url() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"redis://:{PASSWORD}@127.0.0.1:{nobody.getsockname()[1]}/0"
        with pytest.raises(ConnectionFailed) as caught:
            await CeleryQueueAdapter({"broker_url": url}).init()
    assert PASSWORD not in str(caught.value)
    assert caught.value.transient


def test_what_the_readme_shows_is_right(shared_valkey: Any, module_worker: Any, capsys: Any) -> None:
    """Its program, against a server of ours and a task that there is; its worker's command."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    program = program.replace("redis://localhost:6379/0", shared_valkey.url)
    program = program.replace("myapp.tasks.add", "oneiric.testing.queue.tasks.add")
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (0, "3\n")
    (command,) = re.findall(r"^oneiric-celery (worker .*)$", README.read_text("utf-8"), re.MULTILINE)
    words = [sys.executable, "-m", "oneiric_celery", *command.split()]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert "no module myapp" in " ".join(ran.stderr.replace("│", " ").split())
