"""Every vendor's voice, and everything that may go wrong with it: one clear error, in time, and the next reply is well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
import trustme
from tests.providers.fakes.cartesia_voice import FakeCartesia
from tests.providers.fakes.custom_voice import FakeCustomVoice
from tests.providers.fakes.deepgram_voice import FakeDeepgram
from tests.providers.fakes.elevenlabs_voice import FakeElevenLabs
from tests.providers.fakes.openai_voice import FakeOpenAI
from tests.providers.fakes.voice_server import KEY, MS_PER_CHARACTER, FakeVoiceServer, Fault
from tests.providers.tts.streams import Heard, hear, reply

from antiphon.errors import ProviderError, ProviderTimeout, ProviderUnavailable
from antiphon.providers.base import StreamingVoice, VoiceRequest
from antiphon.providers.failover import Breakers, FailoverVoice
from antiphon.providers.scripted import ScriptedTextToSpeech
from antiphon.providers.tts.cartesia import CartesiaTextToSpeech
from antiphon.providers.tts.custom_voice import CustomVoice
from antiphon.providers.tts.deepgram import DeepgramTextToSpeech
from antiphon.providers.tts.elevenlabs import ElevenLabsTextToSpeech
from antiphon.providers.tts.openai import OpenAITextToSpeech
from antiphon.vocabulary import TELEPHONE

pytestmark = pytest.mark.usefixtures("trusted")


def _of_an_application(api_key: str, base_url: str, audio_timeout_ms: int = 5000) -> CustomVoice:
    return CustomVoice({"url": base_url, "secret": api_key, "timeoutSeconds": audio_timeout_ms / 1000})


VENDORS: dict[str, tuple[Callable[[trustme.LeafCert], Any], Callable[..., Any], str]] = {
    "elevenlabs": (FakeElevenLabs, ElevenLabsTextToSpeech, ""),
    "cartesia": (FakeCartesia, CartesiaTextToSpeech, ""),
    "deepgram": (FakeDeepgram, DeepgramTextToSpeech, ""),
    "openai": (FakeOpenAI, OpenAITextToSpeech, "/v1"),
    "custom-voice": (FakeCustomVoice, _of_an_application, "/voice"),
}
OWN_NAMES = {"401": "voice.server.secret", "404": "voice.server.url"}
SECRET = "The secret is swordfish, and nobody may know of it but you and me."
PATIENT_MS = 60_000
QUICK_MS = 300


@dataclass
class Stage:
    name: str
    fake: Any
    voice_class: Callable[..., Any]
    path: str

    def voice(self, **options: Any) -> Any:
        return self.voice_class(**{"api_key": KEY, "base_url": f"https://{self.fake.address}{self.path}", **options})

    async def fails(self, voice: StreamingVoice, heard: Heard | None = None) -> ProviderError:
        with pytest.raises(ProviderError) as failed:
            await reply(voice, SECRET, "And more.", heard=heard)
        assert failed.value.provider == self.name
        assert "swordfish" not in str(failed.value)
        assert KEY not in str(failed.value)
        return failed.value

    async def is_well(self, voice: StreamingVoice) -> None:
        """After all, or after the vendor has been left alone for as long as it asked."""
        self.fake.fault = ""
        heard = await reply(voice, "Good day.", "And goodbye.")
        assert all(piece.audio for piece in heard.pieces.values())


@pytest.fixture(params=VENDORS)
async def stage(request: pytest.FixtureRequest, certificate: trustme.LeafCert) -> AsyncIterator[Stage]:
    make, voice_class, path = VENDORS[request.param]
    async with make(certificate) as fake:
        yield Stage(request.param, fake, voice_class, path)


@pytest.mark.parametrize(
    ("status", "named"), [("401", "api_key"), ("404", "voiceId"), ("429", "limit"), ("503", "503")]
)
async def test_a_refusal_is_one_line_that_names_the_setting(stage: Stage, status: Fault, named: str) -> None:
    voice = stage.voice()
    stage.fake.fault = status
    with structlog.testing.capture_logs() as logs:
        problem = await stage.fails(voice)
    assert isinstance(problem, ProviderUnavailable)
    assert OWN_NAMES.get(status, named) in str(problem) if stage.name == "custom-voice" else named in str(problem)
    assert [entry["event"] for entry in logs] == ["voice_refused"]
    assert "swordfish" not in str(logs)
    await voice.close()


async def test_a_vendor_that_asks_for_a_pause_is_left_alone_and_then_asked_again(stage: Stage) -> None:
    voice = stage.voice()
    stage.fake.fault, stage.fake.retry_after = "429", "0.2"
    await stage.fails(voice)
    stage.fake.fault = ""
    asked = await stage.fails(voice)
    assert "asked again" in str(asked)
    await asyncio.sleep(0.25)
    await stage.is_well(voice)
    await voice.close()


@pytest.mark.parametrize("fault", ["stall", "stall midway"])
async def test_a_vendor_that_goes_silent_is_given_up_in_time(stage: Stage, fault: Fault) -> None:
    voice = stage.voice(audio_timeout_ms=QUICK_MS)
    stage.fake.fault = fault
    heard = Heard()
    assert isinstance(await stage.fails(voice, heard), ProviderTimeout)
    assert bool(heard.audio()) == (fault == "stall midway")
    await voice.close()
    other = stage.voice()
    await stage.is_well(other)
    await other.close()


async def test_a_connection_cut_amid_a_sentence(stage: Stage) -> None:
    voice = stage.voice(audio_timeout_ms=PATIENT_MS)
    stage.fake.fault = "cut"
    heard = Heard()
    problem = await stage.fails(voice, heard)
    assert isinstance(problem, ProviderUnavailable)
    assert heard.audio()
    assert not heard.pieces[0].over
    assert 1 not in heard.pieces
    await stage.is_well(voice)
    await voice.close()


async def test_nothing_but_silence_is_no_speech(stage: Stage) -> None:
    voice = stage.voice(audio_timeout_ms=PATIENT_MS)
    stage.fake.fault = "silence"
    heard = Heard()
    assert "silence" in str(await stage.fails(voice, heard))
    assert heard.audio() == b"", "none of it is passed on: another voice may still say all of it"
    await stage.is_well(voice)
    await voice.close()


@pytest.mark.parametrize("fault", ["garbage", "error", "not base64", "wrong context"])
async def test_what_cannot_be_used_is_an_error(stage: Stage, fault: Fault) -> None:
    if fault in ("not base64", "wrong context") and stage.name in ("deepgram", "openai", "custom-voice"):
        pytest.skip("it has no such thing")
    voice = stage.voice(audio_timeout_ms=QUICK_MS if fault == "wrong context" else PATIENT_MS)
    stage.fake.fault = fault
    heard = Heard()
    await stage.fails(voice, heard)
    assert heard.audio() == b""
    other = stage.voice()
    await stage.is_well(other)
    for each in (voice, other):
        await each.close()


async def test_a_vendor_that_is_not_there(stage: Stage) -> None:
    voice = stage.voice(base_url="https://localhost:9")
    problem = await stage.fails(voice)
    assert "base_url" in str(problem)
    await voice.close()


async def test_a_certificate_of_nobody_we_trust(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    voice = stage.voice()
    problem = await stage.fails(voice)
    assert isinstance(problem, ProviderUnavailable)
    await voice.close()


async def test_a_reply_that_is_cancelled_tells_nothing_more(stage: Stage) -> None:
    voice = stage.voice()
    stream = voice.open(VoiceRequest(TELEPHONE))
    stream.say(0, SECRET)
    stream.end()
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        await anext(chunks)
        await stream.cancel()
        await chunks.aclose()
    await stage.is_well(voice)
    await voice.close()
    await voice.close()


# ---------------------------------------------------------------------------------------------- with another voice behind it


@dataclass
class Together:
    """A vendor's voice, and one of this machine that stands in."""

    voice: FailoverVoice
    failures: list[tuple[str, str]]

    async def says(self, *texts: str) -> Heard:
        stream = self.voice.open(VoiceRequest(TELEPHONE))
        for number, text in enumerate(texts):
            stream.say(number, text)
        stream.end()
        return await hear(stream, TELEPHONE)


