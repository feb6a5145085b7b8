"""Callers for vendors' recognisers: pushes speech as a call does, and tells what was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.providers.contract import Ear
from tests.providers.fakes.speech import say, silence

from antiphon.providers.base import ExpectedAnswers, Transcribed
from antiphon.providers.stt.streamed import StreamedSpeechToText
from antiphon.vocabulary import AudioFormat

PIECE_MS = 20
LATE_MS = 120
"""Voice-activity detection opens an utterance so long after it began."""


class VendorCall:
    """One call's stream, and an ear that hears what it tells."""

    def __init__(self, stt: StreamedSpeechToText, audio: AudioFormat | None = None) -> None:
        self.audio = audio or stt.formats[0]
        self.ear = Ear()
        self.continuous = stt.continuous
        self.stream = stt.open(self.audio, ExpectedAnswers(), self.ear)

    async def connected(self) -> None:
        """The connection takes audio: only then does the vendor hear it as it is said."""
        async with asyncio.timeout(60):
            while not self.stream.socket.is_ready:  # noqa: ASYNC110
                await asyncio.sleep(0.002)

    async def push(self, data: bytes, *, begin: int = 0) -> None:
        """Frame by frame, letting the loop run between them; ``begin`` opens an utterance a little after the speech began."""
        step = self.audio.bytes_for_ms(PIECE_MS)
        late = self.audio.bytes_for_ms(LATE_MS) if self.continuous else 0
        for start in range(0, len(data), step):
            if begin and start >= late:
                self.stream.begin(begin)
                begin = 0
            self.stream.push(data[start : start + step])
            await asyncio.sleep(0)

    async def utter(self, utterance: int, text: str, *, quiet_ms: int = 200) -> None:
        """A whole utterance, with the silence by which its end is heard."""
        await self.push(say(text, self.audio) + silence(quiet_ms, self.audio), begin=utterance)
        self.stream.finish(utterance)

    async def answer(self, utterance: int, text: str) -> str:
        """Utter, and the final words."""
        await self.utter(utterance, text)
        return (await self.texts(utterance))[-1]

    async def texts(self, count: int) -> Sequence[str]:
        """Of the first ``count`` answers; a failure is told as such."""
        answers = await self.ear.wait_for(count)
        return [each.text if isinstance(each, Transcribed) else f"({each.problem})" for each in answers]
