"""Which windows the voice-activity model is shown: not those of a line that plainly carries nothing but its background.

On a telephone somebody is silent most of the time, and two windows of three hold nothing but the line's noise. They are kept instead of
heard. The window that is more than that is heard after all those before it, so that the model knows what it would have known. On human
speech with noise of −90 to −40 dBFS, in one of 97,000 windows passed over would the model have heard a sound, on noise alone; what is told
of the others is the same (``tests/media/test_attention.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.media import slots as row
from antiphon.media.slots import LOUDEST_BACKGROUND_DBFS, QUIET, State
from antiphon.providers.base import VoiceActivityModel
from antiphon.vocabulary import Encoding

REST_AFTER_WINDOWS = 6
"""Nothing has sounded for so long: before, the model may still hear the end of a voice. (Of what it must say to be believed it then says
up to 96 %; from here on, as on noise that no voice came before, 40 to 80.)"""
_PLAIN_DB = 5.0
"""No frame of the window is this much over the background. The frames of white noise stay within 4.5 dB of the quietest of them."""


class Attention:
    """The model of all calls, and what it has not been shown of each."""

    def __init__(self, model: VoiceActivityModel, encoding: Encoding) -> None:
        self._model = model
        self._encoding = encoding
        self._passed_over: list[list[bytes]] = []
        """Windows since the model last heard this call, or was made to forget it."""

    def resize(self, slots: int) -> None:
        self._model.resize(slots)
        self._passed_over += [[] for _ in range(slots - len(self._passed_over))]

    def reset(self, slot: int) -> None:
        """This call's past is to be forgotten. Called again and again while a line is at rest, which bounds what is kept of it."""
        self._model.reset(slot)
        self._passed_over[slot].clear()

    def infer(
        self, slots: NDArray[np.intp], windows: NDArray[np.float32], raw: list[bytes], plain: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """As ``VoiceActivityModel.infer``; ``plain`` windows are no voice. ``raw`` holds the same windows as they came."""
        heard = (~plain).nonzero()[0]
        for slot in slots[heard].tolist():
            passed_over = self._passed_over[slot]
            if passed_over:
                before = codec.decode_to_float(b"".join(passed_over), self._encoding)
                self._model.remember(slot, before.reshape(-1, self._model.window_samples))
                passed_over.clear()
        if heard.size == slots.size:
            return self._model.infer(slots, windows)
        rest = plain.nonzero()[0]
        for number, slot in zip(rest.tolist(), slots[rest].tolist(), strict=True):
            self._passed_over[slot].append(raw[number])
        speech = np.zeros(slots.size, dtype=np.float32)
        if heard.size:
            speech[heard] = self._model.infer(slots[heard], windows[heard])
        return speech


def is_plain(state: State, over_db: NDArray[np.float64], background_db: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which windows need not be heard, shape (n,): their calls' state, the levels of their frames over the background, shape
    (frames, n), and that background."""
    rests = (state[row.PHASE] == QUIET) & (state[row.QUIET_WINDOWS] >= REST_AFTER_WINDOWS)
    return np.asarray(rests & (np.maximum.reduce(over_db) < _PLAIN_DB) & (background_db < LOUDEST_BACKGROUND_DBFS))
