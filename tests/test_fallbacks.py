"""An assistant's models and fallbacks, from its file to the request that a vendor gets: real engines room, real TLS socket."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.providers.fakes.http_server import KEY, MODEL, Reply
from tests.providers.fakes.openai_chat import FakeOpenAiChat
from tests.serving import settings_for

from antiphon.assistants.spec import parse_assistant
from antiphon.config import Vendor
from antiphon.engines import EngineRoom, engines_behind
from antiphon.errors import ConfigurationError
from antiphon.providers.base import CallContext, ModelRequest, TextDelta
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.vocabulary import Message


@pytest.fixture
async def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOpenAiChat]:
    authority, served = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    authority.issue_cert("127.0.0.1").configure_cert(served)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    vendor = FakeOpenAiChat()
    vendor.url = await vendor.start(served)  # type: ignore[attr-defined]
    yield vendor
    await vendor.close()


@pytest.fixture
async def room(tmp_path: Path, fake: FakeOpenAiChat) -> AsyncIterator[EngineRoom]:
    vendors = {"openai": Vendor(api_key=KEY, base_url=fake.url), "groq": Vendor(api_key=KEY, base_url=fake.url)}  # type: ignore[attr-defined,arg-type]
    room = EngineRoom(settings_for(tmp_path, vendors=vendors))
    await room.start()
    yield room
    await room.close()


def assistant(**model: Any) -> Any:
    scripted = {"provider": "scripted"}
    return parse_assistant(
        {"transcriber": scripted, "voice": scripted, "model": {"provider": "openai-chat", "model": MODEL, **model}}
    )


async def reply(room: EngineRoom, spec: Any, failures: list[Any]) -> str:
    engines = room.for_assistant(spec)
    request = ModelRequest((Message("user", "hello"),), (), CallContext("call-1"), engines.model_options)
    stream = engines.model(lambda *failed: failures.append(failed)).stream(request)
    return "".join([delta.text async for delta in stream if isinstance(delta, TextDelta)])


async def test_an_assistants_model_is_asked_with_the_operators_key(room: EngineRoom, fake: FakeOpenAiChat) -> None:
    failures: list[Any] = []
    assert await reply(room, assistant(temperature=0.3, maxTokens=99), failures) == "Hello."
    body = fake.requests[-1].body
    assert (body["model"], body["temperature"], body["max_completion_tokens"]) == (MODEL, 0.3, 99)
    assert (failures, fake.refused) == ([], [])


async def test_assistants_with_other_models_share_one_engine(room: EngineRoom) -> None:
    first, second, third = (
        room.for_assistant(spec) for spec in (assistant(), assistant(model="b"), assistant(temperature=1))
    )
    assert len({id(list(engines_behind(engines))[1]) for engines in (first, second, third)}) == 1


async def test_a_model_that_is_unknown_is_replaced_by_another_of_the_same_vendor(
    room: EngineRoom, fake: FakeOpenAiChat
) -> None:
    failures: list[Any] = []
    assert await reply(room, assistant(model="gone", fallbackModels=[MODEL]), failures) == "Hello."
    assert [request.body["model"] for request in fake.requests] == ["gone", MODEL]
    assert failures == [("openai-chat", "provider_unavailable")]


async def test_another_vendor_stands_in_with_numbers_of_its_own(room: EngineRoom, fake: FakeOpenAiChat) -> None:
    spec = assistant(
        model="gone", temperature=0.3, fallbackModels=[{"provider": "groq", "model": MODEL, "temperature": 0.9}]
    )
    fake.replies[0] = Reply(("Hel", "lo from Groq."))
    assert await reply(room, spec, []) == "Hello from Groq."
    assert [request.body["temperature"] for request in fake.requests] == [0.3, 0.9]


async def test_who_stands_in_is_checked_when_the_assistant_is(room: EngineRoom) -> None:
    with pytest.raises(ConfigurationError) as told:
        room.check(
            assistant(
                fallbackModels=[{"provider": "anthropic", "model": "x", "options": {"api_key": "k", "nonsense": 1}}]
            )
        )
    assert told.value.field == "model.fallbackModels.0.options.nonsense"
    with pytest.raises(ConfigurationError) as told:
        room.check(assistant(fallbackModels=[{"provider": "cerebras", "model": "x"}]))
    assert "ANTIPHON_VENDORS__CEREBRAS__API_KEY" in told.value.problem


async def test_recognisers_and_voices_stand_in_and_all_are_known_to_be_in_use(room: EngineRoom) -> None:
    scripted = {"provider": "scripted"}
    spec = parse_assistant({
        "transcriber": {**scripted, "fallbackPlan": {"transcribers": [{**scripted, "options": {"final_delay_ms": 5}}]}},
        "voice": {**scripted, "fallbackPlan": {"voices": [{**scripted, "voiceId": "bob", "options": {"chunk_ms": 100}}]}},
        "model": {"provider": "openai-chat", "model": MODEL},
    })  # fmt: skip
    engines = room.for_assistant(spec)
    assert isinstance(engines.stt, FailoverSpeechToText)
    assert len(engines.voices) == 2
    assert len({id(engine) for engine in engines_behind(engines)}) == 5
