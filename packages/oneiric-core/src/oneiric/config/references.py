"""References: `{$env: NAME}` and `{$file: path}` stand in a config for a secret that is elsewhere.

They travel as they are, through files, tools and plans, and are resolved where the adapter is initialised and nowhere else.
A plugin brings further schemes by `oneiric_secret_resolvers`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oneiric.config.text_file import Unreadable, decoded, read_bytes
from oneiric.errors import UnresolvedReference
from oneiric.validation import nearest

if TYPE_CHECKING:
    import pluggy

_log = logging.getLogger(__name__)

Resolver = Callable[[str], str]
"""From what stands behind the scheme to the secret. Raises where there is none."""

_MAX_SECRET = 64 * 1024
"""How many characters a secret in a file may have: a certificate's chain fits, a wrong file mostly doesn't."""


def is_reference(value: object) -> bool:
    """Whether a value is a reference, right or wrong: a mapping with one key, which starts with `$`."""
    return isinstance(value, Mapping) and len(value) == 1 and str(next(iter(value))).startswith("$")


def reference_problem(value: Mapping[str, Any], schemes: Mapping[str, Resolver]) -> str | None:
    """Why a reference can't be one, as a sentence; None where it can. Nothing is resolved."""
    scheme, name = next(iter(value.items()))
    if scheme[1:] not in schemes:
        near = "".join(f" Did you mean `${match}`?" for match in nearest(scheme[1:], schemes))
        known = ", ".join(f"`${known}`" for known in sorted(schemes))
        return f"`{scheme[:100]}` is no scheme of references.{near or f' There are {known}.'}"
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        return f"`{scheme}` should be followed by a name."
    return None


def has_references(value: object) -> bool:
    """Whether there is any reference in a value whose shape has been checked."""
    if isinstance(value, Mapping):
        return is_reference(value) or any(map(has_references, value.values()))
    return isinstance(value, list) and any(map(has_references, value))


def resolved(value: Any, schemes: Mapping[str, Resolver]) -> Any:
    """The value with every reference in it resolved. Raises UnresolvedReference, which names the reference."""
    if is_reference(value):
        return _resolve(value, schemes)
    if isinstance(value, Mapping):
        return {key: resolved(item, schemes) for key, item in value.items()}
    return [resolved(item, schemes) for item in value] if isinstance(value, list) else value


def _resolve(value: Mapping[str, Any], schemes: Mapping[str, Resolver]) -> str:
    problem = reference_problem(value, schemes)
    if problem:
        raise UnresolvedReference(problem)
    scheme, name = next(iter(value.items()))
    shown = f"{{{scheme}: {name}}}"
    try:
        secret: object = schemes[scheme[1:]](name)
    except UnresolvedReference as error:
        reason, hint = error.message, error.hint
    except Exception as error:  # noqa: BLE001 - a plugin's resolver may raise anything, with the secret in its message
        reason, hint = f"{type(error).__name__}.", None
    else:
        if not isinstance(secret, str) or not secret:
            raise UnresolvedReference(f"The reference {shown} is empty.")
        return secret
    # Out here, so that it doesn't lead to the resolver's own error.
    raise UnresolvedReference(f"The reference {shown} can't be resolved: {reason}", hint=hint)


def schemes_of(hooks: pluggy.PluginManager | None, variables: Mapping[str, str] = os.environ) -> dict[str, Resolver]:
    """Every scheme: `env`, looked up in `variables`, `file`, and those of the plugins, which can't replace these two.

    A plugin whose hook raises, or gives no mapping, brings none, and is logged.
    """
    schemes: dict[str, Resolver] = {}
    for implementation in hooks.hook.oneiric_secret_resolvers.get_hookimpls() if hooks else ():
        try:
            schemes |= {str(scheme): resolve for scheme, resolve in _mapping(implementation.function()).items()}
        except Exception as error:  # noqa: BLE001
            _log.warning("The plugin %s brings no resolvers: %s.", implementation.plugin_name, type(error).__name__)
    return schemes | _built_in(variables)


def _mapping(answer: object) -> dict[Any, Any]:
    if not isinstance(answer, Mapping):
        raise TypeError
    return dict(answer)


def _built_in(environ: Mapping[str, str]) -> dict[str, Resolver]:

    def from_environment(name: str) -> str:
        if name not in environ:
            raise UnresolvedReference(f"the variable {name} is not set.", hint="Set it, or correct its name.")
        return environ[name]

    return {"env": from_environment, "file": _from_file}


def _from_file(name: str) -> str:
    """The file's text without the newline that an editor leaves at the end."""
    try:
        text = decoded(read_bytes(Path(name).expanduser(), 4 * _MAX_SECRET))
    except FileNotFoundError as error:
        raise UnresolvedReference(f"the file can't be read: {error.strerror}.") from None
    except (Unreadable, RuntimeError) as error:  # RuntimeError: nobody's home
        raise UnresolvedReference(f"the file can't be read: {error}.") from None
    if len(text) > _MAX_SECRET:
        raise UnresolvedReference(f"the file is larger than {_MAX_SECRET // 1024} KiB.")
    return text.removesuffix("\n").removesuffix("\r")
