"""Pronunciations: the dictionary first, then espeak-ng's rules in a process of their own."""

from __future__ import annotations

import importlib.resources
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


def test_every_word_of_the_packaged_dictionary_is_found() -> None:
    path = importlib.resources.files("pocketsphinx") / "model" / "en-us" / "cmudict-en-us.dict"
    lines = path.read_text(encoding="utf-8").splitlines()
    dictionary = Pronunciations(Path(str(path)))
    for line in (lines[0], *lines[::97], lines[-1]):
        entry, _, phones = line.partition(" ")
        assert phones in dictionary.of(entry.partition("(")[0])
    assert dictionary.of("zzzzzz") == dictionary.of("") == dictionary.of("!") == ()
    dictionary.close()


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
