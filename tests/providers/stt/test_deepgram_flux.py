"""Deepgram Flux, against a fake that Deepgram's own SDK talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.deepgram import FakeFlux
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, TurnSignal
from antiphon.providers.stt.deepgram_flux import DeepgramFluxSpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeFlux]:
    async with FakeFlux() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeFlux, tmp_path: Path) -> AsyncIterator[DeepgramFluxSpeechToText]:
    engine = DeepgramFluxSpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK uses what websockets keeps for it only
async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeFlux, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    there = DeepgramClientEnvironment(base="https://unused", production=vendor.url, agent="", agent_rest="")
    client = AsyncDeepgramClient(api_key=KEY, environment=there)
    async with client.listen.v2.connect(
        model="flux-general-en", encoding="mulaw", sample_rate="8000", eager_eot_threshold="0.4"
    ) as connection:
        assert (await connection.recv()).type == "Connected"
        told = []
        audio = say("i want", TELEPHONE, gap_ms=150) + say("a table", TELEPHONE) + silence(700, TELEPHONE)
        for start in range(0, len(audio), 160):
            await connection.send_media(audio[start : start + 160])
        while not told or told[-1].event != "EndOfTurn":
            told.append(await connection.recv())
        assert [each.event for each in told if each.event != "Update"] == [
            "StartOfTurn", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "TurnResumed", "EagerEndOfTurn", "EndOfTurn",
        ]  # fmt: skip
        assert told[-1].transcript == "i want a table" and told[-1].trigger == "model"
        await connection.send_media(say("yes", TELEPHONE))
        await connection.send_force_end_turn()
        while told[-1].event != "EndOfTurn" or told[-1].turn_index != 1:
            told.append(await connection.recv())
        assert (told[-1].transcript, told[-1].trigger) == ("yes", "manual")
        await connection.send_close_stream()


async def test_its_opinion_of_the_turn_comes_as_signals_of_our_utterance(
    vendor: FakeFlux, stt: DeepgramFluxSpeechToText
) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(
        say("i want", call.audio, gap_ms=150) + say("a table", call.audio) + silence(700, call.audio), begin=3
    )
    await vendor.until(lambda: any(isinstance(event, TurnSignal) and event.kind == "end" for event in call.ear.events))
    call.stream.finish(3)
    assert await call.texts(1) == ["i want a table"]
    signals = [event for event in call.ear.events if isinstance(event, TurnSignal)]
    assert {signal.utterance for signal in signals} == {3}
    assert [signal.kind for signal in signals][-4:] == ["eager_end", "resumed", "eager_end", "end"]
    assert signals[-1].confidence == 0.9
    call.stream.close()


@pytest.mark.parametrize("timed", [True, False])
async def test_two_utterances_of_ours_in_one_turn_of_its_share_the_words(
    vendor: FakeFlux, stt: DeepgramFluxSpeechToText, timed: bool
) -> None:
    vendor.times_words = timed
    call = VendorCall(stt)
    await call.connected()
    for utterance, text in ((1, "i want a table"), (2, "for two please")):
        await call.push(say(text, call.audio), begin=utterance)
        await vendor.until(lambda: vendor.sessions[0].heard_ms >= call.stream._kept.end_ms - 60)
        await call.push(silence(240, call.audio))
        call.stream.finish(utterance)
        assert (await call.texts(utterance))[-1] == text
    call.stream.close()


async def test_expected_answers_become_key_terms_on_the_open_connection(
    vendor: FakeFlux, stt: DeepgramFluxSpeechToText
) -> None:
    call = VendorCall(stt)
    await call.connected()
    call.stream.expect(ExpectedAnswers(phrases=("half past three", "half past three", "ok")))
    await call.utter(1, "yes")
    await call.texts(1)
    assert {"type": "Configure", "keyterms": ["half past three"]} in vendor.sessions[0].texts
    call.stream.close()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"eot_threshold": 0.2}, "eot_threshold"),
        ({"eager_eot_threshold": 0.8}, "eager_eot_threshold"),
        ({"eot_timeout_ms": 1}, "eot_timeout_ms"),
    ],
)
def test_bad_options_are_named(options: dict[str, float], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        DeepgramFluxSpeechToText(KEY, **options)  # type: ignore[arg-type]
    assert error.value.field == field
