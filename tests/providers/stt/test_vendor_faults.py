"""Every vendor's recogniser against every fault of its fake: no words lost, none doubled, no call held up."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.providers.fakes.assemblyai import FakeAssemblyAI
from tests.providers.fakes.cartesia import FakeInk
from tests.providers.fakes.custom_transcriber import FakeTranscriber
from tests.providers.fakes.deepgram import FakeDeepgram, FakeFlux
from tests.providers.fakes.openai import FakeOpenAI
from tests.providers.fakes.scribe import FakeScribe
from tests.providers.fakes.server import KEY, FakeVendor
from tests.providers.fakes.soniox import FakeSoniox
from tests.providers.fakes.speech import silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.providers.base import (
    StreamInterrupted,
    StreamRestored,
    Transcribed,
    TranscriptionFailed,
)
from antiphon.providers.socket import SocketLimits
from antiphon.providers.stt.assemblyai import AssemblyAISpeechToText
from antiphon.providers.stt.cartesia import CartesiaSpeechToText
from antiphon.providers.stt.custom_transcriber import CustomTranscriber
from antiphon.providers.stt.deepgram import DeepgramSpeechToText
from antiphon.providers.stt.deepgram_flux import DeepgramFluxSpeechToText
from antiphon.providers.stt.elevenlabs import ElevenLabsSpeechToText
from antiphon.providers.stt.openai import OpenAISpeechToText
from antiphon.providers.stt.soniox import SonioxSpeechToText
from antiphon.providers.stt.streamed import StreamedSpeechToText, StreamLimits

SAID = "i want a table for two on friday evening please"
LIMITS = StreamLimits(final_timeout_s=1.0, recover_timeout_s=2.0, mute_after_s=0.4)
SOCKET = SocketLimits(first_message_timeout_s=0.5, first_wait_s=0.01, max_wait_s=0.05, steady_s=0.0, rest_s=60.0)


@dataclass(frozen=True)
class Vendor:
    fake: type[FakeVendor]
    engine: Callable[..., StreamedSpeechToText]
    scheme: str = "wss"


def _of_an_application(secret: str, url: str, *, ca_file: str) -> CustomTranscriber:
    return CustomTranscriber({"url": url, "secret": secret}, ca_file=ca_file)


VENDORS = {
    "deepgram": Vendor(FakeDeepgram, DeepgramSpeechToText),
    "deepgram-flux": Vendor(FakeFlux, DeepgramFluxSpeechToText),
    "assemblyai": Vendor(FakeAssemblyAI, AssemblyAISpeechToText),
    "cartesia": Vendor(FakeInk, CartesiaSpeechToText),
    "elevenlabs": Vendor(FakeScribe, ElevenLabsSpeechToText),
    "openai": Vendor(FakeOpenAI, OpenAISpeechToText),
    "custom-transcriber": Vendor(FakeTranscriber, _of_an_application),
    "soniox": Vendor(FakeSoniox, SonioxSpeechToText),
}


@dataclass
class Line:
    """One vendor, its fake and an engine with short patience."""

    fake: FakeVendor
    engine: StreamedSpeechToText

    def call(self) -> VendorCall:
        return VendorCall(self.engine)


@asynccontextmanager
async def line_to(vendor: Vendor, folder: Path) -> AsyncIterator[Line]:
    async with vendor.fake() as fake:
        engine = vendor.engine(KEY, fake.url, ca_file=fake.trust(folder))
        engine.limits, engine.socket_limits = LIMITS, SOCKET
        await engine.start()
        yield Line(fake, engine)
        await engine.close()


@pytest.fixture(params=VENDORS, ids=str)
async def line(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Line]:
    async with line_to(VENDORS[request.param], tmp_path) as line:
        yield line


def kinds(call: VendorCall) -> list[type]:
    return [type(event) for event in call.ear.events]


def gave_up(call: VendorCall) -> bool:
    return any(isinstance(event, StreamInterrupted) and event.lasting for event in call.ear.events)


async def test_without_a_fault_each_utterance_gets_its_words(line: Line) -> None:
    call = line.call()
    assert await call.answer(1, SAID) == SAID
    assert await call.answer(2, "thank you") == "thank you"
    assert len(line.fake.sessions) == 1
    call.stream.close()


async def test_audio_comes_in_long_pieces_while_nobody_speaks(line: Line) -> None:
    if not line.engine.continuous:
        pytest.skip("it hears utterances alone")
    call = line.call()
    await call.connected()
    audio, pieces = call.audio, line.fake.pieces
    await call.push(silence(960, audio))
    await line.fake.until(lambda: sum(pieces) >= audio.bytes_for_ms(960))
    assert len(pieces) == 4
    await call.push(silence(80, audio))
    call.stream.begin(1)
    call.stream.push(silence(20, audio))
    await line.fake.until(lambda: sum(pieces) >= audio.bytes_for_ms(1060))
    assert pieces[4:] == [audio.bytes_for_ms(100)], "what was left, with the first frame"
    call.stream.close()


async def test_dropped_in_mid_utterance(line: Line) -> None:
    line.fake.faults.add("drop_after_words")
    call = line.call()
    await line.fake.until(lambda: bool(line.fake.sessions))
    assert await call.answer(1, SAID) == SAID
    assert await call.answer(2, "thank you") == "thank you"
    assert len(line.fake.sessions) == 2
    assert kinds(call).count(StreamInterrupted) == 1
    assert kinds(call).count(StreamRestored) == 1
    call.stream.close()


async def test_dropped_in_the_second_utterance_nothing_of_the_first_comes_again(line: Line) -> None:
    line.fake.faults.drop_after_words = 6
    line.fake.faults.add("drop_after_words")
    call = line.call()
    assert await call.answer(1, "i want a table") == "i want a table"
    assert await call.answer(2, "for two on friday please") == "for two on friday please"
    call.stream.close()
    assert call.ear.answered == [1, 2]


async def test_accepted_and_closed_at_once(line: Line) -> None:
    line.fake.faults.add("close_at_once", "close_at_once")
    call = line.call()
    assert await call.answer(1, SAID) == SAID
    assert len(line.fake.sessions) == 3
    call.stream.close()


async def test_handshakes_that_succeed_and_die_are_failures_and_end(line: Line) -> None:
    line.engine.socket_limits = SocketLimits(first_wait_s=0.001, max_wait_s=0.01, steady_s=5.0, max_failures=4)
    line.fake.faults.add(*["close_at_once"] * 20)
    call = line.call()
    await line.fake.until(lambda: gave_up(call))
    assert len(line.fake.sessions) == 4
    await call.utter(1, "yes")
    (answer,) = await call.ear.wait_for(1)
    assert isinstance(answer, TranscriptionFailed)
    assert line.engine.connections.counts["gave_up"] == 1
    call.stream.close()


@pytest.mark.parametrize(("status", "names"), [(401, "api_key"), (402, "account"), (404, "model"), (400, "model")])
async def test_a_refusal_names_the_setting_and_is_not_tried_again(line: Line, status: int, names: str) -> None:
    line.fake.faults.refuse_status, line.fake.faults.refuse_body = status, f"because of {KEY}\n\x07"
    line.fake.faults.add(*["refuse"] * 5)
    call = line.call()
    await line.fake.until(lambda: gave_up(call))
    await call.utter(1, "yes")
    (answer,) = await call.ear.wait_for(1)
    assert isinstance(answer, TranscriptionFailed)
    own = {401: "transcriber.server.secret"}.get(status, "transcriber.server.url")
    assert (own if line.engine.name == "custom-transcriber" else names) in answer.problem and str(
        status
    ) in answer.problem
    assert KEY not in answer.problem and "\n" not in answer.problem
    assert len(line.fake.requests) == 1
    call.stream.close()


async def test_a_refusal_that_passes_is_tried_again(line: Line) -> None:
    line.fake.faults.refuse_status = 503
    line.fake.faults.add("refuse", "refuse")
    call = line.call()
    assert await call.answer(1, SAID) == SAID
    call.stream.close()


async def test_an_open_connection_that_says_nothing_is_replaced(line: Line) -> None:
    line.fake.faults.add("mute")
    call = line.call()
    assert await call.answer(1, SAID) == SAID
    assert len(line.fake.sessions) == 2
    assert await call.answer(2, "thank you") == "thank you"
    call.stream.close()


async def test_garbage_is_passed_over(line: Line) -> None:
    line.fake.faults.add("garbage")
    call = line.call()
    assert await call.answer(1, SAID) == SAID
    assert len(line.fake.sessions) == 1
    call.stream.close()


async def test_late_finals_are_waited_for_and_stay_in_order(line: Line) -> None:
    line.fake.faults.late_s = 0.3
    line.fake.faults.add("late_finals")
    call = line.call()
    await call.utter(1, "i want a table")
    await call.utter(2, "for two")
    assert list(await call.texts(2)) == ["i want a table", "for two"]
    call.stream.close()


async def test_finals_that_never_come_end_in_what_is_known(line: Line) -> None:
    line.fake.faults.add("no_finals")
    call = line.call()
    await call.utter(1, SAID)
    (answer,) = await call.ear.wait_for(1)
    if isinstance(answer, Transcribed):
        assert answer.text in (SAID, "") or SAID.startswith(answer.text)
    call.stream.close()


async def test_a_certificate_nobody_knows_is_told(line: Line) -> None:
    line.engine._ca_file = ""
    await line.engine.start()
    call = line.call()
    await line.fake.until(lambda: gave_up(call))
    await call.utter(1, "yes")
    (answer,) = await call.ear.wait_for(1)
    assert isinstance(answer, TranscriptionFailed)
    assert "ca_file" in answer.problem
    call.stream.close()


async def test_a_call_that_ends_leaves_nothing_behind(line: Line) -> None:
    call = line.call()
    await call.utter(1, SAID)
    call.stream.close()
    await line.fake.until(lambda: all(session.socket.close_code is not None for session in line.fake.sessions))
    told = len(call.ear.events)
    await line.engine.close()
    assert len(call.ear.events) == told


async def test_a_call_that_is_over_is_let_go_at_once(line: Line) -> None:
    call = line.call()
    await call.utter(1, "yes")
    heard = weakref.ref(call.ear)
    stream = call.stream
    stream.close()
    del call
    assert heard() is None
    assert stream.socket.is_ready is False
