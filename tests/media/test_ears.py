"""The ears with a model that says what a test wants, so that every fact can be told in advance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.fed_ears import FedEars

from antiphon.audio import g711
from antiphon.media.settings import HearingSettings
from antiphon.vocabulary import Encoding

WINDOW_MS = 32


class LoudnessModel:
    """Takes the level of a window's last sample for the probability of speech: 0.8 loud is 0.8 sure."""

    rate_hz = 8000
    window_samples = 256

    def __init__(self) -> None:
        self.resets: list[int] = []
        self.batches: list[int] = []
        self.slots = 0

    def resize(self, slots: int) -> None:
        self.slots = slots

    def reset(self, slot: int) -> None:
        self.resets.append(slot)

    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(len(slots))
        assert len(set(slots.tolist())) == len(slots)
        return np.abs(windows).max(axis=1).astype(np.float32)


class Facts:
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int] | tuple[str, int, int]] = []

    def audio_arrived(self) -> None: ...
    def sound_started(self, media_ms: int) -> None:
        self.told.append(("sound", media_ms))

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        self.told.append(("faded", media_ms, silence_ms))

    def speech_started(self, media_ms: int) -> None:
        self.told.append(("speech", media_ms))

    def speech_continued(self, voice_ms: int) -> None:
        self.told.append(("continued", voice_ms))

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        self.told.append(("stopped", media_ms, silence_ms))

    def silence_reached(self, silence_ms: int) -> None: ...
    def utterance_ended(self) -> None: ...
    def playback_started(self, reply: int) -> None: ...
    def playback_finished(self, reply: int, heard_ms: int) -> None: ...


def window(level: float) -> bytes:
    """32 ms of µ-law at one level."""
    return g711.mulaw_encode(np.full(256, round(level * 32767), dtype=np.int16)).tobytes()


def hear(levels: list[float], settings: HearingSettings | None = None) -> list[tuple[str, int] | tuple[str, int, int]]:
    ears, facts = FedEars(Encoding.MULAW, LoudnessModel(), slots=2), Facts()
    slot = ears.open_line(facts, settings or HearingSettings())
    for level in levels:
        ears.feed(slot, window(level))
        ears.beat()
    return facts.told


def only(
    told: list[tuple[str, int] | tuple[str, int, int]], *kinds: str
) -> list[tuple[str, int] | tuple[str, int, int]]:
    return [fact for fact in told if fact[0] in kinds]


def test_silence_tells_nothing() -> None:
    assert hear([0.0] * 50) == []


def test_a_faint_sound_is_a_sound_and_fades() -> None:
    assert hear([0, 0.2, 0.2, 0, 0, 0, 0]) == [("sound", 32), ("faded", 96, 96)]


def test_speech_is_a_sound_first() -> None:
    told = hear([0, 0.2, 0.9, 0.9, 0, 0, 0, 0, 0])
    assert only(told, "sound", "speech", "stopped") == [("sound", 32), ("speech", 32), ("stopped", 128, 128)]


def test_speech_at_once_is_told_as_sound_and_speech() -> None:
    assert only(hear([0.9]), "sound", "speech") == [("sound", 0), ("speech", 0)]


def test_a_short_pause_does_not_end_speech() -> None:
    told = hear([0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0, 0, 0, 0])
    assert only(told, "stopped") == [("stopped", 224, 128)]


def test_a_weak_vowel_does_not_end_speech() -> None:
    told = hear([0.9, *[0.4] * 20, 0, 0, 0, 0, 0])
    assert only(told, "stopped") == [("stopped", 21 * 32, 128)]


def test_speech_is_told_to_go_on_when_it_matters_and_then_once_a_second() -> None:
    told = only(hear([0.9] * 150), "continued")
    assert [fact[1] for fact in told] == [224, 608, 1216, 2240, 3264, 4288]


def test_voice_that_was_long_enough_before_it_was_speech_is_told_at_once() -> None:
    told = only(hear([0.2] * 10 + [0.9] * 3), "speech", "continued")
    assert told == [("speech", 0), ("continued", 384)]


