"""All the ways in which an error can hold a text."""

import asyncio

from oneiric.errors import AuthenticationFailed, ConfigError, ConnectionFailed
from oneiric.validation import Problem
from pydantic import BaseModel


class Stubborn(Exception):
    """Makes its message anew at each look, from where nobody else gets at."""

    def __init__(self, text):
        super().__init__()
        self._say = lambda: text

    def __str__(self):
        return self._say()


class Reply(BaseModel):
    count: int


def plain(text):
    raise RuntimeError(text)


def arguments(text):
    raise RuntimeError(1, {text: [text]}, (text.encode(),), {"deep": {"deeper": text}})


def attributes(text):
    error = OSError(2, text, text)
    error.details, error.reply = {"password": text}, text
    raise error


def notes(text):
    error = RuntimeError("see the note")
    error.add_note(text)
    raise error


def caused(text):
    try:
        try:
            plain(text)
        except RuntimeError as error:
            raise ValueError("the middle") from error
    except ValueError as error:
        raise RuntimeError("the end") from error


def during(text):
    try:
        plain(text)
    except RuntimeError:
        raise ValueError("at the cleaning up of it")  # noqa: B904


def hidden(text):
    try:
        plain(text)
    except RuntimeError:
        raise ValueError("without the cause") from None


def group(text):
    inner = ExceptionGroup("inner", [OSError(2, text), Stubborn(text)])
    raise ExceptionGroup("outer", [ValueError(text), inner])


def named_group(text):
    raise ExceptionGroup(text, [ValueError("member")])


def stubborn(text):
    raise Stubborn(text)


def stubborn_cause(text):
    try:
        raise Stubborn(text)
    except Stubborn as error:
        raise RuntimeError("the end") from error


def group_cause(text):
    try:
        group(text)
    except ExceptionGroup as error:
        raise RuntimeError("the end") from error


def circle(text):
    first, second = RuntimeError(text), ValueError(text)
    first.__cause__, second.__cause__ = second, first
    raise first


def inside(text):
    raise RuntimeError(ValueError(text), [ValueError(text)])


def key(text):
    raise KeyError(text)


def encoding(text):
    text.encode("ascii")


def decoding(text):
    text.encode().decode("ascii")


def importing(text):
    raise ImportError(text, name=text, path=text)


def syntax(text):
    raise SyntaxError(text, (text, 1, 1, text))


def reply(text):
    Reply(count=text)


def short_reply(text):
    for line in text.splitlines():
        Reply.model_validate_json(line)


def ours(text):
    raise ConnectionFailed(text, hint=text)


def refused(text):
    raise AuthenticationFailed(text, hint=text) from RuntimeError(text)


def config(text):
    raise ConfigError(text, hint=text, problems=[Problem(text, text, text)])


def exits(text):
    raise SystemExit(text)


async def late(text):
    """Raise after its deadline, when nobody waits any longer."""
    try:
        await asyncio.Event().wait()
    finally:
        plain(text)


WAYS = {
    function.__name__: function
    for function in (
        *(plain, arguments, attributes, notes, caused, during, hidden, group, named_group, stubborn, stubborn_cause),
        *(group_cause, circle, inside, key, encoding, decoding, importing, syntax, reply, short_reply, ours, refused),
        *(config, exits, late),
    )
}
