"""Pronunciations: the dictionary first, then espeak-ng's rules in a process of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.providers.stt import pronunciation
from antiphon.providers.stt.pronunciation import Pronunciations, arpabet

DICTIONARY = "'bout B AW T\nread R EH D\nread(2) R IY D\nready R EH D IY\nyes Y EH S\n"


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Pronunciations]:
    path = tmp_path / "words.dict"
    path.write_text(DICTIONARY)
    pronunciations = Pronunciations(path)
    yield pronunciations
    pronunciations.close()


def test_every_variant_of_a_word(known: Pronunciations) -> None:
    assert known.of("read") == ("R EH D", "R IY D")
    assert known.of("Ready") == ("R EH D IY",)
    assert known.of("yes") == ("Y EH S",)
    assert known.of("rea") == ()


def test_an_unknown_word_is_learned(known: Pronunciations) -> None:
    known.learn(["yes", "zork", "42"])
    assert known.of("zork") == ("Z AO R K",)
    assert known.of("42") == ("F AO R T IY T UW",)
    assert known.of("yes") == ("Y EH S",)


def test_without_espeak_unknown_words_stay_unknown(known: Pronunciations, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pronunciation.sys, "executable", "/no/such/python")
    known.learn(["zork"])
    assert known.of("zork") == ()


@pytest.mark.parametrize(
    ("mnemonics", "phones"),
    [
        ("h_@_l_'oU", "HH AH L OW"),
        ("f_'o@_t#_i t_'u:", "F AO R T IY T UW"),
        ("k_@_n_'?", "K AH N"),
        ("q_!", ""),
        ("", ""),
    ],
)
def test_mnemonics_to_arpabet(mnemonics: str, phones: str) -> None:
    assert arpabet(mnemonics) == phones
