"""Expected answers as a JSGF grammar, and the grammar's words back as the phrases somebody wrote. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from antiphon.errors import ConfigurationError

MAX_PHRASES = 1000
MAX_PHRASE_WORDS = 30
MAX_GRAMMAR_CHARACTERS = 64 * 1024

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_HEADER = re.compile(r"#JSGF[^;]*;|\bgrammar\s[^;]*;", re.IGNORECASE)
_NOT_WORDS = re.compile(r"<[^>]*>|\{[^}]*\}|/[^/]*/|\bpublic\b(?=\s*<)|[;=|*+()\[\]\"]")
_SPOKEN = re.compile(r"[a-z0-9']*[a-z0-9][a-z0-9']*")


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a recogniser compiles. Equal grammars recognise the same."""

    jsgf: str
    words: tuple[str, ...]
    """Every word that needs a pronunciation, as it stands in the grammar."""
    phrases: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Words as recognised to the phrase as it was written; empty where the grammar was written by hand."""
    dropped: int = field(default=0, compare=False)
    """Phrases left out because nobody knows how to pronounce them."""

    def written(self, recognised: str) -> str:
        """The answer in its author's spelling."""
        return self.phrases.get(recognised, recognised)


def spoken_words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase as the dictionary spells them: lower case, no accents, no punctuation but apostrophes."""
    plain = unicodedata.normalize("NFKD", phrase.lower().replace("’", "'"))
    return tuple(_SPOKEN.findall("".join(c for c in plain if not unicodedata.combining(c))))


def grammar_of_phrases(phrases: Iterable[str], pronounceable: Callable[[str], bool]) -> Grammar:
    """A grammar of whole answers. Phrases with a word nobody can pronounce are left out and counted.

    Raises ConfigurationError where nothing is left, or where there are too many or too long ones.
    """
    written: dict[str, str] = {}
    dropped = 0
    for count, phrase in enumerate(phrases, start=1):
        words = spoken_words(phrase)
        if count > MAX_PHRASES:
            raise ConfigurationError("answers.phrases", f"more than {MAX_PHRASES} phrases")
        if len(words) > MAX_PHRASE_WORDS:
            raise ConfigurationError("answers.phrases", f"phrase {count} has more than {MAX_PHRASE_WORDS} words")
        if not words or not all(map(pronounceable, words)):
            dropped += 1
            continue
        written.setdefault(" ".join(words), phrase)
    if not written:
        raise ConfigurationError("answers.phrases", f"none of the {dropped} phrases can be pronounced")
    jsgf = f"#JSGF V1.0; grammar answers; public <answer> = {' | '.join(written)};"
    vocabulary = {word: None for spoken in written for word in spoken.split()}  # a set that keeps order
    return Grammar(jsgf, tuple(vocabulary), written, dropped)


def grammar_of_jsgf(jsgf: str) -> Grammar:
    """A grammar written by hand. Its syntax is checked by the engine; here only what would be unsafe.

    Raises ConfigurationError for one that is too long or imports others (the engine would open files).
    """
    if len(jsgf) > MAX_GRAMMAR_CHARACTERS:
        raise ConfigurationError("answers.grammar", f"longer than {MAX_GRAMMAR_CHARACTERS} characters")
    text = _HEADER.sub(" ", _COMMENT.sub(" ", jsgf))
    if re.search(r"\bimport\s*<", text):
        raise ConfigurationError("answers.grammar", "import is not supported")
    words = dict.fromkeys(_NOT_WORDS.sub(" ", text).split())
    return Grammar(jsgf, tuple(words))
