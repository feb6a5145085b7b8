"""A Piper voice, in its worker process. Frames in: ``speak``, ``close``; out: ``audio`` (with the words that start in it) and ``done``.

Speech is made in slices of some tens of milliseconds. The next slice is always for the call that has the least audio in hand, so a new
speech does not wait for the end of another's sentence; a speech that is closed stops with its slice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.audio.limiter import gain_for, limited
from antiphon.audio.resample import Resampler
from antiphon.errors import AntiphonError, ProviderError, ProviderUnavailable
from antiphon.providers.tts.cut import LOUDNESS_DBFS, MOST_GAIN, sentences
from antiphon.providers.tts.piper_model import Frames, PiperModel, joe, read_voice
from antiphon.providers.tts.piper_names import split_voice
from antiphon.providers.tts.piper_sounds import ENGLISH, NAME, WordSounds
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link

FIRST_FRAMES = 24
"""The first slice: 0.28 s of speech for the work of 48 frames, since the decoder looks ahead."""
MOST_FRAMES = 96
"""Later slices double up to this: a second of speech for the work of one and a half."""
_RATE_STEP_HZ = 250
_WARM_TEXT = "The quick brown fox jumps over the lazy dog, and good morning to you."


@dataclass(slots=True)
class _Sentence:
    words: list[tuple[str, tuple[int, int] | None]]
    frames: Frames
    next_frame: int = 0
    step: int = FIRST_FRAMES


@dataclass(slots=True)
class _Speech:
    """One speech at work."""

    stream: int
    sentences: list[list[str]]
    speed: float
    speaker: int
    encoding: Encoding
    rate_hz: int
    native_hz: int
    """The rate at which the model's samples are played."""
    resampler: Resampler
    skip: int
    """Samples of the filter's delay still to be cut off the front."""
    sentence: _Sentence | None = None
    native_samples: int = 0
    given_samples: int = 0
    began_s: float = 0.0
    words: list[tuple[str, int, int]] = field(default_factory=list)
    """Timed, but not given out: they start in audio to come."""

    def lead_s(self, now_s: float) -> float:
        """How much longer its listener has something to hear; a speech of which nothing was given out comes first."""
        if not self.given_samples:
            return float("-inf")
        return self.given_samples / self.rate_hz - (now_s - self.began_s)


