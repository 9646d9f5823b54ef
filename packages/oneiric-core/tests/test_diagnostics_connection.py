"""The connection test: what an adapter may do in it, and what is said of that."""

from __future__ import annotations

import pytest
from oneiric.config import Instance
from scripted_connection import Scripted, check, nova, stages

pytestmark = pytest.mark.usefixtures("scripted")


class TestTheAdapter:
    async def test_one_that_works(self):
        result = await check(nova())
        assert (result.success, result.error, result.error_class, result.next_step) == (True, None, None, None)
        assert stages(result) == "---ap"
        assert result.latency_ms >= sum(stage.latency_ms or 0 for stage in result.stages) > 0
        assert Scripted.log == ["init", "cleanup"]

    @pytest.mark.parametrize(
        ("does", "shown", "kind", "error"),
        [
            ("fails", "-C---", "ConnectionFailed", "The server is away."),
            ("raises", "-C---", "ConnectionFailed", "The init of `nova` raised OSError."),
            ("is refused", "---A-", "AuthenticationFailed", "No such user."),
            ("TLS", "--T--", "ConnectionFailed", "It can't connect."),
            ("can't be made", "---A-", "InitFailed", "Making the Scripted of `nova` raised TypeError."),
            ("ill", "---aP", "Unhealthy", "The disk is full."),
            ("says no", "---aP", "Unhealthy", "It says that it is not healthy."),
        ],
    )
    async def test_whatever_goes_wrong_is_the_answer_and_nothing_is_left_open(
        self, does: str, shown: str, kind: str, error: str
    ):
        result = await check(nova(does=does, password="hunter2"))
        assert (result.success, stages(result), result.error_class, result.error) == (False, shown, kind, error)
        assert result.next_step
        assert Scripted.log in ([], ["init", "cleanup"])

    @pytest.mark.parametrize(("does", "shown"), [("hangs", "---A-"), ("never answers", "---aP")])
    async def test_one_that_hangs_ends_at_the_deadline(self, does: str, shown: str):
        result = await check(nova(does=does), timeout=0.1)
        assert stages(result) == shown
        assert "within 0.1 s" in str(result.error)
        assert Scripted.log == ["init", "cleanup"]

    async def test_a_secret_that_the_adapter_repeats_is_struck_out(self):
        password = {"$env": "PASSWORD"}
        result = await check(nova(does="repeats a banner", password=password), PASSWORD="hunter2")
        assert result.error == "The server says: go away, **********."

    async def test_what_a_reference_stands_for_is_struck_out_wherever_it_is(self, nobody: int):
        config = nova(does="repeats where it goes", goes_to={"$env": "SECRET"}, hosts=[])
        result = await check(config, SECRET="hunter2")
        assert (result.error, result.next_step) == ("I can't find **********.", "Look for **********.")
        result = await check(nova(hosts=[{"$env": "HOST"}], port=nobody), HOST="localhost")
        assert stages(result) == "rC---"
        assert "localhost" not in result.model_dump_json()

    async def test_one_that_wants_to_end_the_process_does_not(self):
        result = await check(nova(does="exits"))
        assert (stages(result), result.error_class) == ("---A-", "InitFailed")

    async def test_a_wrong_config_or_a_missing_adapter_is_the_answer(self):
        result = await check(nova(pasword="hunter2", prt=1))
        assert stages(result) == "-----"
        assert result.error_class == "ConfigError"
        assert "Did you mean `password`?" in str(result.error)
        assert "Did you mean `port`?" in str(result.error)
        assert "hunter2" not in result.model_dump_json()
        gone = await check(Instance("gone", "gone", {}))
        assert (stages(gone), gone.error_class) == ("-----", "AdapterUnavailable")
        assert "no_such_module" in str(gone.error)
        unknown = await check(Instance("x", "os:system", {}))
        assert (stages(unknown), unknown.error_class) == ("-----", "UnknownAdapter")

    async def test_a_reference_with_nothing_behind_it_is_the_answer(self):
        result = await check(nova(password={"$env": "NOT_THERE"}))
        assert (stages(result), result.error_class) == ("-----", "UnresolvedReference")
        assert "{$env: NOT_THERE}" in str(result.error)
