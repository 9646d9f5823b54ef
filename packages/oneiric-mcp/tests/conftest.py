"""What the tests share: a folder of installed plugins, and the server in memory and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fastmcp import Client
from oneiric.discovery import discover
from oneiric.discovery.catalog import _memo
from oneiric_mcp import Installation, build_server

if TYPE_CHECKING:
    from pathlib import Path

PLUGIN = """
from oneiric import AdapterSettings, AdapterSpec, hookimpl
from pydantic import SecretStr

class Settings(AdapterSettings):
    path: str = "x.db"
    '''Where it is.'''
    readers: int = 4
    password: SecretStr = SecretStr("")

@hookimpl
def oneiric_adapters():
    return [AdapterSpec({name!r}, type="shelf", summary="A test's adapter.", adapter="{module}_adapter:Shelf",
                        settings=Settings, capabilities=frozenset({{"durable"}}), example={{"path": "y.db"}})]
"""
ADAPTER = """
from oneiric.adapters.base import Adapter

class Shelf(Adapter):
    async def init(self): pass
    async def health(self): return True
    async def cleanup(self): pass
"""

LIVING_ADAPTER = """
import asyncio
from pathlib import Path
from oneiric.adapters.base import Adapter
from oneiric.errors import ConnectionFailed

class Shelf(Adapter):
    async def init(self):
        self.write("init")
        if self.settings.path == "down":
            raise ConnectionFailed("There is nobody at " + self.settings.password.get_secret_value() + ".")
        if self.settings.path == "hang":
            await asyncio.Event().wait()
        if self.settings.path == "bug":
            raise RuntimeError(self.settings.password.get_secret_value())
        self.write("ready")

    async def health(self):
        return self.settings.path != "sick"

    async def cleanup(self):
        self.write("cleanup")

    def write(self, event):
        with Path("life.log").open("a") as file:
            file.write(f"{self.name} {event}\\n")
