"""The settings of an instance, for processes that do without its adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from oneiric import AdapterSettings, ConfigError, UnknownAdapter
from oneiric.config import settings_of
from pydantic import SecretStr

if TYPE_CHECKING:
    from pathlib import Path

YAML = """
adapters:
  books: {adapter: shelf, path: x, password: {$env: SHELF_PASSWORD}}
  bad: {adapter: shelf}
"""


class Shelf(AdapterSettings):
    """Of a test."""

    path: str
    password: SecretStr = SecretStr("")


def test_a_process_without_the_adapter_gets_an_instances_settings(tmp_path: Path):
    config = tmp_path / "shelves.yaml"
    config.write_text(YAML, encoding="utf-8")
    (tmp_path / ".env").write_text("SHELF_PASSWORD=hunter2", encoding="utf-8")
    settings = settings_of("books", "shelf", Shelf, config=config)
    assert (settings.path, settings.password.get_secret_value()) == ("x", "hunter2")
    with pytest.raises(ConfigError, match="of the adapter `shelf`, and not of `rack`"):
        settings_of("books", "rack", Shelf, config=config)
    with pytest.raises(ConfigError, match="`path`"):
        settings_of("bad", "shelf", Shelf, config=config)
    with pytest.raises(UnknownAdapter, match="Did you mean `books`"):
        settings_of("book", "shelf", Shelf, config=config)
