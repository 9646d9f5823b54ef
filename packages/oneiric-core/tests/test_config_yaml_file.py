"""Finding and reading oneiric.yaml."""

from __future__ import annotations

import os
import traceback
import warnings
from pathlib import Path
from threading import Thread

import pytest
from oneiric import ConfigError, ConfigStore
from oneiric.config import text_file
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
        (
            "adapters:\n\ta: 1\n",
            "line 2 is not valid YAML: found character '\\t' that cannot start any token: indent with",
        ),
        (
            "a: 'open\n",
            "line 1 is not valid YAML: found unexpected end of stream (while scanning a quoted scalar, which b",
        ),
        ("a:\n  b: {c: 1\n", "(while parsing a flow mapping, which begins here)."),
        ("a: {password: hunter2, password: hunter3}", "line 1 is not valid YAML: the key `password` is there twice"),
        ("a:\n  b: *hunter2\n", "line 2 is not valid YAML: found undefined alias."),
        ("a:\n  b: !hunter2\n", "line 2 is not valid YAML: could not determine a constructor for the tag."),
        (
            "a:\n- !!timestamp hunter2",
            "line 2 is not valid YAML: the value looks like a number or a date, or is tagged",
        ),
        ("a: !!bool hunter2", "line 1 is not valid YAML: the value"),
        ("a: !!int ''", "line 1 is not valid YAML: the value"),
        ("a: !!int hunter2", "line 1 is not valid YAML: the value"),
        ("a: !!float hunter2", "line 1 is not valid YAML: the value"),
        ("a: 2024-13-45", "line 1 is not valid YAML: the value"),
        ("a: " + "9" * 6000, "line 1 is not valid YAML: the value"),
        ("a: 1\nb: \x00", "line 2 is not valid YAML: the character U+0000 can't stand in it."),
        ("a: 1\nb: hunter2\x07", "line 2 is not valid YAML: the character U+0007 can't stand in it."),
        (
            "---\na: 1\n---\nb: 1",
            "line 3 is not valid YAML: expected a single document in the stream, but found another",
        ),
        ("!!python/object/apply:os.system ['echo hunter2']", "line 1 is not valid YAML"),
        ("a: !!python/object:os.hunter2 {}", "line 1 is not valid YAML"),
        ("[" * 1500, "is not valid YAML: it is nested too deeply."),
        ("[" * 100_000, "is not valid YAML: it is nested too deeply."),
        ("- " * 100_000, "is not valid YAML: it is nested too deeply."),
        ("{a: " * 60_000, "is not valid YAML: it is nested too deeply."),
        ("? {a: b}\n: 1", "line 1 is not valid YAML: found unhashable key."),
        ("<<: hunter2\n", "line 1 is not valid YAML: expected a mapping or list of mappings for merging"),
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


@pytest.mark.parametrize(
    ("text", "line", "mark"),
    [
        (
            "adapters:\n  orders:\n    password: hunter2: x\n",
            "3 |     password: **********",
            "^ column 22",
        ),
        ("adapters:\n  password: *hunter2\n", "2 |   password: **********", "            ^ column 13"),
        ("adapters:\n  - hunter2\n  hunter3\n", "3 |   **********", "^ column 3"),
        ("adapters:\n  a:\n  \tb: hunter2\n", "3 |   →b: **********", "^ column 3"),
        ("adapters: {a: {password: 'hunter2'hunter3}}\n", "1 | adapters: **********", "^ column 35"),
        ("adapters:\n  'a b': `hunter2\n", "2 |   **********", "^ column 10"),
        ('adapters:\n  "a": `hunter2\n', '2 |   "a": **********', "^ column 8"),
        ("a: hunter2 # hunter3\n b: 1\n", "2 |  b: **********", "^ column 2"),
        ("a: 1\n# hunter2\n\x07\n", "3 | **********", "^ column 1"),
        ("a: 'hunter2\nhunter3 hunter4\n", "1 | a: **********", "^ column 4"),
        ("a:\r\n  b: *hunter2\r\n", "2 |   b: **********", "^ column 6"),
        ("a: [\n\n", "1 | a: [", "^ column 5"),
        (f"{'x' * 3000}: `hunter2\n", "1 | **********", "^ column 3001"),
        (f"{' ' * 3000}a: `hunter2\n", f"1 | {' ' * 80}**********", "^ column 3004"),
    ],
)
def test_the_line_is_shown_with_its_key_and_without_its_value(text: str, line: str, mark: str):
    with pytest.raises(ConfigError) as caught:
        read(text)
    _, shown, below = str(caught.value).split("\n")
    assert shown == f"  {line}"
    assert below.endswith(mark)
    assert "hunter" not in str(caught.value)
    assert below.index("^") <= len(shown)


