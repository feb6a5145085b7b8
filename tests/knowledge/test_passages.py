from __future__ import annotations

from antiphon.knowledge.passages import MAX_SENTENCE_CHARS, PASSAGE_CHARS, pieces_of, sentences_of


def test_a_heading_stands_before_what_is_under_it() -> None:
    text = "# Hours\n\nNine to five.\n\nClosed on Sunday.\n\n## Parking\nBehind the house. Free.\n"
    first, second = pieces_of(text)
    assert first.text == "Hours: Nine to five.\nClosed on Sunday."
    assert first.sentences == ("Hours: Nine to five.", "Hours: Closed on Sunday.")
    assert second.text == "Parking: Behind the house. Free."


def test_long_paragraphs_are_cut_between_sentences() -> None:
    sentence = "This sentence is about nothing at all, and it is only here to be long. "
    pieces = list(pieces_of(sentence * 40))
    assert len(pieces) > 3
    assert all(len(piece.text) <= PASSAGE_CHARS and piece.text.endswith("long.") for piece in pieces)
    assert sum(len(piece.sentences) for piece in pieces) == 40


def test_text_without_sentences_is_cut_all_the_same() -> None:
    pieces = list(pieces_of("word " * 2000 + "x" * 2000))
    assert all(len(piece.text) <= PASSAGE_CHARS for piece in pieces)
    assert all(len(sentence) <= MAX_SENTENCE_CHARS for piece in pieces for sentence in piece.sentences)
    assert "".join(piece.text for piece in pieces).count("x") == 2000


def test_sentences_of_two_languages() -> None:
    assert sentences_of("주차장은 뒤에 있습니다. 무료입니다.") == ["주차장은 뒤에 있습니다.", "무료입니다."]
    assert sentences_of("It costs 4.50 euros! Really?\nYes") == ["It costs 4.50 euros!", "Really?", "Yes"]
    assert list(pieces_of("")) == [] and list(pieces_of("\n\n# Only a heading\n\n")) == []
