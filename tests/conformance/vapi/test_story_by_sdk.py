"""One call from its assistant to what is left of it, by the official Python SDK: rows 12, 14, 15 (whole), 22, 23 and 24 of the
compatibility test, and the cost of a call that goes on."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.api_caller import PATIENCE_S, on_socket
from tests.conformance.vapi.test_calls_by_sdk import SOCKET
from tests.listening import listening
from tests.serving import GREETING, TOKEN, running_server, server_process, settings_for
from tests.surfaces.vapi.test_calls import ENGINES
from tests.surfaces.vapi.test_phone_calls import ACCOUNT, RestApi

from antiphon.config import Api, Costs, Twilio
from antiphon.surfaces.keys import ApiKeys

vapi = pytest.importorskip("vapi")
api_error = pytest.importorskip("vapi.core.api_error")

REPLY = '{"ok": true}'
PRICES = "[tts.scripted]\n'*' = 1000.0\n"
"""US dollars a million characters."""
SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


class Sdk:
    """The SDK in front of a server; it blocks, so each call has a thread."""

    def __init__(self, base_url: str, key: str = "any") -> None:
        self.connections = httpx.Client(timeout=60, follow_redirects=True)
        self.client = vapi.Vapi(token=key, base_url=base_url.rstrip("/"), httpx_client=self.connections)

    async def ask(self, path: str, *given: Any, **named: Any) -> Any:
        method: Any = self.client
        for name in path.split("."):
            method = getattr(method, name)
        return await asyncio.to_thread(method, *given, **named)

    async def refused(self, path: str, **named: Any) -> Any:
        with pytest.raises(api_error.ApiError) as refusal:
            await self.ask(path, request_options={"max_retries": 0} | named.pop("request_options", {}), **named)
        return refusal.value

    async def assistant(self, **more: Any) -> Any:
        """One that says ``REPLY``, whoever asks it."""
        model = {**ENGINES["model"], "options": {"replies": [REPLY]}}
        extra = {**ENGINES, "model": model}
        return await self.ask(
            "assistants.create",
            name="A",
            first_message=GREETING,
            request_options={"additional_body_parameters": extra},
            **more,
        )

    async def reckoned(self, call_id: str) -> Any:
        """The call when all work after it is done."""
        async with asyncio.timeout(PATIENCE_S * 2):
            while True:
                call = await self.ask("calls.get", call_id)
                if call.costs and call.status == "ended" and call.analysis:
                    return call
                await asyncio.sleep(0.05)


async def test_rows_15_22_23_and_24_what_is_left_of_a_call(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    async with running_server(settings_for(tmp_path, open_api=True, costs=Costs(prices_file=prices))) as (_, http):
        sdk = Sdk(str(http.base_url))
        with sdk.connections:
            await _story(sdk, http)


async def _story(sdk: Sdk, http: httpx.AsyncClient) -> None:
    output = await sdk.ask("structured_outputs.structured_output_controller_create", name="so", schema=SCHEMA)
    assistant = await sdk.assistant(artifact_plan={"structuredOutputIds": [output.id]})
    call = await sdk.ask("calls.create", assistant_id=assistant.id, transport=SOCKET)
    async with on_socket(call.transport.websocketCallUrl) as caller:
        await caller.until_told("transcript", role="assistant", transcript=GREETING)
        caller.say()
        await caller.until_told("transcript", role="assistant", transcript=REPLY)
        live = (await http.get(f"/call/{call.id}")).json()
        assert live["status"] == "in-progress"
        assert live["cost"] == live["costBreakdown"]["total"] > 0, "a live call tells what it costs"
        assert live["costBreakdown"]["ttsCharacters"] >= len(GREETING)
    done = await sdk.reckoned(call.id)
    assert (done.status, done.ended_reason) == ("ended", "customer-ended-call")
    assert done.started_at < done.ended_at
    await _assert_artifact(done, output.id, http)
    kinds = [type(row).__name__.removeprefix("CallCostsItem_") for row in done.costs]
    assert {"Transport", "Model", "Voice", "Transcriber", "Vapi", "Analysis"} == set(kinds)
    assert done.cost == done.cost_breakdown.total == pytest.approx(sum(row.cost for row in done.costs))
    voice = next(row for row in done.costs if row.type == "voice")
    assert (voice.characters, voice.cost) == (len(GREETING + REPLY), pytest.approx(len(GREETING + REPLY) * 0.001))
    assert done.analysis.summary == REPLY
    assert done.analysisSkipped == {
        "structuredData": "analysisPlan.structuredDataPlan is not enabled, or has no schema"
    }
    counted = await sdk.ask(
        "analytics.get",
        queries=[
            {
                "table": "call",
                "name": "n",
                "operations": [{"operation": "count", "column": "id"}, {"operation": "sum", "column": "cost"}],
            }
        ],
    )
    assert counted[0].result[0]["countId"] == 1
    assert counted[0].result[0]["sumCost"] == pytest.approx(done.cost)
    for name in ("mono_recording", "stereo_recording", "customer_recording", "assistant_recording", "call_logs"):
        assert await sdk.ask(f"calls.call_artifact_controller_{name}_download", call.id) is None
    for name in ("pcap", "video_recording"):
        with pytest.raises(api_error.ApiError) as none:
            await sdk.ask(f"calls.call_artifact_controller_{name}_download", call.id)
        assert none.value.status_code == 404
        assert "no video and keeps no packets" in none.value.body["message"]


async def _assert_artifact(call: Any, output_id: str, http: httpx.AsyncClient) -> None:
    artifact = call.artifact
    assert artifact.transcript == f"AI: {GREETING}\nUser: what is the price of marmalade\nAI: {REPLY}\n"
    assert [message.role for message in artifact.messages] == ["system", "bot", "user", "bot"]
    assert [message.role for message in call.messages] == ["system", "bot", "user", "bot"]
    latencies = artifact.performance_metrics.turn_latencies[0]
    assert 0 < latencies.turn_latency < 5000
    parts = (
        latencies.model_latency, latencies.voice_latency, latencies.transcriber_latency, latencies.endpointing_latency
    )  # fmt: skip
    assert sum(parts) == latencies.turn_latency == artifact.performance_metrics.turn_latency_average
    wav = await http.get(artifact.recording.stereo_url)
    assert wav.status_code == 200 and wav.content[:4] == b"RIFF"
    for url in (artifact.recording_url, artifact.recording.mono.customer_url, artifact.log_url):
        assert (await http.get(url)).status_code == 200
    assert artifact.structured_outputs == {output_id: {"name": "so", "result": {"ok": True}}}


async def test_row_12_several_customers_in_one_request(tmp_path: Path) -> None:
    rest = RestApi()
    async with listening(rest.connected) as port:
        twilio = Twilio(auth_token=TOKEN, account_sid=ACCOUNT, rest_base_url=f"http://127.0.0.1:{port}")  # type: ignore[arg-type]
        async with running_server(settings_for(tmp_path, open_api=True, twilio=twilio)) as (_, http):
            sdk = Sdk(str(http.base_url))
            with sdk.connections:
                assistant = await sdk.assistant()
                number = await sdk.ask(
                    "phone_numbers.create",
                    request={"provider": "twilio", "number": "+14155550199", "twilioAccountSid": ACCOUNT},
                )
                batch = await sdk.ask(
                    "calls.create",
                    assistant_id=assistant.id,
                    phone_number_id=number.id,
                    customers=[{"number": "+14155550100"}, {"name": "nobody"}],
                )
    assert type(batch).__name__ == "CallBatchResponse"
    assert [(call.type, call.customer.number) for call in batch.results] == [("outboundPhoneCall", "+14155550100")]
    assert [(error.customer.name, error.error) for error in batch.errors] == [
        ("nobody", "customer.number must be a string")
    ]
    assert batch.subscription_limits.concurrency_limit == 400
    assert [dial["To"] for dial in rest.dials] == ["+14155550100"]


async def test_row_14_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True, api=Api(strict=True))) as (_, http):
        sdk = Sdk(str(http.base_url))
        with sdk.connections:
            plan = {"voiceSeconds": 0.7}
            wrong = await sdk.refused("calls.create", assistant={"stopSpeakingPlan": plan}, transport=SOCKET)
            assert wrong.body["message"] == ["assistant.stopSpeakingPlan.voiceSeconds must not be greater than 0.5"]
            over = await sdk.refused(
                "calls.create",
                assistant_id="scripted",
                assistant_overrides={"model": {"provider": "openai", "model": "gpt-4o", "temperature": "hot"}},
                transport=SOCKET,
            )
            (told,) = over.body["message"]
            assert told.startswith("assistantOverrides.model.temperature must be a number")
            extra = {"additional_body_parameters": {"zork": 1, "assistantOverrides": {"nope": 2}}}
            unknown = await sdk.refused(
                "calls.create", assistant_id="scripted", transport=SOCKET, request_options=extra
            )
            assert unknown.status_code == 400
            assert sorted(unknown.body["message"]) == [
                "property assistantOverrides.nope should not exist",
                "property zork should not exist",
            ]


async def test_a_call_whose_server_was_killed_has_all_that_others_have(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    _, key = ApiKeys(tmp_path / "data" / "keys.json").create("sdk", 0)
    async with server_process(tmp_path) as server:
        sdk = Sdk(server.url, key)
        with sdk.connections:
            call = await sdk.ask("calls.create", assistant_id="scripted", transport=SOCKET)
            async with on_socket(call.transport.websocketCallUrl) as caller:
                await caller.until_told("transcript", role="assistant", transcript=GREETING)
                caller.say()
                log = tmp_path / "data" / "calls" / f"{call.id}.jsonl"
                async with asyncio.timeout(PATIENCE_S):
                    while b"marmalade" not in await asyncio.to_thread(log.read_bytes):  # noqa: ASYNC110 (a file tells nobody)
                        await asyncio.sleep(0.02)
                server.signal(signal.SIGKILL)
                await server.process.wait()
    async with server_process(tmp_path) as server:
        sdk = Sdk(server.url, key)
        with sdk.connections:
            left = await sdk.reckoned(call.id)
            recording = await asyncio.to_thread(httpx.get, left.artifact.recording.stereo_url)
    assert (left.status, left.ended_reason) == ("ended", "call.in-progress.error-vapifault-worker-died")
    assert left.artifact.transcript.startswith(f"AI: {GREETING}\nUser: what is the price of marmalade\n")
    assert recording.status_code == 200 and recording.content[:4] == b"RIFF"
    assert left.started_at < left.ended_at
    assert left.cost_breakdown.tts_characters > 0
