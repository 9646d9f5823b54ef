"""`oneiric tokens`: the bearer tokens of `oneiric-mcp --http --tokens`."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from oneiric.cli.output import JsonOption, console, print_json, print_table

from oneiric_mcp.auth.scopes import Scope
from oneiric_mcp.auth.token_file import StoredToken, TokenFile, default_path

tokens = typer.Typer(
    help="Make, list and revoke the bearer tokens of `oneiric-mcp --http --tokens`.", no_args_is_help=True
)

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_MAX_DAYS = 3650

NameArgument = Annotated[str, typer.Argument(help="The token's name, which the audit log shows.")]
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The file of tokens (default: tokens.json in your config folder).")
]
ScopeOption = Annotated[list[Scope] | None, typer.Option(help="What it may do, once for each; to read it always may.")]
ExpiresOption = Annotated[
    str | None, typer.Option(help="How long it is valid: 30m, 12h, 90d. Without, until it is revoked.")
]


@tokens.command("create")
def create(
    name: NameArgument,
    scope: ScopeOption = None,
    expires: ExpiresOption = None,
    file: FileOption = None,
    json: JsonOption = False,
) -> None:
    """Make a token and print it, this once: only its hash is stored."""
    store = TokenFile(file or default_path())
    token = store.create(name, scope or (), _duration(expires) if expires is not None else None)
    made = next(stored for stored in store.tokens() if stored.name == name)
    if json:
        print_json({"token": token, **_shown(made), "file": str(store.path)})
        return
    typer.echo(token)
    until = f"until {made.expires:%Y-%m-%d %H:%M} UTC" if made.expires else "until it is revoked"
    rights = ", ".join(sorted(made.scopes))
    typer.echo(f"The token `{name}` ({rights}) is valid {until}. It is not shown again: only its hash is", err=True)
    typer.echo(f"stored, in {store.path}. A client sends it as: Authorization: Bearer {token[:12]}…", err=True)


@tokens.command("list")
def list_tokens(file: FileOption = None, json: JsonOption = False) -> None:
    """List the tokens: their names, what they may do, until when."""
    stored = TokenFile(file or default_path()).tokens()
    if json:
        print_json(list(map(_shown, stored)))
        return
    rows = (
        (
            token.name,
            " ".join(sorted(token.scopes)),
            f"{token.created:%Y-%m-%d}",
            f"{token.expires:%Y-%m-%d %H:%M}" if token.expires else "never",
            "expired" if token.has_expired else "valid",
        )
        for token in stored
    )
    print_table("Tokens", ("name", "scopes", "created", "expires", ""), rows)


@tokens.command("revoke")
def revoke(name: NameArgument, file: FileOption = None) -> None:
    """Take a token's rights away. A running server refuses it from its next request on."""
    TokenFile(file or default_path()).revoke(name)
    console.print(f"The token `{name}` is revoked.", markup=False)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,6})([mhd])", text)
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if not timedelta() < duration <= timedelta(days=_MAX_DAYS):
        raise typer.BadParameter(
            f"should be a time as 30m, 12h or 90d, of {_MAX_DAYS} days at most", param_hint="--expires"
        )
    return duration


def _shown(token: StoredToken) -> dict[str, object]:
    return token.model_dump(mode="json", exclude={"sha256"}) | {"scopes": sorted(token.scopes)}
