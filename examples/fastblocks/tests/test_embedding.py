"""Texts as vectors."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from fastblocks.embedding import DIMENSION, embed


def nearness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


@pytest.mark.parametrize("text", ["", "  ", "a", "?!", "water", "Wäsche 洗う " * 1000])
def test_a_vector_has_length_one_whatever_the_text(text: str) -> None:
    vector = embed(text)
    assert len(vector) == DIMENSION
    assert math.hypot(*vector) == pytest.approx(1)


def test_texts_that_share_words_are_nearer_than_those_that_share_parts_and_these_than_others() -> None:
    text = "watering tomatoes in the greenhouse"
    by_words, by_parts = nearness(text, "tomatoes need water"), nearness(text, "a tomato to be watered")
    assert by_words > by_parts > nearness(text, "bicycle repair shop") + 0.1


def test_another_process_makes_the_same_vector() -> None:
    code = "from fastblocks.embedding import embed; print(embed('watered beans'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == str(embed("watered beans"))
