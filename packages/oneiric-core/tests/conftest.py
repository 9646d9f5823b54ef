"""What the tests share: a folder of installed distributions, on the path of this process and of those that it starts."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSpec, Catalog
from oneiric.discovery import discover
from oneiric.discovery.catalog import _memo
from oneiric.discovery.loading import load_plugins

sys.path.append(str(Path(__file__).parent))
import forked
from scripted_connection import Scripted
from tiny_house import House, new_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence

    from oneiric import Adapter
    from oneiric.discovery import Plugin
    from oneiric.discovery.loading import Loaded

_READ_AT_THE_START = {"COLUMNS", "FORCE_COLOR", "NO_COLOR", "PYTHONIOENCODING", "PYTHONUTF8", "TERM"}
"""Variables that mean something to Python, or to a module that the command line imports, as it starts."""
PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl

class Settings(AdapterSettings):
    path: str = "x.db"
    '''Where it is.'''
    readers: int = 4

@hookimpl
def oneiric_adapters():
    return [AdapterSpec({name!r}, type="database", summary="A test's adapter.", adapter="{module}_adapter:Adapter",
                        settings=Settings, capabilities=frozenset({{"durable"}}), example={{"path": "y.db"}})]
"""
ADAPTER = """
from oneiric.adapters import base

class Adapter(base.Adapter):
    async def init(self): pass
    async def health(self): return True
    async def cleanup(self): pass
"""


class Site:
    """A folder of distributions as pip leaves them: modules, and a dist-info with METADATA and entry_points.txt."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder = folder
        self.work = work

    def install(
        self,
        name: str,
        plugin: str = "",
        *,
        modules: Mapping[str, str] | None = None,
        entry_points: str | None = None,
        metadata: str | None = None,
        requires: tuple[str, ...] = (),
    ) -> str:
        """Install a distribution whose plugin module has this source; returns the module's name."""
        module = name.replace("-", "_")
        self.write({f"{module}.py": plugin, **(modules or {})})
        info = self.folder / f"{module}-1.0.dist-info"
        needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
        default = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}\nVersion: not this\n"
        self.write({f"{info.name}/METADATA": default if metadata is None else metadata})
        points = f"[oneiric]\n{name} = {module}\n" if entry_points is None else entry_points
        self.write({f"{info.name}/entry_points.txt": points})
        return module

    def install_adapter(self, name: str) -> str:
        """Install a distribution with one working adapter of that name."""
        module = name.replace("-", "_")
        return self.install(name, PLUGIN.format(name=name, module=module), modules={f"{module}_adapter.py": ADAPTER})

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def load(self, **environ: str) -> Loaded:
        """Run discovery in this process."""
        return load_plugins(environ)

    def plugin(self, name: str, **environ: str) -> Plugin:
        """What became of the one plugin of that name."""
        (found,) = (plugin for plugin in self.load(**environ).plugins if plugin.name == name)
        return found

    def catalog(self) -> Catalog:
        """What is installed now."""
        return discover(refresh=True)

    def python(self, *arguments: str, stdin: str | bytes = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the work folder, with this site's distributions."""
        data = stdin if isinstance(stdin, bytes) else stdin.encode()
        done = subprocess.run(
            [sys.executable, *arguments],
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=self.work,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "PYTHONIOENCODING": "utf-8",
                "COLUMNS": "200",
                **environ,
            },
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def oneiric(self, *arguments: str, stdin: str | bytes = "", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command line; whatever it is asked, it answers in sentences."""
        if environ.keys() & _READ_AT_THE_START or not hasattr(os, "fork"):
            done = self.python("-m", "oneiric", *arguments, stdin=stdin, **environ)
        else:
            done = self._forked(arguments, stdin if isinstance(stdin, bytes) else stdin.encode(), environ)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _forked(
        self, arguments: Sequence[str], stdin: bytes, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        done = forked.run(
            arguments,
            cwd=self.work,
            path=[str(self.folder)],
            environ={**os.environ, "PYTHONPATH": str(self.folder), **forked.AT_ITS_START, **environ},
            stdin=stdin,
        )
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def json(self, *arguments: str, code: int = 0, stdin: str = "", **environ: str) -> Any:
        """Run the command line with `--json`; returns what it prints, all of it."""
        done = self.oneiric(*arguments, "--json", stdin=stdin, **environ)
        assert done.returncode == code, done
        return json.loads(done.stdout)


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No config of the person who runs the tests, and no memory of a discovery."""
    for variable in [name for name in os.environ if name.upper().startswith("ONEIRIC_")]:
        monkeypatch.delenv(variable)
    for folder in ("home", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    monkeypatch.chdir(tmp_path / "work")
    _memo.clear()
    yield
    _memo.clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site. Its modules are forgotten at the end."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    yield Site(folder, tmp_path / "work")
    ours = {path.stem for path in folder.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until a condition holds, ten seconds at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    return wait


class VirtualTime(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to be done: deadlines cost no time."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._real_select = self._selector.select  # type: ignore[attr-defined]
        self._selector.select = self._select  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._now

    def _select(self, timeout: float | None) -> Any:
        if timeout is None:
            pytest.fail("A deadlock: every task waits, and for nothing that will come.")
        self._now += timeout
        return self._real_select(0)


@pytest.fixture
def virtual_time() -> type[asyncio.AbstractEventLoop]:
    """The class of the loop of virtual time."""
    return VirtualTime


@pytest.fixture
def virtually() -> Callable[[Coroutine[Any, Any, None]], None]:
    """Run a coroutine to its end on a loop of virtual time, and see that it leaves no task."""

    def run(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=VirtualTime) as runner:
            runner.run(_leaving_no_task(main))

    return run


async def _leaving_no_task(main: Coroutine[Any, Any, None]) -> None:
    await main
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left


@pytest.fixture
def catalog_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Catalog]:
    """Make a catalog of adapters by name, all of type `database` unless the class says otherwise by `type_of_adapter`."""

    def make(hooks: Any = None, **adapters: type[Adapter]) -> Catalog:
        module = type(sys)("adapters_of_a_test")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        for adapter in adapters.values():
            setattr(module, adapter.__name__, adapter)
        specs = [
            AdapterSpec(
                name,
                type=getattr(adapter, "type_of_adapter", "database"),
                summary="A.",
                adapter=f"{module.__name__}:{adapter.__name__}",
                settings=adapter.settings_class,
            )
            for name, adapter in adapters.items()
        ]
        return Catalog(specs, hooks=hooks)

    return make


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that listens, and whose connections the kernel accepts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def nobody() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def scripted() -> list[str]:
    """What the adapter of `scripted_connection` does from now on."""
    Scripted.log = []
    return Scripted.log


@pytest.fixture(params=["kept", "not-kept"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A place of either kind."""
    house = House(f"embedded://{tmp_path}/kept" if request.param == "kept" else new_name())
    yield house
    await house.close()


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[House]:
    house = House(f"embedded://{tmp_path}/kept")
    yield house
    await house.close()


@pytest.fixture
async def not_kept() -> AsyncIterator[House]:
    house = House(new_name())
    yield house
    await house.close()
