"""A call's story: what the log tells of who sounded when, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from antiphon.session.call_files import CallFiles
from antiphon.session.event_log import EventLog, read_event_log
from antiphon.session.storytelling import story_of


@pytest.fixture
def log(call_folder: Path) -> EventLog:
    return read_event_log(call_folder / "call-1.jsonl")


def test_a_story_tells_why_each_sound_was_an_interruption_or_none(log: EventLog) -> None:
    story = story_of(log)
    dismissed, confirmed = story.barge_ins[:2]
    assert (dismissed["confirmed"], dismissed["why"]["rule"]) == (False, "acknowledgement")
    assert dismissed["why"]["words"] == "mm-hm"
    assert (confirmed["confirmed"], confirmed["why"]["rule"]) == (True, "phrase")
    assert 0 <= confirmed["at_ms"] - confirmed["sound_ms"] < 200
    assert confirmed["decided_ms"] >= confirmed["at_ms"]
    held = [span for span in story.agent if span["kind"] == "held"]
    assert held[0]["to_ms"] - held[0]["from_ms"] == dismissed["held_ms"]


def test_a_story_tells_where_the_time_of_a_turn_went(log: EventLog) -> None:
    story = story_of(log)
    turn = next(turn for turn in story.turns if "price" in turn["text"])
    assert (turn["fate"], turn["why"]["cause"] in ("silence", "words")) == ("answered", True)
    stages = [turn[name] for name in ("opened_ms", "speech_ended_ms", "closed_ms", "first_audio_ms")]
    assert stages == sorted(stages)
    assert turn["asked_ms"] <= turn["first_token_ms"] <= turn["first_audio_ms"]
    said = [(line["who"], line["text"]) for line in story.lines]
    assert ("caller", turn["text"]) in said
    assert ("agent", "It costs ten.") in said
    assert all(line["sounded"] for line in story.lines if line["who"] == "agent"), "guesses were not said"
    assert [line["at_ms"] for line in story.lines] == sorted(line["at_ms"] for line in story.lines)
    for span in (*story.caller, *story.agent, *story.thinking):
        assert 0 <= span["from_ms"] <= span["to_ms"] <= story.duration_ms + 1


def test_a_log_that_breaks_off_has_a_story_as_far_as_it_goes(log: EventLog) -> None:
    for end in range(0, len(log.entries), 3):
        story_of(EventLog(log.header, log.entries[:end], None, torn=True))


def test_the_folder_is_listed_newest_first_without_reading_what_is_no_call(call_folder: Path) -> None:
    files = CallFiles(call_folder)
    [call], total = files.page(10)
    assert (call.name, call.assistant, call.ended, call.recorded, total) == (
        "call-1",
        "test",
        "customer-ended-call",
        True,
        1,
    )
    assert call.duration_ms == story_of(read_event_log(call_folder / "call-1.jsonl")).duration_ms
    assert files.page(10, offset=1) == ([], 1)
    for name in ("../call-1", "", ".", "call-2", "call-1.jsonl", "a/b", "\0"):
        assert files.summary(name) is None
        assert files.log(name) is None
        assert files.recording(name) is None


def test_a_link_leads_out_of_no_folder(call_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "call-9.jsonl").symlink_to(call_folder / "call-1.jsonl")
    (tmp_path / "call-8.jsonl").write_text("7")
    files = CallFiles(tmp_path)
    assert files.page(10)[0] == []
    assert files.log("call-9") is None
    assert CallFiles(tmp_path / "none").page(10) == ([], 0)


@pytest.mark.parametrize(
    ("question", "changed"),
    [({"endpointing.silence_ms": "900"}, True), ({"endpointing.wait_ms": "x"}, None), ({}, False)],
)
def test_another_policy_is_tried_in_a_process_of_its_own(
    call_folder: Path, question: dict[str, str], changed: bool | None
) -> None:
    command = [sys.executable, "-m", "antiphon.session.what_if_process", str(call_folder / "call-1.jsonl")]
    done = subprocess.run(command, input=msgspec.json.encode(question), capture_output=True, check=True, timeout=60)
    answer = msgspec.json.decode(done.stdout)
    if changed is None:
        assert answer["field"] == "endpointing.wait_ms"
    else:
        assert (answer["was"] != answer["would"]) is changed
