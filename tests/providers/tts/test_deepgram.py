"""Deepgram's Aura against a fake of it, which the vendor's own package takes for the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Flushed, SpeakV1Metadata, SpeakV1Text
from tests.providers.contract import TextToSpeechContract, speak
from tests.providers.fakes.deepgram_voice import FakeDeepgram
from tests.providers.fakes.voice_server import KEY, speech
from tests.providers.tts.streams import reply, until

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import SpeechRequest, TextToSpeech, VoiceRequest
from antiphon.providers.tts import deepgram as module
from antiphon.providers.tts.deepgram import DeepgramTextToSpeech
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

pytestmark = pytest.mark.usefixtures("trusted")
PCM16 = AudioFormat(Encoding.PCM16, 24000)


@pytest.fixture
async def fake(certificate: trustme.LeafCert) -> AsyncIterator[FakeDeepgram]:
    async with FakeDeepgram(certificate) as server:
        yield server


def voice_at(fake: FakeDeepgram, **options: object) -> DeepgramTextToSpeech:
    return DeepgramTextToSpeech(api_key=KEY, base_url=f"wss://{fake.address}", **options)  # type: ignore[arg-type]


@pytest.fixture
async def tts(fake: FakeDeepgram) -> AsyncIterator[DeepgramTextToSpeech]:
    voice = voice_at(fake)
    await voice.start()
    yield voice
    await voice.close()


class TestContract(TextToSpeechContract):
    async def test_words_follow_each_other_and_come_with_their_audio(self, tts: TextToSpeech) -> None:
        pytest.skip("it times no words")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package's own, about websockets
async def test_the_vendors_own_package_is_spoken_to(fake: FakeDeepgram) -> None:
    here = DeepgramClientEnvironment(
        base=f"https://{fake.address}", production=f"wss://{fake.address}", agent="", agent_rest=""
    )
    audio, flushed = b"", 0
    client = AsyncDeepgramClient(api_key=KEY, environment=here)
    async with client.speak.v1.connect(model="aura-2-thalia-en", encoding="mulaw", sample_rate=8000) as connection:
        await connection.send_text(SpeakV1Text(text="Good morning."))
        await connection.send_flush()
        async for message in connection:
            if isinstance(message, bytes):
                audio += message
            elif message.type == "Flushed":
                flushed += 1
                break
    assert audio == speech("Good morning.", TELEPHONE)
    assert flushed == 1


async def test_what_comes_over_the_wire_is_what_the_vendors_types_say(
    fake: FakeDeepgram, tts: DeepgramTextToSpeech
) -> None:
    await reply(tts, "Good morning.", "How are you?")
    metadata, *flushed = fake.sent
    SpeakV1Metadata.model_validate(metadata)
    assert [SpeakV1Flushed.model_validate(each).sequence_id for each in flushed] == [0, 1]
    assert [SpeakV1Text.model_validate(each).text for each in fake.received if each["type"] == "Speak"] == [
        "Good morning.",
        "How are you?",
    ]


@pytest.mark.parametrize("audio", [TELEPHONE, PCM16])
async def test_pieces_are_exact(fake: FakeDeepgram, tts: DeepgramTextToSpeech, audio: AudioFormat) -> None:
    fake.odd_messages = True
    heard = await reply(tts, "Good morning.", "How are you?", audio=audio)
    assert [piece.audio for piece in heard.pieces.values()] == [
        speech("Good morning.", audio),
        speech("How are you?", audio),
    ]


async def test_a_long_reply_stays_within_the_limit_of_flushes(fake: FakeDeepgram, tts: DeepgramTextToSpeech) -> None:
    texts = [f"This is sentence {number}." for number in range(45)]
    heard = await reply(tts, *texts)
    assert [piece.audio for piece in heard.pieces.values()] == [speech(text, TELEPHONE) for text in texts]
    assert fake.most_flushes == 20
    assert len(fake.requests) == 3


async def test_so_does_one_that_comes_a_piece_at_a_time(fake: FakeDeepgram, tts: DeepgramTextToSpeech) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        for number in range(23):
            stream.say(number, "And so on.")
            while not (chunk := await anext(chunks)).last:
                pass
            assert chunk.piece == number
        stream.end()
        assert [chunk async for chunk in chunks] == []
    assert fake.most_flushes == 20


async def test_a_cancelled_reply_is_cleared_and_its_connection_kept(
    fake: FakeDeepgram, tts: DeepgramTextToSpeech
) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning. " * 20)
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        await anext(chunks)
        await stream.cancel()
        await chunks.aclose()  # type: ignore[attr-defined]
    await until(lambda: [socket.in_use for socket in tts.pool.sockets] == [0])
    heard = await reply(tts, "Good day.")
    assert heard.audio() == speech("Good day.", TELEPHONE), "nothing of the cancelled one is heard"
    assert len(fake.requests) == 1


async def test_a_connection_that_is_never_cleared_is_replaced(
    fake: FakeDeepgram, tts: DeepgramTextToSpeech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLEARED_WITHIN_S", 0.02)
    fake.answers_clear = False
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning. " * 20)
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        await anext(chunks)
        await stream.cancel()
        await chunks.aclose()  # type: ignore[attr-defined]
    await until(lambda: not tts.pool.sockets)
    assert (await reply(tts, "Good day.")).audio() == speech("Good day.", TELEPHONE)


async def test_replies_at_once_have_a_connection_each(fake: FakeDeepgram, tts: DeepgramTextToSpeech) -> None:
    texts = [f"This is reply number {number}." for number in range(5)]
    heard = await asyncio.gather(*(reply(tts, text) for text in texts))
    assert [each.audio() for each in heard] == [speech(text, TELEPHONE) for text in texts]
    assert 2 <= len(fake.requests) <= 5


async def test_connections_are_bounded(fake: FakeDeepgram) -> None:
    voice = voice_at(fake, sockets=2)
    held = [voice.open(VoiceRequest(TELEPHONE)) for _ in range(2)]
    chunks = []
    for stream in held:
        stream.say(0, "Good morning. " * 20)
        chunks.append(aiter(stream))
    async with asyncio.timeout(60):
        for each in chunks:
            await anext(each)
        with pytest.raises(ProviderError, match="sockets"):
            await reply(voice, "Good day.")
        for each in chunks:
            await each.aclose()  # type: ignore[attr-defined]
    await voice.close()


@pytest.mark.parametrize(
    ("options", "voice", "model"),
    [
        ({}, "", "aura-2-thalia-en"),
        ({"language": "es"}, "celeste", "aura-2-celeste-es"),
        ({"model": "aura"}, "luna", "aura-luna-en"),
        ({}, "aura-asteria-en", "aura-asteria-en"),
    ],
)
async def test_a_voice_is_a_model_a_name_and_a_language(
    fake: FakeDeepgram, options: dict[str, object], voice: str, model: str
) -> None:
    assert f"model={model}&" in voice_at(fake, **options).url(VoiceRequest(TELEPHONE, voice))


async def test_speed_is_kept_within_what_the_vendor_takes(fake: FakeDeepgram) -> None:
    voice = voice_at(fake)
    for speed in (0.1, 9.0):
        await speak(voice, SpeechRequest("Good day.", TELEPHONE, speed=speed))
    await voice.close()
    assert ["speed=0.7" in fake.requests[0].path, "speed=1.5" in fake.requests[1].path] == [True, True]


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        DeepgramTextToSpeech()
    assert wrong.value.field == "tts.api_key"
