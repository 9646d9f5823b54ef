"""What is sent of a task."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from oneiric.adapters.queue.base import EXPIRES, IDEMPOTENCY, PRIORITY, RETRIES, SCHEDULE, Task
from oneiric.adapters.queue.submission import check_queue, checked
from oneiric.errors import InvalidTask, Unsupported

ALL = {EXPIRES, IDEMPOTENCY, PRIORITY, RETRIES, SCHEDULE}


def submission(capabilities: set[str] = ALL, **task: Any) -> Any:
    return checked(Task(name="a.b", **task), queue="default", capabilities=capabilities, adapter="jobs")


def test_a_plain_task_has_an_id_the_default_queue_and_json():
    one, other = submission(args=(1, (2,)), kwargs={"ä": None}), submission()
    assert (one.name, one.queue, one.args, one.kwargs) == ("a.b", "default", "[1,[2]]", '{"ä":null}')
    assert (one.starts_at, one.expires_at, one.priority, one.max_retries) == (None, None, None, None)
    assert re.fullmatch("[0-9a-f]{32}", one.task_id)
    assert one.task_id != other.task_id


def test_times_are_in_utc():
    eta = datetime(2100, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    later = submission(eta=eta, expires=datetime(2100, 1, 2, tzinfo=UTC))
    assert later.starts_at == datetime(2100, 1, 1, 10, tzinfo=UTC)
    assert later.starts_at.tzinfo is UTC
    before = datetime.now(UTC)
    relative = submission(delay=timedelta(minutes=1), expires=90.5)
    after = datetime.now(UTC)
    assert before <= relative.starts_at - timedelta(minutes=1) <= after
    assert before <= relative.expires_at - timedelta(seconds=90.5) <= after


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"task_id": "a/b"}, "`task_id` is not 1 to 128 letters"),
        ({"task_id": "a\n"}, "`task_id`"),
        ({"queue": "a,b"}, "`queue` is not 1 to 128 letters"),
        ({"args": "abc"}, "`args` is not a list or tuple"),
        ({"args": [{1}]}, r"`args\[0\]` is of the type set"),
        ({"kwargs": [1]}, "`kwargs` is not a mapping"),
        ({"kwargs": {1: 2}}, "`kwargs` has a key of the type int"),
        ({"delay": 1, "eta": datetime(2100, 1, 1, tzinfo=UTC)}, "`delay` and `eta` are both given"),
        ({"eta": datetime(2100, 1, 1)}, "`eta` is not a datetime with a time zone"),
        ({"eta": "2100-01-01"}, "`eta` is not a datetime"),
        ({"delay": True}, "`delay` is not a number of seconds"),
        ({"delay": 1e300}, "`delay` is later than time goes"),
        ({"expires": 0}, "`expires` is over before the task may start"),
        ({"delay": 10, "expires": 5}, "`expires` is over before"),
        ({"priority": 10}, "`priority` is not a whole number from 0 to 9"),
        ({"priority": False}, "`priority`"),
        ({"max_retries": -1}, "`max_retries` is not a whole number from 0"),
    ],
)
def test_what_can_not_be_is_said(task: Any, said: str):
    with pytest.raises(InvalidTask, match=said) as caught:
        submission(**task)
    assert caught.value.adapter == "jobs"


@pytest.mark.parametrize(
    ("capability", "task"),
    [
        (IDEMPOTENCY, {"task_id": "a"}),
        (SCHEDULE, {"delay": 0}),
        (SCHEDULE, {"eta": datetime(2100, 1, 1, tzinfo=UTC)}),
        (EXPIRES, {"expires": 1}),
        (PRIORITY, {"priority": 0}),
        (RETRIES, {"max_retries": 0}),
    ],
)
def test_an_option_needs_its_capability(capability: str, task: Any):
    assert submission({capability}, **task)
    with pytest.raises(Unsupported, match=f"`{capability}`") as caught:
        submission(ALL - {capability}, **task)
    assert caught.value.adapter == "jobs"


def test_the_name_of_a_queue_alone():
    assert check_queue("a.b:c-d_e") == "a.b:c-d_e"
    with pytest.raises(InvalidTask, match="jobs: `queue`"):
        check_queue("", adapter="jobs")
