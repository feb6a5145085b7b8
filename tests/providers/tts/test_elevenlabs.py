"""ElevenLabs against a fake of it, which the vendor's own package takes for the real one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import trustme
from elevenlabs import VoiceSettings
from elevenlabs.client import ElevenLabs
from elevenlabs.types import CloseContext, SendTextMulti, WebsocketTtsServerMessageMulti
from elevenlabs.types.initialize_connection_multi import InitializeConnectionMulti
from tests.providers.contract import TextToSpeechContract, speak
from tests.providers.fakes.elevenlabs_voice import FakeElevenLabs
from tests.providers.fakes.voice_server import KEY, speech
from tests.providers.tts.streams import Heard, hear, reply, until

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import SpeechRequest, VoiceRequest
from antiphon.providers.failover import Breakers, FailoverVoice, now_s
from antiphon.providers.failover_stream import FailoverStream
from antiphon.providers.tts.elevenlabs import ElevenLabsTextToSpeech
from antiphon.vocabulary import TELEPHONE, WordTiming

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.fixture
async def fake(certificate: trustme.LeafCert) -> AsyncIterator[FakeElevenLabs]:
    async with FakeElevenLabs(certificate) as server:
        yield server


def voice_at(fake: FakeElevenLabs, **options: object) -> ElevenLabsTextToSpeech:
    return ElevenLabsTextToSpeech(api_key=KEY, base_url=f"https://{fake.address}", **options)  # type: ignore[arg-type]


@pytest.fixture
async def tts(fake: FakeElevenLabs) -> AsyncIterator[ElevenLabsTextToSpeech]:
    voice = voice_at(fake)
    await voice.start()
    yield voice
    await voice.close()


class TestContract(TextToSpeechContract):
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package's own, about websockets
async def test_the_vendors_own_package_is_spoken_to(fake: FakeElevenLabs) -> None:
    client = ElevenLabs(api_key=KEY, base_url=f"https://{fake.address}")

    def speak_there() -> bytes:
        chunks = client.text_to_speech.convert_realtime(
            "voice", text=iter(["Good morning."]), model_id="eleven_flash_v2_5", output_format="ulaw_8000",
            voice_settings=VoiceSettings(stability=0.5),
        )  # fmt: skip
        return b"".join(chunks)

    assert await asyncio.to_thread(speak_there) == speech("Good morning. ", TELEPHONE)


async def test_what_goes_over_the_wire_is_what_the_vendors_types_say(
    fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech
) -> None:
    await reply(tts, "Good morning.", "How are you?")
    first, *texts, last = fake.received
    assert InitializeConnectionMulti.model_validate(first).context_id
    assert [SendTextMulti.model_validate(text).text for text in texts] == ["Good morning. ", "How are you? "]
    assert CloseContext.model_validate(last).close_context
    assert all(WebsocketTtsServerMessageMulti.model_validate(message) for message in fake.sent)


async def test_pieces_and_words_are_cut_at_the_sample(tts: ElevenLabsTextToSpeech) -> None:
    heard = await reply(tts, "Good morning.", "How are you?")
    assert heard.audio() == speech("Good morning. How are you? ", TELEPHONE)
    # 60 ms for each character; a blank belongs to the piece before it.
    assert [TELEPHONE.ms_of(len(piece.audio)) for piece in heard.pieces.values()] == [14 * 60, 13 * 60]
    assert heard.pieces[0].words == [WordTiming("Good", 0, 240), WordTiming("morning.", 300, 780)]
    assert heard.pieces[1].words == [
        WordTiming("How", 0, 180),
        WordTiming("are", 240, 420),
        WordTiming("you?", 480, 720),
    ]


async def test_a_piece_is_over_although_more_may_follow(tts: ElevenLabsTextToSpeech) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(7, "Good morning.")
    chunks = aiter(stream)
    async with asyncio.timeout(60):
        while not (await anext(chunks)).last:
            pass
        stream.say(8, "And goodbye.")
        stream.end()
        rest = [chunk async for chunk in chunks]
    assert {chunk.piece for chunk in rest} == {8}
    assert [chunk.last for chunk in rest][-1]


async def test_a_connection_holds_five_replies_and_no_more(fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech) -> None:
    heard = await asyncio.gather(*(reply(tts, f"This is reply number {number}.") for number in range(12)))
    assert all(each.texts() == [f"This is reply number {number}."] for number, each in enumerate(heard))
    assert fake.most_contexts <= 5
    assert len(tts.pool.sockets) >= 2


async def test_a_cancelled_reply_keeps_its_place_until_the_vendor_ends_it(
    fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech
) -> None:
    fake.holds_back_final = True
    for _ in range(8):
        stream = tts.open(VoiceRequest(TELEPHONE))
        stream.say(0, "Good morning. " * 20)
        chunks = aiter(stream)
        async with asyncio.timeout(60):
            await anext(chunks)
        await stream.cancel()
        await chunks.aclose()  # type: ignore[attr-defined]
    assert fake.most_contexts <= 5
    assert [socket.in_use for socket in tts.pool.sockets] == [5, 3]
    closed = [message["context_id"] for message in fake.received if message.get("close_context")]
    assert len(closed) >= 7


async def test_connections_are_kept_for_the_next_reply(fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech) -> None:
    for _ in range(6):
        await reply(tts, "Good morning.")
    assert len(fake.requests) == 1


async def test_a_connection_that_died_unseen_is_replaced(fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech) -> None:
    await reply(tts, "Good morning.")
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good day.")
    stream.end()
    fake.fault = "cut"
    # It is cut as soon as the reply has begun on it; the next one is well.
    for connection in fake.connections:
        connection.transport.abort()
    fake.fault = ""
    heard = await hear(stream, TELEPHONE)
    assert heard.texts() == ["Good day."]
    assert len(fake.requests) == 2


async def test_a_connection_that_is_lost_is_one_failure_for_all_replies_on_it(
    fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech
) -> None:
    """The calls that come next are spoken by the same voice as ever."""
    failures: list[tuple[str, str]] = []
    breakers = Breakers()
    fake.fault = "stall midway"
    voice = FailoverVoice([tts], breakers, lambda *failed: failures.append(failed))
    heard = [Heard() for _ in range(5)]
    replies = [asyncio.ensure_future(hear(_greeting(voice), TELEPHONE, each)) for each in heard]
    await until(lambda: all(each.audio() for each in heard))
    (connection,) = fake.connections
    connection.transport.abort()
    await asyncio.gather(*replies)
    assert failures == [("elevenlabs", "provider_unavailable")] * 5
    assert breakers.of(tts).closed(now_s())


def _greeting(voice: FailoverVoice) -> FailoverStream:
    stream = voice.open(VoiceRequest(TELEPHONE))
    stream.say(0, "Good morning to all of you. " * 4)
    stream.end()
    return stream


async def test_a_voice_without_times_is_whole_all_the_same(fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech) -> None:
    fake.aligned = False
    heard = await reply(tts, "Good morning.", "How are you?")
    assert heard.audio() == speech("Good morning. How are you? ", TELEPHONE)
    assert list(heard.pieces) == [0, 1]
    assert heard.texts() == ["", ""]


async def test_speed_is_kept_within_what_the_vendor_takes(fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech) -> None:
    for speed in (0.1, 5.0):
        await speak(tts, SpeechRequest("Good morning.", TELEPHONE, speed=speed))
    assert [m["voice_settings"]["speed"] for m in fake.received if "voice_settings" in m] == [0.7, 1.2]


async def test_the_language_goes_where_the_model_takes_one(fake: FakeElevenLabs) -> None:
    for model, told in (("eleven_flash_v2_5", True), ("eleven_multilingual_v2", False)):
        url = voice_at(fake, model=model).url(VoiceRequest(TELEPHONE, language="de"))
        assert ("language_code=de" in url) is told
    assert "language_code=fr" in voice_at(fake, language="fr").url(VoiceRequest(TELEPHONE, language="de"))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"api_key": ""}, "tts.api_key"),
        ({"api_key": "a b"}, "tts.api_key"),
        ({"base_url": "ftp://x"}, "tts.base_url"),
        ({"stability": 2.0}, "tts.stability"),
        ({"text_normalization": "maybe"}, "tts.text_normalization"),
        ({"sockets": 0}, "tts.sockets"),
        ({"audio_timeout_ms": 1}, "tts.audio_timeout_ms"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        ElevenLabsTextToSpeech(**{"api_key": "k", **options})  # type: ignore[arg-type]
    assert wrong.value.field == field


async def test_a_stream_that_is_cancelled_before_it_began_costs_nothing(
    fake: FakeElevenLabs, tts: ElevenLabsTextToSpeech
) -> None:
    stream = tts.open(VoiceRequest(TELEPHONE))
    stream.say(0, "never")
    await stream.cancel()
    await stream.cancel()
    assert fake.received == []


async def test_a_reply_of_nothing_but_marks_says_nothing(tts: ElevenLabsTextToSpeech) -> None:
    heard = await reply(tts, "…", "Good day.", "!")
    assert heard.texts() == ["", "Good day.", ""]


async def test_a_vendor_that_refuses_the_key_says_so_at_the_start(fake: FakeElevenLabs) -> None:
    with pytest.raises(ProviderError, match="api_key"):
        await ElevenLabsTextToSpeech(api_key="wrong", base_url=f"https://{fake.address}").start()
