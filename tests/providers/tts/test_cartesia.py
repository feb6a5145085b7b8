"""Cartesia against a fake of it, which the vendor's own package takes for the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme
from cartesia import AsyncCartesia
from cartesia.types.websocket_response import WebsocketResponse
from pydantic import TypeAdapter
from tests.providers.contract import TextToSpeechContract, speak
from tests.providers.fakes.cartesia_voice import FakeCartesia
from tests.providers.fakes.voice_server import KEY, speech
from tests.providers.tts.streams import hear, reply, until

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import SpeechRequest, VoiceRequest
from antiphon.providers.tts.cartesia import CartesiaTextToSpeech
from antiphon.vocabulary import TELEPHONE, WordTiming

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
async def fake(certificate: trustme.LeafCert) -> AsyncIterator[FakeCartesia]:
    async with FakeCartesia(certificate) as server:
        yield server


def voice_at(fake: FakeCartesia, **options: object) -> CartesiaTextToSpeech:
    return CartesiaTextToSpeech(api_key=KEY, base_url=f"wss://{fake.address}", **options)  # type: ignore[arg-type]


@pytest.fixture
async def tts(fake: FakeCartesia) -> AsyncIterator[CartesiaTextToSpeech]:
    voice = voice_at(fake)
    await voice.start()
    yield voice
    await voice.close()


class TestContract(TextToSpeechContract):
    pass


async def test_the_vendors_own_package_is_spoken_to(fake: FakeCartesia) -> None:
    fake.flushes_by_itself = False
    audio, flushes, words = b"", [], []
    async with (
        AsyncCartesia(api_key=KEY, websocket_base_url=f"wss://{fake.address}") as client,
        client.tts.websocket_connect() as connection,
    ):
        context = connection.context(
            model_id="sonic-3.5", voice={"mode": "id", "id": "v"}, language="en", add_timestamps=True,
            output_format={"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
        )  # fmt: skip
        await context.push("Good morning. ")
        await context.push("", flush=True)
        await context.push("How are you? ")
        await context.no_more_inputs()
        async for response in context.receive():
            if response.type == "chunk":
                audio += response.audio or b""
            elif response.type == "flush_done":
                flushes.append(response.flush_id)
            elif response.type == "timestamps" and response.word_timestamps:
                words += response.word_timestamps.words
    assert audio == speech("Good morning. How are you? ", TELEPHONE)
    assert flushes == [1]
    assert words == ["Good", "morning.", "How", "are", "you?"]


async def test_what_comes_over_the_wire_is_what_the_vendors_types_say(
    fake: FakeCartesia, tts: CartesiaTextToSpeech
) -> None:
    await reply(tts, "Good morning.", "How are you?")
    for message in fake.sent:
        TypeAdapter(WebsocketResponse).validate_python(message)
    first, *_, last = fake.received
    assert first["transcript"] == "Good morning. "
    assert (last["transcript"], last["continue"]) == ("", False)


@pytest.mark.parametrize("by_itself", [True, False])
@pytest.mark.parametrize("of_flush", [True, False])
async def test_pieces_and_words_are_exact(
    fake: FakeCartesia, tts: CartesiaTextToSpeech, by_itself: bool, of_flush: bool
) -> None:
    fake.flushes_by_itself, fake.times_of_flush = by_itself, of_flush
    heard = await reply(tts, "Good morning.", "How are you?")
    assert heard.audio() == speech("Good morning. How are you? ", TELEPHONE)
    assert [TELEPHONE.ms_of(len(piece.audio)) for piece in heard.pieces.values()] == [14 * 60, 13 * 60]
    assert heard.pieces[0].words == [WordTiming("Good", 0, 240), WordTiming("morning.", 300, 780)]
    assert heard.pieces[1].words == [
        WordTiming("How", 0, 180),
        WordTiming("are", 240, 420),
        WordTiming("you?", 480, 720),
    ]


async def test_words_without_their_marks_are_those_that_were_said(
    fake: FakeCartesia, tts: CartesiaTextToSpeech
) -> None:
    fake.strips_marks = True
    assert (await reply(tts, "Good morning, Ann.", "How are you?")).texts() == ["Good morning, Ann.", "How are you?"]


async def test_a_piece_that_comes_when_the_context_has_expired_gets_a_new_one(
    fake: FakeCartesia, tts: CartesiaTextToSpeech
) -> None:
    fake.expires_s = 0.05
    stream = tts.open(VoiceRequest(TELEPHONE))
    chunks = aiter(stream)
    said = []
    async with asyncio.timeout(60):
        for number, text in enumerate(["Good morning.", "How are you?"]):
            stream.say(number, text)
            while not (chunk := await anext(chunks)).last:
                said.append((chunk.piece, chunk.audio))
            await until(lambda: fake.sent[-1]["type"] == "done")
        stream.end()
        assert [chunk async for chunk in chunks] == []
    assert {piece for piece, _ in said} == {0, 1}
    contexts = {message["context_id"] for message in fake.received}
    assert len(contexts) == 2


async def test_a_piece_said_to_a_context_that_is_just_going_is_said_again(
    fake: FakeCartesia, tts: CartesiaTextToSpeech
) -> None:
    fake.expires_s = 0.05
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning.")

    def say_more() -> None:
        fake.when_over = lambda: None
        stream.say(1, "How are you?")
        stream.end()

    fake.when_over = say_more
    heard = await hear(stream, TELEPHONE)
    assert heard.texts() == ["Good morning.", "How are you?"]
    assert heard.audio() == speech("Good morning. ", TELEPHONE) + speech("How are you? ", TELEPHONE)


async def test_replies_share_a_connection_and_do_not_mix(fake: FakeCartesia, tts: CartesiaTextToSpeech) -> None:
    texts = [f"This is reply number {number}." for number in range(12)]
    heard = await asyncio.gather(*(reply(tts, text) for text in texts))
    assert [each.texts() for each in heard] == [[text] for text in texts]
    assert len(fake.requests) == 1


async def test_a_cancelled_reply_is_cancelled_at_the_vendors(fake: FakeCartesia, tts: CartesiaTextToSpeech) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning. " * 20)
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        await anext(chunks)
        await stream.cancel()
        await until(lambda: fake.cancelled == 1)
    await chunks.aclose()  # type: ignore[attr-defined]
    assert [socket.in_use for socket in tts.pool.sockets] == [0]
    assert (await reply(tts, "Good day.")).texts() == ["Good day."]


async def test_settings_go_over_the_wire(fake: FakeCartesia) -> None:
    voice = voice_at(fake, volume=1.5, emotion="calm", model="m", language="fr")
    await speak(voice, SpeechRequest("Good day.", TELEPHONE, "ann", 9.0, "de"))
    await voice.close()
    sent = fake.received[0]
    assert sent["generation_config"] == {"volume": 1.5, "emotion": "calm", "speed": 1.5}
    assert (sent["model_id"], sent["language"], sent["voice"]) == ("m", "fr", {"mode": "id", "id": "ann"})


@pytest.mark.parametrize(
    ("options", "field"),
    [({"api_key": ""}, "tts.api_key"), ({"volume": 9.0}, "tts.volume"), ({"base_url": "x"}, "tts.base_url")],
)
def test_wrong_settings_are_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        CartesiaTextToSpeech(**{"api_key": "k", **options})  # type: ignore[arg-type]
    assert wrong.value.field == field


async def test_a_vendor_that_refuses_the_key_says_so_at_the_start(fake: FakeCartesia) -> None:
    with pytest.raises(ProviderError, match="api_key"):
        await CartesiaTextToSpeech(api_key="wrong", base_url=f"https://{fake.address}").start()