def test_a_warning_of_the_parser_shows_nothing():
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert read("%YAML 1.1\n---\na: &x 1e5\nb: &x hunter2\n")["b"] == "hunter2"
    assert warned == []


def test_a_file_that_can_not_be_read_says_why(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"gone.yaml can't be read: No such file"):
        read_file(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="can't be read: Is a directory"):
        read_file(tmp_path)
    with pytest.raises(ConfigError, match="can't be read: no file can have that name"):
        read_file(Path("a\0b"))
    with pytest.raises(ConfigError, match="can't be read: File name too long"):
        read_file(Path("a" * 5000))
    with pytest.raises(ConfigError, match="can't be read: it is not UTF-8 text"):
        read(b"a: \xff")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_another_encoding_of_unicode_is_named(encoding: str):
    with pytest.raises(ConfigError, match=rf"can't be read: it is {encoding.upper()} text; save it as UTF-8"):
        read("adapters: {}".encode(encoding))


def test_a_file_that_may_not_be_read_says_so():
    path = Path(FILE_NAME)
    path.write_text("adapters: {}")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(ConfigError, match="can't be read: Permission denied"):
            read_file(path)
    finally:
        os.seteuid(user)


def test_a_huge_file_is_not_read():
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read(b"#" * (MAX_FILE_SIZE + 1))
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_file(Path("/dev/zero"))
    with Path("ten.yaml").open("wb") as file:
        file.truncate(10 * 1024 * 1024)
    with pytest.raises(ConfigError, match="larger than 256 KiB"):
        read_file(Path("ten.yaml"))


def test_a_pipe_is_read_to_its_end():
    os.mkfifo("pipe.yaml")
    writer = Thread(target=Path("pipe.yaml").write_text, args=("adapters: {nova: {}}",))
    writer.start()
    assert read_file(Path("pipe.yaml")).content == {"adapters": {"nova": {}}}
    writer.join()


def test_a_pipe_that_nobody_writes_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(text_file, "_PATIENCE", 0.05)
    os.mkfifo("pipe.yaml")
    os.mkfifo(".env")
    with pytest.raises(ConfigError, match=r"pipe.yaml can't be read: nobody has written it to its end within 0.05 s"):
        read_file(Path("pipe.yaml"))
    with pytest.raises(ConfigError, match=r"\.env can't be read: nobody has written it to its end"):
        ConfigStore.load(environ={})


def test_a_bomb_of_references_is_read_without_expanding_it():
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert len(read("\n".join(lines))) == 60


def test_a_bomb_of_merges_is_refused():
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 60)]
    with pytest.raises(ConfigError, match="is not valid YAML: merges bring more than 100000 keys"):
        read("\n".join(lines))


def test_a_mapping_that_merges_itself_is_only_itself():
    assert read("a: &a\n  <<: *a\n  x: 1\n") == {"a": {"x": 1}}
    assert read("a: &a\n  b: &b\n    <<: *a\n  <<: *b\n  x: 1\n")["a"]


def test_merges_do_what_they_should():
    assert read("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")["b"] == {"x": 1, "y": 3}


def test_the_line_of_each_key_is_known_however_many_there_are():
    path = Path(FILE_NAME)
    path.write_text("adapters:\n" + "".join(f"  k{n}:\n    x: 1\n" for n in range(5_000)))
    file = read_file(path)
    assert all(file.locate(("adapters", f"k{n}", "x")) == f"{FILE_NAME}:{2 * n + 3}" for n in range(5_000))
    assert file.locate(("adapters", "gone")) == f"{FILE_NAME}:1"
