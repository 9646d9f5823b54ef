"""Templates that anybody may have written."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from jinja2 import TemplateError

from fastblocks import Block, InvalidBlock
from fastblocks.rendering import MAX_HTML, render
from fastblocks.tasks import process_block


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ context.update({'a': 1}) }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../etc/passwd' %}",
        "{% for i in range(100000000) %}{% endfor %}",
        "{{ 'a' * 100000000 }}",
        "{{ 100000000 * [1] }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ lipsum(n=100000) }}",
        "{{ missing }}",
    ],
)
def test_what_a_template_may_not_do_is_an_error(template: str) -> None:
    with pytest.raises((TemplateError, OverflowError)):
        render(Block(name="a", template=template, context={"context": {}}))


def test_a_page_is_bounded() -> None:
    template = "{% for i in range(90000) %}{{ i }} is a number, and so on, and so on{% endfor %}"
    with pytest.raises(InvalidBlock, match="more than 2,000,000 characters"):
        render(Block(name="a", template=template))
    assert len(render(Block(name="a", template="{{ 'a' * n }}", context={"n": MAX_HTML}))) == MAX_HTML


def test_what_a_context_holds_is_text_in_the_page_after_minifying_too() -> None:
    bad = "<script>alert(1)</script>\" onload='x' &lt;"
    block = Block(name="a", template='<p title="{{ bad }}">{{ bad }}</p>', context={"bad": bad})
    page = process_block(block.as_json(), ["render", "minify", "text"])
    soup = BeautifulSoup(page["html"], "html.parser")
    assert soup.find("script") is None
    assert soup.p is not None
    assert (soup.p.attrs, soup.p.text) == ({"title": bad}, bad)
    assert page["text"] == bad


def test_partials_come_with_the_block() -> None:
    partials = {"_a": "{% macro hi(x) %}hi {{ x }}{% endmacro %}", "_b": "<b>{% block c %}{% endblock %}</b>"}
    template = '{% extends "_b" %}{% from "_a" import hi %}{% block c %}{{ hi("<") }}{% endblock %}'
    assert render(Block(name="a", template=template, partials=partials)) == "<b>hi &lt;</b>"
