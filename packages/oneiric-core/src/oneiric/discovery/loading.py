"""Entry points to Plugins and specs. One plugin's failure is its own: it is kept, and the others load.

Not pluggy's `load_setuptools_entrypoints`: that stops at the first plugin that raises, and silently keeps the first of two
that claim one name.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections import defaultdict
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from importlib import invalidate_caches
from importlib.metadata import EntryPoint, distributions, entry_points
from typing import TYPE_CHECKING

import pluggy

from oneiric import hookspecs
from oneiric.discovery.plugins import Plugin, PluginStatus
from oneiric.masking import without_passwords
from oneiric.spec import AdapterSpec
from oneiric.validation import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.metadata import Distribution

GROUP = "oneiric"
_log = logging.getLogger(__name__)

BLOCK_VARIABLE = "ONEIRIC_BLOCK_PLUGINS"
ONLY_VARIABLE = "ONEIRIC_ONLY_PLUGINS"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that one run of discovery found."""

    hooks: pluggy.PluginManager
    plugins: tuple[Plugin, ...]
    specs: Mapping[str, AdapterSpec]
    """Each adapter that exactly one loaded plugin declares, by name, in the order of the names."""


class _Refused(Exception):
    """A plugin breaks a rule of ours; the message is the reason, and there is no traceback worth keeping."""


class _Hooks(pluggy.PluginManager):
    """Pluggy's manager, which also refuses a hookimpl for a hook that we don't have: mostly a misspelled one."""

    last_implementer: object = None
    """The last plugin that was seen to implement a hook; `get_hookcallers` would look through all plugins for one."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        if name.startswith("__"):  # No hook is named so, and looking costs more than the rest of a registration.
            return None
        options = super().parse_hookimpl_opts(plugin, name)
        if options is not None and not options["optionalhook"]:
            hook_name = options["specname"] or name
            hooks = vars(self.hook)
            if hook_name not in hooks:
                near = "".join(f" Did it mean `{hook}`?" for hook in nearest(hook_name, hooks))
                raise _Refused(f"It implements `{hook_name}`, which is not a hook of Oneiric.{near}")
        if options is not None:
            self.last_implementer = plugin
        return options


def load_plugins(environ: Mapping[str, str] = os.environ) -> Loaded:
    """Find and import every plugin, and ask each for its adapters. Raises nothing, whatever a plugin does."""
    invalidate_caches()
    hooks = _Hooks(hookspecs.PROJECT)
    hooks.add_hookspecs(hookspecs)
    # A plugin that prints while it is imported would break a JSON answer, or the MCP protocol, on stdout.
    with redirect_stdout(sys.stderr):
        plugins = [_import(hooks, entry, plugin) for entry, plugin in _found(environ)]
        plugins, specs = _ask(hooks, plugins)
    rivals_by_adapter = _claimed_twice(specs)
    return Loaded(
        hooks,
        tuple(_with_adapter_collisions(plugin, rivals_by_adapter) for plugin in plugins),
        {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.name) if spec.name not in rivals_by_adapter},
    )


def _found(environ: Mapping[str, str]) -> list[tuple[EntryPoint | None, Plugin]]:
    """Each entry point, in the order of the names, with what is known of it before anything is imported.

    A distribution whose entry points can't be read has one plugin without an entry point.
    """
    blocked, only = _names(environ, BLOCK_VARIABLE), _names(environ, ONLY_VARIABLE)
    entries, unreadable = _entry_points()
    pairs = [(entry, _described(entry, blocked, only)) for entry in sorted(entries, key=lambda entry: entry.name)]
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for _, plugin in pairs:
        if plugin.status is PluginStatus.LOADED:
            claims[plugin.name].append(plugin.distribution)
    _warn_of_names_that_nothing_has(blocked | only, [plugin for _, plugin in pairs])
    found = [(entry, _collided(plugin, claims.get(plugin.name, ()))) for entry, plugin in pairs]
    return [*found, *((None, plugin) for plugin in unreadable)]


def _entry_points() -> tuple[list[EntryPoint], list[Plugin]]:
    """The entry points of the group, and the distributions whose entry points can't be read."""
    try:
        return list(entry_points(group=GROUP)), []
    except Exception:  # noqa: BLE001 - importlib.metadata stops at the first entry_points.txt that it can't parse
        found, unreadable = list[EntryPoint](), list[Plugin]()
    for distribution in distributions():
        try:
            found += distribution.entry_points.select(group=GROUP)
        except Exception as error:  # noqa: BLE001
            name, version = _identity(distribution)
            broken = Plugin(name, "entry_points.txt", name, version, PluginStatus.FAILED)
            unreadable.append(_failed(broken, error))
    return found, unreadable


