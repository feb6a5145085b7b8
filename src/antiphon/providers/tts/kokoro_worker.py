"""Kokoro, in its worker process. Frames in: ``speak``, ``close``; out: ``audio``, ``done``, ``error``. Runs only there: the library brings
espeak-ng for the sounds of words, which is GPL.

Speech is made a sentence at a time. The next sentence is always for the call that has the least audio in hand.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.audio.limiter import gain_for, limited
from antiphon.audio.resample import Resampler
from antiphon.errors import ProviderError, ProviderUnavailable
from antiphon.providers.local_models import not_installed, one_of
from antiphon.providers.tts.cut import LOUDNESS_DBFS, MOST_GAIN, sentences
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

NAME = "kokoro"
RATE_HZ = 24_000
_LANGUAGES = {
    "a": "en-us", "b": "en-gb", "e": "es", "f": "fr-fr", "h": "hi", "i": "it", "j": "ja", "p": "pt-br", "z": "cmn",
}  # fmt: skip
"""By the first letter of a voice's name, as espeak-ng calls them."""
_WARM_TEXT = "The quick brown fox jumps over the lazy dog."


@dataclass(slots=True)
class _Speech:
    """One speech at work."""

    stream: int
    sentences: list[str]
    voice: str
    speed: float
    encoding: Encoding
    rate_hz: int
    resampler: Resampler
    skip: int
    """Samples of the filter's delay still to be cut off the front."""
    given_samples: int = 0
    began_s: float = 0.0

    def lead_s(self, now_s: float) -> float:
        """How much longer its listener has something to hear; a speech of which nothing was given out comes first."""
        if not self.given_samples:
            return float("-inf")
        return self.given_samples / self.rate_hz - (now_s - self.began_s)


class KokoroEngine:
    """The ``PatientEngine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Raises ProviderUnavailable where the package or a file of the model is not there, or the model cannot be loaded."""
        try:
            from kokoro_onnx import Kokoro
        except ImportError:
            raise not_installed(NAME, "kokoro-onnx", "kokoro") from None
        folder = Path(options["path"])
        model = one_of(NAME, folder, "kokoro-v1.0.int8.onnx", "kokoro-v1.0.fp16.onnx", "kokoro-v1.0.onnx")
        voices = one_of(NAME, folder, "voices-v1.0.bin")
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options["threads"]
        try:
            session = onnxruntime.InferenceSession(str(model), settings, providers=["CPUExecutionProvider"])
            self._kokoro = Kokoro.from_session(session, str(voices))
        except Exception as error:  # onnxruntime has exceptions of its own, without a common base
            raise ProviderUnavailable(NAME, f"the model in {folder} cannot be loaded: {error}") from None
        self._voice: str = self._known(options["voice"])
        self._speeches: dict[int, _Speech] = {}
        self._gain = 1.0

    def _known(self, voice: str) -> str:
        voices: list[str] = self._kokoro.get_voices()
        if voice not in voices:
            raise ProviderUnavailable(NAME, f"there is no voice {voice[:40]!r}; there are {', '.join(voices[:60])}")
        return voice

    def warm(self) -> None:
        """The first speech is slow, and its level is that of all others."""
        self._gain = gain_for(self._samples(_WARM_TEXT, self._voice, 1.0), LOUDNESS_DBFS, MOST_GAIN)

    def _samples(self, text: str, voice: str, speed: float) -> NDArray[np.float32]:
        samples, _ = self._kokoro.create(text, voice, speed=speed, lang=_language(voice))
        return np.asarray(samples, dtype=np.float32)

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "close":
            self._speeches.pop(frame.stream, None)
        elif frame.kind == "speak":
            self._speeches[frame.stream] = self._speech(frame)

    def work(self, link: Link) -> bool:
        if not self._speeches:
            return False
        now_s = time.monotonic()
        speech = min(self._speeches.values(), key=lambda each: each.lead_s(now_s))
        try:
            done = self._sentence(speech, link)
        except OSError:
            raise
        except Exception as failure:
            done = True
            # The text of a foreign error may hold the caller's words.
            link.send(Frame(speech.stream, "error", {"problem": f"the engine raised {type(failure).__name__}"}))
        if done:
            self._speeches.pop(speech.stream, None)
        return True

    def _speech(self, frame: Frame) -> _Speech:
        fields = frame.fields
        voice = fields["voice"] or self._voice
        if voice not in self._kokoro.get_voices():
            raise ProviderError(NAME, "unknown voice")
        resampler = Resampler(RATE_HZ, fields["rate_hz"])
        return _Speech(
            stream=frame.stream,
            sentences=[" ".join(words) for words in sentences(fields["text"].split())],
            voice=voice,
            speed=fields["speed"],
            encoding=Encoding(fields["encoding"]),
            rate_hz=fields["rate_hz"],
            resampler=resampler,
            skip=round(resampler.delay_ms * fields["rate_hz"] / 1000),
        )

    def _sentence(self, speech: _Speech, link: Link) -> bool:
        """The next sentence of a speech; True where there was none left."""
        if not speech.sentences:
            self._send(speech, speech.resampler.flush(), link)
            link.send(Frame(speech.stream, "done"))
            return True
        text = speech.sentences.pop(0)
        if any(map(str.isalnum, text)):
            samples = self._samples(text, speech.voice, speech.speed)
            self._send(speech, speech.resampler.process(samples), link)
        return False

    def _send(self, speech: _Speech, samples: NDArray[np.float32], link: Link) -> None:
        skipped = min(speech.skip, samples.size)
        speech.skip -= skipped
        samples = samples[skipped:]
        if not speech.given_samples:
            speech.began_s = time.monotonic()
        speech.given_samples += samples.size
        if samples.size:
            audio = codec.encode(limited(samples, self._gain), speech.encoding)
            link.send(Frame(speech.stream, "audio", {"words": []}, audio))


def _language(voice: str) -> str:
    return _LANGUAGES.get(voice[:1], "en-us")
