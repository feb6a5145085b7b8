"""Sounds made ready for the wire."""

import base64
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.g711 import mulaw_decode
from antiphon.audio.wav import write_wav
from antiphon.caller.clips import (
    MAX_CLIP_S,
    SILENT_FRAME,
    LineNoise,
    loud_span_ms,
    make_clip,
    read_clip,
)
from antiphon.errors import ConfigurationError


def tone(duration_ms: int, rate_hz: int = 8000, amplitude: float = 8000) -> np.ndarray:
    return np.rint(amplitude * np.sin(2 * np.pi * 400 * np.arange(duration_ms * rate_hz // 1000) / rate_hz)).astype(
        np.int16
    )


def silence(duration_ms: int) -> np.ndarray:
    return np.zeros(8 * duration_ms, dtype=np.int16)


def rms_dbfs(mulaw: bytes) -> float:
    samples = mulaw_decode(np.frombuffer(mulaw, dtype=np.uint8)).astype(float)
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) / 32768))


def test_a_clip_is_whole_frames_of_what_was_given() -> None:
    clip = make_clip(tone(50), LineNoise(None))
    assert len(clip.frames) == 3
    assert b"".join(base64.b64decode(frame) for frame in clip.frames) == clip.mulaw
    assert clip.duration_ms == 60
    assert clip.mulaw[400:] == b"\xff" * 80
    heard = mulaw_decode(np.frombuffer(clip.mulaw[:400], dtype=np.uint8)).astype(float)
    assert np.max(np.abs(heard - tone(50))) < 260


def test_onset_and_end_are_those_of_the_sound() -> None:
    pcm = np.concatenate([silence(100), tone(200), silence(150)])
    assert loud_span_ms(pcm) == (100.0, 300.0)


def test_a_click_is_no_onset() -> None:
    pcm = np.concatenate([silence(100), tone(5), silence(100), tone(200)])
    assert loud_span_ms(pcm) == (205.0, 405.0)


def test_a_sound_that_ends_the_clip_is_loud_to_its_end() -> None:
    assert loud_span_ms(tone(98)) == (0.0, 100.0)


@pytest.mark.parametrize("pcm", [silence(0), silence(500), tone(10), np.zeros(8000 * (MAX_CLIP_S + 1), np.int16)])
def test_what_cannot_be_heard_or_lasts_too_long_is_refused(pcm: np.ndarray) -> None:
    with pytest.raises(ConfigurationError, match="clip"):
        make_clip(pcm, LineNoise(None))


def test_line_noise_has_its_level_and_lies_under_speech() -> None:
    noise = LineNoise(-55.0)
    assert len(noise.frames) == 50
    assert -56.5 < rms_dbfs(b"".join(base64.b64decode(frame) for frame in noise.frames)) < -53.5
    clip = make_clip(np.concatenate([silence(200), tone(100)]), noise)
    assert -57 < rms_dbfs(clip.mulaw[: 8 * 200]) < -53
    assert clip.onset_ms == 200
    assert LineNoise(-55.0).frames == noise.frames


def test_without_noise_the_line_is_digitally_silent() -> None:
    assert set(LineNoise(None).frames) == {SILENT_FRAME}


@pytest.mark.parametrize("dbfs", [-20.0, -95.0, float("nan")])
def test_noise_that_would_drown_speech_is_refused(dbfs: float) -> None:
    with pytest.raises(ConfigurationError, match="noise_dbfs"):
        LineNoise(dbfs)


def test_a_wav_of_any_rate_and_channels_becomes_telephone_audio(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    loud = np.concatenate([np.zeros(1600, np.int16), tone(300, 16000)])
    write_wav(path, np.stack([loud, loud], axis=1), 16000)
    clip = read_clip(path, LineNoise(None))
    assert clip.duration_ms == 400
    assert abs(clip.onset_ms - 100) <= 5
    write_wav(path, np.concatenate([silence(100), tone(300)]), 8000)
    assert abs(read_clip(path, LineNoise(None)).onset_ms - 100) <= 5


def test_a_file_that_is_no_wav_or_silent_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.wav"):
        read_clip(tmp_path / "absent.wav", LineNoise(None))
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(ConfigurationError, match=r"text\.wav"):
        read_clip(tmp_path / "text.wav", LineNoise(None))
    write_wav(tmp_path / "silent.wav", silence(500), 8000)
    with pytest.raises(ConfigurationError, match=r"silent\.wav.*loud enough"):
        read_clip(tmp_path / "silent.wav", LineNoise(None))
