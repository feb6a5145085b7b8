"""The bench of turn-taking: its trials, its judgement, its figures, and a whole run against a server that speaks too early."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from antiphon.audio.wav import write_wav
from antiphon.bench.turns import report
from antiphon.bench.turns.corpus import Trial, trials
from antiphon.bench.turns.outcome import Outcome, Undisturbed, outcome, undisturbed, wilson
from antiphon.caller.hearing import Utterance
from antiphon.errors import ConfigurationError

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TURN = Trial("a.wav", "spontaneous", np.zeros(32_000, dtype=np.int16), ((100.0, 1000.0), (1600.0, 3000.0)))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    sound = (8000 * np.sin(np.arange(8000) / 3)).astype(np.int16)
    entries = [
        {"file": "turn.wav", "kind": "turn", "style": "spontaneous command", "segs": [[100, 400], [700, 900]]},
        {"file": "cut.wav", "kind": "turn", "style": "read", "segs": [[100, 900]], "complete": False},
        {"file": "cough.wav", "kind": "sound", "segs": [[0, 500]]},
        *(
            {"file": f"{word}.wav", "kind": "digit", "speaker": "s", "words": word, "segs": [[0, 300]]}
            for word in WORDS
        ),
    ]
    for entry in entries:
        write_wav(tmp_path / str(entry["file"]), sound, 8000)
    (tmp_path / "manifest.json").write_bytes(orjson.dumps(entries))
    return tmp_path


def test_a_suite_is_made_of_what_the_manifest_lists(corpus: Path) -> None:
    pause = trials(corpus, "pause")
    assert sum(each.group == "spontaneous" for each in pause) == 1, "an unfinished turn has no end to be answered at"
    numbers = [each for each in pause if each.group.startswith("number")]
    assert len(numbers) == 8
    for number in numbers:
        gaps = [right[0] - left[1] for left, right in zip(number.segments, number.segments[1:], strict=False)]
        assert f"number, {gaps[0]:.0f} ms between groups" == number.group and len(set(gaps)) == 1
    assert {each.over for each in trials(corpus, "over")} == {True}
    assert {each.group for each in trials(corpus, "soft")} == {"speech at -40 dBFS", "speech at -50 dBFS"}
    assert len(trials(corpus, "short")) == 10 and len(trials(corpus, "noise")) == 2
    assert [each.name for each in trials(corpus, "pause", 1)] == [each.name for each in trials(corpus, "pause", 1)]


@pytest.mark.parametrize("manifest", ["", "{}", '[{"kind": "turn"}]', "[1]"])
def test_a_folder_that_is_no_corpus_is_named(tmp_path: Path, manifest: str) -> None:
    with pytest.raises(ConfigurationError, match=r"manifest\.json"):
        trials(tmp_path, "pause")
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ConfigurationError, match=r"manifest\.json"):
        trials(tmp_path, "pause")


def spoke(at_ms: float, until_ms: float, *, cut: bool = False) -> Utterance:
    return Utterance(at_ms, at_ms, until_ms, cut)


def test_an_agent_that_speaks_in_a_pause_has_cut_in() -> None:
    found = outcome(TURN, 500.0, [spoke(1900, 2500)])
    assert (found.cut_ms, found.delay_ms, found.pauses, found.missed) == (1400.0, None, 1, False)


def test_an_agent_that_waits_is_timed_from_the_true_end() -> None:
    found = outcome(TURN, 500.0, [spoke(4100, 5000)])
    assert (found.cut_ms, found.delay_ms, found.pauses) == (None, 600.0, 1)
    assert outcome(TURN, 500.0, []).missed


def test_what_was_said_before_the_caller_began_is_no_cut() -> None:
    assert outcome(TURN, 500.0, [spoke(100, 550), spoke(4000, 4500)]).cut_ms is None


COUGH = Trial("cough.wav", "sound", TURN.pcm, ((100.0, 600.0),), over=True)


def test_an_agent_that_is_spoken_over_may_take_no_notice() -> None:
    assert outcome(COUGH, 1000.0, [spoke(0, 9000)], Undisturbed(9000)).stopped_ms is None
    assert outcome(COUGH, 1000.0, [], Undisturbed(9000)).problem


def test_an_agent_that_makes_itself_softer_has_not_been_silent() -> None:
    """It clears what it has sent, and sends it again, softer: one sound to whoever listens."""
    found = outcome(
        COUGH, 1000.0, [spoke(0, 1140, cut=True), spoke(1160, 1700, cut=True), spoke(1700, 9000)], Undisturbed(9000)
    )
    assert (found.stopped_ms, found.hole_ms, found.ended) == (None, None, False)


def test_a_pause_that_the_agent_makes_by_itself_is_no_hole() -> None:
    alone = undisturbed([spoke(500, 1600), spoke(1800, 9500)])
    assert alone == Undisturbed(8800.0, ((1100.0, 1300.0),))
    softened = [spoke(0, 1100), spoke(1100, 1120, cut=True), spoke(1310, 9000)]
    found = outcome(COUGH, 1000.0, softened, alone)
    assert (found.stopped_ms, found.hole_ms, found.ended) == (None, None, False)
    held = [spoke(0, 1120, cut=True), spoke(1700, 9400)]
    assert outcome(COUGH, 1000.0, held, alone).hole_ms == 400.0


def test_an_agent_that_goes_on_has_a_hole_in_what_it_says() -> None:
    found = outcome(COUGH, 1000.0, [spoke(0, 1200, cut=True), spoke(1900, 9700)], Undisturbed(9000))
    assert (found.stopped_ms, found.hole_ms, found.ended) == (100.0, 700.0, False)


def test_a_breath_before_the_onset_belongs_to_the_sound() -> None:
    found = outcome(COUGH, 1000.0, [spoke(0, 1040, cut=True), spoke(1600, 9500)], Undisturbed(9000))
    assert (found.stopped_ms, found.hole_ms, found.ended, found.problem) == (0.0, 560.0, False, "")


def test_an_agent_that_says_something_else_has_been_ended() -> None:
    stopped = spoke(0, 1200, cut=True)
    for after in ([], [spoke(2000, 3400)]):
        found = outcome(COUGH, 1000.0, [stopped, *after], Undisturbed(9000))
        assert (found.stopped_ms, found.hole_ms, found.ended) == (100.0, None, True)


def test_an_agent_that_grows_softer_and_then_silent_is_timed_until_it_is_silent() -> None:
    found = outcome(
        COUGH, 1000.0, [spoke(0, 1140, cut=True), spoke(1160, 1300, cut=True), spoke(2500, 3900)], Undisturbed(9000)
    )
    assert (found.stopped_ms, found.ended) == (200.0, True)


def test_shares_come_with_their_intervals() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(5, 100)
    assert round(low, 3) == 0.022 and round(high, 3) == 0.112


def test_the_figures_leave_out_what_broke() -> None:
    outcomes = [
        Outcome("a", "spontaneous", pauses=2, delay_ms=600.0),
        Outcome("b", "spontaneous", pauses=1, cut_ms=300.0),
        Outcome("c", "read", problem="the line was cut"),
    ]
    found = report.figures(outcomes)
    assert found["spontaneous"]["turns_cut"]["percent"] == 50.0
    assert found["spontaneous"]["pauses_cut"] == {"n": 3, "hits": 1, "percent": 33.3, "low": 6.1, "high": 79.2}
    assert found["read"]["broken"] == 1 and found["read"]["delay_ms"]["n"] == 0
    assert "33.3 (6.1–79.2), n = 3" in report.table(found, over=False)
    drawn = report.plot(report.point_of("ours", found))
    assert "ours" in drawn and "LiveKit" in drawn and drawn.startswith("<svg")
