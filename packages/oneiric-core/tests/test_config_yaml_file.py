"""Finding and reading oneiric.yaml."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from oneiric import ConfigError
from oneiric.config.yaml_file import FILE_NAME, MAX_FILE_SIZE, find_file, read_file


def read(text: str | bytes) -> dict[str, object]:
    path = Path(FILE_NAME)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path).content


def test_the_file_is_the_named_one_else_the_variables_else_here_else_the_users(tmp_path: Path):
    assert find_file(environ={}) is None
    user = tmp_path / "home" / "config" / "oneiric" / FILE_NAME
    user.parent.mkdir(parents=True)
    user.touch()
    assert find_file(environ={}) == user
    Path(FILE_NAME).touch()
    assert find_file(environ={}) == Path(FILE_NAME)
    assert find_file(environ={"ONEIRIC_CONFIG": "other.yaml"}) == Path("other.yaml")
    assert find_file("mine.yaml", environ={"ONEIRIC_CONFIG": "other.yaml"}) == Path("mine.yaml")


def test_a_folder_of_that_name_is_no_config():
    Path(FILE_NAME).mkdir()
    assert find_file(environ={}) is None


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "\ufeff"])
def test_an_empty_file_is_an_empty_config(text: str):
    assert read(text) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("adapters:\n  a: {b: [}\n", "line 2 is not valid YAML: "),
        ("adapters:\n\ta: 1\n", "line 2 is not valid YAML: found character '\\t' that cannot start any token"),
        ("a: 'open\n", "is not valid YAML: found unexpected end of stream"),
        ("a: {password: hunter2, password: hunter3}", "line 1 is not valid YAML: the key `password` is there twice"),
        ("a:\n  b: *hunter2\n", "line 2 is not valid YAML: found undefined alias."),
        ("a:\n  b: !hunter2\n", "line 2 is not valid YAML: could not determine a constructor for the tag."),
        ("a: !!timestamp hunter2", "is not valid YAML"),
        ("a: !!bool hunter2", "is not valid YAML"),
        ("a: !!int ''", "is not valid YAML"),
        ("a: !!int hunter2", "is not valid YAML"),
        ("a: !!float hunter2", "is not valid YAML"),
        ("a: 2024-13-45", "is not valid YAML"),
        ("a: " + "9" * 6000, "is not valid YAML"),
        ("a: \x00", "is not valid YAML"),
        ("---\na: 1\n---\nb: 1", "line 3 is not valid YAML"),
        ("!!python/object/apply:os.system ['echo hunter2']", "line 1 is not valid YAML"),
        ("[" * 1500, "is not valid YAML"),
        ("- a\n- b\n", "is not a mapping: it should start with `adapters:`."),
        ("hunter2", "is not a mapping: it should start with `adapters:`."),
    ],
)
def test_what_is_not_valid_is_told_with_the_file_and_without_a_value(text: str, said: str):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(FILE_NAME)
    assert "hunter" not in "".join(traceback.format_exception(caught.value))


def test_a_file_that_can_not_be_read_says_why(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"gone.yaml can't be read: No such file"):
        read_file(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_file(tmp_path)
    with pytest.raises(ConfigError, match="can't be read: it is not UTF-8 text"):
        read(b"a: \xff")


def test_a_huge_file_is_not_read():
    with pytest.raises(ConfigError, match="larger than 1024 KiB"):
        read(b"#" * (MAX_FILE_SIZE + 1))


def test_a_bomb_of_references_is_read_without_expanding_it():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(read("\n".join(lines))) == 60
