"""Passing over what is plainly background changes nothing that is told, and spares the model most of a call."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.fed_ears import FedEars

from antiphon.audio import g711, pcm
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.media import attention
from antiphon.media.facts import Nobody
from antiphon.media.settings import HearingSettings
from antiphon.providers.vad.silero import SileroVoiceActivity
from antiphon.vocabulary import Encoding

CLIPS = Path(__file__).resolve().parents[1] / "data" / "speech"
WINDOW = 256
Samples = NDArray[np.float32]


class Told(list[tuple[object, ...]], Nobody):
    """What one call was told, in order."""

    def sound_started(self, media_ms: int) -> None:
        self.append(("sound", media_ms))

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        self.append(("faded", media_ms, silence_ms))

    def speech_started(self, media_ms: int) -> None:
        self.append(("speech", media_ms))

    def speech_continued(self, voice_ms: int) -> None:
        self.append(("continued", voice_ms))

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        self.append(("stopped", media_ms, silence_ms))


class Counting(SileroVoiceActivity):
    """Counts the windows it is asked about, and those it hears only to remember them."""

    asked = remembered = 0

    def infer(self, slots: NDArray[np.intp], windows: Samples) -> Samples:
        if slots.size <= 128:  # larger batches come back in parts
            self.asked += slots.size
        return super().infer(slots, windows)

    def remember(self, slot: int, windows: Samples) -> None:
        self.remembered += len(windows)
        super().remember(slot, windows)


def hear(lines: list[bytes], *, agent: bool = False) -> tuple[list[Told], Counting]:
    """All lines at once, µ-law, one window of each at a time."""
    model = Counting(8000)
    ears = FedEars(Encoding.MULAW, model)
    told = [Told() for _ in lines]
    slots = [ears.open_line(each, HearingSettings()) for each in told]
    for slot in slots:
        ears.agent_sounds(slot, agent)
    for at in range(0, max(map(len, lines)), WINDOW):
        for slot, line in zip(slots, lines, strict=True):
            if len(line) >= at + WINDOW:
                ears.feed(slot, line[at : at + WINDOW])
        ears.beat()
    return told, model


def as_mulaw(samples: Samples) -> bytes:
    return g711.mulaw_encode(pcm.from_float(samples)).tobytes()


def noise(random: np.random.Generator, count: int, dbfs: float) -> Samples:
    return random.normal(0, 10 ** (dbfs / 20), count).astype(np.float32)


def spoken() -> dict[str, Samples]:
    """All human speech there is, at 8 kHz."""
    clips = {}
    for path in sorted(CLIPS.glob("*.wav")):
        samples, rate_hz = read_wav(path)
        clips[path.stem] = resample(pcm.to_float(samples[:, 0]), rate_hz, 8000)[:80_000]
    return clips


def conversations(noise_dbfs: float, offset: int) -> list[bytes]:
    """Each clip twice, with seconds of nothing but the line's noise before, between and after."""
    random = np.random.default_rng(int(-noise_dbfs) + offset)
    lines = []
    for speech in spoken().values():
        parts = (np.zeros(24_000 + offset), speech, np.zeros(20_000), speech, np.zeros(16_000))
        line = np.concatenate(parts).astype(np.float32)
        lines.append(as_mulaw(line + noise(random, line.size, noise_dbfs)))
    return lines


@pytest.mark.parametrize("agent", [False, True], ids=["agent silent", "agent speaking"])
@pytest.mark.parametrize("noise_dbfs", [-90, -60, -55, -45, -35])
def test_what_is_told_is_what_a_model_that_hears_everything_tells(
    noise_dbfs: float, agent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line for offset in (0, 96, 192) for line in conversations(noise_dbfs, offset)]
    told, model = hear(lines, agent=agent)
    monkeypatch.setattr(attention, "REST_AFTER_WINDOWS", 1 << 30)
    expected, attentive = hear(lines, agent=agent)
    assert told == expected
    assert attentive.remembered == 0
    assert sum(fact[0] == "speech" for each in told for fact in each) >= 2 * len(lines), "something was said"
    if noise_dbfs < -40:
        assert model.asked + model.remembered < 0.85 * attentive.asked


def test_a_line_at_rest_costs_the_model_nothing() -> None:
    random = np.random.default_rng(5)
    told, model = hear([as_mulaw(noise(random, 80_000, -55))])
    assert told == [[]]
    # Two seconds until its background is known, a fifth of a second until it is at rest, and what noise rises over that.
    assert model.asked + model.remembered < 64 + attention.REST_AFTER_WINDOWS + 24


def test_a_line_that_is_always_loud_is_always_heard() -> None:
    random = np.random.default_rng(5)
    _, model = hear([as_mulaw(noise(random, 80_000, -30))])
    assert model.asked == 80_000 // WINDOW


def test_what_is_kept_of_a_line_at_rest_is_bounded() -> None:
    model = Counting(8000)
    ears = FedEars(Encoding.MULAW, model, slots=1)
    slot = ears.open_line(Told(), HearingSettings())
    silence = b"\xff" * WINDOW
    for _ in range(1000):
        ears.feed(slot, silence)
        ears.beat()
    asked = model.asked
    ears.feed(slot, as_mulaw(np.full(WINDOW, 0.2, dtype=np.float32)))
    ears.beat()
    assert model.asked == asked + 1
    assert model.remembered < 16


def test_a_call_does_not_remember_the_one_before_it_on_its_slot() -> None:
    model = Counting(8000)
    ears = FedEars(Encoding.MULAW, model, slots=1)
    first = ears.open_line(Told(), HearingSettings())
    for _ in range(20):
        ears.feed(first, b"\xff" * WINDOW)
        ears.beat()
    ears.close(first)
    again = ears.open_line(Told(), HearingSettings())
    assert again == first
    ears.feed(again, as_mulaw(np.full(WINDOW, 0.2, dtype=np.float32)))
    ears.beat()
    assert model.remembered == 0
