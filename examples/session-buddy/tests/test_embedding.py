"""Texts as vectors."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from session_buddy.embedding import DIMENSION, embed


def nearness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


@pytest.mark.parametrize("text", ["", "?!", "a", "洗う", "a word " * 1000])
def test_a_vector_has_length_one_whatever_the_text(text: str) -> None:
    assert len(embed(text)) == DIMENSION
    assert math.hypot(*embed(text)) == pytest.approx(1)


def test_the_same_word_is_nearest_then_another_form_of_it_then_others() -> None:
    text = "hanging connections"
    assert nearness(text, "connections hanging") > nearness(text, "a conection hangs") > nearness(text, "soup") + 0.2


def test_another_process_makes_the_same_vector() -> None:
    code = "from session_buddy.embedding import embed; print(embed('hanging connections'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == str(embed("hanging connections"))
