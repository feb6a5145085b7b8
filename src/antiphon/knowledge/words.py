"""Words as they are searched by: what is left when case, endings and words that say nothing are gone. Pure functions."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
_WRITTEN_TOGETHER = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]+")
"""Hangul, kana, Chinese characters: what a word is cannot be told by its blanks (particles and endings are written on it)."""
_SAYING_NOTHING = frozenset({
    "a", "about", "am", "an", "and", "any", "anything", "are", "as", "at", "be", "been", "but", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "is", "it", "its", "many", "me",
    "much", "my", "no", "not", "of", "on", "or", "our", "shall", "should", "so", "some", "something", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "to", "too", "us", "was", "we", "were",
    "what", "when", "where", "which", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "please",
    "tell", "know", "want", "like", "need", "get",
})  # fmt: skip
_ENDINGS = (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
_MIN_STEM = 3


def terms_of(text: str) -> list[str]:
    """In their order, as often as they come. English words without endings; of Korean (and what else is written together) every two
    neighbouring letters, which finds ``주차장이`` where ``주차장은`` is written."""
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).lower()):
        at = 0
        for together in _WRITTEN_TOGETHER.finditer(word):
            _add(found, word[at : together.start()])
            letters = together.group()
            found += [letters] if len(letters) == 1 else [letters[n : n + 2] for n in range(len(letters) - 1)]
            at = together.end()
        _add(found, word[at:])
    return found


def _add(found: list[str], word: str) -> None:
    if word and word not in _SAYING_NOTHING:
        found.append(_stem(word))


def _stem(word: str) -> str:
    """``stopping`` and ``stops`` are ``stop``, ``called`` and ``call`` are ``cal``: what is asked and what is written go the same way."""
    if not word.isascii() or not word.isalpha():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _MIN_STEM and not word.endswith("ss"):
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > _MIN_STEM:
        word = word.removesuffix("e")
    return word[:-1] if word[-1:] == word[-2:-1] else word
