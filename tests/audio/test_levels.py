from __future__ import annotations

import numpy as np
import pytest

from antiphon.audio import g711, pcm
from antiphon.audio.levels import NoiseFloor, mulaw_frame_levels


def feed(noise: NoiseFloor, slot: int, levels_db: list[float]) -> float:
    for level_db in levels_db:
        noise.update(np.array([slot]), np.array([level_db], dtype=np.float32))
    return float(noise.floor_db[slot])


def test_levels_equal_those_of_the_decoded_samples() -> None:
    codes = np.random.default_rng(1).integers(0, 256, (3, 480)).astype(np.uint8)
    levels = mulaw_frame_levels(codes)
    assert levels.shape == (3, 3)
    assert levels.dtype == np.float32
    for call in range(3):
        for frame in range(3):
            piece = codes[call, 160 * frame : 160 * (frame + 1)]
            assert levels[call, frame] == pytest.approx(pcm.dbfs(g711.mulaw_decode(piece)), abs=1e-3)


def test_digital_silence_has_the_lowest_level() -> None:
    silence = np.full((2, 160), g711.MULAW_SILENCE, dtype=np.uint8)
    assert mulaw_frame_levels(silence).tolist() == [[pcm.SILENCE_DBFS], [pcm.SILENCE_DBFS]]


def test_broken_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="whole number of frames"):
        mulaw_frame_levels(np.zeros((1, 170), dtype=np.uint8))


def test_floor_is_the_background_not_the_speech() -> None:
    noise = NoiseFloor(1)
    sentence = [-20.0] * 40 + [-50.0] * 3 + [-25.0] * 30
    assert feed(noise, 0, [-50.0] * 10) == -50
    assert feed(noise, 0, sentence * 4) == -50


def test_floor_falls_at_once_and_rises_within_two_seconds() -> None:
    noise = NoiseFloor(1)
    feed(noise, 0, [-50.0] * 100)
    assert feed(noise, 0, [-60.0]) == -60
    assert feed(noise, 0, [-45.0] * 79) == -60
    assert feed(noise, 0, [-45.0] * 21) == -45


def test_floor_has_limits() -> None:
    noise = NoiseFloor(1)
    assert feed(noise, 0, [-100.0]) == NoiseFloor.LOWEST_DBFS
    assert feed(noise, 0, [-5.0] * 200) == NoiseFloor.HIGHEST_DBFS


def test_slots_are_apart() -> None:
    noise = NoiseFloor(3)
    floors = noise.update(np.array([2, 0]), np.array([-40.0, -50.0], dtype=np.float32))
    assert floors.tolist() == [-40, -50]
    assert noise.floor_db.tolist() == [-50, NoiseFloor.LOWEST_DBFS, -40]
    assert noise.floor_db.dtype == np.float32


def test_reset_forgets_one_slot() -> None:
    noise = NoiseFloor(2)
    feed(noise, 0, [-50.0])
    feed(noise, 1, [-50.0])
    noise.reset(0)
    assert noise.floor_db.tolist() == [NoiseFloor.LOWEST_DBFS, -50]
    assert feed(noise, 0, [-40.0]) == -40


def test_resize_keeps_what_was_heard() -> None:
    noise = NoiseFloor(2)
    feed(noise, 1, [-50.0] * 5)
    noise.resize(4)
    assert noise.floor_db.tolist() == [NoiseFloor.LOWEST_DBFS, -50, NoiseFloor.LOWEST_DBFS, NoiseFloor.LOWEST_DBFS]
    assert feed(noise, 1, [-40.0]) == -50
    noise.resize(1)
    assert noise.floor_db.size == 1
