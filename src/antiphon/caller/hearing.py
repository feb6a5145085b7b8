"""What the caller makes of what the telephone plays: when the agent is speaking, by the energy of the sound.

Pure; times as in ``playout``. A server may send silence to keep a stream alive, or begin a sentence with it: only audible
sound counts. When a block of audio will be heard is known as soon as it arrives (only ``clear`` can change that), so
utterances are known ahead of time and cut short by ``cut``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from antiphon.audio.g711 import mulaw_decode

BLOCK_BYTES = 160
"""20 ms of 8 kHz µ-law: the unit that is judged."""

UTTERANCE_GAP_MS = 300
"""A pause shorter than this belongs to the utterance: the stops and breaths inside a sentence last up to 250 ms."""

AUDIBLE_DBFS = -42.0
"""A sample is loud from here on, and a block is audible when one sample in twenty is: speech at -20 dBFS is, room tone at -55 dBFS is not
(its loudest samples lie 4.5 sigma under)."""
FAINT_DBFS = -57.0
"""An agent that has made itself 15 dB softer is still speaking."""
_AUDIBLE_SHARE = 20


@lru_cache(maxsize=8)
def _softer_codes(dbfs: float) -> bytes:
    """The µ-law codes of samples under this level."""
    levels = np.abs(mulaw_decode(np.arange(256, dtype=np.uint8)).astype(np.int32))
    return bytes(np.flatnonzero(levels < 32768 * 10 ** (dbfs / 20)).astype(np.uint8))


def is_audible(block: bytes, audible_dbfs: float = AUDIBLE_DBFS) -> bool:
    """Whether a person would take this block of µ-law for a sound of the agent's."""
    # translate() with a deletion table is the cheapest count there is: about half a microsecond for 20 ms.
    return _has_loud(block, _softer_codes(audible_dbfs))


def _has_loud(block: bytes, softer: bytes) -> bool:
    return len(block.translate(None, softer)) * _AUDIBLE_SHARE >= len(block)


@dataclass(frozen=True, slots=True)
class Utterance:
    """The agent speaking, without a long pause."""

    received_ms: float
    """When the message with its first audible sound arrived."""
    heard_from_ms: float
    """When that sound was (or will be) played."""
    heard_to_ms: float
    """When its last audible sound ended (or will)."""
    cut: bool = False
    """Whether ``clear`` or the end of the call cut it short."""


class Hearing:
    """The agent's utterances on one call, in order."""

    def __init__(self, gap_ms: float = UTTERANCE_GAP_MS, audible_dbfs: float = AUDIBLE_DBFS) -> None:
        """``gap_ms``: the pause that parts two utterances."""
        self._gap_ms = gap_ms
        self._softer = _softer_codes(audible_dbfs)
        self.utterances: list[Utterance] = []
        self.cuts_ms: list[float] = []
        """When the server sent ``clear``."""

    @property
    def spoken_until_ms(self) -> float:
        """When the last audible sound ends, as far as is known; 0 before any."""
        return self.utterances[-1].heard_to_ms if self.utterances else 0.0

    def feed(self, audio: bytes, *, received_ms: float, heard_ms: float) -> None:
        """Take one message's µ-law audio, whose first sample is played at ``heard_ms``."""
        for offset in range(0, len(audio), BLOCK_BYTES):
            block = audio[offset : offset + BLOCK_BYTES]
            if _has_loud(block, self._softer):
                from_ms = heard_ms + offset / 8
                self._sound(received_ms, from_ms, from_ms + len(block) / 8)

    def cut(self, now_ms: float) -> None:
        """The server cleared the playout: what would have been heard later never was."""
        self.cuts_ms.append(now_ms)
        self.end(now_ms)

    def end(self, now_ms: float) -> None:
        """Nothing is heard from ``now_ms`` on."""
        while self.utterances and self.utterances[-1].heard_from_ms >= now_ms:
            self.utterances.pop()
        if self.utterances and self.utterances[-1].heard_to_ms > now_ms:
            self.utterances[-1] = replace(self.utterances[-1], heard_to_ms=now_ms, cut=True)

    def heard_after(self, since_ms: float) -> list[Utterance]:
        """The utterances that last beyond ``since_ms``, in order."""
        first = len(self.utterances)
        while first and self.utterances[first - 1].heard_to_ms > since_ms:
            first -= 1
        return self.utterances[first:]

    def _sound(self, received_ms: float, from_ms: float, to_ms: float) -> None:
        last = self.utterances[-1] if self.utterances else None
        if last is None or last.cut or from_ms - last.heard_to_ms >= self._gap_ms:
            self.utterances.append(Utterance(received_ms, from_ms, to_ms))
        else:
            # Not ``replace``: this is done for every 20 ms of every call, and that is six times as dear.
            self.utterances[-1] = Utterance(last.received_ms, last.heard_from_ms, to_ms)
