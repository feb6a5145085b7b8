"""The whole server: what stops it from starting, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs
from tests.serving import (
    CALLED,
    CALLER,
    TOKEN,
    line,
    place_call,
    running_server,
    server_process,
    settings_for,
    start_serve,
)
from tests.session.conftest import log_header
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect

from antiphon.caller.webhook import Identity, ask_webhook, handshake_headers, new_stream_ids
from antiphon.clock import ManualClock
from antiphon.composition.process import Antiphon
from antiphon.config import Overload, Twilio
from antiphon.errors import ConfigurationError
from antiphon.server import open_socket, serving
from antiphon.session.event_log import EventLogWriter, read_event_log
from antiphon.session.replay import replay
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE

# ------------------------------------------------------------------------------------------------ what stops the start


async def test_an_assistant_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"assistant: .*there are .*scripted"):
        async with serving(settings_for(tmp_path, assistant="nobody")):
            raise AssertionError("it answers calls")


async def test_an_assistant_that_makes_no_sense_stops_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "assistants" / "scripted.yaml").write_text("model: { provider: scripted, temperature: hot }")
    with pytest.raises(ConfigurationError, match=r"model\.temperature"):
        async with serving(settings):
            raise AssertionError("it answers calls")


async def test_an_engine_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "assistants" / "scripted.yaml").write_text("model: { provider: hal }")
    with pytest.raises(ConfigurationError, match=r"no provider 'hal'; there are workflow, .*scripted"):
        async with serving(settings):
            raise AssertionError("it answers calls")


async def test_another_assistant_that_is_wrong_is_reported_and_spoils_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    (tmp_path / "assistants" / "other.yaml").write_text("model: { provider: hal }")
    with capture_logs() as logs:
        async with serving(settings):
            pass
    [report] = [entry for entry in logs if entry["event"] == "assistant_unusable"]
    assert report["assistant"] == "other"
    assert "hal" in report["problem"]


def test_phone_calls_without_an_auth_token_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"twilio\.auth_token: is needed"):
        Antiphon(settings_for(tmp_path, port=8080, twilio=Twilio(account_sid="AC0")))


async def test_without_an_account_there_is_no_telephone_and_the_rest_is_served(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, twilio=Twilio())) as (antiphon, client):
        assert antiphon.twilio is None
        assert (await client.post("/twilio/voice")).status_code == 404
        assert (await client.get("/talk/talk.js")).status_code == 200
        assert b"antiphon_media_anomalies_total 0.0" in (await client.get("/metrics")).content


async def test_a_taken_port_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {port}: Address already in use"):
            async with serving(settings_for(tmp_path, port=port)):
                raise AssertionError("it answers calls")


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1, port"):
        open_socket(settings_for(tmp_path, host="192.0.2.1", port=8080))


async def test_what_failed_to_start_leaves_the_port_free(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConfigurationError):
        async with serving(settings_for(tmp_path, port=port, assistant="nobody")):
            raise AssertionError("it answers calls")
    async with running_server(settings_for(tmp_path, port=port)) as (_, client):
        assert (await client.get("/readyz")).status_code == 200


# ------------------------------------------------------------------------------------------------ while it runs


def test_the_secret_of_media_urls_is_made_once_and_kept_to_its_owner(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, port=8080)
    path = settings.data_dir / "token.secret"
    Antiphon(settings, ManualClock())
    made = path.read_text()
    assert len(made) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Antiphon(settings, ManualClock())
    assert path.read_text() == made


async def test_the_secret_is_the_same_for_all_processes_also_after_a_crash_between_making_and_writing(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path, port=8080)
    settings.data_dir.mkdir(exist_ok=True)
    (settings.data_dir / "token.secret").touch()
    Antiphon(settings, ManualClock())
    assert len((settings.data_dir / "token.secret").read_text()) == 64
    (settings.data_dir / "token.secret").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"token\.secret: is not text"):
        Antiphon(settings, ManualClock())


async def test_what_a_dead_process_left_is_told_at_the_start_and_stops_nothing(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    calls = settings.data_dir / "calls"
    (calls / "a-folder.jsonl").mkdir(parents=True)
    (settings.data_dir / "keys.json").write_text("{")
    header = replace(log_header(), call_id="dead")
    writer = EventLogWriter(calls / "dead.jsonl", header)
    os.close(writer._file or 0)
    with capture_logs() as logs:
        async with running_server(settings) as (_, client):
            metrics = (await client.get("/metrics")).text
            assert (await client.get("/readyz")).status_code == 200
    assert 'antiphon_calls_ended_total{reason="worker-died"} 1.0' in metrics
    assert "antiphon_dead_calls_unreadable_total 1.0" in metrics
    [room] = re.findall(r"^antiphon_data_disk_free_bytes (\S+)", metrics, re.MULTILINE)
    assert float(room) > 0
    [keys] = [entry for entry in logs if entry["event"] == "keys_unreadable"]
    assert keys["file"].endswith("keys.json")
    assert "JSONDecodeError" in keys["problem"]
    assert {"call_recovered", "dead_call_closed", "dead_call_unreadable"} <= {entry["event"] for entry in logs}


async def test_a_call_for_an_assistant_that_is_not_there_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        (tmp_path / "assistants" / "scripted.yaml").unlink()
        report = await place_call(antiphon.settings.base_url, line())
        assert report.failed
        assert antiphon.manager.live == antiphon.plane.calls == 0
        assert (await client.get("/readyz")).status_code == 200


async def test_an_assistant_whose_file_is_spoilt_serves_as_it_was_and_one_that_never_was_right_is_an_apology(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path)
    folder = tmp_path / "assistants"
    (folder / "never.yaml").write_text("name: x\nmodel: { provider: scripted, temperature: hot }\n")
    (folder / "korean.yaml").write_text(
        "model: { provider: scripted }\ntranscriber: { provider: pocketsphinx, language: ko-KR }\n"
    )
    with capture_logs() as logs:
        async with running_server(settings) as (antiphon, client):
            good = (folder / "scripted.yaml").read_text()
            (folder / "scripted.yaml").write_text(good + "oops: [\n")
            report = await place_call(antiphon.settings.base_url, line())
            assert not report.failed
            for name in ("never", "korean", "nobody"):
                url = f"{antiphon.settings.base_url}/twilio/voice/{name}"
                form = {"CallSid": "CA1", "AccountSid": "AC1", "From": "+1", "To": "+2", "CallStatus": "ringing"}
                signature = RequestValidator(TOKEN).compute_signature(url, form)
                answer = await client.post(url, data=form, headers={"X-Twilio-Signature": signature})
                assert "<Say>We are sorry" in answer.text
            assert (await client.get("/readyz")).status_code == 200
    told = [
        (entry["event"], entry["assistant"], entry.get("file", ""), entry.get("line", 0))
        for entry in logs
        if "assistant" in entry
    ]
    assert told == [
        ("assistant_unusable", "korean", "korean.yaml", 2),
        ("assistant_unusable", "never", "never.yaml", 2),
        ("assistant_edit_unusable", "scripted", "scripted.yaml", told[2][3]),
        ("assistant_unusable", "never", "never.yaml", 2),
        ("assistant_unusable", "korean", "korean.yaml", 2),
        ("assistant_unusable", "nobody", "", 0),
    ]
    assert any("pocketsphinx does not know 'ko-KR'; it knows en" in str(entry.get("problem")) for entry in logs)


async def test_a_folder_of_assistants_that_is_not_there_stops_the_start_and_is_named(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, assistants_dir=tmp_path / "nowhere", assistant="front-desk")
    with pytest.raises(ConfigurationError, match=r"assistants_dir: .*nowhere cannot be read"):
        async with serving(settings):
            raise AssertionError("it answers calls")


async def test_the_files_of_a_call_that_comes_back_stand_beside_those_that_are_there(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (antiphon, _):
        call = CallStarted("twilio", "an-id", "scripted", format_in=TELEPHONE, format_out=TELEPHONE)
        assert antiphon.plans.plan(call).recording == settings.data_dir / "calls" / "an-id.wav"
        (settings.data_dir / "calls").mkdir()
        (settings.data_dir / "calls" / "an-id.jsonl").touch()
        plan = antiphon.plans.plan(call)
        assert (plan.recording, plan.event_log) == tuple(
            settings.data_dir / "calls" / f"an-id-2.{ending}" for ending in ("wav", "jsonl")
        )


async def test_a_call_is_handed_over_by_the_carrier_that_brought_it_and_by_no_other(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, twilio=Twilio(account_sid="AC0", auth_token=TOKEN))  # type: ignore[arg-type]
    async with running_server(settings) as (antiphon, _):
        call = CallStarted("twilio", "an-id", "scripted", format_in=TELEPHONE, format_out=TELEPHONE)
        assert antiphon.twilio is not None
        assert antiphon.plans.plan(call).transfer == antiphon.twilio.control.transfer
        assert antiphon.plans.plan(replace(call, provider="realtime")).transfer is None
        for model in ("assistant:scripted", "gpt-realtime"):
            assert antiphon.plans.realtime_plan(model, "another-id").transfer is None, "Twilio does not know its id"


@pytest.mark.parametrize(
    ("host", "address"), [("::1", "http://[::1]"), ("127.0.0.1", "http://127.0.0.1"), ("localhost", "http://localhost")]
)
async def test_the_address_that_is_told_answers(tmp_path: Path, host: str, address: str) -> None:
    async with running_server(settings_for(tmp_path, host=host)) as (antiphon, client):
        assert antiphon.settings.own_url.startswith(f"{address}:")
        assert (await client.get(f"{antiphon.settings.own_url}/healthz")).status_code == 200
        assert (
            await client.get(antiphon.talk_address.replace("localhost", "127.0.0.1"), follow_redirects=True)
        ).status_code == 200
        report = await place_call(antiphon.settings.own_url, line())
        assert not report.failed


async def test_calls_beyond_the_limit_are_refused_politely(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, max_calls=1)) as (antiphon, _):
        first = asyncio.create_task(place_call(antiphon.settings.base_url, line()))
        for _ in range(500):
            if antiphon.manager.live:
                break
            await asyncio.sleep(0.01)
        second = await place_call(antiphon.settings.base_url, line())
        assert second.failed
        assert antiphon.manager.live == 1, second.record.problem
        assert not (await first).failed


async def test_an_overloaded_server_says_so_and_sends_new_callers_away_with_a_sentence(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, overload=Overload(busy_share=1e-9, always_calls=1))
    async with running_server(settings) as (antiphon, client):
        first = asyncio.create_task(place_call(antiphon.settings.base_url, line()))
        await _until(client, "/readyz", 503)
        assert antiphon.manager.live == 1, "the first call is never refused for the load"
        second = await place_call(antiphon.settings.base_url, line())
        assert second.record.refused
        assert "All our lines are busy" in second.record.problem
        assert "antiphon_overloaded" in (await client.get("/metrics")).text
        assert not (await first).failed, "who was let in is served"
        await _until(client, "/readyz", 200)


# ------------------------------------------------------------------------------------------------ how it stops


async def test_sigterm_lets_a_live_call_end_and_exits_with_0(tmp_path: Path) -> None:
    async with server_process(tmp_path, {"ANTIPHON_DRAIN_S": "10"}) as server:
        call = asyncio.create_task(place_call(server.url, line()))
        await _until_live(server.url)
        server.signal(signal.SIGTERM)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            await _until(client, "/readyz", 503)
        report = await call
        status, errors = await server.ended(3)
    assert not report.failed, "the caller was answered to the end"
    assert status == 0, errors
    _check_log(tmp_path, ended="customer-ended-call")


async def test_a_call_whose_webhook_was_answered_before_sigterm_is_taken(tmp_path: Path) -> None:
    """There is no other call: the server must not be gone before the media comes."""
    async with server_process(tmp_path, {"ANTIPHON_DRAIN_S": "60"}) as server:
        identity = Identity(CALLER, CALLED, auth_token=TOKEN)
        ids = new_stream_ids(identity.account_sid)
        async with httpx.AsyncClient(timeout=60) as client:
            stream = await ask_webhook(client, f"{server.url}/twilio/voice", identity, ids)
        server.signal(signal.SIGTERM)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            await _until(client, "/readyz", 503)
            refused = await place_call(server.url, line())
            assert refused.record.refused
        headers = handshake_headers(stream.url, TOKEN)
        media = "wss" + stream.url.removeprefix("ws") if stream.url.startswith("wss") else stream.url
        async with connect(media, additional_headers=headers) as socket_:
            start = {"streamSid": ids.stream_sid, "callSid": ids.call_sid, "accountSid": ids.account_sid,
                     "tracks": ["inbound"], "customParameters": dict(stream.parameters),
                     "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}}  # fmt: skip
            await socket_.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
            await socket_.send(
                json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": ids.stream_sid, "start": start})
            )
            async with asyncio.timeout(60):
                message = json.loads(await socket_.recv())
            assert message["event"] == "media", "the greeting is heard"
            await socket_.send(json.dumps({"event": "stop", "sequenceNumber": "2", "streamSid": ids.stream_sid,
                                           "stop": {"accountSid": ids.account_sid, "callSid": ids.call_sid}}))  # fmt: skip
        status, errors = await server.ended(20)
    assert status == 0, errors
    _check_log(tmp_path, ended="customer-ended-call")


async def test_a_drain_has_an_end_and_the_calls_left_have_a_reason(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, drain_s=0.3)) as (antiphon, _):
        call = asyncio.create_task(place_call(antiphon.settings.base_url, line(barge_in_ms=20_000)))
        await _until_live(antiphon.settings.base_url)
        began_s = asyncio.get_running_loop().time()
    lasted_s = asyncio.get_running_loop().time() - began_s
    await call
    assert 0.3 <= lasted_s < 3
    _check_log(tmp_path, ended="worker-shutdown")


async def test_a_second_signal_ends_the_drain(tmp_path: Path) -> None:
    async with server_process(tmp_path, {"ANTIPHON_DRAIN_S": "600"}) as server:
        call = asyncio.create_task(place_call(server.url, line(barge_in_ms=20_000)))
        await _until_live(server.url)
        server.signal(signal.SIGINT)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
            await _until(client, "/readyz", 503)
        server.signal(signal.SIGINT)
        status, errors = await server.ended(3)
        await call
    assert status == 0, errors
    _check_log(tmp_path, ended="worker-shutdown")


def _check_log(folder: Path, ended: str) -> None:
    [path] = (folder / "data" / "calls").glob("*.jsonl")
    log = read_event_log(path)
    assert log.ended == ended
    assert replay(log) is None


async def _until_live(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for _ in range(500):
            if (await client.get("/healthz")).json()["calls"]:
                return
    raise AssertionError("no call came")


async def _until(client: httpx.AsyncClient, path: str, status: int) -> None:
    for _ in range(500):
        if (await client.get(path)).status_code == status:
            return
    raise AssertionError(f"{path} never answered {status}")


async def test_a_start_that_fails_exits_with_2_and_one_clear_line(tmp_path: Path) -> None:
    process = await start_serve(tmp_path, {"ANTIPHON_ASSISTANT": "nobody", "ANTIPHON_PORT": "0"})
    _, errors = await asyncio.wait_for(process.communicate(), 60)
    said = " ".join(errors.decode().split())
    assert process.returncode == 2
    assert said.startswith("Error: assistant: there is no assistant nobody; there are")
    assert "Traceback" not in said
    assert TOKEN not in said
