"""A sound noticed by its loudness while the agent speaks; and when loudness is not believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.fed_ears import FedEars

from antiphon.audio import g711
from antiphon.audio.wav import read_wav
from antiphon.caller.clips import loud_span_ms, telephone_pcm
from antiphon.media.settings import HearingSettings
from antiphon.providers.vad.silero import SileroVoiceActivity
from antiphon.vocabulary import Encoding

SPEECH = Path(__file__).resolve().parents[1] / "data" / "speech"
WINDOW_MS = 32
Samples = NDArray[np.float64]


class DeafModel:
    """Hears nothing, until it is told that it does."""

    rate_hz = 8000
    window_samples = 256

    def __init__(self) -> None:
        self.speech = 0.0

    def resize(self, slots: int) -> None: ...
    def reset(self, slot: int) -> None: ...
    def remember(self, slot: int, windows: NDArray[np.float32]) -> None: ...
    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full(slots.size, self.speech, dtype=np.float32)


class Told:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.at_ms: list[int] = []

    def sound_started(self, media_ms: int) -> None:
        self.names.append("sound")
        self.at_ms.append(media_ms)

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        self.names.append("faded")

    def speech_started(self, media_ms: int) -> None:
        self.names.append("speech")
        self.at_ms.append(media_ms)

    def speech_continued(self, voice_ms: int) -> None: ...
    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        self.names.append("stopped")


class Line:
    """One call's line with a hiss of −55 dBFS, heard window by window."""

    def __init__(self, model: DeafModel | SileroVoiceActivity, *, echo: bool = False, hiss_dbfs: float = -55) -> None:
        self.told = Told()
        self.heard_ms = 0
        self._ears = FedEars(Encoding.MULAW, model, slots=1)
        self._slot = self._ears.open_line(self.told, HearingSettings(), (lambda window, end: True) if echo else None)  # type: ignore[arg-type]
        self._random = np.random.default_rng(3)
        self._hiss = 10 ** (hiss_dbfs / 20)

    def agent(self, sounds: bool) -> Line:
        self._ears.agent_sounds(self._slot, sounds)
        return self

    def hears(self, sound: Samples) -> Line:
        """Samples at 8 kHz, −1…1; a whole number of windows."""
        noisy = sound + self._random.normal(0, 1, sound.size) * self._hiss
        codes = g711.mulaw_encode((np.clip(noisy, -1, 1) * 32767).astype(np.int16)).tobytes()
        for at in range(0, len(codes) - 255, 256):
            self._ears.feed(self._slot, codes[at : at + 256])
            self._ears.beat()
            self.heard_ms += WINDOW_MS
        return self

    def quiet(self, windows: int) -> Line:
        return self.hears(np.zeros(windows * 256))

    def noise(self, windows: int, dbfs: float = -30) -> Line:
        return self.hears(self._random.normal(0, 1, windows * 256) * 10 ** (dbfs / 20))

    def known_to_be_quiet(self) -> Line:
        """Three seconds, the last of them with the agent's voice on the far side."""
        return self.quiet(70).agent(True).quiet(30)


def test_a_loud_window_begins_a_sound_while_the_agent_speaks() -> None:
    line = Line(DeafModel()).known_to_be_quiet().noise(2)
    assert line.told.names == ["sound"]
    assert line.told.at_ms == [line.heard_ms - 2 * WINDOW_MS]


@pytest.mark.parametrize(
    "why", ["the agent is silent", "nothing is known of the line", "it echoes", "it is noisy", "it is a click"]
)
def test_loudness_alone_begins_nothing_where(why: str) -> None:
    line = Line(DeafModel(), echo=why == "it echoes", hiss_dbfs=-33 if why == "it is noisy" else -55)
    if why == "nothing is known of the line":
        line.quiet(70).agent(True).quiet(10)
    else:
        line.known_to_be_quiet()
    if why == "the agent is silent":
        line.agent(False)
    if why == "it is a click":
        click = np.zeros(512)
        click[100:180] = 0.3
        line.hears(click)
    else:
        line.noise(8, dbfs=-15 if why == "it is noisy" else -35)
    assert line.told.names == []


def test_an_echo_in_the_first_second_keeps_the_line_on_probation() -> None:
    line = Line(DeafModel()).quiet(70).agent(True)
    for _ in range(6):
        line.quiet(15).noise(5)
    assert line.told.names == [], "the pauses between echoes do not add up"


def test_a_line_that_is_quiet_from_the_start_is_known_to_be_before_its_background_is() -> None:
    line = Line(DeafModel()).agent(True).quiet(30).noise(2)
    assert line.told.names == ["sound"]


def test_an_echo_from_the_first_moment_on_is_no_background() -> None:
    line = Line(DeafModel()).agent(True)
    for _ in range(6):
        line.noise(5).quiet(15)
    assert line.told.names == []


def test_a_sound_the_model_never_knows_fades_and_is_believed_less() -> None:
    line = Line(DeafModel()).known_to_be_quiet().noise(4).quiet(5)
    assert line.told.names == ["sound", "faded"]
    line.noise(4).quiet(200).noise(4)
    assert line.told.names == ["sound", "faded"], "not again for ten seconds"
    line.quiet(120).noise(1)
    assert line.told.names == ["sound", "faded", "sound"]


def test_noise_that_goes_on_is_given_up_after_a_quarter_of_a_second() -> None:
    line = Line(DeafModel()).known_to_be_quiet().noise(9)
    assert line.told.names == ["sound"]
    assert line.noise(5).told.names == ["sound", "faded"]


def test_when_the_model_agrees_the_sound_is_a_sound_like_any_other() -> None:
    model = DeafModel()
    line = Line(model).known_to_be_quiet().noise(4)
    model.speech = 0.95
    line.noise(10)
    assert line.told.names == ["sound", "speech"]
    assert line.told.at_ms[1] == line.heard_ms - 10 * WINDOW_MS, "voice is counted from where the model heard it"
    model.speech = 0.0
    line.quiet(6).noise(1)
    assert line.told.names == ["sound", "speech", "stopped", "sound"], "loudness was right"


@pytest.mark.speech
def test_a_breath_before_the_first_word_is_heard_at_once() -> None:
    """Of this recording the model takes 260 ms to be sure: it begins with a breath."""
    samples, rate_hz = read_wav(SPEECH / "librivox-0880.wav")
    speech = telephone_pcm(samples, rate_hz)
    onset_ms, _ = loud_span_ms(speech)
    for shift in range(0, 256, 32):
        line = Line(SileroVoiceActivity(8000)).known_to_be_quiet()
        began_ms = line.heard_ms
        line.hears(np.concatenate([np.zeros(shift), speech / 32768])[: 256 * 40])
        late_ms = line.told.at_ms[0] + WINDOW_MS - began_ms - shift / 8 - onset_ms
        assert late_ms <= 96
