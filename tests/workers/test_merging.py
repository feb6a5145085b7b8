"""One answer out of several."""

from __future__ import annotations

import orjson
from prometheus_client.parser import text_string_to_metric_families

from antiphon.workers.merging import merged

FIRST = b"""# HELP antiphon_calls_total Calls taken.
# TYPE antiphon_calls_total counter
antiphon_calls_total{provider="a b{c}"} 2.0
# HELP antiphon_live_calls live calls
# TYPE antiphon_live_calls gauge
antiphon_live_calls 1.0
"""
SECOND = b"""# HELP antiphon_live_calls live calls
# TYPE antiphon_live_calls gauge
antiphon_live_calls 4.0
"""


def test_metrics_of_all_workers_carry_their_numbers() -> None:
    text = merged("/metrics", [(1, FIRST), (2, SECOND)]).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    live = [(sample.labels, sample.value) for sample in families["antiphon_live_calls"].samples]
    assert live == [({"worker": "1"}, 1.0), ({"worker": "2"}, 4.0)]
    (calls,) = families["antiphon_calls"].samples
    assert calls.labels == {"worker": "1", "provider": "a b{c}"}
    assert text.count("# TYPE antiphon_live_calls") == 1


def test_live_calls_of_all_workers_are_one_list_the_newest_first() -> None:
    answers = [
        (1, orjson.dumps({"calls": [{"id": "a", "wall_ms": 3}, {"id": "b", "wall_ms": 1}]})),
        (2, orjson.dumps({"calls": [{"id": "c", "wall_ms": 2}]})),
    ]
    assert [row["id"] for row in orjson.loads(merged("/console/api/live", answers))["calls"]] == ["a", "c", "b"]
