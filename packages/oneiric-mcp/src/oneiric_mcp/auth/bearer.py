"""The server's authentication over HTTP: a bearer token of one kind or the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmcp.server.auth import AccessToken, TokenVerifier

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.signed_tokens import SignedTokens
from oneiric_mcp.auth.stored_tokens import StoredTokens
from oneiric_mcp.auth.token_file import TokenFile

if TYPE_CHECKING:
    from oneiric_mcp.options import Options

_MAX_TOKEN = 8 * 1024
"""How many characters of a token are looked at; the signature of a JWT is checked at every request."""


class Bearer(TokenVerifier):
    """Accepts what any of its verifiers knows. A token without `adapters:read` gets 403 whatever it asks for."""

    def __init__(self, *verifiers: TokenVerifier) -> None:
        super().__init__(required_scopes=[Scope.READ])
        self._verifiers = verifiers

    @classmethod
    def from_options(cls, options: Options) -> Bearer | None:
        """What the options ask for, or None where callers need not say who they are.

        Raises TokenFileRefused and SigningKeyRefused.
        """
        verifiers: list[TokenVerifier] = []
        if options.tokens:
            verifiers.append(StoredTokens(TokenFile(options.tokens)))
        if options.jwt:
            verifiers.append(SignedTokens(options.jwt))
        return cls(*verifiers) if verifiers else None

    async def verify_token(self, token: str) -> AccessToken | None:
        """Who presents this token and what it may do, or None."""
        if len(token) > _MAX_TOKEN:
            return None
        for verifier in self._verifiers:
            found = await verifier.verify_token(token)
            if found is not None:
                return found
        return None
