"""Our voice out, a line in between, and somebody who may or may not be speaking over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from antiphon.audio import g711, pcm
from antiphon.audio.echo import MAX_RELATIVE_LEVEL_DB, MIN_INBOUND_SAMPLES, EchoPath, find_echo

Floats = NDArray[np.float32]
SpeechLike = Callable[[int, float], Floats]

REMEMBERED = 7040
"""Samples of our own voice kept: 700 ms of lag, 160 ms of inbound and some."""


def through_mulaw(samples: NDArray[np.floating[Any]]) -> Floats:
    return g711.mulaw_to_float(g711.mulaw_encode(pcm.from_float(samples)))


def on_the_line(
    voice: Floats, end: int, count: int, lag: int, gain_db: float, over: Floats | None = None
) -> tuple[Floats, Floats]:
    """What is heard and what was played at sample ``end`` of ``voice``: its echo, −55 dBFS of noise, maybe somebody else's speech."""
    played = np.concatenate((np.zeros(REMEMBERED, np.float32), through_mulaw(voice)))
    now = REMEMBERED + end
    heard = played[now - lag - count : now - lag] * pcm.db_to_amplitude(gain_db)
    heard = heard + np.random.default_rng(end).standard_normal(count) * pcm.db_to_amplitude(-55)
    if over is not None:
        heard += over
    return through_mulaw(heard), played[now - REMEMBERED : now]


def voiced_ends(voice: Floats, count: int, after: int, every: int = 1600) -> list[int]:
    """Ends of pieces of ``voice`` in which it is really speaking (a VAD would have called), ``after`` samples later."""
    ends = range(count, voice.size - after, every)
    return [end + after for end in ends if pcm.dbfs(voice[end - count : end]) > pcm.dbfs(voice) - 8]


@pytest.mark.parametrize("lag", [800, 2000, 3777, 5600])
@pytest.mark.parametrize("gain_db", [-15.0, -22.0, -30.0])
def test_our_own_voice_is_recognised_from_64_ms_on(speech_like: SpeechLike, lag: int, gain_db: float) -> None:
    voice = speech_like(1, 4.0)
    for count in (512, 768, 1280):
        for end in voiced_ends(voice, count, lag):
            match = find_echo(*on_the_line(voice, end, count, lag, gain_db))
            assert match is not None
            assert match.lag_samples == lag
            assert match.gain_db == pytest.approx(gain_db, abs=1.5)
            assert 0.5 < match.correlation <= 1


def test_an_echo_with_its_sign_turned_is_an_echo(speech_like: SpeechLike) -> None:
    voice = speech_like(1, 2.0)
    heard, played = on_the_line(voice, 8000, 768, 1600, -20)
    match = find_echo(-heard, played)
    assert match is not None
    assert match.lag_samples == 1600


@pytest.mark.parametrize(
    ("level_db", "counts"), [(0.0, (512, 768, 1280)), (-5.0, (512, 768, 1280)), (-10.0, (768, 1280))]
)
def test_somebody_else_is_not_our_echo(speech_like: SpeechLike, level_db: float, counts: tuple[int, ...]) -> None:
    """Barge-in without any echo, and 20 dB over one; 64 ms tell unless the caller speaks much softer than we do, then 96."""
    voice = speech_like(1, 4.0)
    for seed in range(2, 8):
        caller = speech_like(seed, 2.0) * np.float32(pcm.db_to_amplitude(level_db))
        for count in counts:
            for at in voiced_ends(caller, count, 0):
                speech = caller[at - count : at]
                end = REMEMBERED + at
                assert find_echo(*on_the_line(voice, end, count, 2000, -100, over=speech)) is None
                weaker_by_20_db = pcm.dbfs(speech) - 20 - pcm.dbfs(voice[end - 2000 - count : end - 2000])
                assert find_echo(*on_the_line(voice, end, count, 2000, weaker_by_20_db, over=speech)) is None


def test_a_copy_louder_than_any_echo_is_not_one(speech_like: SpeechLike) -> None:
    """Another agent with our voice, say: a call between two of us."""
    voice = speech_like(1, 2.0)
    assert find_echo(*on_the_line(voice, 8000, 768, 1600, MAX_RELATIVE_LEVEL_DB - 2)) is not None
    assert find_echo(*on_the_line(voice, 8000, 768, 1600, MAX_RELATIVE_LEVEL_DB + 2)) is None