class PiperEngine:
    """The ``PatientEngine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        path = options.get("path", "")
        files = read_voice(Path(path), options.get("sha256", "")) if path else joe()
        kind = files.description.get("phoneme_type", "espeak")
        language = (files.description.get("espeak") or {}).get("voice", "")
        if kind != "espeak" or language not in ENGLISH:
            raise ProviderUnavailable(
                NAME,
                f"the voice speaks {language or kind!r}, whose phonemes only espeak-ng makes: use a voice for "
                f"{', '.join(sorted(ENGLISH))}, or the provider espeak",
            )
        self._name = Path(path).stem if path else "joe"
        self._sounds = WordSounds(files.description["phoneme_id_map"])
        self._model = PiperModel(files)
        self._speeches: dict[int, _Speech] = {}
        self._gain = 1.0

    def warm(self) -> None:
        """The first speech is slow, and its level is that of all others."""
        frames = self._model.prepare(self._sounds.of(_WARM_TEXT.split()).ids, 1.0)
        self._gain = gain_for(self._model.samples(frames, 0, frames.count), LOUDNESS_DBFS, MOST_GAIN)
        self._sounds.of(["Kowalczyk"])

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
            done = self._slice(speech, link)
        except OSError:
            raise
        except Exception as failure:
            done = True
            # The text of a foreign error may hold the caller's words.
            problem = (
                failure.problem if isinstance(failure, ProviderError) else f"the engine raised {type(failure).__name__}"
            )
            link.send(Frame(speech.stream, "error", {"problem": str(failure) if _ours(failure) else problem}))
        if done:
            self._speeches.pop(speech.stream, None)
        return True

    def _speech(self, frame: Frame) -> _Speech:
        fields = frame.fields
        voice, semitones = split_voice(fields["voice"])
        speakers = self._model.speakers
        if voice and voice != self._name and voice not in speakers:
            raise ProviderError(NAME, "unknown voice")
        pitch = 2 ** (semitones / 12)
        # A higher voice is the same one played faster, so it speaks the slower. The rate's steps keep the resampler's ratios small.
        native_hz = (
            round(self._model.rate_hz * pitch / _RATE_STEP_HZ) * _RATE_STEP_HZ if semitones else self._model.rate_hz
        )
        resampler = Resampler(native_hz, fields["rate_hz"])
        return _Speech(
            stream=frame.stream,
            sentences=sentences(fields["text"].split()),
            speed=fields["speed"] * self._model.rate_hz / native_hz,
            speaker=speakers.get(voice, 0),
            encoding=Encoding(fields["encoding"]),
            rate_hz=fields["rate_hz"],
            native_hz=native_hz,
            resampler=resampler,
            skip=round(resampler.delay_ms * fields["rate_hz"] / 1000),
        )

    def _slice(self, speech: _Speech, link: Link) -> bool:
        """The next slice of a speech; True where it was the last."""
        if speech.sentence is None:
            if not speech.sentences:
                self._send(speech, speech.resampler.flush(), link, last=True)
                link.send(Frame(speech.stream, "done"))
                return True
            speech.sentence = self._sentence(speech)
            if speech.sentence is None:
                return False
        sentence = speech.sentence
        first, last = sentence.next_frame, min(sentence.frames.count, sentence.next_frame + sentence.step)
        samples = self._model.samples(sentence.frames, first, last)
        if first == 0:
            self._time_words(speech, sentence)
        sentence.next_frame, sentence.step = last, min(2 * sentence.step, MOST_FRAMES)
        if last == sentence.frames.count:
            speech.sentence = None
        speech.native_samples += samples.size
        self._send(speech, speech.resampler.process(samples), link)
        return False

    def _sentence(self, speech: _Speech) -> _Sentence | None:
        words = speech.sentences.pop(0)
        sounds = self._sounds.of(words)
        if not any(sounds.words):
            return None
        frames = self._model.prepare(sounds.ids, speech.speed, speech.speaker)
        step = FIRST_FRAMES if not speech.given_samples else MOST_FRAMES // 2
        return _Sentence(list(zip(words, sounds.words, strict=True)), frames, step=step)

    def _time_words(self, speech: _Speech, sentence: _Sentence) -> None:
        """By the durations that the model itself gave its phonemes. A word without a sound belongs to the one before it."""
        ends = sentence.frames.ends
        if ends is None:
            return
        for text, span in sentence.words:
            if span is None:
                continue
            start, end = (int(ends[at - 1]) if at else 0 for at in span)
            bounds = [(speech.native_samples + at * self._model.hop) * 1000 // speech.native_hz for at in (start, end)]
            speech.words.append((text, bounds[0], max(bounds[1], bounds[0] + 1)))

    def _send(self, speech: _Speech, samples: NDArray[np.float32], link: Link, *, last: bool = False) -> None:
        skipped = min(speech.skip, samples.size)
        speech.skip -= skipped
        samples = samples[skipped:]
        if not speech.given_samples:
            speech.began_s = time.monotonic()
        speech.given_samples += samples.size
        reached_ms = speech.given_samples * 1000 / speech.rate_hz
        count = len(speech.words) if last else sum(1 for _, start, _ in speech.words if start < reached_ms)
        words, speech.words = speech.words[:count], speech.words[count:]
        if samples.size or words:
            link.send(
                Frame(
                    speech.stream,
                    "audio",
                    {"words": words},
                    codec.encode(limited(samples, self._gain), speech.encoding),
                )
            )


def _ours(failure: Exception) -> bool:
    return isinstance(failure, AntiphonError) and not isinstance(failure, ProviderError)
