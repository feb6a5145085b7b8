"""What is said into the microphone: people's voices, and a synthetic one for the same words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec, pcm
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.caller.clips import loud_span_ms, telephone_pcm
from antiphon.providers import registry
from antiphon.providers.base import SpeechRequest
from antiphon.vocabulary import AudioFormat, Encoding

RATE_HZ = 24_000
_VOICE = "en-us+klatt4"
"""Of twelve voices of espeak-ng the one that is understood best."""
RECORDINGS = Path(__file__).resolve().parents[2] / "data" / "speech"
"""People, 16 kHz."""
WORDS = {
    "cards-001": "ten of clubs",
    "cards-002": "four queen of clubs",
    "cards-003": "seven of clubs",
    "goforward": "go forward ten meters",
}
_NOISE_DBFS = -60.0
_TAIL_MS = 60

Pcm = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Said:
    """Words and their sound at 24 kHz, without the silence around it."""

    words: str
    pcm: Pcm

    @property
    def duration_ms(self) -> float:
        return self.pcm.size * 1000 / RATE_HZ

    def audio(self, *, lead_ms: int = 0, tail_ms: int = 0, encoding: Encoding = Encoding.PCM16) -> bytes:
        """The sound in a quiet room that is heard ``lead_ms`` before and ``tail_ms`` after. G.711 is at 8 kHz."""
        signal = np.concatenate([silence(lead_ms), self.pcm, silence(tail_ms)])
        if encoding is Encoding.PCM16:
            return pcm.to_bytes(signal)
        return codec.encode(resample(signal, RATE_HZ, 8000), encoding)


def silence(duration_ms: int) -> Pcm:
    """A quiet room."""
    noise = np.random.default_rng(duration_ms).standard_normal(RATE_HZ * duration_ms // 1000)
    return pcm.from_float((noise * 10 ** (_NOISE_DBFS / 20)).astype(np.float32))


def quiet(duration_ms: int) -> bytes:
    """``silence`` as it goes over the wire."""
    return pcm.to_bytes(silence(duration_ms))


def recordings() -> dict[str, Said]:
    """Spoken by people."""
    said = {}
    for name, words in WORDS.items():
        samples, rate_hz = read_wav(RECORDINGS / f"{name}.wav")
        said[name] = _trimmed(words, resample(samples[:, 0], rate_hz, RATE_HZ))
    return said


def synthetic() -> dict[str, Said]:
    """The same words by our own voice."""

    async def speak() -> dict[str, Said]:
        engine = registry.create("tts", "espeak")
        await engine.start()
        try:
            said = {}
            for name, words in WORDS.items():
                request = SpeechRequest(words, AudioFormat(Encoding.PCM16, RATE_HZ), voice=_VOICE)
                audio = b"".join([chunk.audio async for chunk in engine.synthesize(request)])
                said[name] = _trimmed(words, pcm.from_bytes(audio))
            return said
        finally:
            await engine.close()

    return asyncio.run(speak())


def _trimmed(words: str, signal: Pcm) -> Said:
    onset_ms, offset_ms = loud_span_ms(telephone_pcm(signal[:, np.newaxis], RATE_HZ))
    start, end = (int(ms * RATE_HZ / 1000) for ms in (onset_ms, offset_ms + _TAIL_MS))
    return Said(words, signal[start:end])
