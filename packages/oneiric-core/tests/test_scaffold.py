"""A new package is what the contract of its type asks for, in names that can be, and written wholly or not at all."""

from __future__ import annotations

import ast
import inspect
import keyword
import sys
import tomllib
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import pytest
from oneiric import AdapterSpec, Catalog, OneiricError
from oneiric.adapters.base import Adapter
from oneiric.scaffold import Names, package_files, write_package
from oneiric.scaffold.contract import Contract, Method
from oneiric.scaffold.source import WIDTH, import_lines, unwritten_method

if TYPE_CHECKING:
    from conftest import Site

TYPES = ["database", "messaging", "queue", "vector", "cache"]
"""Those that have a contract, and one of somebody's own."""


def names(adapter: str = "red-panda", adapter_type: str = "cache", distribution: str = "acme-red-panda") -> Names:
    return Names(adapter, adapter_type, distribution)


@pytest.fixture(params=TYPES)
def generated(request: pytest.FixtureRequest, site: Site) -> tuple[Contract, type[Adapter]]:
    """The contract of a type, and the class of a package that was generated for it."""
    files = package_files(names(adapter_type=request.param))
    site.write({path.removeprefix("src/"): text for path, text in files.items() if path.startswith("src/")})
    module = __import__("acme_red_panda")
    adapter: type[Adapter] = module.RedPandaAdapter
    return Contract.of(request.param), adapter


def test_it_has_every_method_of_the_contract_as_the_contract_has_it(generated: tuple[Contract, type[Adapter]]):
    contract, adapter = generated
    assert issubclass(adapter, contract.adapter)
    assert adapter.__abstractmethods__ == frozenset()
    wanted = {method.name: method for method in contract.methods}
    assert wanted.keys() == contract.adapter.__abstractmethods__
    for name, method in wanted.items():
        member = inspect.getattr_static(adapter, name)
        assert isinstance(member, property) == method.is_property
        function = member.fget if method.is_property else member
        assert inspect.signature(function) == inspect.signature(method.function)
        assert inspect.iscoroutinefunction(function) == method.is_async
        assert inspect.getdoc(function) == method.summary


async def test_what_is_not_written_says_so(generated: tuple[Contract, type[Adapter]]):
    contract, adapter = generated
    with pytest.raises(NotImplementedError) as raised:
        await adapter().init()
    assert str(raised.value) == (
        "RedPandaAdapter.init is not written yet. What it has to do says "
        f"`help({contract.home}.{contract.adapter.__name__}.init)`, how to begin docs/write-an-adapter.md of Oneiric."
    )


def test_a_contract_that_grows_makes_packages_that_have_grown():
    class Grown(Adapter):
        @abstractmethod
        def odd(
            self, a: int, b: str = "x", /, c: None = None, *rest: Any, seconds: float = 0.5, **whatever_else: Any
        ) -> None:
            """Do it.

            And more of that.
            """

        @property
        @abstractmethod
        def size(self) -> int: ...

    grown = Contract(Grown, "AdapterSuite")
    assert [method.name for method in grown.methods] == ["init", "health", "cleanup", "odd", "size"]
    _, _, _, odd, size = map(unwritten_method, grown.methods)
    assert odd == (
        "    def odd(\n"
        '        self, a: int, b: str = "x", /, c: None = None, *rest: Any, seconds: float = 0.5, **whatever_else: Any\n'
        "    ) -> None:\n"
        '        """Do it."""\n'
        '        raise NotImplementedError(TO_WRITE.format("odd"))'
    )
    assert size.startswith("    @property\n    def size(self) -> int:\n")


@pytest.mark.parametrize("adapter_type", TYPES)
def test_its_modules_are_python_and_its_project_says_what_it_is(adapter_type: str):
    files = package_files(names(adapter_type=adapter_type))
    assert sorted(files) == [
        ".github/workflows/ci.yml",
        ".gitignore",
        "README.md",
        "pyproject.toml",
        "src/acme_red_panda/__init__.py",
        "src/acme_red_panda/adapter.py",
        "src/acme_red_panda/plugin.py",
        "src/acme_red_panda/py.typed",
        "src/acme_red_panda/settings.py",
        "tests/test_conformance.py",
        "tests/test_plugin.py",
    ]
    for path, text in files.items():
        assert "$" not in text.replace("${{ matrix.python }}", "")
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n"))
        if path.endswith(".py"):
            ast.parse(text)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["name"] == "acme-red-panda"
    assert project["entry-points"]["oneiric"] == {"red-panda": "acme_red_panda.plugin"}
    assert project["dependencies"] == ["oneiric-core>=0.1,<0.2"]
    assert project["optional-dependencies"]["testing"] == ["oneiric-core[testing]>=0.1,<0.2"]
    assert "license" not in project


def test_the_capabilities_that_there_are_stand_in_the_plugin():
    plugin = package_files(names(adapter_type="database"))["src/acme_red_panda/plugin.py"]
    assert "CONCURRENT_READS, DURABLE, RETURNING, SAVEPOINTS" in " ".join(plugin.replace("#", "").split())
    assert "CONCURRENT" not in package_files(names())["src/acme_red_panda/plugin.py"]


def test_long_imports_are_wrapped():
    many = [("a.b", f"Name{number:02}") for number in range(20)]
    lines = import_lines([*many, ("a", "thing"), ("a", "CONSTANT"), ("a", "Class")]).splitlines()
    assert lines[:3] == ["from a import CONSTANT, Class, thing", "from a.b import (", "    Name00,"]
    assert max(map(len, lines)) <= WIDTH


