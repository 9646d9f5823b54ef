"""Secrets in every place that a settings class can have one."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from oneiric import AdapterSettings
from oneiric.adapters.targets import Endpoint, Targets
from pydantic import (
    AnyUrl,
    BaseModel,
    Field,
    PostgresDsn,
    Secret,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from typing_extensions import TypeAliasType, TypedDict

Password = TypeAliasType("Password", SecretStr)


class Pool(BaseModel):
    password: SecretStr = SecretStr("")
    dsn: str = "leaky://127.0.0.1:9/pool"


@dataclass
class Proxy:
    password: SecretStr
    url: str = "http://127.0.0.1:9"


class Credentials(TypedDict):
    token: SecretStr


class LeakySettings(AdapterSettings):
    """Where it raises, and how, and what it has to hide."""

    at: Literal["nowhere", "validation", "making", "init", "health", "cleanup"] = "nowhere"
    how: str = "plain"
    says_targets: bool = False
    password: SecretStr = SecretStr("")
    key: SecretBytes = SecretBytes(b"")
    pin: Secret[str] = Secret("")
    alias: Password = SecretStr("")
    tokens: list[SecretStr] = []
    by_name: dict[str, SecretStr] = {}
    maybe: Annotated[SecretStr, Field(min_length=1)] | None = None
    pool: Pool = Pool()
    pools: list[Pool] = []
    proxy: Proxy | None = None
    credentials: Credentials | None = None
    dsn: str = "leaky://127.0.0.1:9/x"
    url: AnyUrl | None = None
    postgres: PostgresDsn | None = None
    keywords: str = "host=127.0.0.1"
    api_key: str = ""
    """A secret that isn't declared as one: it must be configured by a reference."""

    @field_validator("password", "dsn", "tokens", "pool")
    @classmethod
    def _is_fine(cls, value, info):
        if info.data.get("at") == "validation" and info.data.get("how") == "quotes":
            secret = value.get_secret_value() if isinstance(value, SecretStr) else value
            raise ValueError(f"{secret!r} is no {info.field_name}: {secret}")
        return value

    @model_validator(mode="after")
    def _all_are_fine(self):
        if self.at == "validation" and self.how == "whole":
            raise ValueError(f"{self!r} of {self.password.get_secret_value()} at {self.dsn} won't do")
        if self.at == "validation" and self.how == "raises":
            raise RuntimeError(f"{self!r} of {self.password.get_secret_value()} at {self.dsn} won't do")
        return self

    def targets(self):
        if not self.says_targets:
            return None
        where = urlsplit(self.dsn)
        return Targets((Endpoint(where.hostname or "", where.port or 9),), files=(self.dsn,))
