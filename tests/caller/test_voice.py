"""The sounds of a script, made before the call."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.wav import write_wav
from antiphon.caller.clips import LineNoise
from antiphon.caller.script import Line
from antiphon.caller.voice import Voice, prepare
from antiphon.errors import ConfigurationError
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.vocabulary import AudioFormat, Encoding

PCM_8K = AudioFormat(Encoding.PCM16, 8000)
SILENT = LineNoise(None)


class ToneVoice:
    """A text-to-speech engine that hums 100 ms a character."""

    name = "tone"
    formats = (PCM_8K,)

    def __init__(self) -> None:
        self.requests: list[SpeechRequest] = []

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        self.requests.append(request)
        second = np.rint(8000 * np.sin(2 * np.pi * 300 * np.arange(800) / 8000)).astype("<i2").tobytes()
        for _ in request.text:
            yield SpeechChunk(second)


async def test_each_text_is_spoken_once_in_the_callers_voice() -> None:
    engine = ToneVoice()
    lines = (Line("say", "abc"), Line("say", "a"), Line("say", "abc"))
    first, second, third = await prepare(lines, SILENT, Voice(engine, "en+f1"))
    assert first.clip is third.clip
    assert first.clip is not None
    assert second.clip is not None
    assert (first.clip.duration_ms, second.clip.duration_ms) == (300, 100)
    assert engine.requests == [SpeechRequest(text, PCM_8K, voice="en+f1") for text in ("abc", "a")]
    assert first.line == lines[0]


async def test_a_voice_is_asked_only_once_for_a_text() -> None:
    engine = ToneVoice()
    voice = Voice(engine)
    assert np.array_equal(await voice.say("a"), await voice.say("a"))
    assert len(engine.requests) == 1


async def test_a_text_that_takes_too_long_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="longer than 120 s"):
        await prepare([Line("say", "x" * 1300)], SILENT, Voice(ToneVoice()))


async def test_recordings_noises_keys_and_waits_need_no_voice(tmp_path: Path) -> None:
    path = tmp_path / "door.wav"
    write_wav(path, np.full(1600, 5000, np.int16), 8000)
    lines = (
        Line("wav", str(path)),
        Line("noise", str(path)),
        Line("noise", "cough"),
        Line("dtmf", "1"),
        Line("wait", ""),
    )
    cued = await prepare(lines, SILENT, None)
    assert [each.clip.duration_ms if each.clip else None for each in cued] == [200, 200, 360, None, None]


async def test_what_cannot_be_made_is_named() -> None:
    with pytest.raises(ConfigurationError, match="say: needs a voice"):
        await prepare([Line("say", "a")], SILENT, None)
    with pytest.raises(ConfigurationError, match="noise: must be cough, slam, hum or a WAV file"):
        await prepare([Line("noise", "sneeze")], SILENT, None)
