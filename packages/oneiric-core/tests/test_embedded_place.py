"""`embedded:` URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.embedded import Place, is_embedded
from oneiric.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("embedded://", Place()),
        ("EMBEDDED://", Place()),
        ("embedded://orders", Place(name="orders")),
        ("embedded://a-b_2", Place(name="a-b_2")),
        ("embedded:///var/lib/orders", Place(path="/var/lib/orders")),
        ("embedded:///~/orders", Place(path="~/orders")),
        ("embedded:///~", Place(path="~")),
        ("embedded:///~bob/orders", Place(path="/~bob/orders")),
        ("embedded:///with%20space/%3Fand%23/ä", Place(path="/with space/?and#/ä")),
    ],
)
def test_each_form_names_its_place(url: str, place: Place):
    assert Place.parse(url) == place
    assert place.is_kept == (place.path is not None)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://host", "no URL of an embedded server"),
        ("embedded", "no URL of an embedded server"),
        ("embedded:", "begins with `embedded://`"),
        ("embedded:orders", "begins with `embedded://`"),
        ("embedded:/orders", "begins with `embedded://`"),
        ("embedded:///", "names no directory"),
        ("embedded:////", "names no directory"),
        ("embedded://orders/data", "A path begins with a third slash"),
        ("embedded://~/data", "A path begins with a third slash"),
        ("embedded://./data", "A path begins with a third slash"),
        ("embedded://orders/", "A path begins with a third slash"),
        ("embedded://Orders", "1 to 40 of a-z"),
        ("embedded://-orders", "1 to 40 of a-z"),
        ("embedded://" + "a" * 41, "1 to 40 of a-z"),
        ("embedded://user:geheim@host:5432", "1 to 40 of a-z"),
        ("embedded://orders?fsync=off", "no options"),
        ("embedded:///data#x", "no options"),
        ("embedded:///data%00", "control character"),
        ("embedded:///data\n", "control character"),
        ("embedded:///\ud800", "no text"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write(url: str, says: str):
    with pytest.raises(ConfigError) as caught:
        Place.parse(url)
    assert says in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert isinstance(caught.value, ValueError)  # what a validator of settings raises


@given(st.text())
def test_any_text_is_a_place_or_a_config_error(text: str):
    for url in (text, f"embedded:{text}", f"embedded://{text}", f"embedded:///{text}"):
        try:
            place = Place.parse(url)
        except ConfigError:
            continue
        assert is_embedded(url)
        assert place.path is None or place.path[:1] in "/~"
