"""Soniox, against a fake that Soniox's own SDK talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from soniox import AsyncSonioxClient
from soniox.types.realtime import RealtimeSTTConfig
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.server import KEY
from tests.providers.fakes.soniox import FakeSoniox
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import StreamInterrupted, Transcribed, TurnSignal
from antiphon.providers.stt.soniox import SonioxSpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeSoniox]:
    async with FakeSoniox() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeSoniox, tmp_path: Path) -> AsyncIterator[SonioxSpeechToText]:
    engine = SonioxSpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeSoniox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    client = AsyncSonioxClient(api_key=KEY, websocket_base_url=f"{vendor.url}/transcribe-websocket")
    config = RealtimeSTTConfig(
        model="stt-rt-v5", audio_format="mulaw", sample_rate=8000, num_channels=1, enable_endpoint_detection=True
    )
    async with client.realtime.stt.connect(config=config) as session:
        await session.send_byte_chunk(say("i want a table", TELEPHONE))
        first = await session.receive_event()
        assert first is not None
        assert "".join(token.text for token in first.tokens) == " i want a table"
        assert first.tokens[0].is_final and not first.tokens[-1].is_final
        await session.keep_alive()
        await session.finalize()
        final = await session.receive_event()
        assert final is not None
        assert "".join(token.text for token in final.tokens) == " a table<fin>"
        await session.finish()
        last = await session.receive_event()
        assert last is not None and last.finished
    await client.aclose()


async def test_words_from_pieces_of_words_and_the_vendors_end(vendor: FakeSoniox, stt: SonioxSpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(say("i want a table", call.audio) + silence(900, call.audio), begin=1)
    await vendor.until(lambda: any(isinstance(each, TurnSignal) and each.kind == "end" for each in call.ear.events))
    call.stream.finish(1)
    (final,) = await call.ear.wait_for(1)
    assert isinstance(final, Transcribed)
    assert [word.text for word in final.words] == ["i", "want", "a", "table"]
    assert (final.text, final.confidence) == ("i want a table", 0.95)
    assert call.ear.partials
    call.stream.close()


async def test_a_wrong_key_is_told_by_the_first_message(vendor: FakeSoniox, tmp_path: Path) -> None:
    engine = SonioxSpeechToText("another-key", vendor.url, ca_file=vendor.trust(tmp_path))
    call = VendorCall(engine)
    await vendor.until(lambda: any(isinstance(each, StreamInterrupted) and each.lasting for each in call.ear.events))
    told = call.ear.events[-1]
    assert isinstance(told, StreamInterrupted) and "api_key" in told.problem
    assert len(vendor.sessions) == 1
    await engine.close()


def test_bad_options_are_named() -> None:
    with pytest.raises(ConfigurationError) as error:
        SonioxSpeechToText(KEY, max_endpoint_delay_ms=100)
    assert error.value.field == "max_endpoint_delay_ms"
