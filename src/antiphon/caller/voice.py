"""The caller's own voice, and the making of all sounds of a script before the call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from antiphon.audio import pcm
from antiphon.caller.clips import MAX_CLIP_S, RATE_HZ, Clip, LineNoise, Pcm, make_clip, read_clip
from antiphon.caller.dialogue import Cued
from antiphon.caller.script import Line
from antiphon.caller.sounds import SOUNDS
from antiphon.errors import ConfigurationError
from antiphon.providers.base import SpeechRequest, TextToSpeech
from antiphon.vocabulary import AudioFormat, Encoding

DEFAULT_VOICE = "joe+3"
"""The agent's voice, three semitones higher, so that a recording tells them apart. Over the telephone a recogniser understands it as well
as the agent's own; at four semitones twice as many words go wrong."""

_FORMAT = AudioFormat(Encoding.PCM16, RATE_HZ)


class Voice:
    """Speaks the caller's lines with a text-to-speech engine. Each text is spoken once and kept."""

    def __init__(self, engine: TextToSpeech, voice: str = DEFAULT_VOICE) -> None:
        self._engine = engine
        self._voice = voice
        self._spoken: dict[str, Pcm] = {}

    async def say(self, text: str) -> Pcm:
        """``text`` as 8 kHz mono. Raises ProviderError, and ConfigurationError for a text longer than a clip may be."""
        if text not in self._spoken:
            audio = bytearray()
            request = SpeechRequest(text, _FORMAT, voice=self._voice)
            async for chunk in self._engine.synthesize(request):
                audio += chunk.audio
                if _FORMAT.ms_of(len(audio)) > MAX_CLIP_S * 1000:
                    raise ConfigurationError("say", f"takes longer than {MAX_CLIP_S} s to speak")
            self._spoken[text] = pcm.from_bytes(bytes(audio))
        return self._spoken[text]


async def prepare(lines: Sequence[Line], noise: LineNoise, voice: Voice | None) -> tuple[Cued, ...]:
    """Every line with its sound. ``voice`` is needed where a line is ``say``. Raises ConfigurationError, ProviderError."""
    clips: dict[tuple[str, str], Clip | None] = {}
    for line in lines:
        key = (line.kind, line.content)
        if key not in clips:
            clips[key] = await _clip(line, noise, voice)
    return tuple(Cued(line, clips[line.kind, line.content]) for line in lines)


async def _clip(line: Line, noise: LineNoise, voice: Voice | None) -> Clip | None:
    if line.kind == "say":
        if voice is None:
            raise ConfigurationError("say", "needs a voice")
        return make_clip(await voice.say(line.content), noise)
    if line.kind == "wav" or (line.kind == "noise" and line.content.lower().endswith(".wav")):
        return read_clip(Path(line.content), noise)
    if line.kind == "noise":
        sound = SOUNDS.get(line.content)
        if sound is None:
            raise ConfigurationError("noise", f"must be {', '.join(SOUNDS)} or a WAV file")
        return make_clip(np.asarray(sound()), noise)
    return None
