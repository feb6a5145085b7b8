"""The calls everybody is measured with: seeded, five turns, two interruptions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.wav import write_wav
from antiphon.bench.speech import cut_turns, recorded_turns
from antiphon.bench.workload import BARGE_IN_MS, REPLY_WITHIN_MS, TURNS, Workload, window_for
from antiphon.caller.clips import Pcm
from antiphon.caller.script import AgentDone, BargeIn
from antiphon.errors import ConfigurationError


def tone(duration_ms: int, level: float = 8000.0) -> Pcm:
    t = np.arange(duration_ms * 8) / 8000
    return np.rint(level * np.sin(2 * np.pi * 440 * t)).astype(np.int16)


def silence(duration_ms: int) -> Pcm:
    return np.zeros(duration_ms * 8, dtype=np.int16)


def workload(seed: int = 0) -> Workload:
    return Workload([tone(800), tone(900), tone(1000)], seed)


def test_the_same_seed_gives_the_same_calls() -> None:
    def drawn(of: Workload) -> list[object]:
        return [
            (
                [(cued.line.content, cued.line.cue) for cued in of.lines(caller, call)],
                of.begins_s(caller, 5.0),
                of.pause_s(caller, call),
            )
            for caller in range(1, 20)
            for call in range(1, 4)
        ]

    assert drawn(workload()) == drawn(workload())
    assert drawn(workload()) != drawn(workload(seed=1))


def test_turns_two_and_four_interrupt() -> None:
    for call in range(2, 10):
        cues = [cued.line.cue for cued in workload().lines(1, call)]
        assert cues == [AgentDone(), BargeIn(BARGE_IN_MS), AgentDone(), BargeIn(BARGE_IN_MS), AgentDone()]


def test_first_calls_begin_in_the_middle_and_never_with_an_interruption() -> None:
    first_calls = [workload().lines(caller, 1) for caller in range(1, 100)]
    assert {len(lines) for lines in first_calls} == set(range(1, TURNS + 1))
    assert all(lines[0].line.cue == AgentDone() for lines in first_calls)


def test_callers_begin_within_the_ramp_and_are_spread_over_it() -> None:
    window = window_for(400, 30.0)
    begins_s = sorted(workload().begins_s(caller, window.ramp_s) for caller in range(1, 401))
    assert begins_s[0] >= 0
    assert begins_s[-1] <= window.ramp_s - 1
    assert max(np.diff(begins_s)) < window.ramp_s / 20
    assert window.tail_s * 1000 > REPLY_WITHIN_MS


def test_a_recording_is_cut_where_a_server_could_take_a_pause_for_the_end() -> None:
    whole = np.concatenate([silence(300), tone(900), silence(250), tone(1200), silence(80), tone(400), silence(500)])
    turns = cut_turns(whole)
    assert [len(turn) / 8 for turn in turns] == pytest.approx([900 + 120, 1680 + 120], abs=20)


def test_a_turn_too_short_to_interrupt_with_is_left_out() -> None:
    assert cut_turns(np.concatenate([tone(300), silence(400), tone(800)])).__len__() == 1
    assert cut_turns(silence(2000)) == []


def test_a_cut_makes_no_click() -> None:
    (turn,) = cut_turns(np.concatenate([tone(40, level=300), tone(900), tone(40, level=300)]))
    assert abs(int(turn[0])) < 20
    assert abs(int(turn[-1])) < 20


def test_a_folder_without_speech_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no WAV file with a turn"):
        recorded_turns(tmp_path)
    write_wav(tmp_path / "short.wav", tone(200).reshape(-1, 1), 8000)
    with pytest.raises(ConfigurationError, match="no WAV file with a turn"):
        recorded_turns(tmp_path)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(ConfigurationError, match=r"broken\.wav"):
        recorded_turns(tmp_path)


def test_recorded_turns_come_by_file_name(tmp_path: Path) -> None:
    write_wav(tmp_path / "b.wav", tone(1500).reshape(-1, 1), 8000)
    write_wav(tmp_path / "a.wav", tone(800).reshape(-1, 1), 8000)
    assert [round(len(turn) / 800) for turn in recorded_turns(tmp_path)] == [8, 15]
