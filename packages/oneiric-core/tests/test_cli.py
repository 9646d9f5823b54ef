"""The `oneiric` command, as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Site

DRIVERS = ("aiosqlite", "asyncpg", "celery", "rq", "redis", "qdrant_client", "numpy", "grpc")
"""What a listing must not import. `loud_driver` stands for one that is installed wherever these tests run."""


@pytest.fixture
def nova(site: Site) -> Site:
    site.install_adapter("nova")
    return site


def ours(answer: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    return {item["name"]: item for item in answer}


class TestList:
    def test_it_is_a_table_of_what_is_installed(self, nova: Site):
        done = nova.oneiric("list")
        assert done.returncode == 0
        assert "nova" in done.stdout
        assert "A test's adapter." in done.stdout
        assert done.stderr == ""

    def test_its_json_is_the_whole_stdout(self, nova: Site):
        nova.install("loud", "print('at import')\nimport sys; sys.stdout.write('more')\nraise SystemExit('bye')")
        nova.write({"talking/__init__.py": "print('parent')", "talking/adapter.py": "class X: pass"})
        nova.install(
            "talker",
            "from oneiric import AdapterSpec, hookimpl\n@hookimpl\ndef oneiric_adapters():\n    print('in the hook')\n"
            "    return [AdapterSpec('talker', type='queue', summary='A.', adapter='talking.adapter:X')]\n"
            "@hookimpl\ndef oneiric_register_commands(app):\n    print('registering')\n",
        )
        found = ours(nova.json("list"))
        assert found["nova"]["status"] == "available"
        assert found["talker"]["status"] == "available"

    def test_by_type(self, nova: Site):
        assert "nova" in ours(nova.json("list", "--type", "database"))
        answer = nova.json("list", "--type", "databse", code=1)
        assert "No installed adapter is of type 'databse'. " in answer["error"]["message"] + " "
        assert "database" in answer["error"]["hint"]

    def test_nothing_installed_is_said_with_what_to_do(self, site: Site):
        done = site.oneiric("list", ONEIRIC_ONLY_PLUGINS="nothing")
        assert done.returncode == 0
        assert "pip install oneiric-sqlite" in done.stdout
        assert site.json("list", ONEIRIC_ONLY_PLUGINS="nothing") == []

    def test_a_configured_adapter_is_shown_as_such(self, nova: Site):
        (nova.work / "oneiric.yaml").write_text("adapters: {nova: {}}", encoding="utf-8")
        assert ours(nova.json("list"))["nova"]["status"] == "configured"

    def test_a_config_that_can_not_be_read_is_a_warning(self, nova: Site):
        (nova.work / "oneiric.yaml").write_text("adapters: [", encoding="utf-8")
        done = nova.oneiric("list", "--json")
        assert done.returncode == 0
        assert ours(json.loads(done.stdout))["nova"]["status"] == "available"
        assert "Warning: oneiric.yaml line 1 is not valid YAML" in done.stderr

    @pytest.mark.parametrize("variable", ["ONEIRIC_ADAPTERS", "ONEIRIC_ADAPTERS__NOVA", "ONEIRIC_CONFIG"])
    def test_a_wrong_variable_is_a_warning_without_its_value(self, nova: Site, variable: str):
        done = nova.oneiric("list", "--json", **{variable: "hunter2/x"})
        assert done.returncode == 0
        assert "Warning: " in done.stderr
        assert variable == "ONEIRIC_CONFIG" or "hunter2" not in done.stderr

    def test_a_broken_plugin_is_said_on_stderr(self, nova: Site):
        nova.install("bad", "raise RuntimeError('it broke')")
        done = nova.oneiric("list")
        assert "nova" in done.stdout
        assert "The plugin bad is failed: see `oneiric plugins`." in done.stderr

    def test_a_missing_driver_is_an_error_with_the_pip_command_and_nothing_is_imported(self, nova: Site):
        nova.install(
            "orbit",
            "from oneiric import AdapterSpec, hookimpl\n@hookimpl\ndef oneiric_adapters():\n"
            "    return [AdapterSpec('orbit', type='queue', summary='A.', adapter='orbit_adapter:X')]\n",
            modules={"orbit_adapter.py": "raise SystemExit('imported')\nimport no_such_driver\nclass X: pass"},
            requires=("no-such-driver>=3",),
        )
        found = ours(nova.json("list"))["orbit"]
        assert found["status"] == "error"
        assert found["error"] == (
            'orbit: It needs `no_such_driver`, which is not installed. Run: pip install "no-such-driver>=3"'
        )


class TestInfo:
    def test_it_explains_one_adapter(self, nova: Site):
        done = nova.oneiric("info", "nova")
        assert done.returncode == 0
        for part in ("nova_adapter:Adapter", "y.db", "readers", "Where it is.", "durable"):
            assert part in done.stdout

    def test_as_json(self, nova: Site):
        info = nova.json("info", "nova")
        assert (info["class"], info["distribution"], info["version"]) == ("nova_adapter:Adapter", "nova", "1.0")

    @pytest.mark.parametrize("arguments", [("info", "nva"), ("validate", "nva", "--config", "{}")])
    def test_an_unknown_name_is_one_sentence_with_the_nearest(self, nova: Site, arguments: tuple[str, ...]):
        done = nova.oneiric(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "Error: There is no adapter 'nva'. Did you mean `nova`?\n"
        error = nova.json(*arguments, code=1)["error"]
        assert (error["type"], error["hint"]) == ("UnknownAdapter", "Did you mean `nova`?")

    def test_a_name_that_is_no_text_is_unknown_too(self, nova: Site):
        done = subprocess.run(
            [sys.executable, "-m", "oneiric", "info", b"\xff\x1b[31m", "--json"], capture_output=True, check=False
        )
        assert done.returncode == 1
        assert r"\\udcff\\x1b" in done.stdout.decode()

    def test_markup_in_a_summary_is_text(self, nova: Site):
        nova.install(
            "orbit",
            "from oneiric import AdapterSpec, hookimpl\n@hookimpl\ndef oneiric_adapters():\n"
            "    return [AdapterSpec('orbit', type='queue', summary='[red]no[/blue] markup', adapter='x:Y')]\n",
        )
        assert "[red]no[/blue] markup" in nova.oneiric("info", "orbit").stdout


class TestPlugins:
    def test_every_plugin_with_what_became_of_it(self, nova: Site):
        nova.install("bad", "raise RuntimeError('it broke')")
        nova.install("away", "")
        found = ours(nova.json("plugins", ONEIRIC_BLOCK_PLUGINS="away"))
        assert (found["nova"]["status"], found["nova"]["adapters"]) == ("loaded", ["nova"])
        assert (found["bad"]["status"], found["bad"]["reason"]) == ("failed", "RuntimeError: it broke")
        assert "bad.py" in found["bad"]["traceback"]
        assert found["away"]["status"] == "blocked"

    def test_its_table_has_the_reason_and_on_request_the_traceback(self, nova: Site):
        nova.install("bad", "raise RuntimeError('it [red]broke')")
        done = nova.python("-m", "oneiric", "plugins")
        assert "it [red]broke" in done.stdout
        assert "Traceback" not in done.stdout
        assert "Traceback" in nova.python("-m", "oneiric", "plugins", "--traceback").stdout

    def test_every_command_works_with_every_plugin_broken(self, site: Site):
        for number, source in enumerate(
            ("raise RuntimeError('\\udcff')", "import sys; sys.exit(3)", "def (", "import no_such_driver", "print('x')")
        ):
            site.install(f"bad{number}", source)
        (site.folder / "bad4-1.0.dist-info" / "METADATA").write_bytes(b"Name: \xff")
        names = {f"bad{number}" for number in range(5)}
        found = {name: plugin for name, plugin in ours(site.json("plugins")).items() if name in names}
        assert found.keys() == names
        assert {plugin["status"] for plugin in found.values()} == {"failed"}
        assert site.oneiric("plugins").returncode == 0
        assert site.oneiric("plugins", "--traceback", PYTHONIOENCODING="ascii").returncode == 0
        assert site.oneiric("list").returncode == 0
        assert site.oneiric("--help").returncode == 0
        assert site.oneiric("info", "bad1").returncode == 1
        assert site.oneiric("validate", "bad1", "--config", "{}").returncode == 1


class TestValidate:
    def test_a_right_config(self, nova: Site):
        done = nova.oneiric("validate", "nova", "--config", '{"path": "x"}')
        assert (done.returncode, done.stdout) == (0, "✓ The config is right for nova.\n")
        assert nova.json("validate", "nova", "--config", "{}") == {"valid": True, "errors": [], "warnings": []}

    def test_a_wrong_one_is_told_whole_and_exits_with_1(self, nova: Site):
        config = '{"pth": "hunter2", "readers": "hunter2"}'
        done = nova.oneiric("validate", "nova", "--config", config)
        assert done.returncode == 1
        assert "✗ `pth` is not a setting. Did you mean `path`?" in done.stdout
        assert "✗ `readers`: input should be a valid integer" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
        answer = nova.json("validate", "nova", "--config", config, code=1)
        assert [error["path"] for error in answer["errors"]] == ["readers", "pth"]

    def test_from_a_file_and_from_stdin(self, nova: Site):
        (nova.work / "config.json").write_text('{"path": "ä"}', encoding="utf-8")
        assert nova.json("validate", "nova", "--config", "@config.json")["valid"]
        assert nova.json("validate", "nova", "--config", "@-", stdin='{"path": "ä"}')["valid"]

    @pytest.mark.parametrize(
        ("config", "stdin", "said"),
        [
            ("{", "", "The config is not JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
            ("hunter2", "", "The config is not JSON: Expecting value at line 1, column 1."),
            ("", "", "The config is not JSON"),
            ("@gone.json", "", "gone.json can't be read: No such file or directory."),
            ("@.", "", ". can't be read: Is a directory."),
            ("@-", "", "The config is not JSON: Expecting value at line 1, column 1."),
            ("@-", b"\xff", "- can't be read: it is not UTF-8 text."),
            ("@-", '{"a": "' + "x" * 1_100_000 + '"}', "The config is larger than 1024 KiB, too large for one."),
            ("@-", "[" * 200_000, "it is nested too deeply or holds a huge number."),
            ("@-", "1" * 10_000, "it is nested too deeply or holds a huge number."),
        ],
    )
    def test_what_is_no_config_is_one_sentence(self, nova: Site, config: str, stdin: str | bytes, said: str):
        done = nova.oneiric("validate", "nova", "--config", config, stdin=stdin, COLUMNS="10000")
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr
        assert len(done.stderr) < 300
        assert "hunter2" not in done.stderr

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ("[1]", "A config is a mapping of settings, not a list."),
            ("null", ""),
            ('{"path": "' + "x" * 300_000 + '"}', "The config is too large: it may hold 256 KiB of text."),
            ('{"path": ' + "[" * 100 + "]" * 100 + "}", "The config is nested more than 32 levels deep."),
            (r'{"a\u0000b": 1}', "A key holds a NUL or another character that can't be printed."),
            (r'{"\ud800": 1}', "A key holds a NUL or another character that can't be printed."),
            (r'{"path": "\ud800"}', "A value holds half a character: it is not Unicode text."),
            ('{"path": NaN}', "`path`: input should be a valid string."),
        ],
    )
    def test_json_that_is_no_config_is_a_problem(self, nova: Site, config: str, said: str):
        answer = nova.json("validate", "nova", "--config", "@-", stdin=config, code=1 if said else 0)
        assert [error["message"] for error in answer["errors"]] == ([said] if said else [])


class TestTheWhole:
    def test_no_driver_is_imported_by_any_of_the_commands(self, nova: Site):
        nova.write({"nova_adapter.py": "import loud_driver\nclass Adapter: pass", "loud_driver.py": "1 / 0"})
        code = (
            "import sys\nfrom oneiric.cli import main\n"
            "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
            f"found = [name for name in sys.modules if name in {(*DRIVERS, 'loud_driver', 'nova_adapter')!r}]\n"
            "sys.exit(f'imported: {found}' if found else code)"
        )
        for arguments in (("list",), ("info", "nova"), ("validate", "nova", "--config", "{}"), ("plugins",)):
            done = nova.python("-c", code, *arguments, "--json")
            assert done.returncode == 0, done.stderr

    def test_without_a_command_it_helps(self, site: Site):
        done = site.oneiric()
        assert "validate" in done.stdout + done.stderr
        assert done.returncode == 2

    def test_the_installed_command_is_the_same(self, nova: Site):
        done = nova.python("-c", "import sys; sys.argv[0] = 'oneiric'; from oneiric.cli import main; main()", "list")
        assert done.stdout == nova.oneiric("list").stdout

    def test_a_plugin_adds_a_command(self, nova: Site):
        nova.install(
            "orbit",
            "from oneiric import hookimpl\n@hookimpl\ndef oneiric_register_commands(app):\n"
            "    @app.command()\n    def launch():\n        print('launched')\n",
        )
        assert nova.oneiric("launch").stdout == "launched\n"

    @pytest.mark.parametrize("broken", ["1 / 0", "raise SystemExit(3)"])
    def test_a_plugin_that_fails_to_add_its_command_is_said_and_keeps_no_other_from_working(
        self, nova: Site, broken: str
    ):
        nova.install(
            "orbit", f"from oneiric import hookimpl\n@hookimpl\ndef oneiric_register_commands(app):\n    {broken}\n"
        )
        done = nova.oneiric("list", "--json")
        assert "nova" in ours(json.loads(done.stdout))
        assert "The plugin orbit adds no commands: " in done.stderr

    def test_a_terminal_that_can_not_show_a_sign_is_no_reason_to_fail(self, nova: Site):
        for encoding in ("ascii", "cp1252"):
            done = nova.oneiric("validate", "nova", "--config", '{"pth": 1}', PYTHONIOENCODING=encoding)
            assert done.returncode == 1
            assert "`pth` is not a setting." in done.stdout
            assert nova.oneiric("list", PYTHONIOENCODING=encoding).returncode == 0

    def test_a_reader_that_leaves_early_is_no_error(self, nova: Site, tmp_path: Path):
        process = subprocess.Popen(
            [sys.executable, "-m", "oneiric", "list", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(nova.folder)},
        )
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        error = process.stderr.read().decode()
        process.stderr.close()
        assert process.wait(60) in (0, 1)
        assert "Traceback" not in error

    def test_closed_stdin_is_empty(self, nova: Site):
        code = "import sys; sys.stdin = None; from oneiric.cli import main; main()"
        done = nova.python("-c", code, "validate", "nova", "--config", "@-")
        assert done.returncode == 1
        assert "The config is not JSON" in done.stderr

    def test_what_is_said_of_a_wrong_call_repeats_no_value(self, nova: Site):
        for call in (("list", "hunter2"), ("validate", "nova", '{"password": "hunter2"}'), ("list", "--typ=hunter2")):
            done = nova.oneiric(*call)
            assert done.returncode == 2
            assert "hunter2" not in done.stdout + done.stderr
        assert "No such command 'lst'. Did you mean 'list'?" in nova.oneiric("lst").stderr

    def test_a_plugin_that_fails_shows_no_password_of_a_url(self, nova: Site):
        nova.install("orbit", "raise OSError('no answer from db://app:hunter2@host/')")
        nova.install(
            "comet",
            "from oneiric import hookimpl\n@hookimpl\ndef oneiric_register_commands(app):\n"
            "    raise OSError('no answer from db://app:hunter2@host/')",
        )
        done = nova.oneiric("plugins", "--traceback")
        assert "hunter2" not in done.stdout + done.stderr
        assert "app:**********@host" in done.stdout
        assert "app:**********@host" in done.stderr
