"""The bad network, message by message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.caller import impairment as module
from antiphon.caller.impairment import HOLD_MS, Impairment, Link, Stall
from antiphon.errors import ConfigurationError


def run(impairment: Impairment, count: int = 500, direction: str = "up") -> list[tuple[float, int]]:
    """Send ``count`` media messages 20 ms apart; when each arrived."""
    link: Link[int] = Link(impairment, direction)
    arrived = []
    for step in range(count * 20 + 2000):
        now_ms = float(step)
        if step % 20 == 0 and step // 20 < count:
            link.push(step // 20, media=True, now_ms=now_ms)
        arrived += [(now_ms, item) for item in link.pop(now_ms)]
    assert link.next_ms() is None
    return arrived


def test_a_perfect_network_delivers_at_once() -> None:
    assert Impairment().perfect
    assert run(Impairment()) == [(number * 20.0, number) for number in range(500)]


def test_jitter_delays_within_its_bound_and_keeps_order() -> None:
    arrived = run(Impairment(jitter_ms=50))
    delays = [now_ms - number * 20 for now_ms, number in arrived]
    assert [number for _, number in arrived] == list(range(500))
    assert all(0 <= delay <= 51 for delay in delays)
    assert max(delays) - min(delays) > 20


def test_loss_loses_its_share() -> None:
    arrived = run(Impairment(loss=0.2))
    assert 350 < len(arrived) < 450


def test_reordering_swaps_neighbours() -> None:
    impairment = Impairment(reorder=0.2)
    order = [number for _, number in run(impairment)]
    assert sorted(order) == list(range(500))
    swaps = [index for index in range(499) if order[index] > order[index + 1]]
    assert 50 < len(swaps) < 150
    assert all(order[index] == order[index + 1] + 1 for index in swaps)


def test_a_stall_ends_in_a_burst() -> None:
    arrived = run(Impairment(stalls=(Stall(1000, 500),)), count=100)
    assert [number for _, number in arrived] == list(range(100))
    assert all(not 1000 <= now_ms < 1500 for now_ms, _ in arrived)
    assert sum(now_ms == 1500 for now_ms, _ in arrived) == 26


def test_the_same_seed_gives_the_same_network_and_directions_differ() -> None:
    impairment = Impairment(jitter_ms=30, loss=0.1, reorder=0.1, seed=4)
    assert run(impairment) == run(impairment)
    assert run(impairment) != run(impairment, direction="down")


def test_a_held_message_goes_out_alone_when_no_neighbour_comes() -> None:
    link: Link[str] = Link(Impairment(reorder=1.0), "up")
    link.push("alone", media=True, now_ms=0.0)
    assert link.next_ms() == HOLD_MS
    assert link.pop(HOLD_MS - 1) == []
    assert link.pop(HOLD_MS) == ["alone"]
    assert link.reordered == 0


def test_signalling_is_never_lost_and_never_overtakes_audio() -> None:
    link: Link[str] = Link(Impairment(reorder=1.0), "down")
    link.push("audio", media=True, now_ms=0.0)
    link.push("clear", media=False, now_ms=1.0)
    assert link.pop(1.0) == ["audio", "clear"]
    link = Link(Impairment(loss=1.0), "down")
    link.push("audio", media=True, now_ms=0.0)
    link.push("clear", media=False, now_ms=1.0)
    assert link.pop(1.0) == ["clear"]
    assert link.lost == 1


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUEUE_LIMIT", 2)
    link: Link[int] = Link(Impairment(stalls=(Stall(0, 1000),)), "up")
    for number in range(3):
        link.push(number, media=True, now_ms=0.0)
    assert link.lost == 1
    assert link.pop(1000) == [0, 1]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"loss": -0.1}, "loss"),
        ({"reorder": 1.1}, "reorder"),
        ({"jitter_ms": -1}, "jitter_ms"),
        ({"jitter_ms": 10_001}, "jitter_ms"),
        ({"loss": float("nan")}, "loss"),
        ({"stalls": (Stall(-1, 10),)}, "stall"),
        ({"stalls": (Stall(0, 0),)}, "stall"),
    ],
)
def test_values_out_of_range_are_named(settings: dict[str, float], field: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Impairment(**settings)  # type: ignore[arg-type]
    assert caught.value.field == field


@given(st.floats(0, 100), st.floats(0, 1), st.floats(0, 1), st.integers())
def test_what_is_not_lost_arrives_exactly_once(jitter_ms: float, loss: float, reorder: float, seed: int) -> None:
    link: Link[int] = Link(Impairment(jitter_ms, loss, reorder, seed=seed), "up")
    for number in range(50):
        link.push(number, media=True, now_ms=number * 20.0)
    arrived = link.pop(1e6) + link.pop(2e6)
    assert len(set(arrived)) == len(arrived) == 50 - link.lost
