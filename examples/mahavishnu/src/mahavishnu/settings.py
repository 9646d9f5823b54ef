"""What the orchestrator needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from mahavishnu.repositories import RepositorySettings

Attribute = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class MahavishnuSettings(BaseSettings):
    """Layers, lowest first: these defaults, `mahavishnu.yaml`, `.env`, the environment (`MAHAVISHNU_ADAPTERS__QUEUE=jobs`), arguments."""

    model_config = SettingsConfigDict(
        env_prefix="MAHAVISHNU_",
        env_nested_delimiter="__",
        env_file=".env",
        dotenv_filtering="match_prefix",  # what else is in it is somebody else's
        yaml_file="mahavishnu.yaml",
        extra="forbid",
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    oneiric_mcp_url: str = "http://127.0.0.1:8679/mcp"
    """Where `oneiric-mcp --http` serves."""

    oneiric_mcp_token: SecretStr | None = None
    """A bearer token of its, where it wants one."""

    adapters: dict[Attribute, str] = {"queue": "jobs", "messages": "events"}
    """Which instances of the server's config are initialised here, each as the attribute of that name; a layer adds to those
    below. `queue` and `messages` are needed."""

    repositories: RepositorySettings
    """The settings of the adapter of the application's own."""

    cache: Path | None = None
    """A file for what the server has last said, for a start while it is down."""

    mcp_timeout: Annotated[FiniteFloat, Field(gt=0, le=600)] = 10.0
    """How many seconds the MCP server has for an answer."""

    task_retries: Annotated[int, Field(ge=0, le=100)] = 3
    """How often a task is run again where it fails, or its worker is killed."""

    poll_interval: Annotated[FiniteFloat, Field(gt=0, le=60)] = 0.1
    """How many seconds pass between two looks at the tasks of a sweep."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The layers, the highest first."""
        return init_settings, env_settings, dotenv_settings, YamlConfigSettingsSource(settings_cls)
