"""AssemblyAI, against a fake that AssemblyAI's own SDK talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from assemblyai.streaming import v3
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.assemblyai import FakeAssemblyAI
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, TurnSignal
from antiphon.providers.stt.assemblyai import AssemblyAISpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeAssemblyAI]:
    async with FakeAssemblyAI() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeAssemblyAI, tmp_path: Path) -> AsyncIterator[AssemblyAISpeechToText]:
    engine = AssemblyAISpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeAssemblyAI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    options = v3.RealTimeTranscriberOptions(api_host=vendor.url, api_key=KEY, connect_timeout=10)
    client = v3.AsyncRealTimeTranscriber(options)
    told: list[Any] = []

    async def note(_client: object, event: Any) -> None:
        told.append(event)

    for kind in (v3.StreamingEvents.Begin, v3.StreamingEvents.Turn, v3.StreamingEvents.Termination):
        client.on(kind, note)
    await client.connect(
        v3.RealTimeParameters(
            sample_rate=8000, encoding=v3.Encoding.pcm_mulaw, speech_model=v3.SpeechModel.universal_3_5_pro
        )
    )
    await client.stream(say("i want a table", TELEPHONE))
    await vendor.until(lambda: len(told) >= 2)
    assert (told[0].type, told[1].end_of_turn) == ("Begin", False)
    await client.force_endpoint()
    await vendor.until(lambda: told[-1].type == "Turn" and told[-1].end_of_turn)
    assert told[-1].transcript == "i want a table"
    await client.disconnect(terminate=True)
    assert told[-1].type == "Termination"


async def test_words_signals_and_key_terms(vendor: FakeAssemblyAI, stt: AssemblyAISpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    call.stream.expect(ExpectedAnswers(phrases=("half past three",)))
    await call.push(say("i want a table", call.audio) + silence(900, call.audio), begin=1)
    await vendor.until(lambda: any(isinstance(each, TurnSignal) and each.kind == "end" for each in call.ear.events))
    call.stream.finish(1)
    assert await call.texts(1) == ["i want a table"]
    assert call.ear.partials
    assert {"type": "UpdateConfiguration", "keyterms_prompt": ["half past three"]} in vendor.sessions[0].texts
    call.stream.close()


async def test_words_that_are_formatted_later_are_told_once(vendor: FakeAssemblyAI, tmp_path: Path) -> None:
    engine = AssemblyAISpeechToText(KEY, vendor.url, format_turns=True, ca_file=vendor.trust(tmp_path))
    call = VendorCall(engine)
    assert await call.answer(1, "i want a table") == "I want a table."
    assert await call.answer(2, "for two") == "For two."
    await engine.close()


def test_bad_options_are_named() -> None:
    with pytest.raises(ConfigurationError) as error:
        AssemblyAISpeechToText(KEY, end_of_turn_confidence_threshold=2)
    assert error.value.field == "end_of_turn_confidence_threshold"