STANDS_IN = ScriptedTextToSpeech(ms_per_character=10)


def together(voice: Any) -> Together:
    failures: list[tuple[str, str]] = []
    return Together(FailoverVoice([voice, STANDS_IN], Breakers(), lambda *each: failures.append(each)), failures)


def length_ms(audio: bytes) -> float:
    return TELEPHONE.ms_of(len(audio))


@pytest.mark.parametrize(
    "fault", ["401", "404", "429", "503", "stall", "silence", "garbage", "wrong context", "error", "not base64"]
)
async def test_what_a_vendor_does_not_say_is_said_by_another_voice(stage: Stage, fault: Fault) -> None:
    """All of it, and once; the vendor's refusals, its quota and its silence are for the log, without words or key."""
    if fault in ("not base64", "wrong context") and stage.name in ("deepgram", "openai", "custom-voice"):
        pytest.skip("it has no such thing")
    vendor = stage.voice(audio_timeout_ms=QUICK_MS if fault in ("wrong context", "stall") else PATIENT_MS)
    stage.fake.fault, stage.fake.retry_after = fault, "30"
    both = together(vendor)
    with structlog.testing.capture_logs() as logs:
        heard = await both.says(SECRET, "And more.")
    for piece, text in zip(heard.pieces.values(), (SECRET, "And more."), strict=True):
        assert length_ms(piece.audio) == STANDS_IN.duration_ms(text)
    assert {provider for provider, _ in both.failures} == {stage.name}
    assert "swordfish" not in str(logs) and KEY not in str(logs)
    await vendor.close()


@pytest.mark.parametrize("fault", ["stall midway", "cut"])
async def test_a_sentence_in_which_a_vendor_fails_is_not_begun_again(stage: Stage, fault: Fault) -> None:
    vendor = stage.voice(audio_timeout_ms=QUICK_MS if fault == "stall midway" else PATIENT_MS)
    stage.fake.fault = fault
    both = together(vendor)
    heard = await both.says(SECRET, "And more.")
    assert 0 < length_ms(heard.pieces[0].audio) < MS_PER_CHARACTER * len(SECRET)
    assert length_ms(heard.pieces[1].audio) == STANDS_IN.duration_ms("And more.")
    words = " ".join(word.text for word in heard.pieces[0].words).split()
    assert words == SECRET.split()[: len(words)], "nothing twice"
    await vendor.close()


async def test_a_key_that_expires_amid_a_call(stage: Stage) -> None:
    vendor = stage.voice()
    both = together(vendor)
    assert length_ms((await both.says("Good day.")).pieces[0].audio) > STANDS_IN.duration_ms("Good day.")
    stage.fake.fault = "401"
    if isinstance(stage.fake, FakeVoiceServer):  # over HTTP each request tells the key
        for connection in tuple(stage.fake.connections):
            connection.transport.abort()
    with structlog.testing.capture_logs() as logs:
        heard = await both.says(SECRET)
    assert length_ms(heard.pieces[0].audio) == STANDS_IN.duration_ms(SECRET)
    assert (
        (OWN_NAMES["401"] if stage.name == "custom-voice" else "api_key") in str(logs)
        and KEY not in str(logs)
        and "swordfish" not in str(logs)
    )
    await vendor.close()
