"""What the server is started with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneiric.diagnostics import AllowedTargets
from oneiric.errors import OneiricError

if TYPE_CHECKING:
    from pathlib import Path

JWT_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
"""The algorithms of a key pair. With those of a shared secret, who can check a JWT could make one too."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\]")
_ORIGIN = re.compile(rf"https?://({_HOST.pattern})(:\d{{1,5}})?")


class OptionsRefused(OneiricError, ValueError):
    """The options don't go together, or one can't be what it is."""


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """Whose JWTs are accepted, and the key or the address of the keys that they are checked with."""

    issuer: str
    audience: str
    algorithm: str = "RS256"
    key: Path | None = None
    jwks: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What the server is started with. `check()` says whether it can be, and must be called before anything is opened."""

    http: bool = False
    config: str | None = None
    allow_writes: bool = False
    allowed_hosts: tuple[str, ...] = ()
    """The hosts that `test_adapter_connection` may reach with a config that is not the stored one."""
    audit: Path | None = None
    tokens: Path | None = None
    jwt_key: Path | None = None
    jwt_jwks: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_algorithm: str = "RS256"
    public_hosts: tuple[str, ...] = ()
    """The names by which clients reach this server, beside its address."""
    origins: tuple[str, ...] = ()
    """The sites whose pages may call this server."""

    @property
    def has_auth(self) -> bool:
        """Whether callers have to say who they are."""
        return bool(self.tokens or self.has_jwt)

    @property
    def has_jwt(self) -> bool:
        """Whether one of the ways is a JWT."""
        return bool(self.jwt_key or self.jwt_jwks or self.jwt_issuer or self.jwt_audience)

    @property
    def jwt(self) -> JwtOptions | None:
        """The options of JWTs, where they are accepted; `check()` has made sure that there are the ones needed."""
        if not self.jwt_issuer or not self.jwt_audience:
            return None
        return JwtOptions(self.jwt_issuer, self.jwt_audience, self.jwt_algorithm, self.jwt_key, self.jwt_jwks)

    def check(self) -> None:
        """Raises OptionsRefused, or ConfigError for a host that is written wrongly, with what to do."""
        AllowedTargets(frozenset(self.allowed_hosts))
        if not self.http and (self.has_auth or self.public_hosts or self.origins):
            hint = "Over stdio, whoever starts the server may do what it can; leave these options out, or add --http."
            raise OptionsRefused("Tokens, JWTs, public hosts and origins are for HTTP only.", hint=hint)
        if self.http and self.allow_writes and not self.has_auth:
            hint = "Add --tokens (see `oneiric tokens create`) or --jwt-key, or leave --allow-writes out."
            raise OptionsRefused(
                "Not serving tools that write over HTTP to callers who need not say who they are.", hint=hint
            )
        if self.has_jwt:
            self._check_jwt()
        for name in self.public_hosts:
            if not _HOST.fullmatch(name):
                raise OptionsRefused(f"--public-host {name[:100]!r} should be one name, without a port or `*`.")
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise OptionsRefused(
                    f"--allow-origin {origin[:100]!r} should be as https://app.example.com, without `*`."
                )

    def _check_jwt(self) -> None:
        if bool(self.jwt_key) == bool(self.jwt_jwks):
            raise OptionsRefused("To check JWTs, give either --jwt-key or --jwt-jwks.")
        if not self.jwt_issuer or not self.jwt_audience:
            hint = "Without them a JWT that was made by somebody else, or for another service, would be accepted."
            raise OptionsRefused("To check JWTs, give --jwt-issuer and --jwt-audience.", hint=hint)
