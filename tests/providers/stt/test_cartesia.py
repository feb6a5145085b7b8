"""Cartesia's Ink, against a fake that Cartesia's own SDK talks to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cartesia import AsyncCartesia
from tests.providers.contract import SpeechToTextContract
from tests.providers.fakes.cartesia import FakeInk, InkSession
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speech import say
from tests.providers.stt.vendor_calls import VendorCall

from antiphon.errors import ConfigurationError
from antiphon.providers.base import ExpectedAnswers, StreamInterrupted
from antiphon.providers.stt.cartesia import CartesiaSpeechToText
from antiphon.vocabulary import TELEPHONE


@pytest.fixture
async def vendor() -> AsyncIterator[FakeInk]:
    async with FakeInk() as fake:
        yield fake


@pytest.fixture
async def stt(vendor: FakeInk, tmp_path: Path) -> AsyncIterator[CartesiaSpeechToText]:
    engine = CartesiaSpeechToText(KEY, vendor.url, ca_file=vendor.trust(tmp_path))
    await engine.start()
    yield engine
    await engine.close()


class TestContract(SpeechToTextContract):
    pass


async def test_the_vendors_own_sdk_holds_a_conversation_with_the_fake(
    vendor: FakeInk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
    client = AsyncCartesia(api_key=KEY, base_url=vendor.url.replace("wss:", "https:"))
    async with client.stt.manual_finalize.websocket(
        model="ink-2", encoding="pcm_mulaw", sample_rate=8000
    ) as connection:
        await connection.send_raw(say("i want", TELEPHONE))
        interim = await connection.recv()
        assert (interim.type, interim.is_final, interim.text) == ("transcript", False, " i want")
        await connection.send("finalize")
        final = await connection.recv()
        assert (final.type, final.is_final, final.text) == ("transcript", True, " i want")
        assert (await connection.recv()).type == "flush_done"
        await connection.send_raw(say("yes", TELEPHONE))
        await connection.recv()
        await connection.send("close")
        assert (await connection.recv()).text == " yes"
        assert (await connection.recv()).type == "done"
    await client.close()


async def test_final_pieces_are_put_together(vendor: FakeInk, stt: CartesiaSpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    await call.push(say("i want a table for two", call.audio), begin=1)
    await vendor.until(lambda: len(call.ear.partials) >= 3)
    call.stream.finish(1)
    assert await call.texts(1) == ["i want a table for two"]
    assert await call.answer(2, "thank you") == "thank you"
    call.stream.close()
    session = vendor.sessions[0]
    assert isinstance(session, InkSession)
    await vendor.until(lambda: session.commands == ["finalize", "finalize", "close"])


async def test_expected_answers_stand_in_the_address(vendor: FakeInk, tmp_path: Path) -> None:
    engine = CartesiaSpeechToText(KEY, vendor.url, keyterms=["Antiphon"], ca_file=vendor.trust(tmp_path))
    stream = engine.open(TELEPHONE, ExpectedAnswers(phrases=("half past three",)), lambda event: None)
    await vendor.until(lambda: bool(vendor.sessions))
    query = parse_qs(urlsplit(vendor.requests[0].path).query)
    assert query == {
        "model": ["ink-2"], "language": ["en"], "encoding": ["pcm_mulaw"], "sample_rate": ["8000"],
        "keyterm": ["Antiphon", "half past three"],
    }  # fmt: skip
    stream.close()
    await engine.close()


async def test_an_error_names_the_setting(vendor: FakeInk, stt: CartesiaSpeechToText) -> None:
    call = VendorCall(stt)
    await call.connected()
    await vendor.sessions[0].send({"type": "error", "status_code": 402, "title": "Out of credits", "message": KEY})
    await vendor.until(lambda: any(isinstance(each, StreamInterrupted) and each.lasting for each in call.ear.events))
    told = call.ear.events[-1]
    assert isinstance(told, StreamInterrupted)
    assert "account" in told.problem and KEY not in told.problem


@pytest.mark.parametrize(
    ("options", "field"), [({"language": "ko"}, "language"), ({"keyterms": ["x" * 1201]}, "keyterms")]
)
def test_bad_options_are_named(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        CartesiaSpeechToText(KEY, **options)
    assert error.value.field == field
