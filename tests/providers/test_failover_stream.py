"""A reply of several voices: one stream, which goes on when one of them does not."""

from __future__ import annotations

import asyncio

from tests.providers.test_one_shot import EveryWord

from antiphon.providers.base import VoiceRequest
from antiphon.providers.failover import Breakers, FailoverVoice
from antiphon.vocabulary import TELEPHONE


async def reply(*texts: str, voices: list[EveryWord]) -> list[tuple[int, str, bool, bool]]:
    stream = FailoverVoice(voices, Breakers(), lambda *_: None).open(VoiceRequest(TELEPHONE))
    for number, text in enumerate(texts):
        stream.say(number, text)
    stream.end()
    async with asyncio.timeout(60):
        return [(c.piece, " ".join(w.text for w in c.words), c.last, c.whole) async for c in stream]


async def test_a_piece_that_no_voice_can_say_is_ended_and_the_reply_goes_on() -> None:
    one, two = EveryWord(), EveryWord()
    assert await reply("! never", "fine", voices=[one, two]) == [
        (0, "", True, False),
        (1, "fine", False, True),
        (1, "", True, True),
    ]
    assert [request.text for request in two.requests] == ["! never"]


async def test_what_is_known_to_be_left_is_said_by_the_next() -> None:
    one, two = EveryWord(), EveryWord()
    heard = await reply("a b ! c", voices=[one, two])
    assert heard == [(0, "a", False, True), (0, "b", False, True), (0, "", True, False)]
    assert [request.text for request in two.requests] == ["! c"]


async def test_a_voice_lost_while_nothing_was_to_be_said_costs_nothing() -> None:
    class Idle(EveryWord):
        """Its stream ends when it has said its first piece."""

        opened = 0

        def open(self, request: VoiceRequest):  # type: ignore[no-untyped-def]
            from antiphon.providers.one_shot import OneShotStream

            self.opened += 1
            stream = OneShotStream(self, request)
            say = stream.say

            def say_once(piece: int, text: str) -> None:
                say(piece, text)
                OneShotStream.end(stream)

            stream.say = say_once  # type: ignore[method-assign]
            return stream

    voice, failures = Idle(), []
    stream = FailoverVoice([voice], Breakers(), lambda *failed: failures.append(failed)).open(VoiceRequest(TELEPHONE))
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        stream.say(0, "one")
        while not (await anext(chunks)).last:
            pass
        waiting = asyncio.ensure_future(anext(chunks))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done(), "it ends when we say so"
        stream.say(1, "two")
        assert (await waiting).piece == 1
        stream.end()
        assert [chunk.last async for chunk in chunks] == [True]
    assert failures == []
    assert voice.opened == 2
