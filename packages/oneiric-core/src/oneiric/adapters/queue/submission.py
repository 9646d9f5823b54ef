"""A submission: a task as it is sent, after everything about it was checked. What each queue adapter begins with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

from oneiric.adapters.payload import json_text
from oneiric.adapters.queue.base import EXPIRES, HIGHEST_PRIORITY, IDEMPOTENCY, PRIORITY, RETRIES, SCHEDULE, Task
from oneiric.errors import InvalidTask, Unsupported

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST_NAME = 200
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_QUEUE = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A task that can be sent as it stands."""

    task_id: str
    """The one that was given, or a new one."""
    name: str
    queue: str
    args: str
    """As JSON text: an array."""
    kwargs: str
    """As JSON text: an object."""
    starts_at: datetime | None
    """The earliest, in UTC; None where it may start at once."""
    expires_at: datetime | None
    """The latest that it may start, in UTC."""
    priority: int | None
    max_retries: int | None


def checked(task: Task, *, queue: str, capabilities: Collection[str], adapter: str | None = None) -> Submission:
    """What is to be sent of a task, to `queue` where it names none.

    Raises InvalidTask for what no queue takes, and Unsupported for an option that isn't among the capabilities.
    """
    try:
        _check_options(task, capabilities)
        now = datetime.now(UTC)
        starts_at = _starts_at(task, now)
        return Submission(
            task_id=uuid4().hex if task.task_id is None else task.task_id,
            name=_name(task.name),
            queue=_queue(queue if task.queue is None else task.queue),
            args=_args(task.args),
            kwargs=_kwargs(task.kwargs),
            starts_at=starts_at,
            expires_at=_expires_at(task.expires, now, starts_at),
            priority=task.priority,
            max_retries=task.max_retries,
        )
    except (InvalidTask, Unsupported) as error:
        error.adapter = adapter
        raise


def check_queue(queue: str, *, adapter: str | None = None) -> str:
    """The name of a queue, as it is. Raises InvalidTask for one that can't be."""
    try:
        return _queue(queue)
    except InvalidTask as error:
        error.adapter = adapter
        raise


def _check_options(task: Task, capabilities: Collection[str]) -> None:
    options = {
        IDEMPOTENCY: task.task_id,
        SCHEDULE: task.eta if task.delay is None else task.delay,
        EXPIRES: task.expires,
        PRIORITY: task.priority,
        RETRIES: task.max_retries,
    }
    for capability, value in options.items():
        if value is not None and capability not in capabilities:
            raise Unsupported(f"This queue lacks the capability `{capability}`; nothing was submitted.")
    if task.task_id is not None and not _is_id(task.task_id):
        _refuse("`task_id` is not 1 to 128 letters, digits, `-` and `_` of ASCII")
    if task.priority is not None and not _is_whole(task.priority, HIGHEST_PRIORITY):
        _refuse(f"`priority` is not a whole number from 0 to {HIGHEST_PRIORITY}")
    if task.max_retries is not None and not _is_whole(task.max_retries, None):
        _refuse("`max_retries` is not a whole number from 0")


def _name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        _refuse(f"The task's name is not 1 to {LONGEST_NAME} characters that can be printed")
    return name


def _queue(queue: object) -> str:
    if not isinstance(queue, str) or not _QUEUE.fullmatch(queue):
        _refuse("`queue` is not 1 to 128 letters, digits, `-`, `_`, `.` and `:` of ASCII")
    return queue


def _args(args: object) -> str:
    if not isinstance(args, Sequence) or isinstance(args, str | bytes | bytearray):
        _refuse("`args` is not a list or tuple")
    return _json(list(args), "args")


def _kwargs(kwargs: object) -> str:
    if not isinstance(kwargs, Mapping):
        _refuse("`kwargs` is not a mapping")
    return _json(dict(kwargs), "kwargs")


def _json(value: object, name: str) -> str:
    try:
        return json_text(value, name)
    except ValueError as error:
        raise InvalidTask(f"{error} Nothing was submitted.") from None


def _starts_at(task: Task, now: datetime) -> datetime | None:
    """When it may start; a time that has passed is now."""
    if task.delay is not None and task.eta is not None:
        _refuse("`delay` and `eta` are both given, and one is meant")
    if task.eta is not None:
        return _time(task.eta, "eta")
    return None if task.delay is None else _after(now, task.delay, "delay")


def _expires_at(expires: object, now: datetime, starts_at: datetime | None) -> datetime | None:
    if expires is None:
        return None
    expires_at = _time(expires, "expires") if isinstance(expires, datetime) else _after(now, expires, "expires")
    if expires_at <= max(now, starts_at or now):
        _refuse("`expires` is over before the task may start")
    return expires_at


def _time(value: object, name: str) -> datetime:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        _refuse(f"`{name}` is not a datetime with a time zone")
    return value.astimezone(UTC)


def _after(now: datetime, delay: object, name: str) -> datetime:
    seconds = delay.total_seconds() if isinstance(delay, timedelta) else delay
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not isfinite(seconds) or seconds < 0:
        _refuse(f"`{name}` is not a number of seconds from 0")
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        _refuse(f"`{name}` is later than time goes")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _is_whole(value: object, highest: int | None) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return value >= 0 and (highest is None or value <= highest)


def _refuse(what: str) -> NoReturn:
    raise InvalidTask(f"{what}; nothing was submitted.")
