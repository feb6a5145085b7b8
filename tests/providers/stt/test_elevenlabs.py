"""ElevenLabs' Scribe, against a fake that ElevenLabs' own SDK talks to."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from elevenlabs import AudioFormat, RealtimeEvents
from elevenlabs.realtime.scribe import ScribeRealtime
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.scribe import FakeScribe
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, StreamInterrupted
from antiphon.providers.stt.elevenlabs import ElevenLabsSpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeScribe]:
    async with FakeScribe() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeScribe, tmp_path: Path) -> AsyncIterator[ElevenLabsSpeechToText]:
    engine = ElevenLabsSpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeScribe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    connection = await ScribeRealtime(KEY, vendor.url).connect(
        {
            "model_id": "scribe_v2_realtime",
            "audio_format": AudioFormat.ULAW_8000,
            "sample_rate": 8000,
            "include_timestamps": True,
        }
    )
    told: list[Any] = []
    for event in RealtimeEvents:
        if event not in (RealtimeEvents.OPEN, RealtimeEvents.CLOSE):
            connection.on(event, told.append)
    await connection.send({"audio_base_64": base64.b64encode(say("i want a table", TELEPHONE)).decode()})
    await connection.commit()
    await vendor.until(lambda: len(told) >= 4)
    assert [each["message_type"] for each in told] == [
        "session_started", "partial_transcript", "committed_transcript", "committed_transcript_with_timestamps",
    ]  # fmt: skip
    assert told[1]["text"] == "i want a"
    assert told[3]["text"] == told[2]["text"] == "i want a table"
    await connection.commit()
    await vendor.until(lambda: told[-1]["message_type"] == "commit_throttled")
    await connection.close()


async def test_an_utterance_is_committed_once_with_what_was_heard_meanwhile(
    vendor: FakeScribe, stt: ElevenLabsSpeechToText
) -> None:
    call = VendorCall(stt)
    await call.connected()
    assert await call.answer(1, "i want a table") == "i want a table"
    assert call.ear.partials[-1] == "i want a"
    assert await call.answer(2, "for two") == "for two"
    assert [message["commit"] for message in vendor.sessions[0].texts].count(True) == 2
    call.stream.close()


async def test_what_is_too_short_to_be_committed_is_filled_with_silence(
    vendor: FakeScribe, stt: ElevenLabsSpeechToText
) -> None:
    call = VendorCall(stt)
    await call.connected()
    for utterance in (1, 2):
        call.stream.begin(utterance)
        call.stream.push(say("no", call.audio)[: call.audio.bytes_for_ms(80)])
        call.stream.finish(utterance)
        assert (await call.texts(utterance))[-1] == "no"
    assert len(vendor.sessions) == 1
    call.stream.close()


async def test_options_and_expected_answers_stand_in_the_address(vendor: FakeScribe, tmp_path: Path) -> None:
    engine = ElevenLabsSpeechToText(
        KEY, vendor.url, language="ko-KR", keyterms=["Antiphon"], no_verbatim=True, enable_logging=False,
        ca_file=vendor.trust(tmp_path),
    )  # fmt: skip
    stream = engine.open(TELEPHONE, ExpectedAnswers(phrases=("half past three", "x" * 21)), lambda event: None)
    await vendor.until(lambda: bool(vendor.sessions))
    query = parse_qs(urlsplit(vendor.requests[0].path).query)
    assert query == {
        "model_id": ["scribe_v2_realtime"], "audio_format": ["ulaw_8000"], "commit_strategy": ["manual"],
        "language_code": ["ko"], "keyterms": ["Antiphon", "half past three"], "no_verbatim": ["true"],
        "enable_logging": ["false"],
    }  # fmt: skip
    stream.close()
    await engine.close()


@pytest.mark.parametrize(("kind", "names"), [("auth_error", "api_key"), ("quota_exceeded", "account")])
async def test_an_error_that_will_not_pass_is_told_once(
    vendor: FakeScribe, stt: ElevenLabsSpeechToText, kind: str, names: str
) -> None:
    call = VendorCall(stt)
    await call.connected()
    await vendor.sessions[0].send({"message_type": kind, "error": "no"})
    await vendor.until(lambda: any(isinstance(each, StreamInterrupted) and each.lasting for each in call.ear.events))
    told = call.ear.events[-1]
    assert isinstance(told, StreamInterrupted) and names in told.problem
    assert len(vendor.sessions) == 1


async def test_an_error_that_passes_costs_no_words(vendor: FakeScribe, stt: ElevenLabsSpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(say("i want", call.audio), begin=1)
    await vendor.sessions[0].send({"message_type": "session_time_limit_exceeded", "error": "90 minutes"})
    await call.push(say("a table", call.audio))
    await vendor.until(lambda: len(vendor.sessions) == 2)
    call.stream.finish(1)
    assert await call.texts(1) == ["i want a table"]
    call.stream.close()


@pytest.mark.parametrize("terms", [["x" * 21], ["a"] * 51])
def test_bad_options_are_named(terms: list[str]) -> None:
    with pytest.raises(ConfigurationError) as error:
        ElevenLabsSpeechToText(KEY, keyterms=terms)
    assert error.value.field == "keyterms"
