"""Who is not let in is counted and told with the address, without flooding the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.serving import running_server, settings_for
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

ASKED = [
    ("GET", "/calls/x/timeline", "api", 401),
    ("POST", "/v1/realtime/client_secrets", "realtime", 401),
    ("POST", "/openai/v1/realtime/client_secrets", "realtime", 401),
    ("POST", "/twilio/voice", "twilio", 403),
]


async def test_every_surface_counts_and_tells_who_was_not_let_in(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running_server(settings_for(tmp_path)) as (_, client):
            for method, path, _, status in ASKED * 25:
                key = {"Authorization": "Bearer sk_antiphon_guess", "X-Forwarded-For": "203.0.113.7"}
                assert (await client.request(method, path, headers=key)).status_code == status
            metrics = (await client.get("/metrics")).text
            assert logs.count(logs[0]) == 1
    told = [entry for entry in logs if entry["event"] in ("auth_failed", "twilio_request_refused")]
    assert {(entry.get("surface", "twilio"), entry.get("status", 403), entry["peer"]) for entry in told} == {
        (surface, status, "203.0.113.7") for _, _, surface, status in ASKED
    }
    assert len(told) <= 6, "the first of each, and what was held back, when it ends"
    assert sum(entry.get("repeated", 1) for entry in told) >= 97
    assert 'antiphon_auth_failures_total{status="401",surface="realtime"} 50.0' in metrics
    assert 'antiphon_auth_failures_total{status="403",surface="twilio"} 25.0' in metrics
    assert "guess" not in str(logs)


@pytest.mark.parametrize(
    ("path", "surface", "status"), [("/v1/realtime", "realtime", 401), ("/twilio/media", "twilio", 403)]
)
@pytest.mark.parametrize(
    ("forwarded", "peer"), [("", "127.0.0.1"), ("1.2.3.4, 203.0.113.7", "203.0.113.7"), ("<script>", "127.0.0.1")]
)
async def test_sockets_that_are_not_let_in_are_counted_and_told_too(
    tmp_path: Path, path: str, surface: str, status: int, forwarded: str, peer: str
) -> None:
    with capture_logs() as logs:
        async with running_server(settings_for(tmp_path)) as (antiphon, _):
            url = antiphon.settings.base_url.replace("http", "ws") + path
            for _ in range(3):
                with pytest.raises(InvalidStatus):
                    await connect(url, additional_headers={"X-Forwarded-For": forwarded})
            counts = antiphon.losses.counts()
    assert counts["auth_failures", (("status", str(status)), ("surface", surface))] == 3
    [first, rest] = [entry for entry in logs if entry["event"] == "media_upgrade_refused"]
    assert (first["peer"], first["status"], rest["repeated"]) == (peer, status, 2)


async def test_what_is_refused_for_another_reason_is_no_failed_login(tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, client):
        assert (await client.get("/nowhere")).status_code == 404
        assert antiphon.losses.counts() == {}
