from __future__ import annotations

import subprocess
import sys
from typing import Any

import oneiric_qdrant
import pytest
from oneiric import Endpoint, Targets
from oneiric.errors import ConfigError
from oneiric.validation import check
from oneiric_qdrant import QdrantAdapter, QdrantSettings
from oneiric_qdrant.plugin import oneiric_adapters


def test_the_spec_loads_and_its_example_validates() -> None:
    (spec,) = oneiric_adapters()
    settings, problems = check(spec.settings, spec.example)
    assert (spec.name, spec.type, problems) == ("qdrant", "vector", ())
    assert isinstance(settings, QdrantSettings)
    assert spec.load() is QdrantAdapter


def test_plugin_and_settings_import_no_driver() -> None:
    code = (
        "import sys, oneiric_qdrant.plugin, oneiric_qdrant.settings; oneiric_qdrant.plugin.oneiric_adapters();"
        "sys.exit(' '.join({'qdrant_client', 'qdrant_edge', 'grpc', 'httpx', 'numpy'} & set(sys.modules)) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_face_has_what_it_says() -> None:
    assert [getattr(oneiric_qdrant, name).__name__ for name in oneiric_qdrant.__all__] == oneiric_qdrant.__all__
    assert set(oneiric_qdrant.__all__) <= set(dir(oneiric_qdrant))
    with pytest.raises(AttributeError, match="nothing"):
        _ = oneiric_qdrant.nothing


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "`url` is required"),
        ({"url": ""}, "no URL of a server"),
        ({"url": "localhost:6333"}, "no URL of a server"),
        ({"url": ":memory:"}, "no URL of a server"),
        ({"url": "http://"}, "no URL of a server"),
        ({"url": "http://host:0"}, "no URL of a server"),
        ({"url": "http://host:99999"}, "no URL of a server"),
        ({"url": "http://host:port"}, "no URL of a server"),
        ({"url": "http://[::1"}, "no URL of a server"),
        ({"url": "http://user:hunter2@host"}, "a password in the URL is not used"),
        ({"url": "http://host/?api_key=hunter2"}, "no query"),
        ({"url": "embedded://some/where"}, "A path begins with a third slash"),
        ({"url": "embedded:///"}, "names no directory"),
        ({"url": "embedded:///a\0b"}, "control character"),
        ({"url": "embedded://", "engine": "edge"}, "keeps folders only"),
        ({"url": "http://host", "engine": "edge"}, "keeps folders only"),
        ({"url": "embedded://", "api_key": "hunter2"}, "are for a server"),
        ({"url": "embedded:///a", "grpc": True}, "are for a server"),
        ({"url": "http://host", "ca_file": "ca.pem"}, "`ca_file` is for TLS"),
        ({"url": "http://host", "api_key": ""}, "the key is empty"),
        ({"url": "http://host", "api_key": "hunter2\n"}, "holds characters"),
        ({"url": "http://host", "api_key": "hünter2"}, "holds characters"),
        ({"url": "http://host", "timeout": 0}, "timeout"),
        ({"url": "http://host", "timeout": float("inf")}, "timeout"),
        ({"url": "http://host", "batch_size": 0}, "batch_size"),
        ({"url": "http://host", "upload_concurrency": 0}, "upload_concurrency"),
        ({"url": "http://host", "indexes": {"a": "geo"}}, "indexes"),
        ({"url": "http://host", "gprc": True}, "`gprc` is not a setting"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name_and_no_value(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        QdrantAdapter(config)
    assert "hunter2" not in str(raised.value)
    assert "hünter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("config", "targets"),
    [
        ({"url": "embedded://"}, Targets()),
        ({"url": "embedded:///data/index"}, Targets(files=("/data/index",))),
        ({"url": "embedded://apart"}, Targets()),
        ({"url": "embedded:///~/index"}, Targets(files=("~/index",))),
        ({"url": "http://db.internal"}, Targets((Endpoint("db.internal", 6333),))),
        ({"url": "http://[::1]:7000/prefix"}, Targets((Endpoint("::1", 7000),))),
        ({"url": "https://x.cloud.qdrant.io"}, Targets((Endpoint("x.cloud.qdrant.io", 6333, tls=True),))),
        ({"url": "https://db:443", "grpc": True}, Targets((Endpoint("db", 6334, tls=True),))),
        ({"url": "https://db", "ca_file": "/ca.pem"}, Targets((Endpoint("db", 6333),), ("/ca.pem",))),
    ],
)
def test_what_it_reaches(config: dict[str, Any], targets: Targets) -> None:
    assert QdrantSettings(**config).targets() == targets


@pytest.mark.parametrize(
    ("config", "lacking"),
    [
        ({"url": "embedded://"}, {"durable"}),
        ({"url": "embedded://apart"}, {"durable"}),
        ({"url": "embedded:///data"}, set()),
        ({"url": "embedded:///data", "engine": "edge"}, {"exact-search"}),
        ({"url": "embedded:///data", "engine": "edge", "exact": True}, set()),
        ({"url": "http://db"}, {"exact-search"}),
        ({"url": "http://db", "exact": True}, set()),
    ],
)
def test_what_it_lacks(config: dict[str, Any], lacking: set[str]) -> None:
    assert QdrantSettings(**config).lacks() == lacking


def test_the_key_is_not_shown() -> None:
    assert "hunter2" not in repr(QdrantSettings(url="http://db", api_key="hunter2"))  # type: ignore[arg-type]
