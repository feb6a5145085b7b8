"""What the caller says and when, on a hand-moved clock."""

from collections.abc import Callable

from antiphon.caller.clips import LineNoise, make_clip
from antiphon.caller.dialogue import Cued, Dialogue, Patience
from antiphon.caller.hearing import Hearing
from antiphon.caller.script import After, AgentDone, BargeIn, Cue, Line, LineKind
from antiphon.caller.sounds import hum

PATIENCE = Patience(agent_done_ms=500, greeting_ms=2000, reply_ms=4000, noise_ms=1500)
NOISE = LineNoise(None)
CLIP = make_clip(hum(), NOISE)


def line(cue: Cue | None = None, kind: LineKind = "say", content: str = "hm", reply: bool = True) -> Cued:
    return Cued(Line(kind, content, cue or AgentDone(), reply), CLIP if kind in ("say", "wav", "noise") else None)


class Call:
    """A dialogue with an agent that is scripted by time."""

    def __init__(self, *lines: Cued) -> None:
        self.hearing = Hearing()
        self.dialogue = Dialogue(lines, PATIENCE, NOISE, self.hearing)
        self.now_ms = 0.0
        self.frames: list[bytes] = []
        self.keys: list[tuple[float, str]] = []

    def agent(self, from_ms: float, to_ms: float) -> None:
        """The agent speaks: all of it arrives at ``from_ms``."""
        self.hearing.feed(b"\x00" * int((to_ms - from_ms) * 8), received_ms=from_ms, heard_ms=from_ms)

    def run(self, until: Callable[[], bool], limit_ms: float = 60_000) -> float:
        """Tick until ``until``; the time reached."""
        while not until() and self.now_ms < limit_ms:
            self.now_ms += 20
            self.frames.append(self.dialogue.tick(self.now_ms))
            key = self.dialogue.take_key(self.now_ms)
            if key is not None:
                self.keys.append((self.now_ms, key))
        assert self.now_ms < limit_ms
        return self.now_ms

    def run_to(self, now_ms: float) -> None:
        self.run(lambda: self.now_ms >= now_ms)

    def said(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.dialogue.spoken) >= count


def test_the_caller_waits_for_the_greeting_to_end() -> None:
    call = Call(line())
    call.run_to(100)
    call.agent(100, 1000)
    assert call.run(call.said(1)) == 1500


def test_an_agent_that_does_not_greet_is_spoken_to() -> None:
    call = Call(line())
    assert call.run(call.said(1)) == 2000


def test_a_line_is_sent_whole_and_its_acoustic_span_noted() -> None:
    call = Call(line())
    began = call.run(call.said(1))
    call.run_to(began + 1000)
    first = call.frames.index(CLIP.frames[0])
    assert tuple(call.frames[first : first + len(CLIP.frames)]) == CLIP.frames
    assert set(call.frames[:first]) == set(call.frames[first + len(CLIP.frames) :]) == set(NOISE.frames)
    spoken = call.dialogue.spoken[0]
    assert (spoken.started_ms, spoken.ended_ms) == (began - 20 + CLIP.onset_ms, began - 20 + CLIP.offset_ms)


def test_the_end_of_a_line_is_where_its_last_frame_really_left() -> None:
    call = Call(line())
    began = call.run(call.said(1))
    call.now_ms += 300  # the machine was busy
    call.run_to(began + 1500)
    assert call.dialogue.spoken[0].ended_ms == began + 300 - 20 + CLIP.offset_ms


def test_the_next_line_waits_for_the_answer_to_end() -> None:
    call = Call(line(), line(AgentDone(pause_ms=300)))
    call.run(call.said(1))
    call.run_to(3000)
    call.agent(3000, 5000)
    assert call.run(call.said(2)) == 5800


def test_an_unanswered_line_is_given_up() -> None:
    call = Call(line(), line())
    call.run(call.said(1))
    given_up = call.run(call.said(2))
    assert 4000 <= given_up - call.dialogue.spoken[0].ended_ms < 4020
    assert call.run(lambda: call.dialogue.finished) - call.dialogue.spoken[1].ended_ms >= 4000


def test_a_line_that_expects_no_reply_is_followed_after_silence() -> None:
    call = Call(line(reply=False), line())
    call.run(call.said(1))
    ended = call.now_ms - 20 + CLIP.duration_ms
    assert call.run(call.said(2)) == ended + 500


def test_a_barge_in_comes_so_far_into_the_answer() -> None:
    call = Call(line(), line(BargeIn(800)))
    call.run(call.said(1))
    call.run_to(3000)
    call.agent(3000, 9000)
    assert call.run(call.said(2)) == 3800


def test_the_greeting_can_be_interrupted() -> None:
    call = Call(line(BargeIn(300)))
    call.run_to(500)
    call.agent(500, 5000)
    assert call.run(call.said(1)) == 800


def test_an_answer_too_short_to_interrupt_is_waited_for() -> None:
    call = Call(line(), line(BargeIn(3000)))
    call.run(call.said(1))
    call.run_to(3000)
    call.agent(3000, 3400)
    assert call.run(call.said(2)) == 3900


def test_a_barge_in_into_nothing_is_given_up_like_any_line() -> None:
    call = Call(line(BargeIn(800)))
    assert call.run(call.said(1)) == 2000


def test_after_a_noise_the_agent_has_time_to_resume() -> None:
    call = Call(line(), line(BargeIn(400), "noise", reply=False), line())
    call.run(call.said(1))
    call.run_to(3000)
    call.agent(3000, 9000)
    call.run(call.said(2))
    call.hearing.cut(3500)
    call.run_to(4800)
    call.agent(4800, 6000)
    assert call.run(call.said(3)) == 7500


def test_keys_are_pressed_one_by_one() -> None:
    call = Call(line(kind="dtmf", content="1w#"), line())
    call.run(call.said(1))
    began = call.now_ms
    call.run_to(began + 1000)
    assert call.keys == [(began, "1"), (began + 700, "#")]
    assert call.dialogue.spoken[0].ended_ms == began + 700
    call.agent(call.now_ms, call.now_ms + 200)
    call.run(call.said(2))
    assert call.dialogue.unsaid == 0


def test_a_line_can_come_whatever_the_agent_does() -> None:
    call = Call(line(), line(After(100)), line(After(1000), "wait", reply=False), line(After(0)))
    call.run(call.said(1))
    first = call.now_ms - 20
    call.agent(call.now_ms, call.now_ms + 20_000)
    second = call.run(call.said(2)) - 20
    assert second - first == CLIP.duration_ms + 100
    assert call.run(call.said(3)) - 20 - second == CLIP.duration_ms + 1000 + 20


def test_it_is_over_when_the_last_answer_is() -> None:
    call = Call(line())
    call.run(call.said(1))
    call.run_to(3000)
    call.agent(3000, 4000)
    assert call.run(lambda: call.dialogue.finished) == 4500
    assert call.dialogue.tick(4520) in NOISE.frames
