"""pocketsphinx, in its worker process. Frames in: ``open``, ``expect``, ``begin``, ``audio``, ``finish``, ``close``; out: ``text``
(partial or final) and ``failed``. All streams of the process are served one frame after the other.

Runs only there: importing it needs pocketsphinx.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.stt.channel import TYPICAL
from antiphon.providers.stt.phrases import Grammar, grammar_of_jsgf, grammar_of_phrases, spoken_words
from antiphon.providers.stt.pocketsphinx_decoders import Hypothesis, Recogniser, RecogniserPool
from antiphon.providers.stt.rejection import RATE_HZ, Voicing, confidence, explains_the_voice, has_voice
from antiphon.providers.stt.wideband import WidebandUpsampler
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import Encoding

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link


class Call:
    """One stream: its format, its channel, what it expects, and at most one open utterance."""

    def __init__(self, encoding: Encoding, rate_hz: int) -> None:
        self.encoding = encoding
        self.rate_hz = rate_hz
        self.channel = TYPICAL[rate_hz]
        self.grammar: Grammar | None = None
        self.problem = ""
        """Why the expected answers cannot be recognised."""
        self.utterance: Utterance | None = None


_HISS = np.random.default_rng(0).normal(0.0, 10.0, RATE_HZ).round().astype(np.int32)
"""A second of white noise at −70 dBFS."""


class Utterance:
    """Audio of one utterance on its way through a recogniser."""

    def __init__(self, number: int, call: Call, recogniser: Recogniser) -> None:
        self.number = number
        self.recogniser = recogniser
        self.partial = ""
        """The last partial text told."""
        self._call = call
        self._upsampler = WidebandUpsampler() if call.rate_hz != RATE_HZ else None
        self._voicing = Voicing()
        self._untold_samples = 0
        self._heard = 0
        recogniser.begin(call.channel)

    def hear(self, audio: bytes) -> None:
        samples: NDArray[np.int16] = codec.decode(audio, self._call.encoding)
        if self._upsampler is not None:
            samples = self._upsampler.process(samples)
        self._voicing.push(samples)
        self.recogniser.hear(self._over_hiss(samples).tobytes())
        self._untold_samples += samples.size

    def _over_hiss(self, samples: NDArray[np.int16]) -> NDArray[np.int16]:
        """Digital silence has no spectrum, and its logarithm none that a model trained on rooms has ever seen: so there is always a
        faint hiss, the same for every utterance."""
        at = np.arange(self._heard, self._heard + samples.size) % _HISS.size
        self._heard += samples.size
        loud = samples.astype(np.int32) + _HISS[at]
        saturated: NDArray[np.int16] = np.clip(loud, -32768, 32767).astype(np.int16)
        return saturated

    def partial_due(self, every_ms: int) -> bool:
        """Whether so much has been heard since this was last true."""
        if self._untold_samples * 1000 < every_ms * RATE_HZ:
            return False
        self._untold_samples = 0
        return True

    def accepted(self, hypothesis: Hypothesis, min_confidence: float) -> tuple[str, float]:
        """Text and confidence; the text empty where nobody said it."""
        sure = confidence(hypothesis.words)
        grammar = self.recogniser.grammar
        if grammar is None:
            # Dictation has words for everything, so how well they fit tells nothing: only a voice is asked for.
            return (hypothesis.text if has_voice(self._voicing.frames()) else ""), sure
        if sure < min_confidence or not explains_the_voice(hypothesis.words, self._voicing.frames()):
            return "", sure
        return grammar.written(hypothesis.text), sure


class PocketsphinxEngine:
    """The ``Engine`` of this process."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._min_confidence: float = options["min_confidence"]
        self._partial_every_ms: int = options["partial_every_ms"]
        self._dictates = options["dictation_decoders"] > 0
        self._pool = RecogniserPool(
            dictation_decoders=options["dictation_decoders"], grammar_decoders=options["grammar_decoders"]
        )
        self._calls: dict[int, Call] = {}

    def warm(self) -> None:
        if self._dictates:
            self._pool.give_back(self._pool.take(None))

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "open":
            self._calls[frame.stream] = Call(Encoding(frame.fields["encoding"]), frame.fields["rate_hz"])
            return
        call = self._calls[frame.stream]
        if frame.kind == "expect":
            self._expect(call, frame.fields["phrases"], frame.fields["grammar"])
        elif frame.kind == "begin":
            self._begin(call, frame, link)
        elif frame.kind == "audio":
            self._hear(call, frame, link)
        elif frame.kind == "finish":
            self._finish(call, frame, link)
        elif frame.kind == "close":
            self._release(call)
            del self._calls[frame.stream]

    def _expect(self, call: Call, phrases: list[str], jsgf: str) -> None:
        """Compile now, while the agent speaks, so that ``begin`` need not. A problem is told with the next utterance."""
        call.problem = ""
        call.grammar = None
        if not phrases and not jsgf:
            return
        try:
            call.grammar = self._compile(phrases, jsgf)
            self._pool.give_back(self._pool.take(call.grammar))
        except ProviderError as failure:
            call.problem = failure.problem
        except ConfigurationError as failure:
            call.problem = str(failure)

    def _compile(self, phrases: list[str], jsgf: str) -> Grammar:
        if jsgf:
            grammar = grammar_of_jsgf(jsgf)
            self._pool.pronunciations.learn(grammar.words)
            return grammar
        self._pool.pronunciations.learn(word for phrase in phrases for word in spoken_words(phrase))
        return grammar_of_phrases(phrases, self._pool.knows)

    def _begin(self, call: Call, frame: Frame, link: Link) -> None:
        self._release(call)
        number = frame.fields["utterance"]
        try:
            if call.problem:
                raise ProviderError("pocketsphinx", call.problem)
            recogniser = self._pool.take(call.grammar)
        except ProviderError as failure:
            link.send(Frame(frame.stream, "failed", {"utterance": number, "problem": failure.problem}))
            return
        call.utterance = Utterance(number, call, recogniser)

    def _hear(self, call: Call, frame: Frame, link: Link) -> None:
        utterance = call.utterance
        if utterance is None:
            return  # it has failed, and the server's word of it has crossed ours
        utterance.hear(frame.payload)
        if not utterance.partial_due(self._partial_every_ms):
            return
        text, sure = utterance.accepted(utterance.recogniser.hypothesis(), self._min_confidence)
        if text and text != utterance.partial:
            utterance.partial = text
            link.send(_text(frame.stream, utterance.number, text, sure, final=False))

    def _finish(self, call: Call, frame: Frame, link: Link) -> None:
        utterance = call.utterance
        if utterance is None or utterance.number != frame.fields["utterance"]:
            return
        utterance.recogniser.end()
        text, sure = utterance.accepted(utterance.recogniser.hypothesis(), self._min_confidence)
        if text:  # a cough teaches nothing about the channel
            call.channel = utterance.recogniser.channel
        call.utterance = None
        self._pool.give_back(utterance.recogniser)
        link.send(_text(frame.stream, utterance.number, text, sure, final=True))

    def _release(self, call: Call) -> None:
        """Give up an utterance that was not finished."""
        utterance, call.utterance = call.utterance, None
        if utterance is None:
            return
        broken = True
        try:
            utterance.recogniser.abandon()
            broken = False
        finally:
            self._pool.give_back(utterance.recogniser, broken=broken)


def _text(stream: int, utterance: int, text: str, sure: float, *, final: bool) -> Frame:
    fields = {"utterance": utterance, "text": text, "confidence": round(sure, 3), "final": final}
    return Frame(stream, "text", fields)
