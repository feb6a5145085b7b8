"""The yardsticks measure what they say."""

from __future__ import annotations

import pytest

from antiphon.bench import machine
from antiphon.bench.machine import MemoryYardstick


def test_a_walk_through_memory_visits_every_object_before_it_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CHAIN_NODES", 500)
    yardstick = MemoryYardstick()
    first = node = yardstick._node
    visited = 0
    while True:
        node, visited = node[0], visited + 1
        if node is first:
            break
    assert visited == 500


def test_a_walk_takes_time_and_goes_on_where_the_one_before_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CHAIN_STEPS", 7)
    monkeypatch.setattr(machine, "_CHAIN_NODES", 100)
    yardstick = MemoryYardstick()
    before = yardstick._node
    assert yardstick.step_ns() >= 0
    for _ in range(3 * 7):
        before = before[0]
    assert yardstick._node is before
