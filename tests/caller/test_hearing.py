"""Whether the agent is speaking, by its sound."""

import numpy as np
import pytest

from antiphon.audio.g711 import MULAW_TO_PCM16, mulaw_encode
from antiphon.caller.hearing import Hearing, Utterance, is_audible

LOUD = b"\x00" * 160
SILENT = b"\xff" * 160


def noise_at(dbfs: float) -> bytes:
    samples = np.random.default_rng(1).normal(0, 32768 * 10 ** (dbfs / 20), 160)
    return mulaw_encode(np.rint(samples).astype(np.int16)).tobytes()


@pytest.mark.parametrize(("dbfs", "least"), [(-42, 261), (-57, 47), (-30, 1037)])
def test_a_sample_is_loud_from_a_level_on(dbfs: float, least: int) -> None:
    for code, sample in enumerate(MULAW_TO_PCM16.tolist()):
        block = bytes([code]) * 8 + SILENT[:152]
        assert is_audible(block, dbfs) is (abs(sample) >= least), sample


def test_an_agent_is_told_from_the_sound_behind_it() -> None:
    room, voice = noise_at(-40), noise_at(-22)
    hearing = Hearing(audible_dbfs=-30)
    hearing.feed(room * 20 + voice * 10 + room * 40, received_ms=0.0, heard_ms=0.0)
    assert [(each.heard_from_ms, each.heard_to_ms) for each in hearing.utterances] == [(400.0, 600.0)]


@pytest.mark.parametrize(("dbfs", "audible"), [(-20, True), (-35, True), (-50, False), (-60, False)])
def test_speech_is_audible_and_room_tone_is_not(dbfs: float, audible: bool) -> None:
    assert is_audible(noise_at(dbfs)) is audible


def test_an_utterance_is_the_audible_part_of_what_is_played() -> None:
    hearing = Hearing()
    hearing.feed(SILENT + LOUD + LOUD[:80], received_ms=10.0, heard_ms=50.0)
    assert hearing.utterances == [Utterance(10.0, 70.0, 100.0)]
    assert hearing.spoken_until_ms == 100.0


def test_short_pauses_belong_to_an_utterance_and_long_ones_part_two() -> None:
    hearing = Hearing()
    hearing.feed(LOUD, received_ms=0.0, heard_ms=0.0)
    hearing.feed(LOUD, received_ms=300.0, heard_ms=300.0)
    hearing.feed(LOUD, received_ms=620.0, heard_ms=620.0)
    assert hearing.utterances == [Utterance(0.0, 0.0, 320.0), Utterance(620.0, 620.0, 640.0)]


def test_silence_is_never_an_utterance() -> None:
    hearing = Hearing()
    hearing.feed(SILENT * 5, received_ms=0.0, heard_ms=0.0)
    assert hearing.utterances == []
    assert hearing.spoken_until_ms == 0.0


def test_a_cut_undoes_what_has_not_been_heard() -> None:
    hearing = Hearing()
    hearing.feed(LOUD * 2 + SILENT * 20 + LOUD, received_ms=0.0, heard_ms=0.0)
    hearing.cut(30.0)
    assert hearing.utterances == [Utterance(0.0, 0.0, 30.0, cut=True)]
    assert hearing.cuts_ms == [30.0]
    hearing.feed(LOUD, received_ms=40.0, heard_ms=40.0)
    assert hearing.utterances[1] == Utterance(40.0, 40.0, 60.0)


def test_a_cut_in_silence_changes_nothing_heard() -> None:
    hearing = Hearing()
    hearing.cut(5.0)
    hearing.feed(LOUD, received_ms=10.0, heard_ms=10.0)
    hearing.cut(30.0)
    assert hearing.utterances == [Utterance(10.0, 10.0, 30.0)]


def test_recent_utterances_are_those_that_last_beyond_a_time() -> None:
    hearing = Hearing()
    for start_ms in (0.0, 1000.0, 2000.0):
        hearing.feed(LOUD, received_ms=start_ms, heard_ms=start_ms)
    assert hearing.heard_after(1010.0) == hearing.utterances[1:]
    assert hearing.heard_after(-1.0) == hearing.utterances
    assert hearing.heard_after(5000.0) == []
