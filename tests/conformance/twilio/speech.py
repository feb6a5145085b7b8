"""Sounds of callers: people's voices, and a synthetic one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from antiphon.audio.wav import read_wav
from antiphon.caller.clips import Clip, LineNoise, Pcm, loud_span_ms, make_clip, telephone_pcm
from antiphon.caller.dialogue import Cued
from antiphon.caller.script import AgentDone, Cue, Line
from antiphon.caller.sounds import SOUNDS
from antiphon.caller.voice import Voice
from antiphon.providers import registry

RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "speech"
"""People, 16 kHz."""
CARDS = {
    "cards-001": "ten of clubs",
    "cards-002": "four queen of clubs",
    "cards-003": "seven of clubs",
    "cards-004": "five five",
    "cards-005": "eight of spades four of clubs seven of hearts",
}
LINE_NOISE = LineNoise(-55.0)
_TAIL_MS = 60


@dataclass(frozen=True, slots=True)
class Said:
    """Words and their sound, without the silence around it."""

    words: str
    pcm: Pcm
    clip: Clip

    def cue(self, cue: Cue | None = None, *, reply: bool = True) -> Cued:
        """A line of a script; without ``cue`` it waits for the agent to finish."""
        return Cued(Line("wav", self.words, cue or AgentDone(), expects_reply=reply), self.clip)


def recordings() -> dict[str, Said]:
    """The cards, spoken by people; empty where the recordings are not there."""
    said = {}
    for name, words in CARDS.items():
        path = RECORDINGS / f"{name}.wav"
        if path.is_file():
            samples, rate_hz = read_wav(path)
            said[name] = _trimmed(words, telephone_pcm(samples, rate_hz))
    return said


def synthetic() -> dict[str, Said]:
    """The same words by our own voice."""

    async def speak() -> dict[str, Said]:
        engine = registry.create("tts", "espeak")
        await engine.start()
        try:
            voice = Voice(engine, "en-us+klatt4")
            return {name: _trimmed(words, await voice.say(words)) for name, words in CARDS.items()}
        finally:
            await engine.close()

    return asyncio.run(speak())


def noise(name: str) -> Clip:
    """A cough, a slam or a hum."""
    return make_clip(np.asarray(SOUNDS[name]()), LINE_NOISE)


def _trimmed(words: str, pcm: Pcm) -> Said:
    onset_ms, offset_ms = loud_span_ms(pcm)
    # Breath and room before the onset would be heard by a good ear: with them, an agent may fall silent before the caller speaks.
    cut = pcm[int(onset_ms) * 8 : (int(offset_ms) + _TAIL_MS) * 8]
    return Said(words, cut, make_clip(cut, LINE_NOISE))