class SlowModel(LoudnessModel):
    """Hangs on to speech for three windows, as recurrent models do."""

    def __init__(self) -> None:
        super().__init__()
        self._last: list[float] = []

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        now = super().infer(slots, windows)
        self._last.append(float(now[0]))
        return np.array([max(self._last[-4:])], dtype=np.float32)


def test_the_end_of_speech_is_where_it_was_last_loud_not_where_the_model_lets_go() -> None:
    ears, facts = FedEars(Encoding.MULAW, SlowModel(), slots=1), Facts()
    slot = ears.open_line(facts, HearingSettings())
    for level in [0.0] * 4 + [0.9] * 6 + [0.0] * 12:
        ears.feed(slot, window(level))
        ears.beat()
    assert only(facts.told, "stopped")[0][1] == 10 * WINDOW_MS


def test_a_burst_after_a_stall_is_heard_within_a_few_beats() -> None:
    ears, facts = FedEars(Encoding.MULAW, LoudnessModel(), slots=1), Facts()
    slot = ears.open_line(facts, HearingSettings())
    ears.feed(slot, window(0.9) * 40 + window(0.0) * 20)
    for _ in range(8):
        ears.beat()
    assert only(facts.told, "speech", "stopped") == [("speech", 0), ("stopped", 1280, 128)]


def test_audio_that_goes_on_coming_faster_than_time_does_not_take_all_the_time() -> None:
    """After what a stall may have held up: two windows a beat, three times real time. Another call hears its own all the same."""
    ears, facts = FedEars(Encoding.MULAW, LoudnessModel(), slots=2), Facts()
    flood, calm = ears.open_line(facts, HearingSettings()), ears.open_line(facts, HearingSettings())
    heard: list[list[int]] = []
    listen = ears._listen
    ears._listen = lambda ready, raw: (heard[-1].append(len(ready)), listen(ready, raw))[1]  # type: ignore[method-assign]
    for _ in range(60):
        ears.feed(flood, window(0.9) * 12)
        ears.feed(calm, window(0.0))
        heard.append([])
        ears.beat()
    assert heard[0] == [2, 1, 1, 1, 1, 1, 1, 1], "at first as quickly as it can"
    assert heard[10:] == [[2, 1]] * 50


def test_any_cutting_of_the_stream_gives_the_same_facts() -> None:
    audio = b"".join(window(level) for level in [0, 0.2, 0.9, 0.9, 0.9, 0, 0, 0, 0, 0, 0.9, 0, 0, 0, 0, 0])
    outcomes = []
    for size in (1, 80, 160, 255, 256, 1096, 4096):
        ears, facts = FedEars(Encoding.MULAW, LoudnessModel(), slots=1), Facts()
        slot = ears.open_line(facts, HearingSettings())
        for at in range(0, len(audio), size):
            ears.feed(slot, audio[at : at + size])
            ears.beat()
        ears.beat()
        ears.beat()
        outcomes.append(facts.told)
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_calls_are_heard_in_one_batch_and_do_not_hear_each_other() -> None:
    model = LoudnessModel()
    ears = FedEars(Encoding.MULAW, model, slots=2)
    facts = [Facts() for _ in range(5)]
    slots = [ears.open_line(fact, HearingSettings()) for fact in facts]
    assert len(set(slots)) == 5, "room is made for more calls than there was room for"
    for _ in range(3):
        for number, slot in enumerate(slots):
            ears.feed(slot, window(0.9 if number == 3 else 0.0))
        ears.beat()
    assert model.batches == [5, 5, 5]
    assert [bool(fact.told) for fact in facts] == [False, False, False, True, False]


def test_a_slot_is_clean_when_it_is_used_again() -> None:
    model = LoudnessModel()
    ears = FedEars(Encoding.MULAW, model, slots=1)
    first = ears.open_line(Facts(), HearingSettings())
    ears.feed(first, window(0.9) * 3 + b"\xff" * 100)
    ears.beat()
    ears.close(first)
    facts = Facts()
    second = ears.open_line(facts, HearingSettings())
    assert second == first
    assert model.resets == [first, first]
    for _ in range(6):
        ears.feed(second, window(0.0))
        ears.beat()
    assert facts.told == []
    assert ears.calls == 1