def test_too_little_to_tell(speech_like: SpeechLike) -> None:
    voice = speech_like(1, 2.0)
    heard, played = on_the_line(voice, 8000, MIN_INBOUND_SAMPLES - 1, 1600, -15)
    assert find_echo(heard, played) is None
    heard, played = on_the_line(voice, 8000, 768, 1600, -15)
    assert find_echo(heard, played[-767:]) is None
    assert find_echo(np.zeros(768, np.float32), played) is None
    assert find_echo(heard, np.zeros_like(played)) is None


def test_pure_tones_do_not_upset_it() -> None:
    """A dialling tone has no unique lag; whatever the answer, it is an answer."""
    tone = (0.1 * np.sin(2 * np.pi * 440 * np.arange(REMEMBERED) / 8000)).astype(np.float32)
    match = find_echo(tone[:768] * np.float32(0.1), tone)
    assert match is None or match.gain_db == pytest.approx(-20, abs=0.1)


def test_a_known_lag_is_found_in_less_sound(speech_like: SpeechLike) -> None:
    """The lag is learnt from a clear echo; then one too weak and short for a full search is recognised too."""
    voice = speech_like(1, 4.0)
    path = EchoPath()
    clear = path.match(*on_the_line(voice, 8000, 768, 1600, -20))
    assert clear is not None
    assert path.lag_samples == 1600
    recognised_fresh = recognised_known = 0
    for end in (ends := voiced_ends(voice, MIN_INBOUND_SAMPLES, 1640, every=800)):
        heard, played = on_the_line(voice, end, MIN_INBOUND_SAMPLES, 1640, -36)
        recognised_fresh += find_echo(heard, played) is not None
        match = path.match(heard, played)
        if match is not None:
            recognised_known += 1
            assert match.lag_samples == pytest.approx(1640, abs=1)
    assert recognised_known >= 0.9 * len(ends)
    assert recognised_known > recognised_fresh


def test_a_line_that_changes_is_learnt_anew(speech_like: SpeechLike) -> None:
    voice = speech_like(1, 4.0)
    path = EchoPath()
    for lag in (1600, 5200, 0):
        match = path.match(*on_the_line(voice, 16_000, 768, lag, -20))
        assert match is not None
        assert match.lag_samples == path.lag_samples == lag


def test_a_call_without_echo_learns_nothing(speech_like: SpeechLike) -> None:
    path = EchoPath()
    voice, caller = speech_like(1, 2.0), speech_like(2, 2.0)
    assert path.match(*on_the_line(voice, 8000, 768, 1600, -100, over=caller[4000:4768])) is None
    assert path.lag_samples is None


@pytest.mark.speech
@pytest.mark.parametrize(("gain_db", "least"), [(-15.0, 0.99), (-20.0, 0.98), (-30.0, 0.9)])
def test_real_speech_is_recognised_by_96_ms(
    real_speech: dict[str, NDArray[np.int16]], gain_db: float, least: float
) -> None:
    """At −30 dB the softer sounds sink in the line noise."""
    recognised = tried = 0
    for clip in real_speech.values():
        voice = pcm.to_float(pcm.normalize(clip))
        for end in voiced_ends(voice, 768, 2000, every=1200):
            match = find_echo(*on_the_line(voice, end, 768, 2000, gain_db))
            tried += 1
            recognised += match is not None and abs(match.lag_samples - 2000) <= 2
    assert tried > 80
    assert recognised >= least * tried


@pytest.mark.speech
def test_real_barge_in_is_not_vetoed(real_speech: dict[str, NDArray[np.int16]]) -> None:
    """Another person at −20 dBFS over our voice, first 64 and 96 ms, echo of our voice 20 dB under theirs."""
    people = {name: pcm.to_float(pcm.normalize(clip, -20.0)) for name, clip in real_speech.items()}
    vetoed = tried = 0
    for ours, voice in people.items():
        for theirs, caller in people.items():
            if ours.split("-")[0] == theirs.split("-")[0]:
                continue  # the same speaker
            for count in (512, 768):
                for at in voiced_ends(caller, count, 0):
                    end = min(voice.size, REMEMBERED + at % 4000)
                    heard = on_the_line(voice, end, count, 2000, -40, over=caller[at - count : at])
                    vetoed += find_echo(*heard) is not None
                    tried += 1
    assert tried > 500
    assert vetoed == 0
