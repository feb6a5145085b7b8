"""OpenAI's realtime transcription, against a fake that OpenAI's own SDK talks to."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.openai import FakeOpenAI
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, StreamInterrupted
from antiphon.providers.stt.openai import OpenAISpeechToText
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding


@pytest.fixture
async def vendor() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeOpenAI, tmp_path: Path) -> AsyncIterator[OpenAISpeechToText]:
    engine = OpenAISpeechToText(KEY, vendor.base_url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeOpenAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    client = AsyncOpenAI(api_key=KEY, base_url=vendor.base_url)
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        assert (await connection.recv()).type == "session.created"
        await connection.session.update(
            session={
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcmu"},
                        "transcription": {"model": "gpt-live-transcribe", "language": "en"},
                        "turn_detection": None,
                    }
                },
            }
        )
        assert (await connection.recv()).type == "session.updated"
        await connection.input_audio_buffer.append(audio=base64.b64encode(say("i want a table", TELEPHONE)).decode())
        delta = await connection.recv()
        assert delta.type == "conversation.item.input_audio_transcription.delta" and delta.delta == " i want a"
        await connection.input_audio_buffer.commit()
        committed, completed = await connection.recv(), await connection.recv()
        assert committed.type == "input_audio_buffer.committed"
        assert completed.type == "conversation.item.input_audio_transcription.completed"
        assert (completed.transcript, completed.item_id) == ("i want a table", committed.item_id)
    await client.close()


@pytest.mark.parametrize("audio", [TELEPHONE, AudioFormat(Encoding.PCM16, 24000)])
async def test_words_partials_and_what_is_asked(
    vendor: FakeOpenAI, stt: OpenAISpeechToText, audio: AudioFormat
) -> None:
    call = VendorCall(stt, audio)
    await call.connected()
    await call.push(say("i want a table", audio), begin=1)
    assert "i want a table".startswith(await call.ear.wait_for_partial())
    call.stream.expect(ExpectedAnswers(phrases=("half past three",)))
    call.stream.finish(1)
    assert await call.texts(1) == ["i want a table"]
    assert await call.answer(2, "for two") == "for two"
    assert vendor.sessions[0].config["transcription"]["keywords"] == ["half past three"]  # type: ignore[attr-defined]
    assert vendor.sessions[0].config["turn_detection"] is None  # type: ignore[attr-defined]
    call.stream.close()


async def test_an_unknown_model_is_told_by_the_session_and_not_tried_again(vendor: FakeOpenAI, tmp_path: Path) -> None:
    engine = OpenAISpeechToText(KEY, vendor.base_url, "gpt-imaginary", ca_file=vendor.trust(tmp_path))
    call = VendorCall(engine)
    await vendor.until(lambda: bool(call.ear.events))
    (told,) = call.ear.events
    assert isinstance(told, StreamInterrupted) and told.lasting
    assert "the options base_url and model" in told.problem and "gpt-imaginary" in told.problem
    assert len(vendor.sessions) == 1
    await engine.close()


def test_bad_options_are_named() -> None:
    with pytest.raises(ConfigurationError) as error:
        OpenAISpeechToText(KEY, noise_reduction="all")
    assert error.value.field == "noise_reduction"
