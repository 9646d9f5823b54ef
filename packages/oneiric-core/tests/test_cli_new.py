"""`oneiric new`, as a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Site


class TestNew:
    def test_it_writes_a_package_and_says_what_is_next(self, site: Site):
        done = site.oneiric("new", "red-panda", "--type", "queue")
        assert done.returncode == 0
        assert done.stdout.splitlines() == [
            "oneiric-red-panda: 11 files of a queue adapter.",
            "",
            "Next:",
            "  cd oneiric-red-panda",
            '  pip install -e ".[testing]"',
            "  oneiric info red-panda",
            "  pytest --exitfirst",
        ]
        folder = site.work / "oneiric-red-panda"
        assert "class TestRedPanda(QueueSuite):" in (folder / "tests" / "test_conformance.py").read_text()
        assert (folder / "src" / "oneiric_red_panda" / "py.typed").read_bytes() == b""

    def test_its_json_lists_the_files(self, site: Site):
        folder = site.work / "my work"
        answer = site.json(
            "new", "red-panda", "--type", "vector", "--directory", str(folder), "--distribution", "acme-animals"
        )
        assert answer["module"] == "acme_animals"
        assert answer["folder"] == str(folder)
        assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()) == answer["files"]
        assert answer["next"][0] == f"cd '{folder}'"

    def test_a_type_without_a_contract_is_said(self, site: Site):
        assert "has no contract here" in site.oneiric("new", "red-panda", "--type", "cache").stdout

    def test_a_slip_in_the_type_is_refused_with_the_nearest_and_writes_nothing(self, site: Site):
        error = site.json("new", "red-panda", "--type", "databse", code=1)["error"]
        assert error["message"] == "No adapter is of the type 'databse'."
        assert error["hint"] == "Did you mean `database`? For a type of your own, add --own-type."
        assert [*site.work.iterdir()] == []
        answer = site.oneiric("new", "red-panda", "--type", "databse", "--own-type").stdout
        assert "The type `databse` has no contract here: it has to bring `init`, `health` and `cleanup`." in answer
        assert (site.work / "oneiric-red-panda").is_dir()

    def test_what_can_not_be_writes_nothing(self, site: Site):
        site.install_adapter("nova")
        assert "'nova' is taken" in site.json("new", "nova", "--type", "queue", code=1)["error"]["message"]
        assert "can't be" in site.json("new", "Red", "--type", "queue", code=1)["error"]["message"]
        assert site.oneiric("new", "red-panda").returncode == 2
        assert [*site.work.iterdir()] == []

    def test_a_folder_with_files_is_refused(self, site: Site):
        site.oneiric("new", "red-panda", "--type", "queue")
        (site.work / "oneiric-red-panda" / "README.md").write_text("mine")
        again = site.oneiric("new", "red-panda", "--type", "vector")
        assert again.returncode == 1
        assert "is there already, and not empty. Give another folder by --directory." in again.stderr
        assert (site.work / "oneiric-red-panda" / "README.md").read_text() == "mine"

    def test_the_folder_that_one_stands_in_will_do(self, site: Site):
        done = site.oneiric("new", "red-panda", "--type", "queue", "--directory", ".")
        assert done.stdout.startswith(".: 11 files")
        assert (site.work / "pyproject.toml").exists()
