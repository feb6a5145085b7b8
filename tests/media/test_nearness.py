"""Who is near: what the ears make of voices that are softer than the caller's."""

from __future__ import annotations

import numpy as np
import pytest
from tests.media.fed_ears import FedEars
from tests.media.test_ears import Facts, LoudnessModel

from antiphon.audio import g711
from antiphon.media.settings import HearingSettings
from antiphon.vocabulary import Encoding

SURE = 0.9


class Sure(LoudnessModel):
    """Takes everything above the line's noise for speech."""

    def infer(self, slots: np.ndarray, windows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.where(np.abs(windows).max(axis=1) > 0.004, SURE, 0.0).astype(np.float32)


class Says(LoudnessModel):
    """Whatever it hears."""

    says = 0.0

    def infer(self, slots: np.ndarray, windows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return np.full(len(slots), self.says, dtype=np.float32)


class NearFacts(Facts):
    def __init__(self) -> None:
        super().__init__()
        self.near: list[bool] = []
        self.speech_shares: list[float] = []

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        super().speech_stopped(media_ms, silence_ms, near, speech_share)
        self.speech_shares.append(speech_share)
        self.near.append(near)


class Call:
    """One call over a hiss of −60 dBFS; levels are of white noise, whose loudest frames are about 1 dB over its mean."""

    def __init__(self) -> None:
        self.facts = NearFacts()
        self.ears = FedEars(Encoding.MULAW, Sure(), slots=1)
        self.slot = self.ears.open_line(self.facts, HearingSettings())
        self._random = np.random.default_rng(5)

    def hears(self, windows: int, dbfs: float | None = None) -> Call:
        for _ in range(windows):
            level = 10 ** ((dbfs if dbfs is not None else -60) / 20)
            samples = np.clip(self._random.normal(0, level, 256), -1, 1) * 32767
            self.ears.feed(self.slot, g711.mulaw_encode(samples.astype(np.int16)).tobytes())
            self.ears.beat()
        return self

    def agent(self, sounds: bool, waits: bool = False) -> Call:
        self.ears.agent_sounds(self.slot, sounds, waits)
        return self

    def turn(self, dbfs: float) -> Call:
        self.hears(20, dbfs).hears(30).ears.answered(self.slot)
        self.facts.told.clear()
        return self

    @property
    def kinds(self) -> list[str]:
        return [str(fact[0]) for fact in self.facts.told if fact[0] in ("sound", "speech")]


@pytest.mark.parametrize(
    ("caller_dbfs", "voice_dbfs", "noticed"),
    [(-20, -20, True), (-20, -30, True), (-20, -36, False), (-20, -45, False), (-12, -30, False), (-33, -36, True), (-44, -45, True)],
)  # fmt: skip
def test_while_the_agent_speaks_only_who_is_as_near_as_the_caller_is_noticed(
    caller_dbfs: float, voice_dbfs: float, noticed: bool
) -> None:
    call = Call().hears(70).turn(caller_dbfs).agent(True).hears(10, voice_dbfs)
    assert call.kinds == (["sound", "speech"] if noticed else [])


@pytest.mark.parametrize("voice_dbfs", [-20, -36, -44])
def test_in_a_pause_everybody_is_heard_however_soft(voice_dbfs: float) -> None:
    assert Call().hears(70).turn(-20).hears(10, voice_dbfs).kinds == ["sound", "speech"]


def test_a_caller_who_turns_quiet_is_followed() -> None:
    call = Call().hears(70).turn(-16)
    for _ in range(3):
        call.turn(-36)
    assert call.agent(True).hears(10, -36).kinds == ["sound", "speech"]


@pytest.mark.parametrize(("voice_dbfs", "noticed"), [(-20, True), (-34, True), (-46, False)])
def test_before_the_caller_was_heard_only_the_very_soft_is_nobody(voice_dbfs: float, noticed: bool) -> None:
    call = Call().hears(70).agent(True).hears(10, voice_dbfs)
    assert call.kinds == (["sound", "speech"] if noticed else [])


@pytest.mark.parametrize(
    ("caller_dbfs", "voice_dbfs", "told"), [(None, -20, True), (None, -30, False), (-33, -30, True), (-33, -45, True)]
)
def test_that_a_voice_goes_on_is_told_of_the_caller_only(
    caller_dbfs: float | None, voice_dbfs: float, told: bool
) -> None:
    call = Call().hears(70)
    if caller_dbfs is not None:
        call.turn(caller_dbfs)
    call.hears(30, voice_dbfs)
    assert call.kinds == ["sound", "speech"]
    assert ("continued" in [fact[0] for fact in call.facts.told]) is told


def test_a_soft_beginning_is_reported_once_it_is_loud_enough() -> None:
    call = Call().hears(70).hears(20, -30)
    assert [fact for fact in call.facts.told if fact[0] == "continued"] == []
    call.hears(1, -20)
    assert [fact for fact in call.facts.told if fact[0] == "continued"] == [("continued", 21 * 32)]


def test_on_a_line_that_carries_others_only_what_stands_out_is_the_caller() -> None:
    call, lively = Call(), [-47.0, -36.0, -42.0, -34.0]
    for number in range(80):  # people at the next table, from the first moment on
        call.agent(True).hears(1, lively[number % 4])
    began = len(call.kinds)
    for number in range(80):
        call.hears(1, lively[number % 4])
    assert len(call.kinds) == began, "what they say is nothing new"
    assert call.hears(6, -18).kinds[began:] == ["sound", "speech"]


def test_somebody_far_does_not_keep_the_agent_silenced() -> None:
    call = Call().hears(70).turn(-20).agent(True).hears(10, -20).agent(False, waits=True).hears(6, -42)
    assert call.facts.told[-1][0] == "stopped"


@pytest.mark.parametrize(
    ("caller_dbfs", "voice_dbfs", "near"), [(None, -20, True), (None, -45, False), (-40, -45, True), (-15, -33, False)]
)
def test_speech_tells_whether_it_may_have_been_the_callers(
    caller_dbfs: float | None, voice_dbfs: float, near: bool
) -> None:
    call = Call().hears(70)
    if caller_dbfs is not None:
        call.turn(caller_dbfs)
    assert call.hears(20, voice_dbfs).hears(10).facts.near[-1] is near


def test_what_becomes_speech_late_in_a_sound_must_be_speech_for_a_while_if_it_is_to_silence_the_agent() -> None:
    cases = (
        (1, 0.7, 1, True), (3, 0.7, 1, True), (6, 0.95, 1, False), (6, 0.95, 2, False), (6, 0.95, 3, True), (6, 0.8, 30, False),
    )  # fmt: skip
    for before, surely, windows, silences in cases:
        call = Call()
        model = Says()
        call.ears = FedEars(Encoding.MULAW, model, slots=1)
        call.slot = call.ears.open_line(call.facts, HearingSettings())
        call.hears(70).agent(True)
        for model.says in [0.2] * before + [surely] * windows + [0.2]:
            call.hears(1, -20)
        assert ("speech" in call.kinds) is silences, (before, surely, windows)


def test_speech_tells_how_much_of_it_was_surely_speech() -> None:
    for surely, share in (([0.95] * 8, 1.0), ([0.95] * 2 + [0.6] * 6, 0.25), ([0.6] * 8, 0.0)):
        call = Call()
        model = Says()
        call.ears = FedEars(Encoding.MULAW, model, slots=1)
        call.slot = call.ears.open_line(call.facts, HearingSettings())
        call.hears(70)
        for _ in range(2):  # what was heard before is another sound's
            for model.says in [*surely, *[0.0] * 12]:
                call.hears(1, -20 if model.says else -60)
            assert call.facts.speech_shares[-1] == share


def test_a_sound_that_begins_silences_the_agent_once_it_is_plainly_speech_or_was_taken_for_it_twice() -> None:
    cases = (
        ([0.7], True), ([0.69], False), ([0.5, 0.5], True), ([0.5, 0.3, 0.5], False), ([0.3, 0.5, 0.55], True),
        ([0.5, 0.3, 0.3, 0.3, 0.95], False),
    )  # fmt: skip
    for says, silences in cases:
        for agent_sounds in (True, False):
            call, model = Call(), Says()
            call.ears = FedEars(Encoding.MULAW, model, slots=1)
            call.slot = call.ears.open_line(call.facts, HearingSettings())
            call.hears(70).agent(agent_sounds)
            for model.says in says:
                call.hears(1, -20)
            assert ("speech" in call.kinds) is (silences or not agent_sounds), (says, agent_sounds)


def test_what_silenced_the_agent_and_turns_out_to_be_no_speech_is_a_sound_again() -> None:
    cases = (  # how sure the model is of each window; what is told of it
        ([0.7] * 4, ["sound", "speech"]),
        ([0.7] * 5, ["sound", "speech", "stopped", "sound"]),
        ([0.6] * 6, ["sound", "speech", "stopped", "sound"]),
        ([0.95] + [0.6] * 4, ["sound", "speech"]),
        ([0.6] * 3 + [0.95] * 9, ["sound", "speech", "continued"]),
        ([0.95] + [0.6] * 6, ["sound", "speech", "stopped", "sound"]),  # less than one window in five
        ([0.7] * 5 + [0.95] * 2, ["sound", "speech", "stopped", "sound"]),
        ([0.7] * 5 + [0.95] * 3, ["sound", "speech", "stopped", "sound", "speech"]),
    )
    for says, told in cases:
        call = _of_a_model_that([*says], waits=True)
        assert [fact[0] for fact in call.facts.told] == told, says
    assert _of_a_model_that([0.7] * 5, waits=True).facts.told[2] == ("stopped", 72 * 32 + 3 * 32, 0)
    assert _of_a_model_that([0.7] * 5, waits=True).facts.speech_shares == [0.0]


def test_speech_in_a_pause_stays_speech_however_doubtful() -> None:
    assert _of_a_model_that([0.6] * 12, waits=False).facts.told[-1] == ("continued", 224)


def _of_a_model_that(says: list[float], *, waits: bool) -> Call:
    """``waits``: the agent is silenced as soon as speech begins."""
    call, model = Call(), Says()
    call.ears = FedEars(Encoding.MULAW, model, slots=1)
    call.slot = call.ears.open_line(call.facts, HearingSettings())
    call.hears(70)
    for model.says in says:
        call.hears(1, -20)
        if waits and "speech" in call.kinds:
            call.agent(False, waits=True)
    return call
