from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import COMMIT

from mahavishnu.tasks import count_repository

if TYPE_CHECKING:
    from conftest import Site


def test_it_counts_what_is_there_and_not_what_git_keeps(site: Site) -> None:
    repository = site.add_repository("one", files=2, lines=5)
    (repository / "README.md").write_bytes(b"one\ntwo")
    (repository / "data").mkdir()
    (repository / "data" / "LICENSE").write_bytes(b"\xff\n")
    (repository / "link.py").symlink_to(repository / "module_0.py")
    assert count_repository(str(repository)) == {
        "path": str(repository),
        "commit": COMMIT,
        "files": 4,
        "bytes": 2 * 25 + 7 + 2,
        "lines": 2 * 5 + 1 + 1,
        "python_lines": 10,
        "kinds": {".py": 2, ".md": 1, "LICENSE": 1},
    }


def test_the_commit_is_found_wherever_git_keeps_it(site: Site) -> None:
    repository = site.add_repository("one")
    git = repository / ".git"
    (git / "refs" / "heads" / "main").unlink()
    assert count_repository(str(repository))["commit"] is None
    other = COMMIT[::-1]
    (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{other} refs/heads/main\n", encoding="utf-8")
    assert count_repository(str(repository))["commit"] == other
    (git / "HEAD").write_text(f"{COMMIT}\n", encoding="utf-8")
    assert count_repository(str(repository))["commit"] == COMMIT


def test_what_is_no_repository_is_an_error(site: Site) -> None:
    with pytest.raises(FileNotFoundError, match="is no git repository"):
        count_repository(str(site.folder))