def test_a_call_that_ends_while_more_of_it_waits_disturbs_no_other() -> None:
    ears, others = FedEars(Encoding.MULAW, LoudnessModel(), slots=3), [Facts(), Facts()]

    class HangsUp(Facts):
        def speech_started(self, media_ms: int) -> None:
            super().speech_started(media_ms)
            ears.close(first)

    hangs_up = HangsUp()
    first, *rest = [ears.open_line(facts, HearingSettings()) for facts in (hangs_up, *others)]
    for slot in (first, *rest):
        ears.feed(slot, window(0.9) * 7)
    ears.beat()
    assert hangs_up.told == [("sound", 0), ("speech", 0)]
    assert [facts.told for facts in others] == [[("sound", 0), ("speech", 0), ("continued", 224)]] * 2
    assert ears.calls == 2


def test_our_own_echo_is_no_sound() -> None:
    ears, facts, asked = FedEars(Encoding.MULAW, LoudnessModel(), slots=1), Facts(), []

    def veto(audio: bytes, end: int) -> bool:
        asked.append(len(audio))
        return True

    slot = ears.open_line(facts, HearingSettings(), veto)
    for level in [0, 0.9, 0.9, 0]:
        ears.feed(slot, window(level))
        ears.beat()
    assert facts.told == []
    assert asked == [256, 256], "the guard is asked only about what sounds like speech"


@pytest.mark.parametrize("levels", [[0.9, 0.9], [0.2]])
def test_silence_is_measured_only_after_sound(levels: list[float]) -> None:
    ears, facts = FedEars(Encoding.MULAW, LoudnessModel(), slots=1), Facts()
    slot = ears.open_line(facts, HearingSettings())
    assert ears.silence_ms(slot, 1000) is None
    for level in levels:
        ears.feed(slot, window(level))
        ears.beat()
    assert ears.silence_ms(slot, 1000) is None, "it is still going on"
    for _ in range(5):
        ears.feed(slot, window(0.0))
        ears.beat()
    heard_ms = (len(levels) + 5) * 32
    assert ears.silence_ms(slot, heard_ms) == 5 * 32
    assert ears.silence_ms(slot, heard_ms + 20) == 5 * 32 + 20, "what no beat could have heard counts as silence"
    assert ears.silence_ms(slot, 100_000) == 6 * 32, "what only waits may be anything"


def test_the_model_forgets_while_nothing_sounds_and_only_then() -> None:
    model = LoudnessModel()
    ears = FedEars(Encoding.MULAW, model, slots=1)
    slot = ears.open_line(Facts(), HearingSettings())
    model.resets.clear()
    for level in [0.9] * 40 + [0.0] * 40:
        ears.feed(slot, window(level))
        ears.beat()
    assert len(model.resets) == 2


class Remembering(LoudnessModel):
    """Says what it is told to, whatever it hears."""

    says = 0.0

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(slots.size, self.says, dtype=np.float32)


HISS, WHISPER = 0.001, 0.003


@pytest.mark.parametrize(
    ("level", "sure", "silent_windows", "noticed"),
    [
        (HISS, 0.2, 5, False),  # the model's memory
        (HISS, 0.4, 5, True),  # as sure as it must be to go on
        (WHISPER, 0.2, 5, True),  # there is something on the line
        (WHISPER, 0.2, 20, True),  # nothing is left to be remembered
        (HISS, 0.4, 20, False),  # a line at rest: the model is not asked
    ],
)
def test_what_the_model_remembers_of_a_voice_begins_no_sound(
    level: float, sure: float, silent_windows: int, noticed: bool
) -> None:
    says = [0.0] * 70 + [0.9] * 6 + [0.0] * silent_windows + [sure]
    levels = [HISS] * 70 + [0.3] * 6 + [HISS] * silent_windows + [level]
    model, facts = Remembering(), Facts()
    ears = FedEars(Encoding.MULAW, model, slots=1)
    slot = ears.open_line(facts, HearingSettings())
    for at_level, model.says in zip(levels, says, strict=True):
        ears.feed(slot, window(at_level))
        ears.beat()
    assert ("sound" in {fact[0] for fact in facts.told[2:]}) is noticed