def test_a_method_with_many_parameters_has_a_line_for_each():
    (method,) = (each for each in Contract.of("queue").methods if each.name == "submit_task")
    assert isinstance(method, Method)
    lines = unwritten_method(method).splitlines()
    assert lines[:3] == ["    async def submit_task(", "        self,", "        task_name: str,"]
    assert "        *," in lines


class TestNames:
    def test_what_follows_from_a_name(self):
        assert (names().module, names().stem) == ("acme_red_panda", "RedPanda")

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "Red",
            "red_panda",
            "red--panda",
            "-red",
            "red-",
            "1red",
            "red panda",
            "rot-käfer",
            "../red",
            "a" * 41,
            "a\n",
        ],
    )
    @pytest.mark.parametrize("what", ["adapter", "adapter_type", "distribution"])
    def test_a_name_that_is_not_kebab_case_is_refused(self, name: str, what: str):
        with pytest.raises(OneiricError, match=r"can't be\. Take up to 40 small letters"):
            names(**{what: name})

    def test_the_name_of_the_distribution_is_not_the_adapters(self):
        with pytest.raises(
            OneiricError, match="Give the adapter's name alone: 'red-panda', of the distribution 'oneiric"
        ):
            names("oneiric-red-panda", distribution="oneiric-oneiric-red-panda")
        assert names("oneiric-panda", distribution="acme-panda").adapter == "oneiric-panda"

    @pytest.mark.parametrize("distribution", ["json", "class", "ast"])
    def test_a_module_of_pythons_own_is_refused(self, distribution: str):
        assert keyword.iskeyword(distribution) or distribution in sys.stdlib_module_names
        with pytest.raises(OneiricError, match=f"`{distribution}`, which is Python's own"):
            names(distribution=distribution)

    @pytest.mark.parametrize("adapter", ["json", "class"])
    def test_an_adapter_may_be_called_as_a_module_of_another_name(self, adapter: str):
        assert names(adapter, distribution=f"oneiric-{adapter}").module == f"oneiric_{adapter}"

    def test_a_type_is_one_that_is_known_or_like_none_of_them(self):
        catalog = Catalog([AdapterSpec("nova", type="cache", summary="S.", adapter="m:C")])
        for known in ("queue", "cache", "scheduler"):
            names(adapter_type=known).check_type(catalog)
        for slip, meant in (("queues", "queue"), ("caches", "cache"), ("mesaging", "messaging")):
            with pytest.raises(OneiricError, match=f"Did you mean `{meant}`"):
                names(adapter_type=slip).check_type(catalog)

    def test_a_name_that_is_installed_is_refused(self, site: Site):
        site.install_adapter("nova")
        site.install("broken", "1 / 0")
        for taken in ("nova", "broken"):
            with pytest.raises(OneiricError, match=f"'{taken}' is taken: {taken} 1.0 is installed"):
                names(taken).check_free(site.catalog())
        site.write({"red_roof/__init__.py": ""})
        for distribution in ("nova", "oneiric-core", "red-roof"):
            with pytest.raises(
                OneiricError, match=f"The distribution '{distribution}', or its module `.*`, is installed"
            ):
                names(distribution=distribution).check_free(site.catalog())
        names().check_free(site.catalog())

    @pytest.mark.parametrize(
        ("adapter", "adapter_type"), [("queue", "queue"), ("message", "messaging"), ("adapter", "cache")]
    )
    def test_the_name_of_the_contract_is_refused(self, adapter: str, adapter_type: str):
        with pytest.raises(OneiricError, match="is the name of the contract"):
            package_files(names(adapter, adapter_type))


class TestWriting:
    FILES = {"a.txt": "A\n", ".b/c/d.txt": "ü\n", "empty": ""}

    def written(self, folder: Any) -> dict[str, str]:
        return {
            str(file.relative_to(folder)): file.read_text(encoding="utf-8")
            for file in folder.rglob("*")
            if file.is_file()
        }

    def test_a_folder_that_is_not_there_is_made(self, tmp_path: Any):
        write_package(self.FILES, tmp_path / "x" / "y")
        assert self.written(tmp_path / "x" / "y") == self.FILES
        assert [path.name for path in (tmp_path / "x").iterdir()] == ["y"]

    def test_an_empty_folder_is_filled_and_stays_the_folder_that_it_is(self, tmp_path: Any):
        folder = tmp_path / "x"
        folder.mkdir()
        before = folder.stat().st_ino
        write_package(self.FILES, folder)
        assert self.written(folder) == self.FILES
        assert folder.stat().st_ino == before
        assert sorted(path.name for path in folder.iterdir()) == [".b", "a.txt", "empty"]

    def test_a_folder_with_files_is_refused_and_left_as_it_is(self, tmp_path: Any):
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / "mine").write_text("M")
        with pytest.raises(OneiricError, match="is there already, and not empty"):
            write_package(self.FILES, tmp_path / "x")
        assert self.written(tmp_path / "x") == {"mine": "M"}

    def test_a_file_in_place_of_the_folder_is_refused(self, tmp_path: Any):
        (tmp_path / "x").write_text("M")
        for folder in (tmp_path / "x", tmp_path / "x" / "y"):
            with pytest.raises(OneiricError):
                write_package(self.FILES, folder)
        assert self.written(tmp_path)["x"] == "M"

    @pytest.mark.parametrize("is_there", [True, False])
    def test_what_fails_half_way_leaves_nothing(self, tmp_path: Any, is_there: bool):
        parent = tmp_path / "parent"
        parent.mkdir()
        if is_there:
            (parent / "x").mkdir()
        with pytest.raises(OneiricError, match="can't be written"):
            write_package({**self.FILES, "a.txt/below": "a file is no folder"}, parent / "x")
        assert [path.name for path in parent.rglob("*")] == (["x"] if is_there else [])
