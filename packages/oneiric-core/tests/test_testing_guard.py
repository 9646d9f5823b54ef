"""What keeps a suite of the kit whole."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from oneiric.testing import DatabaseSuite, xfail
from oneiric.testing.guard import Guarded, excuses, kit_tests, skip
from oneiric.testing.under_test import AdapterUnderTest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KIT = """
import pytest
from oneiric.testing.guard import skip
from oneiric.testing.under_test import AdapterUnderTest

__name__ = "oneiric.testing.of_a_test"

class Kit(AdapterUnderTest):
    async def test_passes(self):
        pass

    async def test_fails(self):
        assert [1, 2] == [1, 3]

    @pytest.mark.parametrize("case", ["a", "b"])
    async def test_fails_in_b(self, case):
        assert case == "a"

    def test_is_skipped(self):
        skip("no network")
"""
AUTHORS = """
from oneiric.testing import xfail
from kit import Kit

class TestMine(Kit):
    @xfail(reason="it can't")
    def test_fails(self):
        pass

    @xfail(reason="b is too much", only="b")
    def test_fails_in_b(self): ...
"""


class Kit(AdapterUnderTest):
    """A suite as the kit has them."""

    __module__ = "oneiric.testing.of_a_test"

    async def test_one(self) -> None:
        """A test."""

    def test_two(self) -> None:
        """A test."""


def author(**namespace: Any) -> Callable[[], type]:
    return lambda: Guarded("TestMine", (Kit,), {"__module__": "test_mine", **namespace})


class Mixin:
    def test_one(self) -> None: ...


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (author(test_one=lambda self: None), "replaces `test_one` of the conformance kit"),
        (author(test_two=None), "replaces `test_two`"),
        (author(adapter=None), "which decides what is tested"),
        (author(capabilities=pytest.fixture(lambda self: frozenset())), "replaces `capabilities`"),
        (author(pytestmark=pytest.mark.skip), "is marked `skip`"),
        (
            author(pytestmark=[pytest.mark.filterwarnings("error"), pytest.mark.skipif(True, reason="x")]),
            "is marked `skipif`",
        ),
        (lambda: pytest.mark.xfail(author()()), "is marked `xfail`"),
        (lambda: setattr(author()(), "test_one", None), "replaces `test_one`"),
        (lambda: setattr(Kit, "test_one", None), "replaces `test_one`"),
        (lambda: delattr(Kit, "test_one"), "replaces `test_one`"),
        (lambda: Guarded("TestMine", (Mixin, Kit), {"__module__": "test_mine"}), "replaces `test_one`"),
        (lambda: xfail(reason=" "), "Give the reason"),
    ],
)
def test_a_suite_that_weakens_a_test_can_not_be_made(make: Callable[[], object], said: str):
    with pytest.raises(TypeError, match=said):
        make()


def test_an_author_adds_tests_and_marks_of_their_own():
    suite: Any = pytest.mark.filterwarnings("error")(
        author(test_mine=lambda self: None, pytestmark=pytest.mark.filterwarnings("error"))()
    )
    suite.test_more = lambda self: None
    assert kit_tests(suite) == {"test_one", "test_two"}


def test_an_excuse_is_of_one_suite_and_of_those_that_inherit_it():
    excused = author(test_one=xfail(reason="it can't")(lambda self: None))()
    again = Guarded("TestAgain", (excused,), {"__module__": "test_mine"})
    assert excuses(excused) == excuses(again) == {"test_one": "it can't"}
    assert excuses(Kit) == {}


def test_an_excuse_in_a_class_that_two_suites_share_is_of_each_suites_own_test():
    class Excuses:
        @xfail(reason="it can't")
        def test_one(self) -> None: ...

    class Other(AdapterUnderTest):
        __module__ = "oneiric.testing.of_a_test"

        def test_one(self) -> None:
            """Another test of that name."""

    first = Guarded("TestFirst", (Excuses, Kit), {"__module__": "test_mine"})
    second = Guarded("TestSecond", (Excuses, Other), {"__module__": "test_mine"})
    assert [suite.test_one.__doc__ for suite in (first, second)] == ["A test.", "Another test of that name."]


@pytest.mark.parametrize("name", ["probe", "contract"])
def test_the_suite_of_a_type_decides_what_an_author_decides_for_a_type_of_their_own(name: str):
    with pytest.raises(TypeError, match=f"replaces `{name}`"):
        Guarded("TestMine", (DatabaseSuite,), {"__module__": "test_mine", name: None})
    assert getattr(author(**{name: None})(), name) is None


def test_only_the_kit_skips_its_tests():
    with pytest.raises(TypeError, match="Only the kit skips its tests"):
        skip("no network")


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_an_excused_test_is_run_and_has_to_fail_in_either_mode_of_pytest_asyncio(mode: str, tmp_path: Path):
    out = run(tmp_path, AUTHORS, f"asyncio_mode={mode}")
    assert "2 passed, 1 skipped, 2 xfailed" in out
    assert "no network" in out


def test_an_excuse_that_is_not_needed_fails_and_so_does_a_test_without_one_with_an_explanation(tmp_path: Path):
    out = run(tmp_path, AUTHORS.replace("test_fails(", "test_passes("), "asyncio_mode=strict")
    assert "[XPASS(strict)] it can't" in out
    assert "2 failed, 1 passed, 1 skipped, 1 xfailed" in out


def test_neither_pytest_nor_hypothesis_is_imported_for_the_commands():
    program = "import sys, oneiric.testing, oneiric.cli; print({'pytest', 'hypothesis', '_pytest'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_the_kits_assertions_are_explained(tmp_path: Path):
    (tmp_path / "test_rewriting.py").write_text("""
import oneiric.testing
from importlib.util import find_spec
def test_it():
    assert type(find_spec("oneiric.testing.under_test").loader).__name__ == "AssertionRewritingHook"
""")
    assert "1 passed" in run(tmp_path, "", "asyncio_mode=strict")


def run(folder: Path, tests: str, mode: str) -> str:
    (folder / "kit.py").write_text(KIT)
    (folder / "test_mine.py").write_text(tests)
    (folder / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_test_loop_scope=session\nasyncio_default_fixture_loop_scope=session\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-o", mode, "-W", "error"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
