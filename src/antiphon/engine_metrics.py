"""How the engines' processes are, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from antiphon.engine_shelf import EngineHealth

_LABELS = ("kind", "engine")


class EngineReader(Collector):
    """Reads them when scraped."""

    def __init__(self, health: Callable[[], Sequence[EngineHealth]]) -> None:
        self._health = health

    def collect(self) -> Iterable[Metric]:
        wanted = GaugeMetricFamily("antiphon_engine_processes", "Processes an engine should have.", labels=_LABELS)
        up = GaugeMetricFamily("antiphon_engine_processes_up", "Of them, those that are ready.", labels=_LABELS)
        restarts = CounterMetricFamily(
            "antiphon_engine_restarts", "Processes started in place of one that died or hung.", labels=_LABELS
        )
        for engine in self._health():
            names = (engine.kind, engine.name)
            wanted.add_metric(names, engine.processes)
            up.add_metric(names, engine.up)
            restarts.add_metric(names, engine.restarts)
        return wanted, up, restarts
