"""Listening to a reply that comes piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.providers.contract import PATIENCE_S

from antiphon.providers.base import StreamingVoice, VoiceRequest, VoiceStream
from antiphon.vocabulary import TELEPHONE, AudioFormat, WordTiming


async def until(happened: Callable[[], bool]) -> None:
    """Asked again and again, within the patience of all tests."""
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while not happened():
        assert asyncio.get_running_loop().time() < deadline_s, "it never happened"
        await asyncio.sleep(0.005)


@dataclass
class HeardPiece:
    audio: bytes = b""
    words: list[WordTiming] = field(default_factory=list)
    over: bool = False


@dataclass
class Heard:
    """What came of a reply, in the order in which it came."""

    pieces: dict[int, HeardPiece] = field(default_factory=dict)

    def audio(self) -> bytes:
        return b"".join(piece.audio for piece in self.pieces.values())

    def texts(self) -> list[str]:
        """What the voice told of its words."""
        return [" ".join(word.text for word in piece.words) for piece in self.pieces.values()]


async def hear(stream: VoiceStream, audio: AudioFormat, heard: Heard | None = None) -> Heard:
    """All of it. What every stream must do is checked on the way; ``heard`` has what came before a failure."""
    heard = heard if heard is not None else Heard()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in stream:
                assert all(piece.over for number, piece in heard.pieces.items() if number != chunk.piece)
                piece = heard.pieces.setdefault(chunk.piece, HeardPiece())
                assert not piece.over, "nothing comes after the last chunk of a piece"
                assert len(chunk.audio) % audio.bytes_per_sample == 0
                piece.audio += chunk.audio
                piece.words += chunk.words
                piece.over = chunk.last
    finally:
        await stream.cancel()
    assert all(piece.over for piece in heard.pieces.values())
    return heard


async def reply(
    voice: StreamingVoice, *texts: str, audio: AudioFormat = TELEPHONE, heard: Heard | None = None
) -> Heard:
    """A whole reply, said at once."""
    stream = voice.open(VoiceRequest(audio))
    for number, text in enumerate(texts):
        stream.say(number, text)
    stream.end()
    return await hear(stream, audio, heard)
