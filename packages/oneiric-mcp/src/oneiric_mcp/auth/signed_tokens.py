"""The check of a JWT: signed by an issuer that we trust, for us, and still valid."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastmcp.server.auth import AccessToken, TokenVerifier
from fastmcp.server.auth.providers.jwt import JWTVerifier
from joserfc.jwk import ECKey, OKPKey, RSAKey
from oneiric.errors import OneiricError

from oneiric_mcp.loopback import is_loopback

if TYPE_CHECKING:
    from pathlib import Path

    from oneiric_mcp.options import JwtOptions

_KINDS: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RS": RSAKey, "PS": RSAKey, "ES": ECKey}
_MAX_KEY = 64 * 1024
_LEEWAY = 60
"""Seconds by which an issuer's clock may be ahead of ours."""


class SigningKeyRefused(OneiricError, ValueError):
    """The key, or the address of the keys, that JWTs are to be checked with can't be used."""


class SignedTokens(TokenVerifier):
    """Knows the JWTs of one issuer. A JWT needs the right signature, issuer and audience, and a time at which it ends."""

    def __init__(self, options: JwtOptions) -> None:
        super().__init__()
        self._verifier = JWTVerifier(
            public_key=_public_key(options.key, options.algorithm) if options.key else None,
            jwks_uri=_checked(options.jwks) if options.jwks else None,
            issuer=options.issuer,
            audience=options.audience,
            algorithm=options.algorithm,
        )

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who presents this JWT and what it may do, or None where it is not valid."""
        found = await self._verifier.verify_token(token)
        # The verifier takes a JWT without an end, and one whose time has not come.
        if found is None or found.expires_at is None or not _has_begun(found.claims):
            return None
        return found.model_copy(update={"client_id": f"jwt:{found.subject or found.client_id}"})


def _has_begun(claims: dict[str, Any]) -> bool:
    begin = claims.get("nbf", 0)
    return isinstance(begin, int | float) and begin <= time.time() + _LEEWAY


def _public_key(path: Path, algorithm: str) -> str:
    """The text of a PEM file with a public key that fits the algorithm."""
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(_MAX_KEY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is not a PEM file"
        raise SigningKeyRefused(f"The key {path} can't be read: {reason}.") from None
    try:
        key = _KINDS.get(algorithm[:2], OKPKey).import_key(text)
    except Exception:  # noqa: BLE001 - whatever the library finds in a file that is no key
        raise SigningKeyRefused(
            f"{path} is not a public key for {algorithm}.",
            hint="Give a PEM file that starts with `-----BEGIN PUBLIC KEY-----`, and its --jwt-algorithm.",
        ) from None
    if key.is_private:
        raise SigningKeyRefused(f"{path} is a private key.", hint="This server needs the public one only.")
    return text


def _checked(url: str) -> str:
    """The address of an issuer's keys: who could change them on the way could sign anything."""
    try:
        scheme, host = urlsplit(url).scheme, urlsplit(url).hostname or ""
    except ValueError:
        scheme = host = ""
    if not host or (scheme != "https" and not (scheme == "http" and is_loopback(host))):
        raise SigningKeyRefused("The address of --jwt-jwks should start with https://.")
    return url