"""
"""An adapter that writes down what becomes of it, and whose `path` says how it behaves."""


class Site:
    """A folder of plugin distributions as pip leaves them, and a work folder beside it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.work, self.home = root / "site", root / "work", root / "home"
        for folder in (self.folder, self.work, self.home):
            folder.mkdir()

    def install(self, name: str, plugin: str, **modules: str) -> None:
        """Install a distribution whose plugin module has this source, and further modules."""
        module = name.replace("-", "_")
        info = self.folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
        (info / "entry_points.txt").write_text(f"[oneiric]\n{name} = {module}\n", encoding="utf-8")
        for path, source in {module: plugin, **modules}.items():
            (self.folder / f"{path}.py").write_text(source, encoding="utf-8")

    def install_adapter(self, name: str, adapter: str = ADAPTER) -> None:
        """Install a distribution with one adapter of that name."""
        module = name.replace("-", "_")
        self.install(name, PLUGIN.format(name=name, module=module), **{f"{module}_adapter": adapter})

    def replace_adapter(self, name: str, adapter: str) -> None:
        """Give an installed adapter another source; before it is imported."""
        (self.folder / f"{name.replace('-', '_')}_adapter.py").write_text(adapter, encoding="utf-8")

    @property
    def life(self) -> list[str]:
        """What the instances of `LIVING_ADAPTER` went through."""
        log = self.work / "life.log"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def configure(self, text: str) -> None:
        """Write the config file of the work folder, as an editor does: beside it, and then in its place."""
        new = self.work / "oneiric.yaml.new"
        new.write_text(text, encoding="utf-8")
        new.replace(self.work / "oneiric.yaml")

    @property
    def environment(self) -> dict[str, str]:
        """That of a process which has these distributions, and nobody's config."""
        ours = {name: value for name, value in os.environ.items() if not name.upper().startswith("ONEIRIC_")}
        return {
            **ours,
            "PYTHONPATH": str(self.folder),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "COLUMNS": "80",
            "NO_COLOR": "1",
        }

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run Python with this site to its end; whatever it is asked, it answers in sentences."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.work,
            env={**self.environment, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


class Server:
    """The server as a process; its lines can be waited for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.url = ""

    async def line(self, *, until: str = "") -> str:
        """The next line of stdout that holds `until`."""
        assert self.process.stdout
        async with asyncio.timeout(30):
            while line := (await self.process.stdout.readline()).decode():
                if until in line:
                    return line
        raise AssertionError(f"it ended without {until!r}: {(await self.end())[1]}")

    async def write(self, line: str | bytes) -> None:
        """Write a line to stdin."""
        assert self.process.stdin
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        async with asyncio.timeout(30):
            await self.process.stdin.drain()

    async def ask(self, method: str, params: dict[str, Any] | None = None, id: int = 1) -> dict[str, Any]:
        """Send one JSON-RPC request over stdio; returns the answer to it."""
        await self.write(json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params or {}}))
        while True:
            answer: dict[str, Any] = json.loads(await self.line())
            if answer.get("id") == id:
                return answer

    async def greet(self) -> dict[str, Any]:
        """The handshake of the legacy protocol."""
        client = {"name": "test", "version": "1"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        answer = await self.ask("initialize", params, id=0)
        await self.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return answer

    async def end(self) -> tuple[int, str]:
        """The exit code and what was written to stderr, once it has ended."""
        assert self.process.stderr
        async with asyncio.timeout(20):
            error = (await self.process.stderr.read()).decode()
            return await self.process.wait(), error


Starter = Callable[..., AbstractAsyncContextManager[Server]]


@asynccontextmanager
async def _start(site: Site, *options: str, **environ: str) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "oneiric_mcp", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=site.work,
        env={**site.environment, **environ},
        limit=4 * 1024 * 1024,
    )
    server = Server(process)
    try:
        if "--http" in options:
            line = await server.line(until="Serving MCP on ")
            found = re.search(r"http://\S+", line)
            assert found
            server.url = found[0]
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site with one adapter, `shelf`, for this process too. Its modules are forgotten at the end."""
    made = Site(tmp_path)
    made.install_adapter("shelf")
    for variable in [name for name in os.environ if name.upper().startswith("ONEIRIC_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(made.home / "config"))
    monkeypatch.syspath_prepend(str(made.folder))
    monkeypatch.chdir(made.work)
    _memo.clear()
    yield made
    _memo.clear()
    ours = {path.stem for path in made.folder.iterdir()}
    for name in [name for name in sys.modules if name.partition(".")[0] in ours]:
        del sys.modules[name]


@pytest.fixture
def start(site: Site) -> Starter:
    """Start the server as a process: `async with start("--http", "--port", "0") as server`."""
    return lambda *options, **environ: _start(site, *options, **environ)


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait until something is so: `await until(lambda: …)`."""

    async def until(condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - of a file, another process, …
                await asyncio.sleep(0.01)

    return until


@pytest.fixture
def living(site: Site) -> Site:
    """The site, with an adapter `shelf` that writes its life down, and an instance `orders` of it."""
    site.replace_adapter("shelf", LIVING_ADAPTER)
    site.configure("adapters: {orders: {adapter: shelf, password: hunter2}}")
    return site


@pytest.fixture
def installation(site: Site) -> Installation:
    discover(refresh=True)
    return Installation()


@pytest.fixture(params=["auto", "legacy"])
async def client(installation: Installation, request: pytest.FixtureRequest) -> AsyncIterator[Client[Any]]:
    """A client of the server in memory, in each of the protocol's two eras."""
    async with Client(build_server(installation), mode=request.param) as connected:
        yield connected


@pytest.fixture
def call(client: Client[Any]) -> Callable[..., Any]:
    """Call a tool; gives its structured answer, or the text of its error."""

    async def call(tool: str, **arguments: Any) -> Any:
        answer = await client.call_tool(tool, arguments, raise_on_error=False)
        return answer.content[0].text if answer.is_error else answer.structured_content

    return call
