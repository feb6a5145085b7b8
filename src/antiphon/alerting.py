"""Alerts to whoever runs the server, put together: what is looked at, and how it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import orjson
import structlog

from antiphon.calls.health import CallHealth
from antiphon.calls.stores import DEFAULT_ORG
from antiphon.clock import Clock
from antiphon.config import Alerts
from antiphon.errors import ConfigurationError, StoreUnavailable
from antiphon.webhooks.alerts import Alert, AlertStates, Reading, Threshold
from antiphon.webhooks.deliveries import Delivery
from antiphon.webhooks.outbox import delivery_of
from antiphon.webhooks.signing import Hmac, standard_webhooks
from antiphon.webhooks.target import Target

TYPE = "alert"
"""Of the messages."""
_DAY_MS = 86_400_000
_TIMEOUT_S = 20.0
_STANDARD = "whsec_"

log = structlog.get_logger(__name__)

Put = Callable[[Delivery], Awaitable[bool]]
TargetOf = Callable[[Delivery], Awaitable[Target]]


def thresholds_of(settings: Alerts) -> list[Threshold]:
    """Those that are set; 0 stands for none."""
    at_least = settings.at_least
    given = [
        Threshold("error-rate", "percent", settings.error_rate_percent, 0.0, at_least),
        Threshold("latency-p95", "milliseconds", settings.latency_ms, 0.0, at_least),
        Threshold("spend", "usd-per-day", settings.spend_usd_per_day, 0.0),
        Threshold("capacity", "percent", settings.capacity_percent, 0.0),
    ]
    share = settings.clears_at_percent / 100
    return [replace(one, clears_at=one.limit * share) for one in given if one.limit > 0]


def alert_target(settings: Alerts) -> Target:
    """Where alerts go: signed by the secret, which stands in the settings and nowhere else. Raises ConfigurationError."""
    secret = settings.secret.get_secret_value()
    if not settings.url:
        raise ConfigurationError("alerts.url", "is not set any more")
    proof = None
    if secret:
        proof = standard_webhooks(secret) if secret.startswith(_STANDARD) else Hmac(secret)
    return Target(settings.url, _TIMEOUT_S, authentication=proof)


def with_alerts(settings: Alerts, others: TargetOf) -> TargetOf:
    """Where deliveries go, alerts among them."""

    async def target(delivery: Delivery) -> Target:
        return alert_target(settings) if delivery.type == TYPE else await others(delivery)

    return target


class Alerting:
    """One for a process."""

    def __init__(
        self,
        settings: Alerts,
        clock: Clock,
        health: CallHealth,
        capacity: Callable[[], tuple[int, int]],
        spent_since: Callable[[int], Awaitable[float]],
        put: Put,
        node: str,
    ) -> None:
        """``capacity``: calls that are live, and how many may be. ``spent_since``: what calls cost that ended since then, in US dollars.
        Raises ConfigurationError for a secret that cannot sign."""
        self._settings = settings
        self._clock = clock
        self._health = health
        self._capacity = capacity
        self._spent_since = spent_since
        self._put = put
        self._node = node
        self._states = AlertStates(thresholds_of(settings))
        self._task: asyncio.Task[None] | None = None
        if settings.url:
            alert_target(settings)

    def start(self) -> None:
        if self._settings.url and self._states.thresholds:
            self._task = asyncio.create_task(self._look_for_ever(), name="alerts")

    async def close(self) -> None:
        """Safe to call twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def look(self) -> list[Alert]:
        """What has changed, and was told. Raises StoreUnavailable."""
        told = []
        for alert in self._states.judge(await self._readings()):
            try:
                await self._put(self._delivery(alert))
            except StoreUnavailable:
                self._states.take_back(alert)
                raise
            log.warning("alert", alert=alert.threshold.name, state=alert.state, value=round(alert.reading.value, 3))
            told.append(alert)
        return told

    async def _look_for_ever(self) -> None:
        while True:
            with suppress(StoreUnavailable):
                await self.look()
            await asyncio.sleep(self._settings.look_every_s)

    async def _readings(self) -> dict[str, Reading]:
        now_ms, wall_ms = self._clock.now_ms(), self._clock.wall_ms()
        share, calls = self._health.error_share(now_ms)
        latency_ms, turns = self._health.latency_p95_ms(now_ms)
        live, most = self._capacity()
        readings = {
            "error-rate": Reading(100 * share, calls),
            "latency-p95": Reading(latency_ms, turns),
            "capacity": Reading(100 * live / most),
        }
        if self._settings.spend_usd_per_day:
            readings["spend"] = Reading(await self._spent_since(wall_ms - wall_ms % _DAY_MS))
        return readings

    def _delivery(self, alert: Alert) -> Delivery:
        wall_ms, threshold = self._clock.wall_ms(), alert.threshold
        message = {
            "type": TYPE,
            "timestamp": wall_ms,
            "alert": threshold.name,
            "state": alert.state,
            "value": round(alert.reading.value, 3),
            "threshold": threshold.limit,
            "clearsBelow": threshold.clears_at,
            "unit": threshold.unit,
            "samples": alert.reading.samples,
            "windowSeconds": self._settings.window_s,
            "node": self._node,
        }
        # What a day has cost is the same in every process: told by the first of them.
        id = f"alert:spend:{alert.state}:{wall_ms // _DAY_MS}" if threshold.name == "spend" else ""
        body = orjson.dumps({"message": message}).decode()
        return delivery_of(
            TYPE, body, {"url": self._settings.url}, DEFAULT_ORG, self._clock, id=id, timeout_s=_TIMEOUT_S
        )
