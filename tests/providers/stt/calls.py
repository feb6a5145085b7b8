"""A call to a recogniser, what its callers say, and sounds that are no speech: for the tests of every recogniser."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.providers.contract import Ear

from antiphon.audio import g711
from antiphon.audio.resample import resample
from antiphon.providers.base import ExpectedAnswers, SpeechToText, Transcribed
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 16000)
FORMATS = pytest.mark.parametrize("audio", [TELEPHONE, WIDE], ids=["mulaw-8k", "pcm-16k"])

CARDS = ExpectedAnswers(
    grammar="""#JSGF V1.0; grammar cards;
    public <cards> = <card>+;
    <card> = <rank> [of <suit>];
    <rank> = ace | two | three | four | five | six | seven | eight | nine | ten | jack | queen | king;
    <suit> = clubs | hearts | spades | diamonds;"""
)
CARD_CLIPS = {
    "cards-001.wav": "ten of clubs",
    "cards-002.wav": "four queen of clubs",
    "cards-003.wav": "seven of clubs",
    "cards-004.wav": "five five",
    "cards-005.wav": "eight of spades four of clubs seven of hearts",
}
COMMANDS = ExpectedAnswers(phrases=("Go forward, ten meters!", "stop", "turn left", "go back"))
BOOKING = ExpectedAnswers(phrases=("yes", "no", "half past three", "tomorrow", "cancel my appointment"))

Clip = Callable[[str], NDArray[np.int16]]
Noise = Callable[[int, float], NDArray[np.float32]]


def wire(samples: NDArray[np.int16], audio: AudioFormat) -> bytes:
    """16 kHz samples as the call would bring them."""
    if audio == TELEPHONE:
        return g711.mulaw_encode(resample(samples, 16000, 8000)).tobytes()
    return samples.tobytes()


class Call:
    """One call to the engine, whose caller speaks in 20 ms frames."""

    def __init__(self, stt: SpeechToText, audio: AudioFormat, answers: ExpectedAnswers) -> None:
        self.ear = Ear()
        self.stream = stt.open(audio, answers, self.ear)
        self._audio = audio
        self._said = 0

    async def says(self, samples: NDArray[np.int16]) -> Transcribed:
        self._said += 1
        self.stream.begin(self._said)
        speech = wire(samples, self._audio)
        frame_bytes = self._audio.bytes_for_ms(20)
        for start in range(0, len(speech), frame_bytes):
            self.stream.push(speech[start : start + frame_bytes])
        self.stream.finish(self._said)
        answers = await self.ear.wait_for(self._said)
        final = answers[-1]
        assert isinstance(final, Transcribed), final
        return final


def bursts(noise: Noise, length_ms: int, dbfs: float) -> NDArray[np.int16]:
    """Two dying bursts over line noise: what a cough is to a recogniser."""
    line = noise(16000, -55.0)
    decay = np.exp(-4 * np.linspace(0, 1, 16 * length_ms, dtype=np.float32))
    for start, gain in ((3200, 1.0), (9000, 0.5)):
        line[start : start + decay.size] += noise(decay.size, dbfs) * decay * gain
    return (np.clip(line, -1, 1) * 32767).astype(np.int16)


def whispered(samples: NDArray[np.int16], window: int = 96) -> NDArray[np.int16]:
    """The same speech without a voice: in windows of 6 ms, noise with the spectrum's envelope."""
    speech = samples.astype(np.float64) / 32768
    breath = np.random.default_rng(7).standard_normal(speech.size)
    shape, out = np.hanning(window), np.zeros(speech.size)
    for start in range(0, speech.size - window, window // 4):
        here = slice(start, start + window)
        phases = np.angle(np.fft.rfft(breath[here] * shape))
        out[here] += np.fft.irfft(np.abs(np.fft.rfft(speech[here] * shape)) * np.exp(1j * phases)) * shape
    return (np.clip(out / 1.5, -1, 1) * 32767).astype(np.int16)
