"""An application's own recogniser, against a fake of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.custom_transcriber import FakeTranscriber, TranscriberSession
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say, silence
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError, RequestFailed
from antiphon.providers import registry
from antiphon.providers.base import StreamInterrupted, Transcribed
from antiphon.providers.stt.custom_transcriber import CustomTranscriber


@pytest.fixture
async def vendor() -> AsyncIterator[FakeTranscriber]:
    async with FakeTranscriber() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeTranscriber, tmp_path: Path) -> AsyncIterator[CustomTranscriber]:
    headers = {"X-Tenant": "a", "Host": "elsewhere", "Sec-WebSocket-Key": "x"}
    engine = CustomTranscriber({"url": vendor.url, "secret": KEY, "headers": headers}, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_it_is_told_how_to_listen_and_hears_the_customer_on_the_first_of_two_channels(
    vendor: FakeTranscriber, stt: CustomTranscriber
) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(say("i want a table", call.audio), begin=1)
    await vendor.until(lambda: "i want a table" in call.ear.partials)
    await call.push(silence(200, call.audio))
    call.stream.finish(1)
    assert list(await call.texts(1)) == ["i want a table"]
    (session,) = vendor.sessions
    assert isinstance(session, TranscriberSession)
    assert session.texts == [
        {"type": "start", "encoding": "linear16", "container": "raw", "sampleRate": 16000, "channels": 2}
    ]
    assert set(session.agent) == {0} and len(session.agent) == len(session.audio)
    (request,) = vendor.requests
    assert request.headers["X-Tenant"] == "a"
    assert request.headers["Host"] == f"localhost:{vendor.port}"
    call.stream.close()


async def test_one_that_says_nothing_but_final_words(vendor: FakeTranscriber, stt: CustomTranscriber) -> None:
    vendor.silent_until_final = True
    call = VendorCall(stt)
    await call.connected()
    assert await call.answer(1, "i want a table") == "i want a table"
    for utterance, said in ((2, "for two"), (3, "thank you")):
        await call.push(silence(700, call.audio))  # the line goes on while the answer is waited for
        assert await call.answer(utterance, said) == said
    (session,) = vendor.sessions
    assert isinstance(session, TranscriberSession) and session.partials == 0
    call.stream.close()


async def test_final_words_after_the_end_of_an_utterance_are_still_its_own(
    vendor: FakeTranscriber, stt: CustomTranscriber
) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.utter(1, "i want a table", quiet_ms=20)  # its silence is not over yet
    await call.push(silence(300, call.audio))
    (answer,) = await call.ear.wait_for(1)
    assert isinstance(answer, Transcribed) and answer.text == "i want a table"
    await call.push(silence(900, call.audio))
    assert await call.answer(2, "for two") == "for two"
    call.stream.close()


async def test_two_finals_in_one_utterance_are_both_its_words(vendor: FakeTranscriber, stt: CustomTranscriber) -> None:
    call = VendorCall(stt)
    await call.connected()
    first = say("i want", call.audio) + silence(400, call.audio)
    await call.push(first + say("a table", call.audio) + silence(400, call.audio), begin=1)
    call.stream.finish(1)
    assert list(await call.texts(1)) == ["i want a table"]
    call.stream.close()


async def test_an_address_that_may_not_be_called_is_not(vendor: FakeTranscriber, stt: CustomTranscriber) -> None:
    async def none(host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("localhost", vendor.port)
        raise RequestFailed("refused", "the address is not a public one")

    stt.addresses = none
    call = VendorCall(stt)
    await vendor.until(lambda: any(isinstance(each, StreamInterrupted) and each.lasting for each in call.ear.events))
    told = call.ear.events[-1]
    assert isinstance(told, StreamInterrupted) and "the address is not a public one" in told.problem
    assert vendor.requests == []
    call.stream.close()


async def test_the_connection_leads_to_the_address_that_was_checked(
    vendor: FakeTranscriber, stt: CustomTranscriber
) -> None:
    asked = []

    async def loopback(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["::1", "127.0.0.1"]  # nobody listens at the first

    stt.addresses = loopback
    call = VendorCall(stt)
    assert await call.answer(1, "thank you") == "thank you"
    assert asked == ["localhost"]
    call.stream.close()


@pytest.mark.parametrize(
    ("server", "field"),
    [
        ({}, "transcriber.server.url"),
        ({"url": "ftp://a.test"}, "transcriber.server.url"),
        ({"url": "wss://a.test/ b"}, "transcriber.server.url"),
        ({"url": "wss://a.test", "headers": {"X-A": "a\r\nb"}}, "transcriber.server.headers"),
        ({"url": "wss://a.test", "headers": {"X A": "a"}}, "transcriber.server.headers"),
        ({"url": "wss://a.test", "headers": 5}, "transcriber.server.headers"),
        ("wss://a.test", "transcriber.server"),
    ],
)
def test_wrong_settings_are_named(server: object, field: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        registry.create("stt", "custom-transcriber", {"server": server})
    assert wrong.value.field == field
