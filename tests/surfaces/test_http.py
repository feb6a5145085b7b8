"""What operators ask over HTTP, of a real server that has taken a real call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import orjson
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.serving import GREETING, free_port, line, place_call, running_server, settings_for

from antiphon.config import Http
from antiphon.surfaces import metrics
from antiphon.surfaces.http.application import application
from antiphon.surfaces.keys import ApiKeys


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


async def test_a_call_shows_in_health_metrics_and_its_timeline(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (antiphon, client):
        keys = ApiKeys(settings.data_dir / "keys.json")
        _, secret = keys.create("test", 0)
        call = asyncio.create_task(place_call(antiphon.settings.base_url, line()))
        await _until_live(client)
        assert (await client.get("/readyz")).json() == {"status": "ready", "calls": 1}
        report = await call
        assert not report.failed, report.record.problem

        health = (await client.get("/healthz")).json()
        assert (health["status"], health["draining"]) == ("ok", False)
        assert health["beats"] > 5, "how many a second, nobody can promise beside the other tests"

        rows = (await client.get(f"/calls/{report.record.call_sid}/timeline", headers=bearer(secret))).json()
        [log] = (settings.data_dir / "calls").glob("*.jsonl")
        assert (await client.get(f"/calls/{log.stem}/timeline", headers=bearer(secret))).json() == rows
        [row] = rows
        assert (row["turn"], row["heard"], row["text"]) == (
            1,
            "what is the price of marmalade",
            "It costs eleven crowns.",
        )
        assert row["user_stopped_ms"] < row["turn_closed_ms"] <= row["first_audio_ms"]

        metrics = await client.get("/metrics")
        _check_metrics(metrics)
        assert b"marmalade" not in metrics.content
        assert GREETING.encode() not in metrics.content


async def _until_live(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        if (await client.get("/healthz")).json()["calls"]:
            return
    raise AssertionError("no call came")


def _check_metrics(answer: httpx.Response) -> None:
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["antiphon_calls_total", "twilio"] == 1
    assert samples["antiphon_turns_total", "closed"] == 1
    for stage in ("turn_closed", "first_token", "first_audio"):
        assert samples["antiphon_turn_stage_seconds_count", stage] == 1
    assert samples["antiphon_beats_total",] > 50
    for name in (
        "antiphon_live_calls", "antiphon_beat_lateness_p99_seconds", "antiphon_late_beats_skipped_total", "antiphon_audio_gaps_total",
        "antiphon_early_audio_dropped_seconds_total", "antiphon_dead_reply_audio_dropped_seconds_total",
        "antiphon_overlong_reply_audio_dropped_seconds_total", "antiphon_recording_blocks_lost_total",
    ):  # fmt: skip
        assert (name,) in samples
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"antiphon_barge_ins", "antiphon_provider_errors", "antiphon_false_barge_in_hold_seconds"} <= families


async def test_keys_open_timelines_while_they_are_valid(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (_, client):
        url = "/calls/CA0/timeline"
        refused = await client.get(url)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "antiphon keys create" in refused.json()["detail"]
        for header in ("", "Bearer", "Bearer wrong", "Basic wrong", "wrong"):
            assert (await client.get(url, headers={"Authorization": header})).status_code == 401

        keys = ApiKeys(settings.data_dir / "keys.json")
        record, secret = keys.create("made while the server runs", 0)
        assert (await client.get(url, headers=bearer(secret))).status_code == 404
        assert (await client.get(url, headers={"Authorization": f"bearer  {secret}"})).status_code == 404
        assert (await client.get(url, headers={"Authorization": f"Basic {secret}"})).status_code == 401
        keys.revoke(record.id)
        assert (await client.get(url, headers=bearer(secret))).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_what_a_supervisor_asks_needs_no_key(tmp_path: Path, path: str) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        assert (await client.get(path)).status_code == 200


async def test_an_open_api_needs_no_key(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path, open_api=True)) as (_, client):
        assert (await client.get("/calls/CA0/timeline")).status_code == 404


async def test_a_draining_server_is_alive_and_not_ready(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        antiphon.manager.drain()
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining", "calls": 0})
        health = await client.get("/healthz")
        assert (health.status_code, health.json()["draining"]) == (200, True)


async def test_a_broken_key_file_lets_nobody_in_and_is_logged(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (_, client):
        (settings.data_dir / "keys.json").write_bytes(orjson.dumps({"not": "keys"}))
        with structlog.testing.capture_logs() as logs:
            refused = await client.get("/calls/CA0/timeline", headers=bearer("anything"))
        assert refused.status_code == 503
        assert "keys.json" in refused.json()["detail"]
        assert [entry["event"] for entry in logs] == ["keys_unreadable"]


async def test_unknown_paths_and_methods_are_refused(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        nothing = await client.get("/nothing")
        assert (nothing.status_code, nothing.json()) == (404, {"detail": "Not Found"})
        wrong = await client.post("/healthz")
        assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
        for method in ("HEAD", "POST"):
            refused = await client.request(method, "/healthz")
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
        assert (await client.head("/twilio/voice")).status_code == 405
        assert (await client.get("/openapi.json")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/models", "/v1/realtime/nothing", "/openai/deployments/x/chat", "/v1/realtime/calls/"]
)
async def test_unknown_paths_of_openai_s_are_refused_in_its_shape(tmp_path: Path, path: str) -> None:
    async with running_server(settings_for(tmp_path)) as (_, client):
        answer = await client.post(path)
        error = answer.json()["error"]
        assert answer.status_code == 404
        assert (error["message"], error["type"]) == (f"Invalid URL (POST {path})", "invalid_request_error")
        assert set(error) == {"message", "type", "param", "code"}
        wrong = await client.get("/v1/realtime/client_secrets")
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/healthz/", "/talk/", "/twilio/after/", "//healthz/", "/v1/realtime/client_secrets/"]
)
async def test_nobody_is_sent_where_their_host_header_says(tmp_path: Path, path: str) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        answer = await client.get(f"{antiphon.settings.base_url}{path}", headers={"Host": "evil.example"})
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_doubled_slashes_mean_one(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        base = antiphon.settings.base_url
        assert (await client.get(f"{base}//healthz")).status_code == 200
        assert (await client.post(f"{base}//v1///realtime//client_secrets")).status_code == 401


@pytest.mark.parametrize("depth", [250, 300, 100_000])
async def test_json_nested_deep_is_a_bad_request(tmp_path: Path, depth: int) -> None:
    settings = settings_for(tmp_path)
    async with running_server(settings) as (antiphon, client):
        _, secret = antiphon.keys.create("test", 0)
        for field in ('"x"', '"session": {"x"', '"session": {"tools"'):
            body = "{" + field + ": " + "[" * depth + "]" * depth + "}" * field.count("{") + "}"
            answer = await client.post("/v1/realtime/client_secrets", content=body, headers=bearer(secret))
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_json")


async def test_wrong_keys_are_counted_and_told_of_but_not_each(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        with structlog.testing.capture_logs() as logs:
            for at in range(50):
                asked = [
                    client.get("/calls/x/timeline", headers=bearer(f"sk_wrong_{at}")),
                    client.post("/v1/realtime/calls", headers=bearer(f"ek_wrong_{at}")),
                    client.post("/twilio/voice"),
                    client.post("/talk/key/scripted"),
                ]
                assert {(await answer).status_code for answer in asked} == {401, 403}
        counted = antiphon.losses.counts()
        assert sum(count for (name, _), count in counted.items() if name == "auth_failures") == 200
        told = [line for line in logs if line["event"] == "auth_failed"]
        assert {line["peer"] for line in told} == {"127.0.0.1"}
        assert len(logs) <= 10, "of two hundred"
        assert "wrong" not in str(logs)


async def test_metrics_on_a_port_of_their_own(tmp_path: Path) -> None:
    port = free_port()
    settings = settings_for(tmp_path, http=Http(metrics_port=port))
    async with running_server(settings) as (_, client):
        assert (await client.get("/metrics")).status_code == 404
        for path in ("/metrics", "/healthz", "/readyz"):
            assert (await client.get(f"http://127.0.0.1:{port}{path}")).status_code == 200
        assert (await client.get(f"http://127.0.0.1:{port}/talk")).status_code == 404


async def test_a_flood_of_scrapes_writes_the_metrics_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        written, now_ms = 0, antiphon.clock.now_ms()
        real = metrics.generate_latest

        def counting(registry: object) -> bytes:
            nonlocal written
            written += 1
            return real(registry)  # type: ignore[arg-type]

        monkeypatch.setattr(metrics, "generate_latest", counting)
        monkeypatch.setattr(antiphon.clock, "now_ms", lambda: now_ms)
        for _ in range(100):
            assert (await client.get("/metrics")).status_code == 200
        assert written == 1
        now_ms += 1000
        await client.get("/metrics")
        assert written == 2


async def test_our_own_failure_has_the_shape_of_its_path_too(tmp_path: Path) -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("our bug")

    app = application([Route("/v1/x", fail), Route("/x", fail)])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.get("/v1/x")).json()["error"]["type"] == "server_error"
        assert set((await client.get("/x")).json()) == {"detail"}
