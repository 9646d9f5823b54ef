"""Whether an adapter could be imported, told without importing it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSpec, discover
from oneiric.discovery.availability import is_installed, why_unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conftest import Site


def why(adapter: str, distribution: str | None = None) -> Any:
    spec = AdapterSpec("nova", type="database", summary="A.", adapter=adapter, distribution=distribution)
    return why_unavailable(spec)


def test_an_adapter_that_is_there_is_available_and_not_imported(site: Site):
    site.install_adapter("nova")
    assert why("nova_adapter:Adapter") is None
    assert "nova_adapter" not in sys.modules


PACKAGE = {
    "pkg/__init__.py": "",
    "pkg/adapter.py": "from pkg.inner import Thing\nfrom . import other\nfrom .deep.down import X\nclass Nova: pass\n",
    "pkg/inner.py": "import loud_driver\nclass Thing: pass\n",
    "pkg/other.py": "from __future__ import annotations\nimport os.path\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/down.py": "from .. import inner\nX = 1\n",
}


def test_nothing_of_the_adapter_or_beneath_it_is_imported(site: Site):
    site.write({**PACKAGE, "loud_driver.py": "raise AssertionError('imported')"})
    assert why("pkg.adapter:Nova") is None
    assert not {"pkg", "pkg.adapter", "pkg.inner", "loud_driver"} & sys.modules.keys()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"pkg/inner.py": "import no_such_driver"}, "no_such_driver"),
        ({"pkg/inner.py": "from no_such_driver.deep import x"}, "no_such_driver"),
        ({"pkg/other.py": "import no_such_driver as d"}, "no_such_driver"),
        ({"pkg/deep/down.py": "import no_such_driver"}, "no_such_driver"),
        ({"pkg/deep/__init__.py": "import no_such_driver"}, "no_such_driver"),
        ({"pkg/__init__.py": "import no_such_driver"}, "no_such_driver"),
        ({"pkg/adapter.py": "import sys, no_such_driver.x\nclass Nova: pass"}, "no_such_driver"),
    ],
)
def test_a_missing_driver_is_found_wherever_the_package_imports_it(
    site: Site, changes: Mapping[str, str], missing: str
):
    site.write({**PACKAGE, "loud_driver.py": "", **changes})
    error = why("pkg.adapter:Nova")
    assert error.message == f"It needs `{missing}`, which is not installed."
    assert "pkg.adapter" not in sys.modules


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import no_such_driver\nexcept ImportError:\n    pass\nclass Nova: pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such_driver\nclass Nova: pass",
        "class Nova:\n    def f(self):\n        import no_such_driver",
    ],
)
def test_an_import_that_it_may_do_without_is_not_missed(site: Site, source: str):
    site.write({"free.py": source})
    assert why("free:Nova") is None


def test_a_missing_driver_is_mended_by_the_requirement_as_the_distribution_has_it(site: Site):
    site.install(
        "oneiric-nova", "", requires=("other", "no-such.driver[fast]>=1.2 ; python_version > '3'", "x; extra == 'y'")
    )
    site.write({"nova_adapter.py": "import no_such_driver"})
    assert why("nova_adapter:Nova", "oneiric-nova").hint == 'Run: pip install "no-such.driver[fast]>=1.2"'


@pytest.mark.parametrize("distribution", ["oneiric-nova", "not-installed"])
def test_a_driver_that_is_no_requirement_is_mended_by_the_distribution(site: Site, distribution: str):
    site.install("oneiric-nova", "", requires=("no-such-driver; extra == 'fast'",))
    site.write({"nova_adapter.py": "import no_such_driver"})
    assert why("nova_adapter:Nova", distribution).hint == f"Run: pip install --force-reinstall {distribution}"


@pytest.mark.parametrize(
    ("adapter", "source", "reason"),
    [
        ("nowhere:Nova", "", "Its module `nowhere` can't be found."),
        ("it.nowhere:Nova", "", "Its module `it.nowhere` can't be found."),
        ("nowhere.it:Nova", "", "Its module `nowhere.it` can't be found."),
        ("it:Nova", "Other = 1", "Its module `it` has no class `Nova`."),
        ("it:Nova", "def (", "Its module `it` has a syntax error at line 1."),
        ("it:Nova", "\x00", "Its module `it` has a syntax error"),
    ],
)
def test_a_path_that_leads_nowhere_says_where_it_ends(site: Site, adapter: str, source: str, reason: str):
    site.write({"it.py": source})
    assert why(adapter).message.startswith(reason)


@pytest.mark.parametrize(
    "source",
    [
        "class Nova: pass",
        "def Nova(): pass",
        "from other import Nova",
        "from other import Old as Nova",
        "from other import *",
        "Nova = make()",
        "if True:\n    class Nova: pass",
        "def __getattr__(name): ...",
    ],
)
def test_a_class_may_be_bound_in_any_way(site: Site, source: str):
    site.write({"it.py": source, "other.py": ""})
    assert why("it:Nova") is None


def test_a_module_that_is_already_imported_is_asked(site: Site, monkeypatch: pytest.MonkeyPatch):
    assert why("__main__:no_such_name") is not None
    monkeypatch.setattr(sys.modules["__main__"], "Nova", object, raising=False)
    assert why("__main__:Nova") is None


def test_a_lazy_package_is_not_made_to_import_its_driver(site: Site):
    site.write({"lazy.py": "def __getattr__(name):\n    raise AssertionError(name)\n"})
    __import__("lazy")
    assert why("lazy:Nova") is None


def test_an_adapter_in_nested_namespace_packages_is_found(site: Site):
    site.write({"ns/inner/adapter.py": "class Nova: pass"})
    assert why("ns.inner.adapter:Nova") is None


def test_a_warning_in_an_adapters_source_is_not_the_listers(site: Site):
    site.write({"it.py": "x = '\\d'\nclass Nova: pass"})
    assert why("it:Nova") is None


def test_source_that_no_parser_can_hold_is_left_to_the_import(site: Site):
    site.write({"it.py": f"x = {'(' * 150}1{')' * 150}\nclass Nova: pass\n", "deep.py": f"Nova = {'-' * 20_000}1"})
    assert why("it:Nova") is None
    why("deep:Nova")  # whatever it says: the parser's RecursionError or MemoryError is not ours to raise


def test_a_circle_of_imports_is_walked_once(site: Site):
    site.write({"ring/__init__.py": "", "ring/a.py": "from ring import b", "ring/b.py": "from ring.a import Nova"})
    assert why("ring.b:Nova") is None


def test_a_driver_that_is_installed_later_is_found_by_the_next_discovery(site: Site):
    site.install_adapter("nova")
    site.write({"nova_adapter.py": "import later_driver\nclass Adapter: pass"})
    catalog = site.catalog()
    assert catalog.why_unavailable(catalog["nova"]) is not None
    site.write({"later_driver.py": ""})
    catalog = discover(refresh=True)
    assert catalog.why_unavailable(catalog["nova"]) is None


def test_what_is_built_in_is_installed():
    assert is_installed("sys")
    assert is_installed("json")
    assert not is_installed("no_such_driver")
