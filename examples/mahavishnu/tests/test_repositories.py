"""The adapter of the application's own is managed as all others are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from oneiric import AdapterManager, ConfigStore, State, discover
from oneiric.config import Instance
from oneiric.errors import ConfigError, ConnectionFailed, NotInitialized

from mahavishnu.repositories import RepositoryAdapter

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

SPEC = "mahavishnu-repositories"


def manager_of(root: Path) -> AdapterManager:
    return AdapterManager(ConfigStore({"own": Instance("own", SPEC, {"root": str(root)})}), discover())


async def test_a_manager_initialises_checks_and_cleans_it_up(site: Site) -> None:
    one = site.add_repository("one")
    async with manager_of(site.repositories) as adapters:
        adapter = await adapters.get("own", RepositoryAdapter)
        assert await adapter.list_repositories() == [one]
        assert await adapters.health("own")
        assert adapters.state("own") is State.READY
        site.repositories.rename(site.folder / "gone")
        health = await adapters.health("own")
        assert (health.ok, health.detail) == (False, "No such file or directory")
    assert adapters.state("own") is State.STOPPED
    with pytest.raises(NotInitialized):
        await adapter.list_repositories()


async def test_its_init_and_its_settings_fail_as_others_do(site: Site) -> None:
    async with manager_of(site.folder / "nowhere") as adapters:
        with pytest.raises(ConnectionFailed, match="can't be read: No such file"):
            await adapters.get("own")
        assert adapters.state("own") is State.FAILED
    with pytest.raises(ConfigError, match="`roots` is not a setting"):
        RepositoryAdapter({"roots": "."})


async def test_a_repository_inside_another_is_a_part_of_it(site: Site) -> None:
    outer = site.add_repository("group/outer")
    site.add_repository("group/outer/inner")
    (site.repositories / "link").symlink_to(site.repositories)
    async with RepositoryAdapter({"root": site.repositories}) as adapter:
        assert await adapter.list_repositories() == [outer]


async def test_a_repository_that_no_task_could_name_is_left_out(site: Site) -> None:
    one = site.add_repository("one")
    site.add_repository(os.fsdecode(b"\xff\xfe"))
    site.add_repository("line\nbreak")
    async with RepositoryAdapter({"root": site.repositories}) as adapter:
        assert await adapter.list_repositories() == [one]


async def test_it_is_listed_with_the_others() -> None:
    spec = discover()[SPEC]
    assert (spec.type, spec.load()) == ("repositories", RepositoryAdapter)
