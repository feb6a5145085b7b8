"""An application's own voice over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import trustme
from tests.providers.contract import TextToSpeechContract
from tests.providers.fakes.custom_voice import FakeCustomVoice
from tests.providers.fakes.voice_server import KEY, speech
from tests.providers.tts.streams import reply

from antiphon.errors import ConfigurationError, ProviderError, RequestFailed
from antiphon.providers.base import TextToSpeech, VoiceRequest
from antiphon.providers.tts.custom_voice import CustomVoice
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
async def fake(certificate: trustme.LeafCert) -> AsyncIterator[FakeCustomVoice]:
    async with FakeCustomVoice(certificate) as server:
        yield server


@pytest.fixture
async def tts(fake: FakeCustomVoice) -> AsyncIterator[CustomVoice]:
    voice = CustomVoice({"url": f"https://{fake.address}/voice", "secret": KEY, "headers": {"X-Tenant": "a"}})
    await voice.start()
    yield voice
    await voice.close()


class TestContract(TextToSpeechContract):
    async def test_words_follow_each_other_and_come_with_their_audio(self, tts: TextToSpeech) -> None:
        pytest.skip("it times no words")

    async def test_speed(self, tts: TextToSpeech) -> None:
        pytest.skip("its protocol knows no speed")


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 24_000])
async def test_it_is_asked_for_the_calls_own_rate(fake: FakeCustomVoice, tts: CustomVoice, rate_hz: int) -> None:
    audio = AudioFormat(Encoding.PCM16, rate_hz)
    heard = await reply(tts, "Good morning.", "How are you?", audio=audio)
    assert [piece.audio for piece in heard.pieces.values()] == [
        speech(text, audio) for text in ("Good morning.", "How are you?")
    ]
    assert {each["message"]["sampleRate"] for each in fake.received} == {rate_hz}


async def test_what_it_is_told(fake: FakeCustomVoice, tts: CustomVoice) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE, "ann", about={"call": {"id": "c1"}, "type": "no"}))
    stream.say(0, "Good morning.")
    stream.end()
    assert b"".join([chunk.audio async for chunk in stream])
    (sent,) = (each["message"] for each in fake.received)
    assert sent.pop("timestamp") > 0
    assert sent == {
        "call": {"id": "c1"},
        "type": "voice-request",
        "text": "Good morning.",
        "sampleRate": 8000,
        "voiceId": "ann",
    }


async def test_an_address_that_may_not_be_called_is_not(fake: FakeCustomVoice, tts: CustomVoice) -> None:
    asked = []

    async def addresses(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        raise RequestFailed("refused", "a private address")

    tts.addresses = addresses
    with pytest.raises(ProviderError, match="cannot be reached"):
        await reply(tts, "Good morning.")
    assert asked == ["localhost"] and fake.connections == 0


async def test_the_address_that_was_checked_is_the_one_that_is_called(fake: FakeCustomVoice, tts: CustomVoice) -> None:
    async def addresses(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"] if host == "localhost" else []

    tts.addresses = addresses
    assert (await reply(tts, "Good morning.")).audio()


async def test_audio_without_end_is_ended(
    fake: FakeCustomVoice, tts: CustomVoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.providers.tts.http_stream.MOST_AUDIO_S", 2)
    with pytest.raises(ProviderError, match="does not end"):
        await reply(tts, "It goes on and on. " * 20)


@pytest.mark.parametrize(
    ("server", "field"),
    [
        ({}, "voice.server.url"),
        ({"url": "ftp://a.test"}, "voice.server.url"),
        ("https://a.test", "voice.server"),
        ({"url": "https://a.test", "headers": ["a"]}, "voice.server.headers"),
        ({"url": "https://a.test", "headers": {"X-A": "b\r\nX-B: c"}}, "voice.server.headers"),
        ({"url": "https://a.test", "headers": {"X A": "b"}}, "voice.server.headers"),
        ({"url": "https://a.test", "timeoutSeconds": 0}, "voice.server.timeoutSeconds"),
    ],
)
def test_wrong_settings_are_named(server: object, field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        CustomVoice(server)  # type: ignore[arg-type]
    assert wrong.value.field == field
