"""A reply by a voice that speaks one text at a time, and one text by a voice that takes replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.providers.contract import speak

from antiphon.errors import ProviderError
from antiphon.providers.base import SpeechChunk, SpeechRequest, StreamingVoice, VoiceChunk, VoiceRequest
from antiphon.providers.one_shot import OneShotStream, open_voice, speak_once
from antiphon.providers.tts.spoken_voice import SpokenVoice
from antiphon.vocabulary import TELEPHONE, WordTiming


class EveryWord:
    """Says a word each 100 ms; ``!`` fails."""

    name = "every-word"
    formats = (TELEPHONE,)

    def __init__(self) -> None:
        self.requests: list[SpeechRequest] = []
        self.closed = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        self.requests.append(request)
        try:
            for at, word in enumerate(request.text.split()):
                if word == "!":
                    raise ProviderError(self.name, "no")
                yield SpeechChunk(b"\x10" * 800, (WordTiming(word, 100 * at, 100 * at + 100),))
        finally:
            self.closed += 1


class Taking(EveryWord):
    """Takes a reply piece by piece."""

    def open(self, request: VoiceRequest) -> OneShotStream:
        return OneShotStream(self, request)


async def heard(stream: AsyncIterator[VoiceChunk]) -> list[tuple[int, str, bool]]:
    async with asyncio.timeout(60):
        return [(c.piece, " ".join(word.text for word in c.words), c.last) async for c in stream]


async def test_pieces_are_ended_one_by_one() -> None:
    voice = EveryWord()
    stream = open_voice(voice, VoiceRequest(TELEPHONE, "ann", 1.5, "de"))
    stream.say(3, "one two")
    stream.say(4, "")
    stream.say(5, "three")
    stream.end()
    assert await heard(aiter(stream)) == [
        (3, "one", False), (3, "two", False), (3, "", True), (4, "", True), (5, "three", False), (5, "", True),
    ]  # fmt: skip
    assert voice.requests[0] == SpeechRequest("one two", TELEPHONE, "ann", 1.5, "de")
    assert voice.closed == 3


async def test_what_comes_later_is_waited_for() -> None:
    stream = open_voice(EveryWord(), VoiceRequest(TELEPHONE))
    chunks = aiter(stream)
    waiting = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.say(0, "one")
    async with asyncio.timeout(60):
        assert (await waiting).piece == 0
    await chunks.aclose()  # type: ignore[attr-defined]


async def test_a_cancelled_stream_closes_the_speech() -> None:
    voice = EveryWord()
    stream = open_voice(voice, VoiceRequest(TELEPHONE))
    stream.say(0, "one two three")
    async for _ in stream:
        break
    await stream.cancel()
    await stream.cancel()
    assert voice.closed == 1


async def test_a_failure_comes_out() -> None:
    stream = open_voice(EveryWord(), VoiceRequest(TELEPHONE))
    stream.say(0, "one !")
    with pytest.raises(ProviderError):
        await heard(aiter(stream))


async def test_a_voice_that_takes_replies_is_asked_itself() -> None:
    voice = Taking()
    assert isinstance(voice, StreamingVoice)
    assert not isinstance(EveryWord(), StreamingVoice)
    chunks = [chunk async for chunk in speak_once(voice, SpeechRequest("one two", TELEPHONE, "ann"))]
    assert [word.text for chunk in chunks for word in chunk.words] == ["one", "two"]
    assert voice.requests == [SpeechRequest("one two", TELEPHONE, "ann")]
    assert [chunk async for chunk in speak_once(voice, SpeechRequest("  ", TELEPHONE))] == []


@pytest.mark.parametrize("voice", [EveryWord(), Taking()], ids=["one-shot", "streaming"])
async def test_what_was_written_is_told_of_every_piece(voice: EveryWord) -> None:
    stream = SpokenVoice(voice, "en").open(VoiceRequest(TELEPHONE))
    for number, text in enumerate(["It is $5.", "✅", "At 3:30 PM, Ann."]):
        stream.say(number, text)
    stream.end()
    told: dict[int, list[WordTiming]] = {0: [], 1: [], 2: []}
    last = []
    async with asyncio.timeout(60):
        async for chunk in stream:
            told[chunk.piece] += chunk.words
            last += [chunk.piece] if chunk.last else []
    assert " ".join(word.text for word in told[0]) == "It is $5."
    assert told[0][2] == WordTiming("$5.", 200, 400)
    assert " ".join(word.text for word in told[2]) == "At 3:30 PM, Ann."
    assert last == [0, 1, 2]
    assert voice.requests[-1].language == "en"


async def test_one_text_is_spoken_the_same_way_by_both() -> None:
    request = SpeechRequest("It is $5, Ann.", TELEPHONE)
    assert await speak(SpokenVoice(EveryWord()), request) == await speak(SpokenVoice(Taking()), request)
