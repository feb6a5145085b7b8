"""A call's door: gaps filled, early media kept, silence watched, recording aligned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from antiphon.audio import codec, g711
from antiphon.audio.wav import read_wav
from antiphon.clock import ManualClock
from antiphon.errors import ConfigurationError
from antiphon.media.plane import MediaPlane
from antiphon.media.port import MediaPort
from antiphon.media.settings import HearingSettings
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding


class LoudnessModel:
    """Loud is speech."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.window_samples = rate_hz * 32 // 1000
        self.heard: list[NDArray[np.float32]] = []

    def resize(self, slots: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...
    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.heard.extend(windows)
        return np.abs(windows).max(axis=1).astype(np.float32)


class Tap:
    wants_from = 0.0
    busy = False

    def __init__(self) -> None:
        self.audio = b""
        self.starts: list[int] = []

    def hear(self, audio: bytes, media_ms: int) -> None:
        self.audio += audio
        self.starts.append(media_ms)


class Facts:
    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def audio_arrived(self) -> None:
        self.told.append(("arrived", 0))

    def sound_started(self, media_ms: int) -> None: ...
    def sound_faded(self, media_ms: int, silence_ms: int) -> None: ...
    def speech_started(self, media_ms: int) -> None:
        self.told.append(("speech", media_ms))

    def speech_continued(self, voice_ms: int) -> None: ...
    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        self.told.append(("stopped", silence_ms))

    def silence_reached(self, silence_ms: int) -> None:
        self.told.append(("silence", silence_ms))

    def utterance_ended(self) -> None: ...

    def playback_started(self, reply: int) -> None: ...
    def playback_finished(self, reply: int, heard_ms: int) -> None:
        self.told.append(("finished", heard_ms))


class Rig:
    def __init__(self, recording: Path | None = None, audio: AudioFormat = TELEPHONE) -> None:
        self.clock = ManualClock(5000)
        self.model, wide = LoudnessModel(8000), LoudnessModel(16000)
        self.plane = MediaPlane(self.clock, {8000: lambda: self.model, 16000: lambda: wide})
        self.facts = Facts()
        self.transport, self.phone, self.wire = memory_pair(self.clock, TELEPHONE)
        self.port: MediaPort = self.plane.open(self.facts, self.transport, audio, audio, HearingSettings(), recording)
        self.phone.connect(self)
        self.tap = Tap()

    def audio(self, payload: bytes, media_ms: int | None) -> None:
        self.port.audio(payload, media_ms)

    def mark(self, name: str) -> None:
        self.port.mouth.marked(name, self.clock.now_ms())

    def dtmf(self, digit: str) -> None: ...
    def closed(self, reason: str) -> None: ...

    def run(self, for_ms: int, level: float = 0.0) -> None:
        """The caller makes this much sound."""
        for _ in range(for_ms // 20):
            self.wire.advance(20)
            self.phone.say(tone(20, level))
            self.wire.advance(0)
            self.plane.on_beat()

    def beats(self, count: int) -> None:
        for _ in range(count):
            self.plane.on_beat()


def tone(duration_ms: int, level: float) -> bytes:
    return g711.mulaw_encode(np.full(duration_ms * 8, round(level * 32767), dtype=np.int16)).tobytes()


def test_the_tap_gets_the_audio_sample_for_sample() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    said = bytes(range(256)) * 10
    for at in range(0, len(said), 137):
        rig.port.audio(said[at : at + 137], None)
    rig.port.catch_up()
    assert rig.tap.audio == said
    assert rig.tap.starts[1] == 137 // 8


def test_audio_before_anybody_listens_is_kept_half_a_second() -> None:
    rig = Rig()
    for number in range(40):
        rig.port.audio(bytes([number]) * 160, number * 20)
    rig.port.listen(rig.tap)
    rig.beats(2)
    assert rig.tap.audio == b"".join(bytes([number]) * 160 for number in range(15, 40))
    assert rig.plane.hearing_counters.early_dropped_ms == 300
    rig.port.audio(bytes([40]) * 160, 40 * 20)
    assert rig.tap.audio.endswith(bytes([39]) * 160 + bytes([40]) * 160), "the early loss is not filled as a gap again"


class Recogniser(Tap):
    """Busy from the end of an utterance until it is told that its words are there."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = False


class Session(Facts):
    """Has an utterance ended as a session does."""

    port: MediaPort

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self.recogniser = recogniser

    def speech_started(self, media_ms: int) -> None:
        super().speech_started(media_ms)
        self.port.watch_utterance_end(None)
        assert not self.recogniser.busy, "an utterance begins before the words of the last are there"

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        super().speech_stopped(media_ms, silence_ms, near, speech_share)
        self.port.watch_utterance_end(320)
        self.port.watch_silence(500)

    def utterance_ended(self) -> None:
        self.told.append(("ended", 0))
        self.recogniser.busy = True


class RecognisingRig(Rig):
    """A rig whose recogniser says its last word when the test wants it to."""

    def __init__(self) -> None:
        super().__init__()
        self.port.close()
        self.recogniser = Recogniser()
        self.facts = session = Session(self.recogniser)
        self.port = self.plane.open(session, self.transport, TELEPHONE, TELEPHONE, HearingSettings())
        session.port = self.port
        self.port.listen(self.recogniser)

    def wait(self, for_ms: int) -> list[str]:
        """Beats without audio. Returns what was told until now."""
        for _ in range(for_ms // 20):
            self.wire.advance(20)
            self.plane.on_beat()
        return [name for name, _ in self.facts.told]


TWO_SENTENCES = tone(1000, 0.6) + tone(700, 0.0) + tone(1000, 0.6) + tone(1500, 0.0)
FIRST_ENDED = ["arrived", "speech", "stopped", "ended"]


def test_what_comes_all_at_once_waits_for_the_words_of_each_utterance() -> None:
    """A recording sent in one piece, to a recogniser that takes four seconds for its last word."""
    rig = RecognisingRig()
    rig.port.audio(TWO_SENTENCES, None)
    assert rig.wait(4000) == FIRST_ENDED, "neither the silence after it nor the next sentence is heard yet"
    rig.recogniser.busy = False
    second = [*FIRST_ENDED, "silence", "speech", "stopped", "ended"]
    assert rig.wait(4000) == second
    rig.recogniser.busy = False
    assert rig.wait(1000) == [*second, "silence"]
    assert rig.recogniser.audio == TWO_SENTENCES


def test_a_recogniser_that_takes_no_more_is_given_no_more() -> None:
    rig = RecognisingRig()
    rig.port.audio(TWO_SENTENCES, None)
    rig.wait(40)
    rig.recogniser.busy = True
    heard = len(rig.recogniser.audio)
    rig.wait(2000)
    assert len(rig.recogniser.audio) == heard < len(TWO_SENTENCES)


def test_a_recogniser_that_never_says_its_last_word_is_not_waited_for_for_ever() -> None:
    rig = RecognisingRig()
    rig.port.audio(tone(1000, 0.6) + tone(1500, 0.0), None)
    assert rig.wait(9000) == FIRST_ENDED
    assert rig.wait(2000) == [*FIRST_ENDED, "silence"]


def test_a_caller_who_speaks_in_time_waits_for_nobody() -> None:
    rig = RecognisingRig()
    for at in range(0, 1000 * 8, 160):
        rig.port.audio(TWO_SENTENCES[at : at + 160], None)
        rig.wait(20)
    for _ in range(35):
        rig.port.audio(tone(20, 0.0), None)
        rig.wait(20)
    assert rig.recogniser.busy
    assert [name for name, _ in rig.facts.told] == [*FIRST_ENDED, "silence"]
    assert rig.port.backlog_ms == 0


def test_audio_that_comes_all_at_once_is_heard_as_if_it_had_been_spoken() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.watch_silence(200)
    for _ in range(10):
        rig.port.audio(tone(20, 0.0), None)
    said = tone(1000, 0.5) + tone(1000, 0.0) + tone(500, 0.5)
    for at in range(0, len(said), 800):
        rig.port.audio(said[at : at + 800], None)
    assert len(rig.tap.audio) < 500 * 8, "the recogniser is not ahead of the ears"
    rig.beats(3)
    assert rig.facts.told == [("arrived", 0), ("speech", 192)]
    rig.beats(15)
    names = [name for name, _ in rig.facts.told]
    assert names == ["arrived", "speech", "stopped", "silence", "speech"]
    assert rig.facts.told[4][1] == pytest.approx(2200, abs=32)
    assert rig.tap.audio == tone(200, 0.0) + said
    starts = rig.tap.starts
    assert starts == sorted(starts) and starts[-1] < 2700


@given(st.lists(st.integers(1, 6000) | st.none(), max_size=40))
def test_however_audio_comes_and_beats_fail_to_come_the_ears_hear_each_sample_once(steps: list[int | None]) -> None:
    """Numbers are messages of so many bytes, None is a beat."""
    rig, random = Rig(), np.random.default_rng(1)
    rig.port.listen(rig.tap)
    said = b""
    for size in steps:
        if size is None:
            rig.beats(1)
        else:
            message = random.integers(0, 64, size, dtype=np.uint8).tobytes()  # loud, so that no window is passed over
            rig.port.audio(message, None)
            said += message
    rig.beats(len(said) // 512 + 2)
    whole = len(said) // 256 * 256
    heard = np.concatenate(rig.model.heard) if rig.model.heard else np.zeros(0)
    assert heard.tobytes() == codec.decode_to_float(said[:whole], Encoding.MULAW).astype(heard.dtype).tobytes()
    assert rig.tap.audio == said


def test_a_backlog_can_be_dropped_and_is_bounded() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.audio(tone(4000, 0.5), None)
    rig.port.skip_backlog()
    rig.beats(20)
    assert rig.tap.audio == b"" and rig.facts.told == [("arrived", 0)]
    for _ in range(7):
        rig.port.audio(tone(100_000, 0.5), None)
    assert rig.plane.hearing_counters.backlog_dropped_ms == 100_000


def test_after_push_to_talk_the_ears_go_on_where_the_audio_is() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.hear(HearingSettings(), enabled=False)
    rig.port.audio(tone(5000, 0.5), None)
    assert len(rig.tap.audio) == 5000 * 8, "all that is sent is meant"
    rig.port.hear(HearingSettings(), enabled=True)
    rig.run(320, level=0.5)
    assert rig.facts.told[1][0] == "speech"
    assert rig.facts.told[1][1] == pytest.approx(5000, abs=32)


def test_a_hole_is_filled_and_counted() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.audio(tone(20, 0.5), 0)
    rig.port.audio(tone(20, 0.5), 100)
    assert len(rig.tap.audio) == 120 * 8
    assert rig.plane.hearing_counters.gaps == 1
    assert rig.plane.hearing_counters.concealed_ms == 80


@pytest.mark.parametrize(("jump_to", "jumps"), [(6000, 1), (0, 1), (35, 0)])
def test_time_that_jumps_moves_the_base_and_invents_nothing(jump_to: int, jumps: int) -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    for number in range(2):
        rig.port.audio(tone(20, 0.1), number * 20)
    rig.port.audio(tone(20, 0.1), jump_to)
    rig.port.audio(tone(20, 0.1), jump_to + 20)
    assert len(rig.tap.audio) == 80 * 8
    assert rig.plane.hearing_counters.jumps == jumps


def test_a_stream_that_does_not_begin_at_zero_has_no_hole() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.audio(tone(20, 0.1), 700)
    rig.port.audio(tone(20, 0.1), 720)
    assert len(rig.tap.audio) == 40 * 8


def test_silence_is_told_when_it_has_lasted() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.run(200, 0.9)
    rig.run(200)
    rig.port.watch_silence(400)
    rig.run(180)
    assert ("silence", 400) not in rig.facts.told
    rig.run(60)
    [told] = [fact for fact in rig.facts.told if fact[0] == "silence"]
    assert 400 <= told[1] <= 420
    rig.run(400)
    assert len([fact for fact in rig.facts.told if fact[0] == "silence"]) == 1, "told once"


def test_audio_arrival_is_told_once() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.run(100)
    assert rig.facts.told.count(("arrived", 0)) == 1


def test_push_to_talk_hears_no_speech() -> None:
    rig = Rig()
    rig.port.listen(rig.tap)
    rig.port.hear(HearingSettings(), enabled=False)
    rig.run(500, 0.9)
    assert [fact for fact in rig.facts.told if fact[0] == "speech"] == []
    assert len(rig.tap.audio) == 500 * 8


def test_wideband_audio_is_heard_at_16_khz() -> None:
    rig = Rig(audio=AudioFormat(Encoding.PCM16, 24000))
    rig.port.listen(rig.tap)
    loud = np.full(480, 30000, dtype=np.int16).tobytes()
    for number in range(20):
        rig.port.audio(loud, number * 20)
        rig.plane.on_beat()
    assert [fact[0] for fact in rig.facts.told] == ["arrived", "speech"]


def test_a_rate_nobody_can_hear_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="format_in"):
        Rig(audio=AudioFormat(Encoding.PCM16, 4000))


def test_a_closed_port_frees_its_slot_and_may_be_closed_again() -> None:
    rig = Rig()
    assert rig.plane.calls == 1
    rig.port.close()
    rig.port.close()
    assert rig.plane.calls == 0


def test_the_recording_holds_both_sides_as_they_were_heard(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    rig = Rig(recording=path)
    rig.plane.recordings.start()
    rig.port.listen(rig.tap)
    rig.run(1000, 0.25)
    rig.port.mouth.prepare(1)
    rig.port.mouth.speak(1, tone(1500, 0.5), rig.clock.now_ms())
    rig.port.mouth.start(1, rig.clock.now_ms())
    rig.run(600, 0.25)
    heard_ms = rig.port.mouth.hold(1, rig.clock.now_ms())
    rig.run(2400, 0.25)
    rig.port.close()
    rig.plane.recordings.close()
    samples, rate_hz = read_wav(path)
    assert rate_hz == 8000
    assert abs(len(samples) / 8 - 4000) <= 40
    caller, agent = samples[:, 0] / 32768, samples[:, 1] / 32768
    assert np.mean(np.abs(caller - 0.25) < 0.02) > 0.99
    loud = np.flatnonzero(agent > 0.4)
    assert abs(loud[0] / 8 - 1000) <= 40
    assert abs(len(loud) / 8 - heard_ms) <= 40, "what was cleared is not in the recording"


def loud_ms(side: NDArray[np.float64]) -> tuple[int, int]:
    """From when to when a side of a recording is not silent."""
    loud = np.flatnonzero(np.abs(side) > 0.2)
    return round(loud[0] / 8), round(loud[-1] / 8)


@pytest.mark.parametrize("sound_ms", [0, 100, 1200])
def test_what_is_said_in_a_calls_first_moments_stands_where_it_was_said(tmp_path: Path, sound_ms: int) -> None:
    path = tmp_path / "call.wav"
    rig = Rig(recording=path)
    rig.plane.recordings.start()
    rig.port.listen(rig.tap)
    rig.run(sound_ms)
    rig.run(40, 0.25)
    rig.run(60)
    rig.port.mouth.prepare(1)
    rig.port.mouth.speak(1, tone(1500, 0.5), rig.clock.now_ms())
    rig.port.mouth.start(1, rig.clock.now_ms())
    rig.run(2600)
    rig.port.close()
    rig.plane.recordings.close()
    samples, _ = read_wav(path)
    assert loud_ms(samples[:, 0] / 32768) == (sound_ms, sound_ms + 40)
    assert loud_ms(samples[:, 1] / 32768) == (sound_ms + 100, sound_ms + 1600)


@pytest.mark.parametrize("pause_ms", [2_000, 90_000])
def test_push_to_talk_stands_in_the_recording_where_it_was_said(tmp_path: Path, pause_ms: int) -> None:
    path = tmp_path / "call.wav"
    rig = Rig(recording=path)
    rig.plane.recordings.start()
    rig.port.hear(HearingSettings(), enabled=False)
    rig.port.listen(rig.tap)
    for _ in range(2):
        for _ in range(25):
            rig.wire.advance(20)
            rig.port.audio(tone(20, 0.25), None)
        rig.wire.advance(pause_ms)
    rig.port.close()
    rig.plane.recordings.close()
    samples, _ = read_wav(path)
    loud = np.flatnonzero(samples[:, 0] > 3000)
    assert loud.size == 8000
    assert loud[4000] - loud[0] == (500 + pause_ms) * 8


def test_a_recording_may_end_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    rig = Rig(recording=path)
    rig.plane.recordings.start()
    rig.port.listen(rig.tap)
    rig.port.audio(tone(20, 0.25) + tone(1, 0.25)[:5], None)
    rig.port.close()
    rig.plane.recordings.close()
    samples, _ = read_wav(path)
    assert samples.shape == (165, 2)
    assert not samples[:, 1].any()


def test_a_browsers_two_rates_are_recorded_in_the_agents(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    plane = MediaPlane(ManualClock(5000), {16000: lambda: LoudnessModel(16000)})
    plane.recordings.start()
    transport, _, _ = memory_pair(ManualClock(5000), TELEPHONE)
    narrow, wide = AudioFormat(Encoding.PCM16, 16000), AudioFormat(Encoding.PCM16, 24000)
    port = plane.open(Facts(), transport, narrow, wide, HearingSettings(), path)
    port.listen(Tap())
    loud = (8000 * np.sin(np.arange(16000) / 16000 * 2 * np.pi * 440)).astype("<i2").tobytes()
    for at in range(0, len(loud), 640):
        port.audio(loud[at : at + 640], None)
    port.close()
    plane.recordings.close()
    recorded, rate_hz = read_wav(path)
    assert rate_hz == 24000
    assert len(recorded) == pytest.approx(24000, abs=100)
    assert recorded[2000:22000, 0].astype(float).std() == pytest.approx(8000 / 2**0.5, rel=0.02)


def test_a_recording_that_cannot_be_made_does_not_harm_the_call(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    rig = Rig(recording=blocker / "call.wav")
    rig.port.listen(rig.tap)
    rig.run(100, 0.5)
    assert len(rig.tap.audio) == 800
