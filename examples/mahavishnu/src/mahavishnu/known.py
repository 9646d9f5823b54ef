"""What the MCP server has last said, and whether it still says so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING, Any

from oneiric.config import Instance
from oneiric.inspection import AdapterSummary
from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oneiric.errors import OneiricError


class KnownInstance(BaseModel):
    """An instance's config: references as they stand, and no secret, as the server shows none."""

    adapter: str
    values: dict[str, Any]


class Snapshot(BaseModel):
    """The server's answers at one moment."""

    url: str
    fetched_at: datetime
    adapters: list[AdapterSummary]
    instances: dict[str, KnownInstance]

    @classmethod
    def of(cls, url: str, adapters: list[AdapterSummary], instances: Mapping[str, Instance]) -> Snapshot:
        """What was just answered."""
        known = {
            name: KnownInstance(adapter=instance.adapter, values=dict(instance.values))
            for name, instance in instances.items()
        }
        return cls(url=url, fetched_at=datetime.now(UTC), adapters=adapters, instances=known)

    def configured(self) -> dict[str, Instance]:
        """The instances, for an AdapterManager."""
        return {name: Instance(name, known.adapter, known.values) for name, known in self.instances.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """A snapshot, and why it could not be had anew."""

    snapshot: Snapshot
    failure: OneiricError | None = None

    @property
    def is_stale(self) -> bool:
        """Whether the server could not be asked when it was last tried."""
        return self.failure is not None

    def __str__(self) -> str:
        what = f"{len(self.snapshot.adapters)} adapters, as of {self.snapshot.fetched_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{what}; STALE: {self.failure}" if self.failure else what


def read_snapshot(file: Path, url: str) -> Snapshot | None:
    """What was kept of this server; None where there is nothing that can be used."""
    try:
        snapshot = Snapshot.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None
    return snapshot if snapshot.url == url else None


def write_snapshot(file: Path, snapshot: Snapshot) -> None:
    """Keep it, for this user alone; who reads meanwhile reads the old or the new one. Raises OSError."""
    descriptor, beside = mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(snapshot.model_dump_json())
        Path(beside).replace(file)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
