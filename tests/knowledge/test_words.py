from __future__ import annotations

import pytest

from antiphon.knowledge.words import terms_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("parking", "park"), ("parked", "parks"), ("cities", "city"), ("prices", "price"), ("stopped", "stopping"),
        ("Cafés", "cafés"), ("GLASS", "glass"),
    ],
)  # fmt: skip
def test_forms_of_a_word_are_the_same_term(one: str, other: str) -> None:
    assert terms_of(one) == terms_of(other) != []


def test_words_that_say_nothing_are_left_out() -> None:
    assert terms_of("What is the price of it?") == terms_of("price")
    assert terms_of("A4 B-52 3.50") == ["a4", "b", "52", "3", "50"]


def test_korean_is_found_whatever_is_written_on_its_words() -> None:
    asked, written = set(terms_of("주차장이 있나요?")), set(terms_of("주차장은 건물 뒤에 있습니다."))
    assert {"주차", "차장"} <= asked & written
    assert terms_of("역") == ["역"] and terms_of("KTX역까지") == ["ktx", "역까", "까지"]
