"""Deepgram Nova, against a fake that Deepgram's own SDK talks to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.deepgram import FakeDeepgram
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.deepgram import DeepgramSpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeDeepgram]:
    async with FakeDeepgram() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeDeepgram, tmp_path: Path) -> AsyncIterator[DeepgramSpeechToText]:
    engine = DeepgramSpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK uses what websockets keeps for it only
async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeDeepgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    there = DeepgramClientEnvironment(base="https://unused", production=vendor.url, agent="", agent_rest="")
    client = AsyncDeepgramClient(api_key=KEY, environment=there)
    async with client.listen.v1.connect(
        model="nova-3", encoding="mulaw", sample_rate="8000", interim_results="true", endpointing="300"
    ) as connection:
        await connection.send_media(say("i want a table", TELEPHONE))
        interim = await connection.recv()
        assert (interim.type, interim.is_final) == ("Results", False)
        assert interim.channel.alternatives[0].transcript == "i want a table"
        await connection.send_keep_alive()
        await connection.send_finalize()
        final = await connection.recv()
        assert final.is_final and final.from_finalize
        assert [word.word for word in final.channel.alternatives[0].words] == ["i", "want", "a", "table"]
        await connection.send_media(say("please", TELEPHONE) + silence(400, TELEPHONE))
        by_itself = await connection.recv()
        assert by_itself.speech_final and by_itself.channel.alternatives[0].transcript == "please"
        await connection.send_close_stream()
        summary = await connection.recv()
        assert summary.type == "Metadata" and summary.duration == pytest.approx(1.5, abs=0.01)


async def test_words_their_times_and_partials(stt: DeepgramSpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(silence(1000, call.audio))
    await call.push(say("i want a table", call.audio), begin=1)
    assert "i want a table".startswith(await call.ear.wait_for_partial())
    call.stream.finish(1)
    assert (await call.texts(1))[-1] == "i want a table"
    (final,) = call.ear.answers
    assert final.words[0].text == "i" and abs(final.words[0].start_ms - 1000) <= 2  # type: ignore[union-attr]
    assert final.confidence == 0.98  # type: ignore[union-attr]
    assert await call.answer(2, "for two") == "for two"
    call.stream.close()


async def test_what_is_asked_of_the_vendor(vendor: FakeDeepgram, tmp_path: Path) -> None:
    engine = DeepgramSpeechToText(
        KEY, vendor.url.replace("wss", "https") + "/", language="de", keyterms=["Müller"], utterance_end_ms=1000,
        endpointing_ms=0, mip_opt_out=True, ca_file=vendor.trust(tmp_path),
    )  # fmt: skip
    call = VendorCall(engine)
    await call.connected()
    query = vendor.sessions[0].query
    assert (query["language"], query["keyterm"], query["encoding"]) == (["de"], ["Müller"], ["mulaw"])
    assert (query["endpointing"], query["utterance_end_ms"], query["mip_opt_out"]) == (["false"], ["1000"], ["true"])
    call.stream.close()
    await vendor.until(lambda: {"type": "CloseStream"} in vendor.sessions[0].texts)
    await engine.close()


async def test_words_that_come_before_the_utterance_is_opened_belong_to_it(stt: DeepgramSpeechToText) -> None:
    """The vendor makes a word final by itself while our voice-activity detection still doubts."""
    call = VendorCall(stt)
    await call.push(say("yes", call.audio) + silence(500, call.audio))
    await asyncio.sleep(0.05)
    call.stream.begin(1)
    await call.push(silence(100, call.audio))
    call.stream.finish(1)
    assert await call.texts(1) == ["yes"]
    call.stream.close()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "a\nb"}, "api_key"),
        ({"base_url": "deepgram"}, "base_url"),
        ({"endpointing_ms": -1}, "endpointing_ms"),
        ({"utterance_end_ms": 10}, "utterance_end_ms"),
        ({"keyterms": "one"}, "keyterms"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        DeepgramSpeechToText(**{"api_key": KEY, **options})  # type: ignore[arg-type]
    assert error.value.field == field
