"""Discovery of 1,000 installed plugins against pluggy's own `load_setuptools_entrypoints`.

Pluggy imports and registers. We do that, and read each distribution's name and version, call its hook and check its spec, and
keep every failure. Each measurement is a process of its own, in which both are imported before the clock starts.
"""

from __future__ import annotations

import compileall
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench._children import HERE, environment, python
from bench.rounds import Pair

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PLUGINS = 1_000

_MODULE = '''\
"""The plugin of thing {number}."""

from oneiric.hookspecs import hookimpl
from oneiric.spec import AdapterSpec


@hookimpl
def oneiric_adapters():
    """Declare the adapter."""
    return [
        AdapterSpec(
            "thing-{number}",
            type="database",
            summary="Thing {number}, behind the contract of a database.",
            adapter="bench_thing_{number}.adapter:ThingAdapter",
            capabilities=frozenset({{"durable", "savepoints"}}),
            docs_url="https://example.org/things/{number}",
            example={{"dsn": "thing://localhost/{number}"}},
        )
    ]
'''

_METADATA = """\
Metadata-Version: 2.4
Name: bench-thing-{number}
Version: 1.{number}.0
Summary: Thing {number}, behind the contract of a database.
Project-URL: Documentation, https://example.org/things/{number}
License-Expression: BSD-3-Clause
Keywords: adapters,database
Classifier: Development Status :: 4 - Beta
Classifier: Framework :: AsyncIO
Classifier: Programming Language :: Python :: 3.11
Classifier: Typing :: Typed
Requires-Python: >=3.11
Requires-Dist: oneiric-core<0.2,>=0.1
Requires-Dist: thing-driver>=2.1
Provides-Extra: embedded
Requires-Dist: thing-server>=2.1; extra == 'embedded'
Description-Content-Type: text/markdown

"""

_README = (
    """\
# Thing {number}

An adapter for [Oneiric](https://example.org/oneiric). It speaks to a thing through its driver, with a pool.

```python
async with AdapterManager.from_config() as adapters:
    thing = await adapters.get("thing-{number}")
    rows = await thing.fetch_all("SELECT id, name FROM items WHERE id > $1", 10)
```

| setting | type | default | meaning |
|---|---|---|---|
| `dsn` | string | | where the thing listens |
| `pool` | integer | 10 | how many connections at most |
| `timeout` | number | 30 | how many seconds a call may take |

"""
    + "Each connection is checked before it is lent, and one that has failed is replaced while others serve.\n" * 30
)


@asynccontextmanager
async def suite() -> AsyncIterator[list[Pair]]:
    """Install the plugins in a folder of their own, compiled, and say what is compared."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(PLUGINS):
            _install(folder, number)
        compileall.compile_dir(folder, quiet=2)
        yield [
            Pair(
                what=f"load_plugins() with {PLUGINS:,} plugins vs pluggy's load_setuptools_entrypoints",
                ours=lambda: _seconds("ours", folder),
                theirs=lambda: _seconds("pluggy", folder),
                at_most=1.3,
            )
        ]


def _install(folder: Path, number: int) -> None:
    """Write what pip would leave of one plugin."""
    info = folder / f"bench_thing_{number}-1.{number}.0.dist-info"
    info.mkdir()
    files = {
        folder / f"bench_thing_{number}.py": _MODULE,
        info / "METADATA": _METADATA + _README,
        info / "entry_points.txt": "[oneiric]\nthing-{number} = bench_thing_{number}\n",
        info / "INSTALLER": "pip\n",
        info / "RECORD": "bench_thing_{number}.py,,\n",
    }
    for path, text in files.items():
        path.write_text(text.format(number=number), encoding="utf-8")


def _seconds(way: str, folder: Path) -> float:
    """How long discovery took in a fresh process."""
    command = python(str(HERE / "_discovery_child.py"), way, str(folder), str(PLUGINS))
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=120, env=environment()).stdout)
