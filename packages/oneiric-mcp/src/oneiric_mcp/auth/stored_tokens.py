"""The check of a bearer token against the file of tokens."""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING

from fastmcp.server.auth import AccessToken, TokenVerifier

from oneiric_mcp.auth.token_file import PREFIX, TokenFileRefused, hash_of
from oneiric_mcp.file_stamp import stamp_of

if TYPE_CHECKING:
    from oneiric_mcp.auth.token_file import StoredToken, TokenFile

_log = logging.getLogger(__name__)


class StoredTokens(TokenVerifier):
    """Knows the tokens of a file, as the file is now: one that was revoked is refused from the next request on.

    Raises TokenFileRefused where the file can't be used at the start. Later no token is known until it can be again.
    """

    def __init__(self, file: TokenFile) -> None:
        super().__init__()
        self._file = file
        self._stamp = stamp_of(file.path)
        self._tokens = file.tokens()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who presents this token and what it may do, or None where it is not known or its time is over."""
        if not token.startswith(PREFIX):
            return None
        digest = hash_of(token)
        # All of them, and each in constant time: how long it takes says nothing about how near a guess came.
        matches = [stored for stored in self._current() if hmac.compare_digest(stored.sha256, digest)]
        if not matches or matches[0].has_expired:
            return None
        found = matches[0]
        return AccessToken(
            token=token,
            client_id=f"token:{found.name}",
            scopes=sorted(found.scopes),
            expires_at=int(found.expires.timestamp()) if found.expires else None,
        )

    def _current(self) -> tuple[StoredToken, ...]:
        stamp = stamp_of(self._file.path)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._tokens = self._file.tokens()
            except TokenFileRefused as error:
                self._tokens = ()
                _log.error("No token is accepted: %s", error)
        return self._tokens
