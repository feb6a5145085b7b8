from __future__ import annotations

import pytest

from antiphon.clock import ManualClock
from antiphon.transports.memory import MemoryPhone, MemoryTransport, Wire, memory_pair
from antiphon.vocabulary import TELEPHONE

FRAME = b"\x01" * 160


class Sink:
    """What the session was told, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.told: list[tuple[int, object]] = []

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        self.told.append((self.clock.now_ms(), media_ms))

    def mark(self, name: str) -> None:
        self.told.append((self.clock.now_ms(), name))

    def dtmf(self, digit: str) -> None:
        self.told.append((self.clock.now_ms(), digit))

    def closed(self, reason: str) -> None:
        self.told.append((self.clock.now_ms(), reason))


Pair = tuple[MemoryTransport, MemoryPhone, Wire, Sink]


def pair(delay_ms: int = 30, loss: float = 0.0) -> Pair:
    clock = ManualClock(now_ms=1000)
    transport, phone, wire = memory_pair(clock, TELEPHONE, delay_ms=delay_ms, loss=loss)
    sink = Sink(clock)
    phone.connect(sink)
    return transport, phone, wire, sink


def test_what_the_caller_says_arrives_late_and_in_order() -> None:
    _, phone, wire, sink = pair()
    phone.say(FRAME)
    phone.say(FRAME)
    phone.press("5")
    wire.advance(29)
    assert sink.told == []
    wire.advance(1)
    assert sink.told == [(1030, 0), (1030, 20), (1030, "5")]


def test_loss_leaves_gaps_and_is_the_same_every_time() -> None:
    runs = []
    for _ in range(2):
        _, phone, wire, sink = pair(loss=0.2)
        for _ in range(200):
            phone.say(FRAME)
        wire.advance(100)
        assert len(sink.told) + phone.lost_frames == 200
        runs.append(sink.told)
    assert runs[0] == runs[1]
    assert 20 < 200 - len(runs[0]) < 60


def test_audio_is_played_at_its_pace() -> None:
    transport, phone, wire, _ = pair()
    transport.send_audio(FRAME * 5)
    wire.advance(30 + 50)
    (stretch,) = phone.heard()
    assert stretch.at_ms == 1030
    assert len(stretch.audio) == 400
    wire.advance(1000)
    assert len(phone.heard()[0].audio) == 800


def test_marks_come_back_when_played() -> None:
    transport, _, wire, sink = pair()
    transport.send_mark("nothing before")
    transport.send_audio(FRAME * 5)
    transport.send_mark("after 100 ms")
    transport.send_audio(FRAME)
    wire.advance(200)
    assert sink.told == [(1060, "nothing before"), (1160, "after 100 ms")]


def test_clear_stops_playing_and_answers_the_marks() -> None:
    transport, phone, wire, sink = pair()
    transport.send_audio(FRAME * 5)
    transport.send_mark("end")
    transport.send_audio(FRAME * 5)
    transport.send_mark("second end")
    wire.advance(60)
    transport.clear()
    transport.send_audio(b"\x02" * 160)
    wire.advance(300)
    assert sink.told == [(1120, "end"), (1120, "second end")]
    assert [(stretch.at_ms, len(stretch.audio)) for stretch in phone.heard()] == [(1030, 480), (1090, 160)]


def test_nothing_passes_after_close() -> None:
    transport, phone, wire, sink = pair()
    phone.say(FRAME)
    transport.close(1000, "done")
    transport.close(1001, "again")
    transport.send_audio(FRAME)
    transport.send_mark("x")
    transport.clear()
    phone.say(FRAME)
    wire.advance(100)
    assert transport.closed_with == (1000, "done")
    assert (sink.told, phone.heard()) == ([], [])


def test_hanging_up_is_the_last_thing_said() -> None:
    _, phone, wire, sink = pair()
    phone.hang_up()
    phone.say(FRAME)
    wire.advance(100)
    assert sink.told == [(1030, "stop")]


@pytest.mark.parametrize("backlog_bytes", [0, 300_000])
def test_a_peer_that_does_not_read_is_what_a_test_says(backlog_bytes: int) -> None:
    transport, _, _, _ = pair()
    transport.backlog_bytes = backlog_bytes
    assert transport.unsent_bytes() == backlog_bytes
