"""Whatever the model says, and whatever the agent does meanwhile, what is told of a call can be told of a caller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.media.fed_ears import FedEars

from antiphon.audio import codec
from antiphon.media.settings import HearingSettings
from antiphon.vocabulary import Encoding

WINDOW_MS = 32


class SaidModel:
    """Says of each window what the test wants."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.window_samples = rate_hz * WINDOW_MS // 1000
        self.says = 0.0

    def resize(self, slots: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(len(slots), self.says, dtype=np.float32)


@dataclass(frozen=True)
class Window:
    probability: float
    loudness: float
    agent_sounds: bool
    agent_waits: bool


class Order:
    """Follows what is told, and knows what may come next."""

    def __init__(self) -> None:
        self.phase = "quiet"
        self.heard_ms = 0
        """How much of the line was heard, the present window included."""
        self.began_ms = 0
        self.ended_ms = 0
        self.continued_ms = 0
        self.told: list[str] = []
        self.mistaken = False
        """Speech has stopped at this very moment: the sound goes on, and is told again."""

    def audio_arrived(self) -> None: ...

    def sound_started(self, media_ms: int) -> None:
        assert self.phase == "quiet"
        if self.mistaken:
            assert media_ms == self.began_ms
        else:
            assert media_ms == self.heard_ms - WINDOW_MS >= self.ended_ms
        self.phase, self.began_ms, self.mistaken = "sound", media_ms, False
        self.told.append("sound")

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        assert self.phase == "sound"
        self._ended(media_ms, silence_ms, "faded")
        assert silence_ms > 0

    def speech_started(self, media_ms: int) -> None:
        assert self.phase == "sound" and self.began_ms <= media_ms < self.heard_ms
        self.phase, self.began_ms, self.continued_ms = "speech", media_ms, 0
        self.told.append("speech")

    def speech_continued(self, voice_ms: int) -> None:
        assert self.phase == "speech" and self.continued_ms < voice_ms <= self.heard_ms - self.began_ms
        self.continued_ms = voice_ms

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        assert self.phase == "speech" and 0 <= speech_share <= 1
        self.mistaken = silence_ms == 0
        self._ended(media_ms, silence_ms, "stopped")

    def _ended(self, media_ms: int, silence_ms: int, told: str) -> None:
        assert media_ms == max(self.heard_ms - silence_ms, self.began_ms)
        self.phase, self.ended_ms = "quiet", media_ms
        self.told.append(told)

    def silence_reached(self, silence_ms: int) -> None: ...
    def utterance_ended(self) -> None: ...
    def playback_started(self, reply: int) -> None: ...
    def playback_finished(self, reply: int, heard_ms: int) -> None: ...


STRETCHES = st.lists(
    st.tuples(
        st.builds(
            Window,
            st.one_of(st.sampled_from([0.0, 0.14, 0.3, 0.4, 0.6, 0.95, 1.0]), st.floats(0, 1, width=32)),
            st.sampled_from([0.0, 0.001, 0.01, 0.1, 0.9]),
            st.booleans(),
            st.booleans(),
        ),
        st.integers(1, 12),
    ),
    min_size=4,
    max_size=40,
)
"""Windows, and how often each comes."""


@settings(max_examples=100, deadline=None)
@given(STRETCHES, st.sampled_from([8000, 16_000]))
def test_facts_come_in_their_order(stretches: list[tuple[Window, int]], rate_hz: int) -> None:
    model, order = SaidModel(rate_hz), Order()
    encoding = Encoding.MULAW if rate_hz == 8000 else Encoding.PCM16
    ears = FedEars(encoding, model, slots=2)
    slot = ears.open_line(order, HearingSettings())
    windows = [window for window, times in stretches for _ in range(times)]
    for number, window in enumerate(windows):
        ears.agent_sounds(slot, window.agent_sounds, window.agent_waits)
        model.says = window.probability
        level = round(window.loudness * 32_767)
        noise = np.random.default_rng(number).integers(-level, level + 1, model.window_samples).astype(np.int16)
        order.heard_ms += WINDOW_MS
        ears.feed(slot, codec.encode(noise, encoding))
        ears.beat()
        if ears.faults:
            raise ears.faults[0]
        assert not order.mistaken, "the sound that goes on is told at once"
        assert (silence := ears.silence_ms(slot, order.heard_ms)) is None or silence >= 0
