"""The mouth against a phone that really plays: what the caller hears, sample by sample."""

from __future__ import annotations

from itertools import pairwise

import pytest

from antiphon.audio import codec
from antiphon.clock import ManualClock
from antiphon.media.facts import Nobody
from antiphon.media.mouth import Mouth, MouthCounters
from antiphon.media.settings import PlayoutSettings
from antiphon.transports.memory import MemoryPhone, MemoryTransport, Wire, memory_pair
from antiphon.vocabulary import TELEPHONE


def speech(duration_ms: int, first: int = 0) -> bytes:
    """Audio in which every sample tells its own place, so that nothing lost or said twice goes unseen."""
    return bytes((first + i * 7 + i // 251) % 251 for i in range(duration_ms * 8))


class Listener(Nobody):
    """Takes what the mouth reports."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.finished: list[tuple[int, int]] = []

    def playback_started(self, reply: int) -> None:
        self.started.append(reply)

    def playback_finished(self, reply: int, heard_ms: int) -> None:
        self.finished.append((reply, heard_ms))


class Rig:
    """A mouth, its beat, and the phone at the other end."""

    def __init__(
        self,
        *,
        delay_ms: int = 0,
        marks: bool = True,
        paced: bool = True,
        lead_ms: int = 200,
        audio_ahead_ms: int | None = None,
    ) -> None:
        self.clock = ManualClock(1000)
        self.transport: MemoryTransport
        self.phone: MemoryPhone
        self.wire: Wire
        self.transport, self.phone, self.wire = memory_pair(self.clock, TELEPHONE, delay_ms=delay_ms)
        self.transport.marks, self.transport.paced = marks, paced
        self.listener = Listener()
        self.counters = MouthCounters()
        self.sounded: list[tuple[int, bytes]] = []
        self.silenced: list[int] = []
        self.mouth = Mouth(
            TELEPHONE, self.transport, self.listener, PlayoutSettings(lead_ms=lead_ms), self.counters,
            lambda audio, starts_ms: self.sounded.append((starts_ms, audio)), self.silenced.append,
            self._on_change, audio_ahead_ms,
        )  # fmt: skip
        self.phone.connect(self)
        self._known = (self.mouth.wake_ms, self.mouth.sounds_until_ms)

    def _on_change(self) -> None:
        self._known = (self.mouth.wake_ms, self.mouth.sounds_until_ms)

    def audio(self, payload: bytes, media_ms: int | None) -> None: ...
    def dtmf(self, digit: str) -> None: ...
    def closed(self, reason: str) -> None: ...

    def mark(self, name: str) -> None:
        self.mouth.marked(name, self.clock.now_ms())

    def run(self, for_ms: int) -> None:
        for _ in range(for_ms // 20):
            # The beat looks only where it was told of a change: at the right time, then, or sooner.
            wake_ms, sounds_until_ms = self._known
            assert wake_ms <= self.mouth.wake_ms
            assert sounds_until_ms == self.mouth.sounds_until_ms
            self.wire.advance(20)
            self.mouth.beat(self.clock.now_ms())

    def speak(self, reply: int, audio: bytes, *, end: bool = True) -> None:
        now = self.clock.now_ms()
        self.mouth.prepare(reply)
        self.mouth.speak(reply, audio, now)
        self.mouth.start(reply, now)
        if end:
            self.mouth.end_speech(reply, now)

    def heard(self) -> bytes:
        return b"".join(stretch.audio for stretch in self.phone.heard())


def test_a_reply_is_heard_whole_and_without_a_gap() -> None:
    rig = Rig()
    said = speech(1500)
    rig.speak(1, said)
    rig.run(2000)
    assert rig.heard() == said
    stretches = rig.phone.heard()
    for before, after in pairwise(stretches):
        assert after.at_ms == pytest.approx(before.at_ms + len(before.audio) / 8)
    assert rig.listener.started == [1]
    assert rig.listener.finished == [(1, 1500)]


def test_the_lead_stays_bounded() -> None:
    rig = Rig()
    rig.speak(1, speech(5000))
    most_ms = 0.0
    for _ in range(100):
        rig.run(20)
        sent_ms = sum(len(audio) for _, audio in rig.sounded) / 8
        most_ms = max(most_ms, sent_ms - len(rig.heard()) / 8)
    assert 80 < most_ms <= 200


def test_nothing_sounds_before_the_reply_has_the_floor() -> None:
    rig = Rig()
    rig.mouth.prepare(1)
    rig.mouth.speak(1, speech(500), rig.clock.now_ms())
    rig.run(500)
    assert rig.sounded == []
    rig.mouth.start(1, rig.clock.now_ms())
    assert rig.sounded


def test_a_reply_that_comes_in_small_chunks_is_heard_whole() -> None:
    rig = Rig()
    said = speech(900)
    rig.mouth.prepare(1)
    rig.mouth.start(1, rig.clock.now_ms())
    for at in range(0, len(said), 100):  # 12.5 ms a chunk, twice as fast as it is played
        rig.mouth.speak(1, said[at : at + 100], rig.clock.now_ms())
        rig.wire.advance(6)
        rig.mouth.beat(rig.clock.now_ms())
    rig.mouth.end_speech(1, rig.clock.now_ms())
    rig.run(1200)
    assert rig.heard() == said


@pytest.mark.parametrize("delay_ms", [0, 5, 40, 100])
@pytest.mark.parametrize("hold_after_ms", [60, 340, 700, 1010])
def test_a_hold_resumes_at_the_sample_last_heard(delay_ms: int, hold_after_ms: int) -> None:
    rig = Rig(delay_ms=delay_ms)
    said = speech(1400)
    rig.speak(1, said)
    rig.run(hold_after_ms)
    heard_ms = rig.mouth.hold(1, rig.clock.now_ms())
    rig.run(400)
    assert len(rig.heard()) == heard_ms * 8, "what the mouth says was heard, was heard"
    silent_since = len(rig.heard())
    rig.run(100)
    assert len(rig.heard()) == silent_since
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(2500)
    assert rig.heard() == said, "nothing lost, nothing said twice"
    assert rig.listener.finished == [(1, 1400)]


def test_holds_in_quick_succession_lose_nothing() -> None:
    rig = Rig(delay_ms=15)
    said = speech(2000)
    rig.speak(1, said)
    for _ in range(6):
        rig.run(180)
        rig.mouth.hold(1, rig.clock.now_ms())
        rig.run(60)
        rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(3000)
    assert rig.heard() == said


def test_a_hold_clears_within_the_same_call_and_tells_what_will_not_sound() -> None:
    rig = Rig()
    rig.speak(1, speech(1000))
    rig.run(100)
    rig.mouth.hold(1, rig.clock.now_ms())
    assert rig.silenced == [rig.clock.now_ms()]
    before = len(rig.sounded)
    rig.run(200)
    assert len(rig.sounded) == before


@pytest.mark.parametrize("paced", [True, False])
def test_who_silences_a_reply_in_the_moment_it_starts_is_obeyed(paced: bool) -> None:
    rig = Rig(paced=paced)
    rig.listener.playback_started = lambda reply: rig.mouth.hold(reply, rig.clock.now_ms())  # type: ignore[assignment, method-assign]
    rig.speak(1, speech(2000), end=False)
    rig.run(1000)
    assert sum(len(audio) for _, audio in rig.sounded) == 40 * 8, "only the first message had left"
    rig.mouth.speak(1, speech(500), rig.clock.now_ms())
    rig.run(1000)
    assert len(rig.sounded) == 1
    assert rig.mouth.reply == 1

    rig.listener.playback_started = lambda reply: rig.mouth.stop(reply, rig.clock.now_ms())  # type: ignore[assignment, method-assign]
    rig.speak(2, speech(2000))
    rig.run(1000)
    assert len(rig.sounded) == 2
    assert rig.mouth.reply == 0
    assert rig.listener.finished == []


def test_after_stop_nothing_of_the_dead_reply_sounds() -> None:
    rig = Rig()
    rig.speak(1, speech(2000), end=False)
    rig.run(300)
    rig.mouth.stop(1, rig.clock.now_ms())
    heard = rig.heard()
    rig.mouth.speak(1, speech(500), rig.clock.now_ms())
    rig.run(500)
    assert rig.heard() == heard
    assert rig.counters.dropped_dead_ms == 500
    assert rig.listener.finished == []


def test_the_next_reply_starts_clean() -> None:
    rig = Rig()
    rig.speak(1, speech(2000), end=False)
    rig.run(300)
    rig.mouth.stop(1, rig.clock.now_ms())
    first = rig.heard()
    second = speech(400, first=99)
    rig.speak(2, second)
    rig.run(800)
    assert rig.heard() == first + second
    assert rig.listener.finished == [(2, 400)]


def test_a_mark_flushed_by_a_clear_does_not_count_as_heard() -> None:
    rig = Rig(delay_ms=30)
    rig.speak(1, speech(2000))
    rig.run(500)
    heard_ms = rig.mouth.hold(1, rig.clock.now_ms())
    rig.run(200)  # the flushed marks come back now
    assert rig.mouth.heard_ms(rig.clock.now_ms()) == heard_ms
    assert rig.listener.finished == []


def test_without_marks_the_clock_ends_the_reply() -> None:
    rig = Rig(marks=False)
    rig.speak(1, speech(600))
    rig.run(560)
    assert rig.listener.finished == []
    rig.run(80)
    assert rig.listener.finished == [(1, 600)]


def test_an_end_mark_that_never_comes_is_waited_for_two_seconds() -> None:
    rig = Rig()
    rig.phone.connect(Silent())
    rig.speak(1, speech(500))
    rig.run(2400)
    assert rig.listener.finished == []
    rig.run(200)
    assert rig.listener.finished == [(1, 500)]
    assert rig.counters.late_marks == 1


def test_unknown_and_repeated_marks_change_nothing() -> None:
    rig = Rig()
    rig.speak(1, speech(1000))
    rig.run(100)
    assert not rig.mouth.marked("r1:99999ms:7", rig.clock.now_ms())
    assert not rig.mouth.marked("", rig.clock.now_ms())
    rig.run(1200)
    assert rig.listener.finished == [(1, 1000)]


def test_a_stall_of_the_far_side_is_not_taken_for_hearing() -> None:
    rig = Rig(delay_ms=20)
    rig.speak(1, speech(4000))
    rig.run(1000)
    rig.phone._plays_until_ms += 600  # the far side's playout stands still for 600 ms
    rig.run(1500)
    heard_ms = rig.mouth.hold(1, rig.clock.now_ms())
    rig.run(100)
    assert abs(len(rig.heard()) / 8 - heard_ms) <= 240 + 60, "off by one mark interval at most"


def test_a_client_that_owns_playback_gets_everything_at_once() -> None:
    rig = Rig(paced=False, marks=False)
    rig.speak(1, speech(3000))
    assert sum(len(audio) for _, audio in rig.sounded) == 3000 * 8
    assert rig.listener.finished == [(1, 3000)]


@pytest.mark.parametrize("ahead_ms", [1000, 5000])
def test_a_client_that_owns_playback_may_be_bounded(ahead_ms: int) -> None:
    rig = Rig(paced=False, marks=False, audio_ahead_ms=ahead_ms)
    rig.speak(1, speech(20_000))
    sent: list[float] = []
    for _ in range(1200):
        sent.append(sum(len(audio) for _, audio in rig.sounded) / 8)
        rig.run(20)
    assert ahead_ms - 100 <= sent[0] <= ahead_ms
    for number, sent_ms in enumerate(sent):
        assert min(number * 20, 20_000) <= sent_ms <= number * 20 + ahead_ms, "neither dry nor too far ahead"
    assert len({round(sent_ms) for sent_ms in sent}) <= 20_000 / (ahead_ms // 2) + 40, "in steps"
    assert rig.listener.finished == [(1, 20_000)]


def test_a_bounded_client_can_be_silenced_and_goes_on() -> None:
    rig = Rig(paced=False, marks=False, audio_ahead_ms=2000)
    rig.speak(1, speech(10_000))
    rig.run(1000)
    assert rig.mouth.hold(1, rig.clock.now_ms()) == 1000
    rig.run(1000)
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(20_000)
    assert rig.listener.finished == [(1, 10_000)]


def test_a_reply_longer_than_the_bound_is_cut_and_counted() -> None:
    rig = Rig()
    rig.mouth.prepare(1)
    rig.mouth.speak(1, bytes(200_000 * 8), rig.clock.now_ms())
    assert rig.counters.dropped_overflow_ms == 20_000


def test_a_long_reply_does_not_keep_what_was_heard() -> None:
    rig = Rig()
    said = speech(12_000)
    rig.speak(1, said)
    rig.run(10_000)
    assert len(rig.mouth._speech) < 8000 * 8
    heard_ms = rig.mouth.hold(1, rig.clock.now_ms())
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(4000)
    assert heard_ms > 9000
    assert rig.heard() == said


def test_a_reply_without_any_audio_finishes_at_once() -> None:
    rig = Rig()
    rig.speak(1, b"")
    assert rig.listener.finished == [(1, 0)]
    assert rig.listener.started == []


class Silent:
    """A far side whose marks never come."""

    def audio(self, payload: bytes, media_ms: int | None) -> None: ...
    def mark(self, name: str) -> None: ...
    def dtmf(self, digit: str) -> None: ...
    def closed(self, reason: str) -> None: ...


@pytest.mark.parametrize("delay_ms", [0, 60])
def test_a_softened_voice_is_softer_at_once_and_loses_and_repeats_nothing(delay_ms: int) -> None:
    rig = Rig(delay_ms=delay_ms)
    said = speech(1500)
    softer = codec.turned_down(said, TELEPHONE.encoding, PlayoutSettings().soften_db)
    rig.speak(1, said)
    rig.run(400)
    rig.mouth.soften(1, rig.clock.now_ms())
    rig.run(300)
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(2000)
    assert rig.heard() == said[:3200] + softer[3200:5600] + said[5600:]
    assert rig.listener.finished == [(1, 1500)]


def test_a_voice_held_while_it_is_soft_goes_on_as_loud_as_before() -> None:
    rig = Rig()
    said = speech(1000)
    rig.speak(1, said)
    rig.run(200)
    rig.mouth.soften(1, rig.clock.now_ms())
    rig.run(100)
    assert rig.mouth.hold(1, rig.clock.now_ms()) == 300
    rig.run(200)
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(1500)
    assert len(rig.heard()) == len(said)
    assert rig.heard()[2400:] == said[2400:]


def test_where_the_client_plays_nothing_is_softened() -> None:
    rig = Rig(paced=False)
    rig.speak(1, speech(500))
    rig.mouth.soften(1, rig.clock.now_ms())
    rig.run(800)
    assert rig.heard() == speech(500)
