"""An assistant of the hosted Vapi service: how its calls are made, what of its own turns reaches our side, and how they end. The fake is
proven by the service's own SDK."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from tests.providers.fakes.hosted_vapi import ASSISTANT_ID, FakeHostedVapi
from tests.providers.fakes.own_turns import notes_in
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import MS_PER_CHARACTER, Answer
from tests.providers.fakes.speech import say, silence
from tests.providers.speech_to_speech.calling import Caller, VapiRig
from tests.vapi_sdk import client_message
from websockets.asyncio.client import connect

from antiphon.errors import ConfigurationError, MalformedMessage
from antiphon.providers.base import StreamInterrupted, StreamRestored, Transcribed, TurnSignal
from antiphon.providers.speech_to_speech import vapi_wire as wire
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyEndsCall,
    ReplyFailed,
    ReplyOver,
    ReplyTransfersCall,
    SpokeUnasked,
)
from antiphon.providers.speech_to_speech.vapi_hosted import HostedVapi
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, Message

WIDE = AudioFormat(Encoding.PCM16, 16000)
LONG = "There are a great many things that could be said about it, and all of them take a while."


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[VapiRig]:
    async with FakeHostedVapi() as vendor:
        yield VapiRig(vendor, vendor.trust(tmp_path))


@pytest.fixture
async def caller(rig: VapiRig) -> AsyncIterator[Caller]:
    caller = Caller(rig.engine(), rig.heard, rig.spoken)
    yield caller
    caller.stream.close()


# ---------------------------------------------------------------------------------------------- the fake


async def test_the_fake_is_what_the_services_own_sdk_takes_it_for(tmp_path: Path) -> None:
    async with FakeHostedVapi() as vendor:
        authorities = ssl.create_default_context(cafile=vendor.trust(tmp_path))
        vendor.answers.append(Answer((LONG,), pace_ms=5))

        def made() -> Any:
            from vapi import Vapi  # not before it is needed: see tests.vapi_sdk

            with httpx.Client(verify=authorities) as http:
                sdk = Vapi(token=KEY, base_url=vendor.base_url, httpx_client=http)
                transport: Any = {
                    "provider": "vapi.websocket",
                    "audioFormat": {"format": "pcm_s16le", "container": "raw", "sampleRate": 16000},
                }
                return sdk.calls.create(assistant_id=ASSISTANT_ID, transport=transport)

        call = await asyncio.to_thread(made)
        url = call.transport.websocketCallUrl  # one of the fields that the SDK hands on as they came
        heard, told = bytearray(), []
        async with connect(url, ssl=authorities) as socket:
            for text in ("i want a table", "no thank you"):
                for audio in (say(text, WIDE), silence(400, WIDE)):
                    for start in range(0, len(audio), 640):
                        await socket.send(audio[start : start + 640])
                        await asyncio.sleep(0.001)
                if text.startswith("i "):
                    while not heard:
                        came = await socket.recv()
                        heard += came if isinstance(came, bytes) else b""
                        told += [json.loads(came)] if isinstance(came, str) else []
            async with asyncio.timeout(10):
                while not any(each["type"] == "transcript" and "no thank" in each["transcript"] for each in told):
                    came = await socket.recv()
                    told += [json.loads(came)] if isinstance(came, str) else []
            await socket.send(json.dumps({"type": "end-call"}))
    kinds = ("transcript", "speech-update", "user-interrupted")
    read = [client_message(each["type"]).model_validate(each) for each in told if each["type"] in kinds]
    words = [
        (each.role, each.transcript) for each in read if each.type == "transcript" and each.transcript_type == "final"
    ]
    assert words[0] == ("user", "i want a table") and words[-1] == ("user", "no thank you")
    assert any(each.type == "user-interrupted" for each in read)
    assert vendor.bodies[0]["assistantId"] == ASSISTANT_ID


async def test_the_fake_refuses_what_the_service_refuses(tmp_path: Path) -> None:
    async with FakeHostedVapi() as vendor:
        authorities = ssl.create_default_context(cafile=vendor.trust(tmp_path))
        async with httpx.AsyncClient(verify=authorities, base_url=vendor.base_url) as client:
            body: dict[str, Any] = {"assistantId": ASSISTANT_ID, "transport": {"provider": "vapi.websocket"}}
            own = {"authorization": f"Bearer {KEY}"}
            assert (await client.post("/call", json=body)).status_code == 401
            assert (await client.post("/call", json=body | {"tone": 1}, headers=own)).status_code == 400
            answer = await client.post("/call", json=body | {"assistantOverrides": {"silence": 1}}, headers=own)
            assert answer.json()["message"] == ["assistantOverrides.property silence should not exist"]
            assert (await client.post("/call", json=body, headers=own)).status_code == 201


# ---------------------------------------------------------------------------------------------- how a call is made


async def test_a_call_is_made_in_the_lines_own_format_and_waits_for_us(rig: VapiRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    (body,) = rig.vendor.bodies
    assert body["assistantId"] == ASSISTANT_ID
    assert body["transport"]["audioFormat"] == {"format": "mulaw", "container": "raw", "sampleRate": 8000}
    overrides = body["assistantOverrides"]
    assert (overrides["firstMessageMode"], overrides["maxDurationSeconds"]) == ("assistant-waits-for-user", 43_200)
    assert (overrides["backgroundSound"], overrides["voicemailDetection"]) == ("off", "off")


async def test_one_that_is_written_out_with_variables(rig: VapiRig) -> None:
    engine = HostedVapi(
        KEY,
        rig.vendor.base_url,
        assistant={"name": "Shop", "model": {"provider": "openai", "model": "gpt-4o"}},
        overrides={"variableValues": {"name": "Ann"}, "firstMessageMode": "assistant-speaks-first"},
        ca_file=rig._ca_file,
    )
    caller = Caller(engine, WIDE, AudioFormat(Encoding.PCM16, 24000))
    caller.stream.say(1, "Welcome.")
    assert isinstance(await caller.over(1), ReplyOver)
    assert caller.sound_ms(1) == pytest.approx(len("Welcome.") * MS_PER_CHARACTER, abs=2), "in the format asked for"
    (body,) = rig.vendor.bodies
    assert body["assistant"]["name"] == engine.model == "Shop" and "assistantId" not in body
    assert body["transport"]["audioFormat"]["sampleRate"] == 16000
    assert body["assistantOverrides"]["variableValues"] == {"name": "Ann"}
    assert body["assistantOverrides"]["firstMessageMode"] == "assistant-waits-for-user"
    caller.stream.close()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"model": ""}, "model.model"),
        ({"assistant": {"name": "Both"}}, "model.model"),
        ({"nudge_after_ms": 10}, "nudge_after_ms"),
        ({"reply_timeout_ms": 90_000}, "reply_timeout_ms"),
        ({"max_utterance_ms": 1}, "max_utterance_ms"),
        ({"overrides": "name"}, "model.options.overrides"),
        ({"base_url": "ftp://example.com"}, "base_url"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        HostedVapi(**{"api_key": KEY, "model": ASSISTANT_ID, **options})
    assert error.value.field == field


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"transport":{"websocketCallUrl":5}}', b'{"transport":{"websocketCallUrl":"ws://a/b"}}',
     b'{"transport":{"websocketCallUrl":"https://a/b"}}', b'{"transport":{"websocketCallUrl":"wss://a b"}}', b"[" * 100_000],
)  # fmt: skip
def test_an_address_that_cannot_be_used(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        wire.url_of(body, secure=True)


def test_a_plain_socket_is_for_a_plain_account_only() -> None:
    body = b'{"transport":{"websocketCallUrl":"ws://127.0.0.1/x/transport"}}'
    assert wire.url_of(body, secure=False) == "ws://127.0.0.1/x/transport"


async def test_a_refusal_names_what_to_look_at_and_not_the_key(rig: VapiRig) -> None:
    rig.vendor.faults.refuse_status, rig.vendor.faults.refuse_body = 404, f"Couldn't get {KEY}"
    rig.vendor.faults.add("refuse")
    caller = Caller(rig.engine(), rig.heard, rig.spoken)
    caller.stream.say(1, "Welcome.")
    failed = await caller.over(1)
    assert failed.gone and "404" in failed.problem and KEY not in failed.problem
    assert len(rig.vendor.requests) == 1
    caller.stream.close()


async def test_a_service_that_is_too_busy_is_asked_again(rig: VapiRig) -> None:
    rig.vendor.faults.refuse_status = 429
    rig.vendor.faults.add("refuse", "refuse")
    caller = Caller(rig.engine(), rig.heard, rig.spoken)
    caller.stream.say(1, "Welcome.")
    assert isinstance(await caller.over(1), ReplyOver)
    assert len(rig.vendor.requests) == 3
    caller.stream.close()


async def test_a_service_that_cannot_be_reached(tmp_path: Path) -> None:
    engine = HostedVapi(KEY, "https://127.0.0.1:1", ASSISTANT_ID)
    caller = Caller(engine)
    caller.stream.say(1, "Welcome.")
    failed = await caller.over(1)
    assert failed.gone and "cannot be reached" in failed.problem
    caller.stream.close()


async def test_nothing_that_is_said_and_no_key_reaches_the_log(rig: VapiRig) -> None:
    with structlog.testing.capture_logs() as logs:
        rig.vendor.faults.add("garbage")
        caller = Caller(rig.engine(), rig.heard, rig.spoken)
        assert await caller.says("i want a table") == "i want a table"
        caller.ask(1, Message("user", "i want a table"))
        await caller.over(1)
        await rig.vendor.live.end("pipeline-error-openai-llm-failed")
        await caller.until(lambda: bool(caller.of(StreamInterrupted)))
        caller.stream.close()
    written = str(logs)
    assert KEY not in written and "table" not in written and "Yes" not in written
    assert any(each["event"] == "vendor_message_unreadable" for each in logs)


# ---------------------------------------------------------------------------------------------- whose turn it is


async def test_the_caller_is_heard_all_the_time_and_a_call_is_ended_when_it_is_over(
    rig: VapiRig, caller: Caller
) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    before = len(rig.vendor.pieces)
    for _ in range(10):
        caller.stream.push(silence(20, rig.heard))
    await rig.vendor.until(lambda: len(rig.vendor.pieces) >= before + 10)
    caller.stream.close()
    await rig.vendor.until(lambda: rig.vendor.live.ended)


async def test_that_the_service_answers_is_a_sign_and_waits_for_us(rig: VapiRig, caller: Caller) -> None:
    assert await caller.says("i want a table") == "i want a table"
    await caller.until(lambda: bool(caller.of(TurnSignal)))
    assert caller.of(TurnSignal)[0] == TurnSignal(1, "end")
    await rig.vendor.until(lambda: rig.vendor.live.lines[-1] == "assistant: Yes.")
    assert caller.of(ReplyAudio) == []
    caller.ask(1, Message("user", "i want a table"))
    await caller.over(1)
    assert caller.words(1) == "Yes."


async def test_words_are_told_while_they_are_said(caller: Caller) -> None:
    await caller.says("i want a table")
    assert [(each.text, each.final) for each in caller.of(Transcribed)] == [("i", False), ("i want a table", True)]


async def test_what_it_takes_back_is_not_heard_and_the_answer_to_all_of_it_is(rig: VapiRig, caller: Caller) -> None:
    rig.vendor.answers += [Answer((LONG,), held=True), Answer(("For two.",))]
    caller.speak("i want a table")
    await caller.until(lambda: bool(caller.of(TurnSignal)))
    assert await caller.says("for two please") == "for two please"
    caller.ask(1, Message("user", "i want a table for two please"))
    await caller.over(1)
    assert caller.words(1) == "For two."
    assert rig.vendor.live.interruptions == 1


async def test_one_that_is_slow_is_asked_once(rig: VapiRig) -> None:
    rig.vendor.answers += [Answer(trouble="mute"), Answer(("Here I am.",))]
    caller = Caller(rig.engine(nudge_after_ms=500), rig.heard, rig.spoken)
    caller.ask(1, Message("user", await caller.says("i want a table")))
    assert isinstance(await caller.over(1), ReplyOver)
    assert (caller.words(1), rig.vendor.nudged) == ("Here I am.", 1)
    caller.stream.close()


async def test_one_that_says_it_hangs_is_asked_at_once(rig: VapiRig) -> None:
    rig.vendor.answers.append(Answer(trouble="fail"))
    caller = Caller(rig.engine(nudge_after_ms=60_000), rig.heard, rig.spoken)
    user = Message("user", await caller.says("i want a table"))
    caller.ask(1, user)
    assert isinstance(await caller.over(1), ReplyOver)
    assert rig.vendor.nudged == 1
    caller.stream.close()


async def test_what_it_says_unasked_is_offered_and_heard_where_it_is_asked_for(rig: VapiRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    await rig.vendor.live.speak_unasked("Are you still there?")
    await caller.until(lambda: bool(caller.of(SpokeUnasked)))
    caller.ask(1)
    await caller.over(1)
    assert caller.sound_ms(1) == pytest.approx(len("Are you still there?") * MS_PER_CHARACTER, abs=2)


async def test_its_own_first_message_where_we_have_none(rig: VapiRig, caller: Caller) -> None:
    caller.ask(1)
    await caller.over(1)
    assert caller.sound_ms(1) == pytest.approx(len(rig.vendor.first_message) * MS_PER_CHARACTER, abs=2)
    assert rig.vendor.live.texts[0] == {"type": "control", "control": "say-first-message"}


async def test_silence_between_its_turns_is_nothing(rig: VapiRig, caller: Caller) -> None:
    await rig.vendor.until(lambda: rig.vendor.live_is_ready)
    for _ in range(20):
        await rig.vendor.live.quiet(20)
    caller.stream.say(1, "Welcome.")
    await caller.over(1)
    assert caller.sound_ms(1) == pytest.approx(len("Welcome.") * MS_PER_CHARACTER, abs=2)
    assert caller.of(SpokeUnasked) == []


async def test_what_the_caller_did_not_hear_is_told(rig: VapiRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer((LONG,)))
    history = [Message("user", await caller.says("yes"))]
    caller.ask(1, *history)
    await caller.over(1)
    caller.stream.cancel(1, 400)
    await rig.vendor.until(lambda: bool(notes_in(rig.vendor.live.lines)))
    (note,) = notes_in(rig.vendor.live.lines)
    assert 'has heard no more than "There' in note


async def test_a_reply_that_it_breaks_off_is_cut(rig: VapiRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer((LONG,), trouble="interrupted"))
    caller.ask(1, Message("user", "yes"))
    over = await caller.over(1)
    assert isinstance(over, ReplyOver) and over.cut


# ---------------------------------------------------------------------------------------------- how it ends


async def test_it_ends_the_call(rig: VapiRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("Goodbye.",), trouble="ends_call"))
    caller.ask(1, Message("user", await caller.says("no thank you")))
    await caller.over(1)
    await caller.until(lambda: bool(caller.of(ReplyEndsCall)))
    assert caller.of(ReplyEndsCall) == [ReplyEndsCall(1)]
    assert caller.of(StreamInterrupted) == []
    caller.ask(2, Message("user", "wait"))
    caller.stream.say(3, "Hello?")
    for reply in (2, 3):
        failed = await caller.over(reply)
        assert isinstance(failed, ReplyFailed) and failed.gone
    assert len(rig.vendor.sessions) == 1


async def test_it_hands_the_call_over(rig: VapiRig, caller: Caller) -> None:
    rig.vendor.answers.append(Answer(("I connect you.",), trouble="transfers"))
    caller.ask(1, Message("user", await caller.says("yes please")))
    await caller.until(lambda: bool(caller.of(ReplyTransfersCall)))
    assert caller.of(ReplyTransfersCall) == [ReplyTransfersCall(1, "+15550100")]
    assert caller.of(ReplyEndsCall) == []


async def test_a_call_of_its_that_ends_for_another_reason_is_made_again(rig: VapiRig, caller: Caller) -> None:
    assert await caller.says("yes") == "yes"
    caller.ask(1, Message("user", "yes"))
    await caller.over(1)
    await rig.vendor.live.end("silence-timed-out")
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    history = (Message("user", "yes"), Message("assistant", "Yes."))
    caller.ask(2, *history, Message("user", await caller.says("thank you")))
    await caller.over(2)
    assert rig.vendor.live.lines[:3] == ["user: [yes]", "assistant: [Yes.]", "user: thank you"]


async def test_a_question_that_was_heard_by_a_session_that_is_lost_is_answered_by_the_next(
    rig: VapiRig, caller: Caller
) -> None:
    rig.vendor.answers.append(Answer(trouble="mute"))
    assert await caller.says("i want a table") == "i want a table"
    rig.vendor.live.socket.transport.abort()
    await caller.until(lambda: bool(caller.of(StreamRestored)))
    caller.ask(1, Message("user", "i want a table"))
    assert isinstance(await caller.over(1), ReplyOver)
    assert rig.vendor.nudged == 1
    assert rig.conversation(1) == ["user: [i want a table]"]
    assert rig.heard == TELEPHONE
