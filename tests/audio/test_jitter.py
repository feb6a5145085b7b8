from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.audio.jitter import MAX_DROPOUT_PACKETS, Gap, JitterBuffer


@given(st.integers(0, 70_000), st.integers(1, 300), st.sampled_from([None, 65536]))
def test_in_order_nothing_waits(first: int, count: int, modulus: int | None) -> None:
    buffer = JitterBuffer[int](modulus=modulus)
    for step in range(count):
        sequence = first + step if modulus is None else (first + step) % modulus
        assert buffer.put(sequence, step, now_ms=20 * step) == [step]
        assert buffer.deadline() is None
    assert buffer.counters.received == count
    assert buffer.counters.resets == buffer.counters.lost == buffer.counters.reordered == 0


@given(st.data(), st.sampled_from([None, 256]))
def test_any_disorder_comes_out_in_order(data: st.DataObject, modulus: int | None) -> None:
    """Packets swapped by up to 5 places, lost and doubled: what comes out is ascending and its gaps are exact."""
    count = data.draw(st.integers(2, 60))
    delays = data.draw(st.lists(st.integers(0, 5), min_size=count, max_size=count))
    copies = data.draw(st.lists(st.sampled_from([0, 1, 1, 1, 2]), min_size=count, max_size=count))
    start = data.draw(st.integers(0, 300))
    copies[0], delays[0] = 1, 0  # the first to arrive says where the stream starts
    arrivals = sorted((number + delays[number], number) for number in range(count) for _ in range(copies[number]))
    buffer = JitterBuffer[int](max_packets=20, max_wait_ms=60, modulus=modulus)
    items: list[int | Gap] = []
    for slot, number in arrivals:
        wire_number = start + number if modulus is None else (start + number) % modulus
        items += buffer.release(20 * slot)
        items += buffer.put(wire_number, number, 20 * slot)
        deadline = buffer.deadline()
        assert deadline is None or deadline > 20 * slot
    items += buffer.drain()

    position = 0
    played = 0
    for item in items:
        if isinstance(item, Gap):
            assert item.missing > 0
            position += item.missing
        else:
            assert item == position
            position += 1
            played += 1
    seen = buffer.counters
    assert seen.received == len(arrivals) == played + seen.duplicates + seen.late
    assert seen.lost == position - played
    assert seen.resets == 0


def test_two_swapped_packets() -> None:
    buffer = JitterBuffer[str]()
    buffer.put(1, "a", 0)
    assert buffer.put(3, "c", 20) == []
    assert buffer.deadline() == 80
    assert buffer.put(2, "b", 40) == ["b", "c"]
    assert buffer.deadline() is None
    assert buffer.counters.reordered == 1


def test_a_gap_is_given_up_after_its_wait() -> None:
    buffer = JitterBuffer[str](max_wait_ms=60)
    buffer.put(1, "a", 0)
    buffer.put(4, "d", 20)
    assert buffer.release(79) == []
    assert buffer.release(80) == [Gap(2), "d"]
    assert buffer.put(5, "e", 81) == ["e"]
    assert buffer.counters.lost == 2


def test_each_gap_waits_for_itself() -> None:
    buffer = JitterBuffer[str](max_wait_ms=60)
    buffer.put(1, "a", 0)
    buffer.put(3, "c", 20)
    buffer.put(5, "e", 60)
    assert buffer.release(80) == [Gap(1), "c"]
    assert buffer.deadline() == 120
    assert buffer.release(120) == [Gap(1), "e"]


def test_a_packet_that_arrives_at_the_deadline_releases_the_gap() -> None:
    buffer = JitterBuffer[str](max_wait_ms=60)
    buffer.put(1, "a", 0)
    buffer.put(3, "c", 20)
    assert buffer.put(4, "d", 80) == [Gap(1), "c", "d"]


def test_late_and_duplicate_packets_are_dropped_and_told_apart() -> None:
    buffer = JitterBuffer[str](max_wait_ms=0)
    buffer.put(1, "a", 0)
    assert buffer.put(1, "a", 1) == []
    assert buffer.put(3, "c", 20) == [Gap(1), "c"]
    assert buffer.put(2, "b", 21) == []
    assert (buffer.counters.duplicates, buffer.counters.late, buffer.counters.received) == (1, 1, 4)


def test_a_duplicate_of_a_held_packet_is_dropped() -> None:
    buffer = JitterBuffer[str]()
    buffer.put(1, "a", 0)
    buffer.put(3, "c", 20)
    assert buffer.put(3, "C", 21) == []
    assert buffer.put(2, "b", 22) == ["b", "c"]
    assert buffer.counters.duplicates == 1


def test_too_many_held_packets_end_the_wait() -> None:
    buffer = JitterBuffer[int](max_packets=3, max_wait_ms=10_000)
    buffer.put(0, 0, 0)
    for number in (2, 3, 4):
        assert buffer.put(number, number, 0) == []
    assert buffer.put(6, 6, 0) == [Gap(1), 2, 3, 4]
    assert buffer.deadline() == 10_000


@pytest.mark.parametrize(
    "restart", [1, 1000 - 51, 1000 + MAX_DROPOUT_PACKETS + 1], ids=["to-one", "just-behind", "ahead"]
)
def test_numbering_starts_anew(restart: int) -> None:
    buffer = JitterBuffer[str](max_packets=50)
    buffer.put(999, "a", 0)
    buffer.put(1001, "c", 20)
    assert buffer.put(restart, "x", 40) == [Gap(1), "c", "x"]
    assert buffer.put(restart + 1, "y", 60) == ["y"]
    assert buffer.counters.resets == 1


def test_a_jump_within_reason_is_a_gap_not_a_restart() -> None:
    buffer = JitterBuffer[str](max_wait_ms=0)
    buffer.put(1, "a", 0)
    assert buffer.put(2 + MAX_DROPOUT_PACKETS, "z", 20) == [Gap(MAX_DROPOUT_PACKETS), "z"]
    assert buffer.counters.resets == 0


def test_wrapping_without_a_modulus_is_a_restart_without_loss() -> None:
    buffer = JitterBuffer[str]()
    buffer.put(65535, "a", 0)
    assert buffer.put(0, "b", 20) == ["b"]
    assert (buffer.counters.resets, buffer.counters.lost) == (1, 0)


def test_disorder_across_the_wrap() -> None:
    buffer = JitterBuffer[str](modulus=65536)
    buffer.put(65534, "a", 0)
    assert buffer.put(0, "c", 20) == []
    assert buffer.put(65535, "b", 40) == ["b", "c"]
    assert buffer.counters.resets == 0


def test_an_empty_buffer_has_nothing_to_give() -> None:
    buffer = JitterBuffer[str]()
    assert buffer.release(1000) == buffer.drain() == []
    assert buffer.deadline() is None
