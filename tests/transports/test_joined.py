"""Two sessions on one line, on a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from antiphon.clock import ManualClock
from antiphon.transports.joined import FRAME_MS, LINGER_MS, JoinedEnd, JoinedLine
from antiphon.vocabulary import AudioFormat, Encoding

AUDIO = AudioFormat(Encoding.PCM16, 8000)
FRAME = AUDIO.bytes_for_ms(FRAME_MS)
SILENCE = b"\0" * FRAME


class Sink:
    """What a session was told."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.media_ms: list[int | None] = []
        self.told: list[str] = []

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        self.heard.append(payload)
        self.media_ms.append(media_ms)

    def mark(self, name: str) -> None:
        self.told.append(name)

    def dtmf(self, digit: str) -> None:
        self.told.append(digit)

    def closed(self, reason: str) -> None:
        self.told.append(f"closed: {reason}")


Joined = tuple[JoinedLine, ManualClock, tuple[JoinedEnd, JoinedEnd], tuple[Sink, Sink]]


@pytest.fixture
def joined() -> Joined:
    clock = ManualClock(now_ms=1000)
    line, sinks = JoinedLine(clock, AUDIO), (Sink(), Sink())
    for end, sink in zip(line.ends, sinks, strict=True):
        end.session = sink
    return line, clock, line.ends, sinks


def pass_ms(joined: Joined, ms: int) -> None:
    joined[1].advance(ms)
    joined[0].beat(joined[1].now_ms())


def test_what_one_plays_the_other_hears_in_real_time_and_else_silence(joined: Joined) -> None:
    _, _, (one, _), (first, second) = joined
    one.send_audio(b"\x01" * (FRAME + 10))
    pass_ms(joined, FRAME_MS)
    assert second.heard == [b"\x01" * FRAME] and first.heard == [SILENCE]
    pass_ms(joined, FRAME_MS)
    assert second.heard[1:] == [b"\x01" * 10 + SILENCE[10:]]
    pass_ms(joined, FRAME_MS // 2)
    assert len(second.heard) == 2
    pass_ms(joined, 3 * FRAME_MS)
    assert second.heard[2:] == [SILENCE] * 3  # a late beat makes up for what was due
    assert second.media_ms == [0, 20, 40, 60, 80]


def test_a_line_that_was_stuck_makes_up_for_half_a_second(joined: Joined) -> None:
    pass_ms(joined, 60_000)
    assert len(joined[3][0].heard) == 25


def test_marks_are_answered_when_what_was_sent_before_has_been_heard(joined: Joined) -> None:
    _, _, (one, _), (first, second) = joined
    one.send_mark("at once")
    one.send_audio(b"\x01" * 2 * FRAME)
    one.send_mark("after two")
    pass_ms(joined, FRAME_MS)
    assert first.told == ["at once"]
    pass_ms(joined, FRAME_MS)
    assert first.told == ["at once", "after two"] and second.told == []


def test_what_is_cleared_is_not_heard_and_its_marks_are_answered(joined: Joined) -> None:
    _, _, (one, _), (first, second) = joined
    one.send_audio(b"\x01" * 9 * FRAME)
    one.send_mark("end")
    one.clear()
    pass_ms(joined, FRAME_MS)
    assert second.heard == [SILENCE] and first.told == ["end"]
    assert one.unsent_bytes() == 0


def test_who_hangs_up_is_told_nothing_and_the_other_after_a_moment_of_silence(joined: Joined) -> None:
    _, _, (one, other), (first, second) = joined
    one.send_audio(b"\x01" * FRAME)
    one.close()
    pass_ms(joined, FRAME_MS)
    pass_ms(joined, LINGER_MS - FRAME_MS)
    assert first.heard == [] and set(second.heard) == {SILENCE} and second.told == []
    pass_ms(joined, FRAME_MS)
    assert first.told == [] and second.told == ["closed: hangup"]
    assert one.closed and other.closed
    other.send_audio(b"\x01" * FRAME)
    other.send_mark("never")
    pass_ms(joined, FRAME_MS)
    assert first.heard == [] and second.told == ["closed: hangup"]


def test_a_session_that_never_came_is_no_obstacle() -> None:
    clock = ManualClock()
    line, sink = JoinedLine(clock, AUDIO), Sink()
    line.ends[0].session = sink
    line.ends[1].send_mark("nobody")
    clock.advance(FRAME_MS)
    line.beat(clock.now_ms())
    line.hang_up()
    assert sink.heard == [SILENCE] and sink.told == ["closed: hangup"]


def test_what_waits_is_bounded(joined: Joined) -> None:
    _, _, (one, _), (_, second) = joined
    one.send_audio(b"\x01" * AUDIO.bytes_for_ms(60_000))
    for _ in range(100):
        pass_ms(joined, 500)
    assert sum(frame == b"\x01" * FRAME for frame in second.heard) == 500


async def test_the_line_runs_until_both_have_gone(joined: Joined) -> None:
    line, clock, (one, _), (_, second) = joined
    one.close()
    running = asyncio.create_task(line.run())
    while not running.done():
        clock.advance(LINGER_MS)
        await asyncio.sleep(0)
    assert second.told == ["closed: hangup"]
