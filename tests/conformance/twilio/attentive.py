"""A recogniser that understands nothing and remembers every sample: the far end of the caller's audio."""

from __future__ import annotations

from typing import ClassVar

from antiphon.providers.base import ExpectedAnswers, OnTranscription, Transcribed
from antiphon.vocabulary import TELEPHONE, AudioFormat


class AttentiveStream:
    """One call's ``SpeechToTextStream``."""

    behind = False

    def __init__(self, on_event: OnTranscription) -> None:
        self.heard = bytearray()
        self.begun = self.finished = 0
        """Utterances."""
        self.closed = False
        self._on_event = on_event

    def begin(self, utterance: int) -> None:
        self.begun += 1

    def push(self, audio: bytes) -> None:
        self.heard += audio

    def finish(self, utterance: int) -> None:
        self.finished += 1
        self._on_event(Transcribed(utterance, "", final=True))

    def expect(self, answers: ExpectedAnswers) -> None:
        """Nothing is expected."""

    def close(self) -> None:
        self.closed = True


class AttentiveSpeechToText:
    """Implements ``SpeechToText``; ``streams`` holds one stream a call, in the order of their beginning."""

    name = "attentive"
    formats = (TELEPHONE,)
    continuous = True
    partials = "reliable"
    punctuation = 0.8
    streams: ClassVar[list[AttentiveStream]] = []

    async def start(self) -> None:
        """Ready at once."""

    async def close(self) -> None:
        """Nothing to free."""

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> AttentiveStream:
        self.streams.append(AttentiveStream(on_event))
        return self.streams[-1]
