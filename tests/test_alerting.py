"""Alerts of a whole server: what calls do reaches the webhook, signed, once; and that it is over, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response
from tests.serving import line, place_call, running_server, settings_for
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.alerting import alert_target, thresholds_of
from antiphon.calls.health import CallHealth
from antiphon.calls.stores import DEFAULT_ORG, CallRecord
from antiphon.config import Alerts
from antiphon.errors import ConfigurationError
from antiphon.session.timeline import Timelines
from antiphon.vocabulary import EndReason
from antiphon.webhooks.signing import Hmac, Signed, standard_webhooks, verify_hmac

SECRET = "an-alert-s3cret-of-length"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def alerts(url: str, **given: Any) -> Alerts:
    quick: dict[str, Any] = {"url": url, "secret": SECRET, "look_every_s": 0.05, "at_least": 1}
    return Alerts(**(quick | given))


async def alert(receiver: Receiver, count: int) -> dict[str, Any]:
    received = await receiver.wait_for(count, within_s=60)
    message: dict[str, Any] = received[count - 1].json["message"]
    return message


async def test_capacity_is_told_once_signed_and_once_that_it_is_over(tmp_path: Path) -> None:
    """The receiver refuses at first: it is told until it has acknowledged, like any report."""
    refused: list[Received] = []

    async def answer(came: Received) -> Any:
        if not refused:
            refused.append(came)
            return Response(status_code=503)
        return {}

    async with receiving(Receiver(answer)) as receiver:
        settings = settings_for(
            tmp_path, max_calls=1, alerts=alerts(f"{receiver.url}/alerts", latency_ms=0, error_rate_percent=0)
        )
        async with running_server(settings) as (antiphon, _):
            calling = asyncio.create_task(place_call(antiphon.settings.base_url, line()))
            crossed = await alert(receiver, 2)
            await calling
            over = await alert(receiver, 3)
    assert (crossed["type"], crossed["alert"], crossed["state"], crossed["value"]) == (
        "alert",
        "capacity",
        "crossed",
        100.0,
    )
    assert (crossed["threshold"], crossed["clearsBelow"], crossed["unit"]) == (90.0, 72.0, "percent")
    assert (over["alert"], over["state"], over["value"]) == ("capacity", "over", 0.0)
    assert len(receiver.received) == 3, "each once"
    for came in receiver.received:
        stamp = int(came.headers["x-timestamp"])
        verify_hmac(Hmac(SECRET), Signed(came.body), came.headers, stamp)
    assert not [
        path for path in settings.data_dir.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


async def test_latency_and_spending_are_told(tmp_path: Path) -> None:
    async with receiving(Receiver()) as receiver:
        given = alerts(receiver.url, latency_ms=1, capacity_percent=0, spend_usd_per_day=5, secret=WHSEC)
        async with running_server(settings_for(tmp_path, alerts=given)) as (antiphon, _):
            await place_call(antiphon.settings.base_url, line())
            slow = await alert(receiver, 1)
            assert antiphon.api is not None
            now_ms = antiphon.clock.wall_ms()
            spent = CallRecord("c", DEFAULT_ORG, "webCall", "ended", 0, 0, ended_wall_ms=now_ms, cost_usd=7.25)
            await antiphon.api.calls.add(spent)
            dear = await alert(receiver, 2)
    assert (slow["alert"], slow["state"], slow["unit"], slow["samples"]) == (
        "latency-p95",
        "crossed",
        "milliseconds",
        1,
    )
    assert slow["value"] > 1
    assert (dear["alert"], dear["value"], dear["threshold"]) == ("spend", 7.25, 5.0)
    first = receiver.received[0]
    verify_hmac(standard_webhooks(WHSEC), Signed(first.body), first.headers, int(first.headers["webhook-timestamp"]))


def test_what_is_set_to_nothing_is_not_looked_at() -> None:
    assert [one.name for one in thresholds_of(Alerts())] == ["error-rate", "latency-p95", "capacity"]
    assert thresholds_of(Alerts(error_rate_percent=0, latency_ms=0, capacity_percent=0)) == []
    assert [one.clears_at for one in thresholds_of(Alerts(clears_at_percent=50))] == [2.5, 1500.0, 45.0]
    with pytest.raises(ConfigurationError):
        alert_target(Alerts())
    with pytest.raises(ConfigurationError):
        alert_target(Alerts(url="https://a.test", secret="whsec_%%"))  # type: ignore[arg-type]


def test_ends_that_nobody_wanted_are_counted_within_the_window() -> None:
    health = CallHealth(Timelines(0, 0).find, window_ms=1000)
    assert health.error_share(0) == (0.0, 0) and health.latency_p95_ms(0) == (0.0, 0)
    reasons = (EndReason.PROVIDER_FAILED, EndReason.CUSTOMER_ENDED, EndReason.SERVER_DIED, EndReason.CUSTOMER_ENDED)
    for at_ms, reason in zip((0, 500, 1000, 1500), reasons, strict=True):
        health.call_ended("c", at_ms, reason)
    assert health.error_share(1000) == (0.5, 4)
    assert health.error_share(1500) == (pytest.approx(1 / 3), 3)
    assert health.error_share(2600) == (0.0, 0)