def _warn_of_names_that_nothing_has(names: set[str], plugins: Sequence[Plugin]) -> None:
    known = {
        name for plugin in plugins for name in (plugin.name, _normalised(plugin.name), _normalised(plugin.distribution))
    }
    for name in sorted(names - known):
        if _normalised(name) not in known:
            near = "".join(f" Did you mean {match}?" for match in nearest(name, known))
            _log.warning(
                "%s or %s names %s, and nothing of that name is installed.%s", BLOCK_VARIABLE, ONLY_VARIABLE, name, near
            )


def _described(entry: EntryPoint, blocked: set[str], only: set[str]) -> Plugin:
    """The plugin as it will be if nothing goes wrong, or blocked by the environment."""
    distribution, version = _identity(entry.dist)
    reason = None
    names = {entry.name, _normalised(distribution)}
    if names & blocked:
        reason = f"{BLOCK_VARIABLE} names it."
    elif only and not names & only:
        reason = f"{ONLY_VARIABLE} doesn't name it."
    status = PluginStatus.BLOCKED if reason else PluginStatus.LOADED
    return Plugin(entry.name, entry.value, distribution, version, status, reason=reason)


def _identity(distribution: Distribution | None) -> tuple[str, str]:
    """Name and version of a distribution.

    Read from the head of its metadata: `Distribution.name` and `.version` each parse the whole of it, the README included,
    which with 1,000 plugins took longer than importing them.
    """
    try:
        text = (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")) if distribution else None
    except (OSError, ValueError):  # not UTF-8
        text = None
    headers = dict(line.partition(": ")[::2] for line in (text or "").partition("\n\n")[0].splitlines())
    return headers.get("Name", "unknown"), headers.get("Version", "unknown")


def _names(environ: Mapping[str, str], variable: str) -> set[str]:
    """The plugins and distributions that a variable names, the latter however they are written."""
    names = {name.strip() for name in environ.get(variable, "").split(",")} - {""}
    return names | {_normalised(name) for name in names}


def _normalised(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _collided(plugin: Plugin, claims: Sequence[str]) -> Plugin:
    """The plugin, as collided where further distributions that are not blocked claim its name."""
    if len(claims) < 2 or plugin.status is not PluginStatus.LOADED:
        return plugin
    if len(set(claims)) == 1:
        reason = f"{plugin.distribution} declares the plugin name `{plugin.name}` twice, so neither is loaded."
        return replace(plugin, status=PluginStatus.COLLIDED, reason=reason, hint=_mend(ValueError(), plugin))
    reason = f"{_listed(claims)} each claim the plugin name `{plugin.name}`, so none of them is loaded."
    return replace(plugin, status=PluginStatus.COLLIDED, reason=reason, hint=_choose(claims))


def _choose(distributions: Iterable[str]) -> str:
    return (
        f"Uninstall all but one of {_listed(distributions)}, or set {BLOCK_VARIABLE} to the distribution that "
        "is not wanted."
    )


def _listed(names: Iterable[str]) -> str:
    return " and ".join(sorted(set(names)))


def _import(hooks: _Hooks, entry: EntryPoint | None, plugin: Plugin) -> Plugin:
    """Import and register one plugin; pluggy validates its hookimpls before it changes anything."""
    if entry is None or plugin.status is not PluginStatus.LOADED:
        return plugin
    try:
        target = entry.load()
        hooks.register(target, name=plugin.name)
        if target is None or hooks.last_implementer is not target:
            raise _Refused(
                f"`{plugin.target}` implements no hook of Oneiric. Are its functions marked with `@hookimpl`?"
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - sys.exit(), a panic in Rust: nothing of a plugin's must end us
        if hooks.has_plugin(plugin.name):
            hooks.unregister(name=plugin.name)
        return _failed(plugin, error)
    return plugin


def _ask(hooks: pluggy.PluginManager, plugins: Iterable[Plugin]) -> tuple[list[Plugin], list[AdapterSpec]]:
    """Ask each plugin alone for its adapters, so that what it raises or returns is known to be its own."""
    implementations: defaultdict[str, list[Callable[[], object]]] = defaultdict(list)
    for implementation in hooks.hook.oneiric_adapters.get_hookimpls():
        implementations[implementation.plugin_name].append(implementation.function)
    asked, specs = [], list[AdapterSpec]()
    for plugin in plugins:
        try:
            declared = [
                replace(spec, distribution=plugin.distribution, version=plugin.version)
                for declare in implementations.get(plugin.name, ())
                if plugin.status is PluginStatus.LOADED
                for spec in _declared(declare)
            ]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            hooks.unregister(name=plugin.name)
            asked.append(_failed(plugin, error))
        else:
            specs += declared
            asked.append(replace(plugin, adapters=tuple(spec.name for spec in declared)))
    return asked, specs


def _declared(declare: Callable[[], object]) -> Iterator[AdapterSpec]:
    answer = declare()
    if isinstance(answer, str | bytes | AdapterSpec) or not isinstance(answer, Iterable):
        raise _Refused(f"Its oneiric_adapters() returns {type(answer).__name__}, not an iterable of AdapterSpec.")
    for spec in answer:
        if not isinstance(spec, AdapterSpec):
            raise _Refused(f"Its oneiric_adapters() gives {type(spec).__name__}, not AdapterSpec.")
        yield spec


def _failed(plugin: Plugin, error: BaseException) -> Plugin:
    expected = isinstance(error, _Refused | pluggy.PluginValidationError)
    sentence = _printable(" ".join(_message(error).split())[:500])
    return replace(
        plugin,
        status=PluginStatus.FAILED,
        reason=sentence if expected else f"{type(error).__name__}: {sentence}".removesuffix(": "),
        hint=_mend(error, plugin),
        traceback=None if expected else _printable("".join(traceback.format_exception(error))),
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - a plugin's own error may fail even at this
        return f"(its message can't be had: {type(second).__name__})"


def _printable(text: str) -> str:
    """The text without the passwords of URLs, and the surrogates that no output can encode, which a file's name may leave."""
    return without_passwords(text.encode(errors="backslashreplace").decode())


def _mend(error: BaseException, plugin: Plugin) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"Run: pip install --force-reinstall {plugin.distribution}"
    return f"Upgrade or uninstall {plugin.distribution}, or set {BLOCK_VARIABLE}={plugin.name}."


def _claimed_twice(specs: Iterable[AdapterSpec]) -> Mapping[str, set[str]]:
    """The names that more than one spec claims, each with the distributions that do."""
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for spec in specs:
        claims[spec.name].append(str(spec.distribution))
    return {name: set(distributions) for name, distributions in claims.items() if len(distributions) > 1}


def _with_adapter_collisions(plugin: Plugin, rivals_by_adapter: Mapping[str, set[str]]) -> Plugin:
    collided = [name for name in plugin.adapters if name in rivals_by_adapter]
    if not collided:
        return plugin
    names = ", ".join(f"`{name}`" for name in sorted(set(collided)))
    rivals = set().union(*(rivals_by_adapter[name] for name in collided))
    reason = f"{_listed(rivals)} each claim the adapter name {names}, so that adapter is not available."
    if len(rivals) == 1:
        reason = f"{_listed(rivals)} declares the adapter name {names} twice, so that adapter is not available."
        return replace(plugin, status=PluginStatus.COLLIDED, reason=reason, hint=_mend(ValueError(), plugin))
    return replace(plugin, status=PluginStatus.COLLIDED, reason=reason, hint=_choose(rivals))
