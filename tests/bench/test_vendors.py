"""The vendors' stand-ins: each is taken for the real one by the vendor's own SDK, and the server talks through all of them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from elevenlabs.types import CloseContext, CloseSocket, SendTextMulti, WebsocketTtsServerMessageMulti
from elevenlabs.types.initialize_connection_multi import InitializeConnectionMulti
from openai import AsyncOpenAI, NotFoundError, RateLimitError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from antiphon.audio import g711
from antiphon.bench import workload
from antiphon.bench.vendors.certificate import CERTIFICATE
from antiphon.bench.vendors.delays import KEY, Delays
from antiphon.bench.vendors.process import stand_ins
from antiphon.bench.vendors.serving import Script, StandIns, environment, humming
from antiphon.bench.vendors.trouble import TROUBLES, TroubleEveryTime
from antiphon.providers.scripted_hum import hum
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

PCM = AudioFormat(Encoding.PCM16, 8000)
QUICK = Delays(1, 1, 0, 1, 400, 0)


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))


@pytest.fixture
async def vendors() -> AsyncIterator[StandIns]:
    async with StandIns(delays=QUICK) as there:
        yield there


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK uses what websockets keeps for it only
async def test_deepgrams_sdk_hears_what_was_to_be_said(vendors: StandIns) -> None:
    url = f"wss://localhost:{vendors.ports[0]}"
    there = DeepgramClientEnvironment(base="https://unused", production=url, agent="", agent_rest="")
    client = AsyncDeepgramClient(api_key=KEY, environment=there)
    async with client.listen.v1.connect(
        model="nova-3", encoding="mulaw", sample_rate="8000", interim_results="true"
    ) as connection:
        await connection.send_media(hum(TELEPHONE)[: 8 * 600])
        interim: Any = await connection.recv()
        assert not interim.is_final and interim.channel.alternatives[0].transcript == "what can"
        await connection.send_finalize()
        final: Any = await connection.recv()
        assert final.is_final and final.from_finalize
        assert final.channel.alternatives[0].transcript == workload.TRANSCRIPT
        await connection.send_media(b"\xff" * 8 * 1000)
        quiet: Any = await connection.recv()
        assert quiet.channel.alternatives[0].transcript == ""
        await connection.send_close_stream()
        last: Any = await connection.recv()
        assert last.type == "Metadata"


async def test_openais_sdk_reads_the_answer(vendors: StandIns) -> None:
    client = AsyncOpenAI(api_key=KEY, base_url=f"https://localhost:{vendors.ports[1]}/v1", max_retries=0)
    said = ""
    stream = await client.responses.create(model="m", input=[{"role": "user", "content": "hello"}], stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            said += event.delta
    assert said == workload.ANSWER
    assert event.type == "response.completed" and event.response.output_text == workload.ANSWER
    await client.close()


async def test_openais_sdk_reads_a_chat_completion(vendors: StandIns) -> None:
    client = AsyncOpenAI(api_key=KEY, base_url=f"https://localhost:{vendors.ports[1]}/v1", max_retries=0)
    assert [model async for model in client.models.list()] == []
    stream = await client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hello"}], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == workload.ANSWER
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens_details is not None
    with pytest.raises(NotFoundError):
        await client.embeddings.create(model="m", input="hello")
    await client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_deepgrams_sdk_hears_linear_audio_and_its_own_endpoint(vendors: StandIns) -> None:
    url = f"wss://localhost:{vendors.ports[0]}"
    there = DeepgramClientEnvironment(base="https://unused", production=url, agent="", agent_rest="")
    client = AsyncDeepgramClient(api_key=KEY, environment=there)
    async with client.listen.v1.connect(
        model="nova-3", encoding="linear16", sample_rate="8000", vad_events="true"
    ) as connection:
        await connection.send_media(hum(PCM)[16 * 200 : 16 * 220])
        began: Any = await connection.recv()
        assert began.type == "SpeechStarted" and began.timestamp == 0
        await connection.send_media(b"\0" * 16 * 11)  # its 10 ms of silence, and the delay of 1 ms
        final: Any = await connection.recv()
        assert final.is_final and final.speech_final and not final.from_finalize
        assert final.channel.alternatives[0].transcript == workload.TRANSCRIPT


@pytest.mark.parametrize(("endpointing", "final"), [("25", True), ("26", False), ("false", False)])
async def test_deepgram_waits_for_the_silence_it_is_asked_for(
    vendors: StandIns, endpointing: str, *, final: bool
) -> None:
    query = f"encoding=mulaw&sample_rate=8000&endpointing={endpointing}"
    url = f"wss://localhost:{vendors.ports[0]}/v1/listen?{query}"
    async with connect(url, additional_headers={"Authorization": f"Token {KEY}"}) as socket:
        await socket.send(hum(TELEPHONE)[8 * 200 : 8 * 220])
        await socket.send(b"\xff" * 8 * 26)
        await socket.send('{"type":"CloseStream"}')
        kinds = [json.loads(told)["type"] async for told in socket]
    assert kinds == (["Results", "Metadata"] if final else ["Metadata"])


@pytest.mark.parametrize(
    "query",
    [
        "encoding=opus&sample_rate=8000",
        "encoding=mulaw&sample_rate=16000",
        "encoding=mulaw&sample_rate=8000&endpointing=soon",
    ],
)
async def test_deepgram_refuses_what_no_telephone_sends(vendors: StandIns, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(
            f"wss://localhost:{vendors.ports[0]}/v1/listen?{query}",
            additional_headers={"Authorization": f"Token {KEY}"},
        )
    assert refused.value.response.status_code == 400


async def test_elevenlabs_messages_are_those_of_its_package(vendors: StandIns) -> None:
    url = f"wss://localhost:{vendors.ports[0]}/v1/text-to-speech/v/multi-stream-input?output_format=ulaw_8000"
    audio = b""
    async with connect(url, additional_headers={"xi-api-key": KEY}) as socket:
        for said in (
            InitializeConnectionMulti(text=" ", context_id="a"),
            SendTextMulti(text="Good morning. ", context_id="a"),
            CloseContext(context_id="a", close_context=True),
        ):
            await socket.send(said.model_dump_json(exclude_none=True))
        async with asyncio.timeout(60):
            async for told in socket:
                message = json.loads(told)
                assert WebsocketTtsServerMessageMulti.model_validate(message)
                if message.get("isFinal"):
                    break
                audio += base64.b64decode(message["audio"])
    assert audio == humming("Good morning. ", 0)


async def test_elevenlabs_sends_linear_audio_and_closes_its_socket(vendors: StandIns) -> None:
    url = f"wss://localhost:{vendors.ports[0]}/v1/text-to-speech/v/multi-stream-input?output_format=pcm_8000"
    async with connect(url, additional_headers={"xi-api-key": KEY}) as socket:
        await socket.send('{"text":""}')  # a sign of life that opens no context
        # A piece without a blank at its end has one before the next.
        await socket.send(SendTextMulti(text="Good.", context_id="a").model_dump_json(exclude_none=True))
        message = json.loads(await socket.recv())
        assert g711.mulaw_encode(np.frombuffer(base64.b64decode(message["audio"]), dtype="<i2")).tobytes() == humming(
            "Good. ", 0
        )
        assert message["normalizedAlignment"] == message["alignment"]
        await socket.send(CloseSocket(close_socket=True).model_dump_json())
        assert [told async for told in socket] == []
    assert socket.close_code == 1000


@pytest.mark.parametrize("spellings", [("contextId",), ("context_id", "contextId")])
async def test_a_contexts_name_is_spelled_as_it_was_to_be(spellings: tuple[str, ...]) -> None:
    async with StandIns(Script(spellings=spellings), QUICK) as there:
        url = f"wss://localhost:{there.ports[0]}/v1/text-to-speech/v/multi-stream-input?output_format=ulaw_8000"
        async with connect(url, additional_headers={"xi-api-key": KEY}) as socket:
            await socket.send(SendTextMulti(text=workload.ANSWER, context_id="a").model_dump_json(exclude_none=True))
            told = [json.loads(await socket.recv()) for _ in range(4)]
    assert [name for message in told for name in ("context_id", "contextId") if name in message] == [
        *spellings, *spellings, *spellings, *spellings
    ][:4]  # fmt: skip


async def test_a_wrong_key_is_refused_by_all(vendors: StandIns) -> None:
    sockets, responses = vendors.ports
    for path in ("v1/listen?encoding=mulaw&sample_rate=8000", "v1/text-to-speech/v/multi-stream-input"):
        with pytest.raises(Exception, match="401"):
            await connect(f"wss://localhost:{sockets}/{path}", additional_headers={"xi-api-key": "x"})
    client = AsyncOpenAI(api_key="x", base_url=f"https://localhost:{responses}/v1", max_retries=0)
    with pytest.raises(Exception, match="invalid_api_key"):
        await client.responses.create(model="m", input="hello")
    await client.close()


async def test_troubles_come_in_turn_and_a_throttled_vendor_refuses() -> None:
    plan = TroubleEveryTime(every=2)
    told = [plan.next("openai") for _ in range(2 * len(TROUBLES))]
    assert told[1::2] == list(TROUBLES) and not any(told[::2])
    assert [plan.next("deepgram") for _ in range(8)][-1] == "throttled"
    assert plan.refuses("deepgram") and not plan.refuses("deepgram")
    async with StandIns(delays=QUICK, plan=TroubleEveryTime(every=1, troubles=["throttled"])) as there:
        client = AsyncOpenAI(api_key=KEY, base_url=f"https://localhost:{there.ports[1]}/v1", max_retries=0)
        with pytest.raises(RateLimitError):
            await client.responses.create(model="m", input="hello")
        await client.close()


async def test_they_run_in_a_process_of_their_own_and_end_with_us() -> None:
    async with stand_ins({"answers": ["Fine."]}) as where:
        client = AsyncOpenAI(api_key=KEY, base_url=where["ANTIPHON_VENDORS__OPENAI__BASE_URL"])
        response = await client.responses.create(model="m", input=[{"role": "user", "content": "hello"}], stream=True)
        events = [event async for event in response]
        assert events[-1].type == "response.completed"
        await client.close()
    assert environment((1, 2))["ANTIPHON_VENDORS__DEEPGRAM__BASE_URL"] == "wss://localhost:1"
