"""How words are pronounced, in the acoustic model's phones (ARPAbet without stress).

First the dictionary of the recogniser's own package; for words it does not have (names, brands, numerals), espeak-ng's
letter-to-sound rules, asked in a short-lived process of their own (``letter_to_sound``) because espeak-ng is GPL.
"""

from __future__ import annotations

import mmap
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

LETTER_TO_SOUND_TIMEOUT_S = 5.0
MAX_LEARNED_WORDS = 10_000

_TABLE = """
p P   b B   t T   t# T   t2 T   d D   k K   x K   g G   tS CH   dZ JH   f F   v V   T TH   D DH   s S   z Z   S SH   Z ZH   h HH
m M   n N   n- AH+N   N NG   l L   r R   r- R   w W   j Y   ? -   ; -
a AE   aa AE   a# AH   A: AA   0 AA   V AH   @ AH   @2 AH   @- AH   @L AH+L   E EH   I IH   I2 IH   I# IH   i IY   i: IY
U UH   u: UW   O: AO   O2 AO   3 ER   3: ER   eI EY   aI AY   OI OY   aU AW   oU OW
A@ AA+R   o@ AO+R   O@ AO+R   e@ EH+R   i@ IY+AH   i@3 IH+R   U@ UH+R   aI3 AY+ER   aI@ AY+AH
"""
"""espeak-ng's en-us phoneme mnemonics (without stress) and the ARPAbet phones each stands for ("-": none). Checked against 6,000
words of the dictionary: each maps to what stands there most often."""

_FIELDS = _TABLE.split()
_PHONES = {
    mnemonic: phones.strip("-").replace("+", " ") for mnemonic, phones in zip(_FIELDS[::2], _FIELDS[1::2], strict=True)
}
_STRESS = "',%="


class Pronunciations:
    """The dictionary, searched where it lies (3 MB, sorted), and what has been learned since."""

    def __init__(self, dictionary: Path) -> None:
        with dictionary.open("rb") as file:
            self._text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._learned: dict[str, tuple[str, ...]] = {}

    def close(self) -> None:
        self._text.close()

    def of(self, word: str) -> tuple[str, ...]:
        """Every known pronunciation, e.g. ``("R EH D", "R IY D")``; empty where there is none."""
        known = self._learned.get(word)
        return known if known is not None else self._look_up(word.lower())

    def learn(self, words: Iterable[str]) -> None:
        """Ask for those that are unknown, all at once (about 60 ms). One that cannot be told stays unknown."""
        unknown = sorted({word for word in words if word not in self._learned and not self._look_up(word.lower())})
        room = MAX_LEARNED_WORDS - len(self._learned)
        if not unknown or room <= 0:
            return
        unknown = unknown[:room]
        for word, phones in zip(unknown, _letter_to_sound(unknown), strict=False):
            self._learned[word] = (phones,) if phones else ()

    def _look_up(self, word: str) -> tuple[str, ...]:
        wanted = word.encode()
        found = []
        at = self._first_line_not_before(wanted)
        while at < len(self._text):
            end = self._text.find(b"\n", at)
            line = self._text[at : end if end >= 0 else len(self._text)]
            entry, _, phones = line.partition(b" ")
            if _headword(entry) != wanted:
                break
            found.append(phones.decode().strip())
            at += len(line) + 1
        return tuple(found)

    def _first_line_not_before(self, word: bytes) -> int:
        """Where the first line starts whose word is not before ``word``: the dictionary is sorted by word (variants after it)."""
        low, high = 0, len(self._text)
        while low < high:
            middle = (low + high) // 2
            start = self._text.rfind(b"\n", low, middle) + 1 or low
            end = self._text.find(b"\n", middle)
            end = len(self._text) if end < 0 else end
            if _headword(self._text[start:end].partition(b" ")[0]) < word:
                low = end + 1
            else:
                high = start
        return low


def _headword(entry: bytes) -> bytes:
    """``read`` for ``read(2)``."""
    return entry.partition(b"(")[0]


def arpabet(mnemonics: str) -> str:
    """espeak-ng's phonemes of one word, separated by ``_`` or blanks, as ARPAbet; empty where one is unknown.

    >>> arpabet("z_'o@_k")
    'Z AO R K'
    """
    phones = []
    for mnemonic in re.split(r"[_\s]+", mnemonics):
        name = mnemonic.strip(_STRESS)
        if not name:
            continue
        if name not in _PHONES:
            return ""
        phones.append(_PHONES[name])
    return " ".join(filter(None, phones))


def _letter_to_sound(words: list[str]) -> list[str]:
    """One entry a word, in order; empty strings (or too few) where espeak-ng is not installed or fails."""
    try:
        answer = subprocess.run(
            (sys.executable, "-P", "-m", "antiphon.providers.stt.letter_to_sound"),
            input="\n".join(words),
            capture_output=True,
            text=True,
            timeout=LETTER_TO_SOUND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [arpabet(line) for line in answer.stdout.splitlines()] if answer.returncode == 0 else []
