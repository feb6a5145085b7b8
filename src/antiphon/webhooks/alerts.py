"""When whoever runs the server is told that something is wrong, and that it is right again: each once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

AlertState = Literal["crossed", "over"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """``limit`` is reached: an alert. Below ``clears_at``: it is over. In between nothing changes, so a value that wavers about the limit
    is told once."""

    name: str
    unit: str
    limit: float
    clears_at: float
    at_least: int = 1
    """Samples, below which a value says nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value as it is now, and of how many samples."""

    value: float
    samples: int = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """To be told."""

    threshold: Threshold
    state: AlertState
    reading: Reading


class AlertStates:
    """Which alerts are on."""

    def __init__(self, thresholds: Sequence[Threshold]) -> None:
        self.thresholds = tuple(thresholds)
        self._on: set[str] = set()

    def judge(self, readings: Mapping[str, Reading]) -> list[Alert]:
        """What has changed. A threshold without a reading stays as it is."""
        return [
            Alert(threshold, state, readings[threshold.name])
            for threshold in self.thresholds
            if threshold.name in readings and (state := self._change(threshold, readings[threshold.name])) is not None
        ]

    def take_back(self, alert: Alert) -> None:
        """It could not be told: it is judged again."""
        if alert.state == "crossed":
            self._on.discard(alert.threshold.name)
        else:
            self._on.add(alert.threshold.name)

    def _change(self, threshold: Threshold, reading: Reading) -> AlertState | None:
        if threshold.name in self._on:
            if reading.samples == 0 or reading.value < threshold.clears_at:
                self._on.discard(threshold.name)
                return "over"
        elif reading.samples >= threshold.at_least and reading.value >= threshold.limit:
            self._on.add(threshold.name)
            return "crossed"
        return None
