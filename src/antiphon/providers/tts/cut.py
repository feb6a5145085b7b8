"""What local voices have in common: texts are cut for one sentence at a time, and all are as loud as each other."""

from __future__ import annotations

from collections.abc import Sequence

SENTENCE_CHARACTERS = 160
"""A voice sees so much at once: the time it takes is what a caller waits for before the first sound."""

LOUDNESS_DBFS = -19.0
"""What speech on a telephone has (−18…−20)."""
MOST_GAIN = 6.0


def sentences(words: Sequence[str]) -> list[list[str]]:
    """Cut at the ends of sentences, and before ``SENTENCE_CHARACTERS`` are full, if possible at a clause's end."""
    cut: list[list[str]] = []
    current: list[str] = []
    length = 0
    for word in words:
        if length + len(word) > SENTENCE_CHARACTERS and current:
            at = next(
                (at for at in range(len(current), len(current) // 2, -1) if current[at - 1][-1] in ",;:"), len(current)
            )
            cut.append(current[:at])
            current = current[at:]
            length = sum(len(each) + 1 for each in current)
        current.append(word)
        length += len(word) + 1
        if word.rstrip("\"'”’)")[-1:] in (".", "!", "?", "。", "！", "？") and any(map(str.isalnum, "".join(current))):
            cut.append(current)
            current, length = [], 0
    return [*cut, current] if current else cut
