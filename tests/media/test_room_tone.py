"""What is heard behind the agent, on a phone that really plays."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.media.test_mouth import Rig, speech

from antiphon.audio import codec, pcm
from antiphon.vocabulary import TELEPHONE, Encoding

SILENCE = codec.silence(TELEPHONE, 8000)
ROOM = codec.encode((1000 * np.sin(np.arange(12_000) / 5)).astype(np.int16), Encoding.MULAW)


class RoomRig(Rig):
    """With a beat that also looks after the room, as the media plane's does."""

    def __init__(self, loop: bytes = SILENCE, **options: int) -> None:
        super().__init__(**options)
        self.mouth.surround(loop)
        self.room_ms = 0

    def run(self, for_ms: int) -> None:
        for _ in range(for_ms // 20):
            self.wire.advance(20)
            now_ms = self.clock.now_ms()
            if now_ms >= self.mouth.wake_ms:
                self.mouth.beat(now_ms)
            self.room_ms = self.mouth.sound_room(now_ms)

    def samples(self) -> np.ndarray:  # type: ignore[type-arg]
        return codec.decode(self.heard(), Encoding.MULAW)

    def close(self) -> None:
        self.mouth.close()

    def clear(self) -> None:
        self.mouth.surround(None)

    def gaps_ms(self) -> list[float]:
        return [after.at_ms - before.at_ms - len(before.audio) / 8 for before, after in pairwise(self.phone.heard())]


def test_the_line_is_never_silent() -> None:
    rig = RoomRig(ROOM)
    rig.run(400)
    rig.speak(1, speech(1500))
    rig.run(3000)
    rig.speak(2, speech(700))
    rig.run(2000)
    assert max(rig.gaps_ms()) <= 20
    assert sum(rig.gaps_ms()) <= 20, "at most where a reply begins"
    assert [reply for reply, _ in rig.listener.finished] == [1, 2]


@pytest.mark.parametrize("delay_ms", [0, 80])
def test_words_do_not_wait_for_it(delay_ms: int) -> None:
    """Of what is in flight of the sound nothing is played before them."""
    alone, behind = Rig(delay_ms=delay_ms), RoomRig(delay_ms=delay_ms)
    began = []
    for rig in (alone, behind):
        rig.run(1000)
        rig.speak(1, speech(600, first=3))
        rig.run(1000)
        began.append(next(stretch.at_ms for stretch in rig.phone.heard() if stretch.audio[0] != SILENCE[0]))
    assert began[0] == began[1]


def test_what_is_said_is_heard_whole_with_it_behind() -> None:
    said = speech(1500)
    rig = RoomRig(ROOM)
    rig.run(300)
    rig.speak(1, said)
    rig.run(2000)
    sent = [codec.decode(audio, Encoding.MULAW) for _, audio in rig.sounded]
    first = [len(audio) for audio in sent].index(40 * 8)
    sounds = np.concatenate(sent[first:])
    words = codec.decode(said, Encoding.MULAW)
    room = sounds[: len(words)].astype(np.int32) - words
    quiet = np.abs(words.astype(np.int32)) < 4000  # a loud sample's step is as large as the room
    assert pcm.rms(room[quiet].astype(np.int16)) == pytest.approx(pcm.rms(codec.decode(ROOM, Encoding.MULAW)), rel=0.1)
    alone = np.concatenate(sent[:first])
    assert np.array_equal(alone, codec.decode(ROOM, Encoding.MULAW)[: len(alone)])


def test_it_goes_on_while_the_agent_is_held_and_nothing_of_the_words_is_lost() -> None:
    said = speech(2000)
    rig = RoomRig()
    rig.speak(1, said)
    rig.run(600)
    heard_ms = rig.mouth.hold(1, rig.clock.now_ms())
    rig.run(800)
    rig.mouth.resume(1, rig.clock.now_ms())
    rig.run(2500)
    words = codec.decode(said, Encoding.MULAW)
    samples = rig.samples()
    before = words[: heard_ms * 8]
    start = next(at for at in range(0, 8000, 8) if np.array_equal(samples[at : at + len(before)], before))
    paused = samples[start + len(before) : start + len(before) + 780 * 8]
    assert not paused.any() and max(rig.gaps_ms()) <= 20
    rest = words[heard_ms * 8 :]
    assert any(
        np.array_equal(samples[at : at + len(rest)], rest)
        for at in range(start + len(before), len(samples) - len(rest) + 1)
    )


def test_it_fills_the_holes_of_a_slow_voice() -> None:
    rig = RoomRig(ROOM)
    rig.speak(1, speech(300), end=False)
    rig.run(1000)
    rig.mouth.speak(1, speech(300), rig.clock.now_ms())
    rig.mouth.end_speech(1, rig.clock.now_ms())
    rig.run(1000)
    assert max(rig.gaps_ms()) <= 20
    assert rig.listener.finished == [(1, 600)]


def test_a_softened_or_muted_agent_has_it_behind_as_before() -> None:
    rig = RoomRig(ROOM)
    rig.mouth.mute(True)
    rig.speak(1, speech(1000))
    rig.run(300)
    rig.mouth.soften(1, rig.clock.now_ms())
    rig.run(1500)
    level = pcm.dbfs(codec.decode(ROOM, Encoding.MULAW))
    samples = rig.samples()
    for start in range(0, len(samples) - 1600, 1600):
        assert pcm.dbfs(samples[start : start + 1600]) == pytest.approx(level, abs=0.3)


def test_no_more_of_it_is_sent_to_a_peer_that_does_not_read() -> None:
    rig = RoomRig()
    rig.run(500)
    rig.transport.backlog_bytes = 10_000
    sent = len(rig.sounded)
    rig.run(2000)
    assert len(rig.sounded) == sent
    rig.transport.backlog_bytes = 0
    rig.run(500)
    assert len(rig.sounded) > sent


def test_it_is_asked_for_no_oftener_than_it_must() -> None:
    rig = RoomRig()
    rig.run(2000)
    assert rig.room_ms - rig.clock.now_ms() > 0
    assert len(rig.sounded) <= 23


def test_it_ends_with_the_call_or_when_there_is_none_any_more() -> None:
    for end in (RoomRig.close, RoomRig.clear):
        rig = RoomRig()
        rig.run(500)
        end(rig)
        sent = len(rig.sounded)
        rig.run(1000)
        assert len(rig.sounded) == sent


def test_where_the_client_plays_at_its_own_pace_there_is_none() -> None:
    rig = Rig(paced=False)
    rig.mouth.surround(SILENCE)
    assert rig.mouth.room is None
