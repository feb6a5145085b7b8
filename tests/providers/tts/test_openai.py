"""OpenAI's voices against a fake of them, which the vendor's own package takes for the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import trustme
from openai import AsyncOpenAI
from tests.providers.contract import TextToSpeechContract, speak
from tests.providers.fakes.openai_voice import NATIVE, FakeOpenAI
from tests.providers.fakes.voice_server import KEY, speech
from tests.providers.tts.streams import reply

from antiphon.audio import codec
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import SpeechRequest, TextToSpeech, VoiceRequest
from antiphon.providers.tts.openai import OpenAITextToSpeech
from antiphon.vocabulary import TELEPHONE

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
async def fake(certificate: trustme.LeafCert) -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(certificate) as server:
        yield server


def voice_at(fake: FakeOpenAI, **options: object) -> OpenAITextToSpeech:
    return OpenAITextToSpeech(api_key=KEY, base_url=f"https://{fake.address}/v1", **options)  # type: ignore[arg-type]


@pytest.fixture
async def tts(fake: FakeOpenAI) -> AsyncIterator[OpenAITextToSpeech]:
    voice = voice_at(fake)
    await voice.start()
    yield voice
    await voice.close()


class TestContract(TextToSpeechContract):
    async def test_words_follow_each_other_and_come_with_their_audio(self, tts: TextToSpeech) -> None:
        pytest.skip("it times no words")


async def test_the_vendors_own_package_is_spoken_to(fake: FakeOpenAI) -> None:
    async with (
        AsyncOpenAI(api_key=KEY, base_url=f"https://{fake.address}/v1", max_retries=0) as client,
        client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts", voice="marin", input="Good morning.", response_format="pcm"
        ) as answer,
    ):
        audio = b"".join([part async for part in answer.iter_bytes()])
    assert audio == speech("Good morning.", NATIVE)


async def test_pieces_are_exact(tts: OpenAITextToSpeech) -> None:
    texts = ["Good morning.", "How are you?"]
    heard = await reply(tts, *texts, audio=NATIVE)
    assert [piece.audio for piece in heard.pieces.values()] == [speech(text, NATIVE) for text in texts]
    heard = await reply(tts, *texts)
    assert [len(piece.audio) for piece in heard.pieces.values()] == [len(speech(text, TELEPHONE)) for text in texts]


async def test_a_telephones_audio_begins_with_the_speech_and_not_with_the_filter(tts: OpenAITextToSpeech) -> None:
    heard = codec.decode_to_float((await reply(tts, "Good morning.")).audio(), TELEPHONE.encoding)
    made = codec.decode_to_float(speech("Good morning.", TELEPHONE), TELEPHONE.encoding)
    shifts = {shift: float(np.dot(heard[100:4000], made[100 + shift : 4000 + shift])) for shift in range(-20, 21)}
    assert abs(max(shifts, key=shifts.__getitem__)) <= 1


async def test_connections_are_kept(fake: FakeOpenAI, tts: OpenAITextToSpeech) -> None:
    for _ in range(3):
        await reply(tts, "Good morning.", "How are you?")
    assert fake.connections == 1


async def test_a_cancelled_reply_stops_the_request(fake: FakeOpenAI, tts: OpenAITextToSpeech) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning. " * 20)
    stream.say(1, "Never said.")
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        await anext(chunks)
        await stream.cancel()
        await chunks.aclose()  # type: ignore[attr-defined]
    assert [request["input"] for request in fake.received] == [("Good morning. " * 20).strip()]
    assert (await reply(tts, "Good day.")).audio()


async def test_settings_go_over_the_wire(fake: FakeOpenAI) -> None:
    voice = voice_at(fake, instructions="Whisper.", language="de", model="m")
    await speak(voice, SpeechRequest("Good day.", TELEPHONE, "ann", 9.0))
    await voice.close()
    (sent,) = fake.received
    assert sent["instructions"] == "Whisper. Speak the language de (ISO 639-1)."
    assert (sent["model"], sent["voice"], sent["speed"]) == ("m", "ann", 4.0)


async def test_a_vendor_that_refuses_the_key_says_so_at_the_start(fake: FakeOpenAI) -> None:
    voice = OpenAITextToSpeech(api_key="wrong", base_url=f"https://{fake.address}/v1")
    with pytest.raises(ProviderError, match="api_key"):
        await voice.start()
    await voice.close()


@pytest.mark.parametrize(
    ("options", "field"), [({"api_key": ""}, "tts.api_key"), ({"instructions": "x" * 5000}, "tts.instructions")]
)
def test_wrong_settings_are_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        OpenAITextToSpeech(**{"api_key": "k", **options})  # type: ignore[arg-type]
    assert wrong.value.field == field
