"""What a dead process leaves: a real server is killed in the middle of a call, and logs without an end are closed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog
from tests.serving import line, place_call, server_process, write_assistant
from tests.session.conftest import log_header

from antiphon.audio.wav import read_wav
from antiphon.clock import SystemClock
from antiphon.conversation import events as ev
from antiphon.losses import Losses
from antiphon.session.event_log import EventLogWriter, encode_entry, read_event_log
from antiphon.session.manager import close_dead_calls
from antiphon.session.replay import replay
from antiphon.vocabulary import EndReason

LONG_GREETING = "This is a long story about the marmalade of my grandmother. " * 5


async def test_a_call_survives_the_death_of_its_process(tmp_path: Path) -> None:
    write_assistant(tmp_path / "assistants", LONG_GREETING)
    async with server_process(tmp_path) as server:
        # The caller breaks in late and long enough that something happens up to the end.
        call = asyncio.create_task(place_call(server.url, line(1600, barge_in_ms=1800)))
        await _until_heard(tmp_path / "data" / "calls")
        killed_wall_ms = SystemClock().wall_ms()
        server.signal(signal.SIGKILL)
        status, _ = await server.ended(5)
        report = await asyncio.wait_for(call, 10)
    assert status == -signal.SIGKILL
    [log_path] = (tmp_path / "data" / "calls").glob("*.jsonl")

    log = read_event_log(log_path)
    assert log.ended is None
    assert replay(log) is None
    last_wall_ms = log.header.wall_ms + log.entries[-1].now_ms - log.header.started_ms
    assert killed_wall_ms - last_wall_ms <= 1000, "less than the last second is lost"
    [(call_id, provider_call_id)] = close_dead_calls(log_path.parent, Losses())
    assert call_id == log_path.stem
    assert provider_call_id == report.record.call_sid
    closed = read_event_log(log_path)
    assert (closed.ended, closed.torn) == (EndReason.SERVER_DIED, False)
    assert closed.entries == log.entries

    recording = log_path.with_suffix(".wav")
    samples, rate_hz = read_wav(recording)
    assert rate_hz == 8000
    assert len(samples) / 8 >= 1000, "all but the blocks that could still have changed"
    assert np.abs(samples[:, 1]).max() > 3000, "the agent's voice is on the right"
    assert independently_read(recording) == (7, 2, 8000, len(samples))


async def _until_heard(calls: Path) -> None:
    """Until the caller who breaks in is in the log, and more than a second of the call in its recording."""

    def heard() -> bool:
        logged = any(b"SpeechStarted" in path.read_bytes() for path in calls.glob("*.jsonl"))
        return logged and any(path.stat().st_size > 1.2 * 16_000 for path in calls.glob("*.wav"))

    async with asyncio.timeout(60):
        while not heard():  # noqa: ASYNC110 (another process tells nobody)
            await asyncio.sleep(0.02)


def independently_read(path: Path) -> tuple[int, int, int, int]:
    """Format tag (7 is µ-law, which Python's ``wave`` refuses), channels, rate and frames, by the letter of the RIFF format."""
    body = path.read_bytes()
    assert body[:4] == b"RIFF"
    assert body[8:12] == b"WAVE"
    assert struct.unpack_from("<I", body, 4)[0] == len(body) - 8
    chunks = {}
    at = 12
    while at < len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        chunks[name] = body[at + 8 : at + 8 + size]
        assert len(chunks[name]) == size
        at += 8 + size + size % 2
    tag, channels, rate_hz, _, frame_bytes = struct.unpack_from("<HHIIH", chunks[b"fmt "])
    return tag, channels, rate_hz, len(chunks[b"data"]) // frame_bytes


# ------------------------------------------------------------------------------------------------ what a dead process left


def dead_log(folder: Path, name: str, torn: bytes = b"") -> Path:
    """The log of a call whose process died, its last line torn."""
    path = folder / f"{name}.jsonl"
    header = replace(log_header(), call_id=name, carrier={"provider_call_id": f"CA-{name}"})
    writer = EventLogWriter(path, header)
    writer.append(10_000, ev.CallConnected(), [])
    writer.append(12_500, ev.DtmfPressed("1"), [])
    writer.flush()
    os.close(writer._file)
    with open(path, "ab") as file:
        file.write(torn)
    return path


@pytest.mark.parametrize("torn", [b"", encode_entry(13_000, ev.DtmfPressed("2"), [])[:20]])
def test_a_dead_call_is_closed_with_its_reason_and_a_torn_line_cut(tmp_path: Path, torn: bytes) -> None:
    path = dead_log(tmp_path, "dead", torn)
    with structlog.testing.capture_logs() as logs:
        assert close_dead_calls(tmp_path, Losses()) == [("dead", "CA-dead")]
    log = read_event_log(path)
    assert (log.ended, log.torn) == (EndReason.SERVER_DIED, False)
    assert [entry.now_ms for entry in log.entries] == [10_000, 12_500]
    assert logs == [
        {"event": "dead_call_closed", "call_id": "dead", "reason": "worker-died", "lasted_ms": 2500, "log_level": "warning"}
    ]  # fmt: skip


def test_a_dead_call_is_closed_once_and_a_live_one_never(tmp_path: Path) -> None:
    dead_log(tmp_path, "dead")
    live = EventLogWriter(tmp_path / "live.jsonl", log_header())
    live.append(10_000, ev.CallConnected(), [])
    assert [call_id for call_id, _ in close_dead_calls(tmp_path, Losses())] == ["dead"]
    assert close_dead_calls(tmp_path, Losses()) == []
    live.close("done")
    assert close_dead_calls(tmp_path, Losses()) == []
    assert read_event_log(tmp_path / "live.jsonl").ended == "done"


def test_what_is_no_log_is_told_by_its_name_counted_and_left_alone_and_stops_nothing(tmp_path: Path) -> None:
    header, _, rest = dead_log(tmp_path, "dead").read_bytes().partition(b"\n")
    contents = {
        "broken": b"not a log\n", "empty": b"", "binary": os.urandom(5000), "nul": b"\0" * 5000, "deep": b"[" * 200_000 + b"\n",
        "deep-object": b'{"a":' * 200_000 + b"\n", "one-line": b"x" * 300_000, "old": b'{"version":0}\n', "list": b"[]\n",
        "deep-inside": header + b"\n" + b"[" * 200_000 + b"\n", "half-a-header": header[:100], "other": b'{"a":1}\n[1,2,3]\n',
        "wrong-event": header + b'\n[1,["NoSuch",{}],[]]\n',
    }  # fmt: skip
    for name, content in contents.items():
        (tmp_path / f"{name}.jsonl").write_bytes(content)
    (tmp_path / "a-folder.jsonl").mkdir()
    os.mkfifo(tmp_path / "a-pipe.jsonl")
    outside = tmp_path / "outside.txt"
    outside.write_bytes(header + b"\n" + rest)
    (tmp_path / "a-link.jsonl").symlink_to(outside)
    (tmp_path / "a-loop.jsonl").symlink_to(tmp_path / "a-loop.jsonl")
    losses = Losses()
    with structlog.testing.capture_logs() as logs:
        assert [call_id for call_id, _ in close_dead_calls(tmp_path, losses)] == ["dead"]
    told = {entry["file"] for entry in logs if entry["event"] == "dead_call_unreadable"}
    assert told == {f"{name}.jsonl" for name in (*contents, "a-folder", "a-pipe", "a-link", "a-loop")}
    assert all(entry["problem"] for entry in logs if entry["event"] == "dead_call_unreadable")
    assert losses.counts() == {("dead_calls_unreadable", ()): len(told)}
    assert {name: (tmp_path / f"{name}.jsonl").read_bytes() for name in contents} == contents
    assert outside.read_bytes() == header + b"\n" + rest


def test_what_a_log_says_does_not_get_into_the_process_s_own_log(tmp_path: Path) -> None:
    header = dead_log(tmp_path, "dead").read_bytes().partition(b"\n")[0]
    line = b'\n[1, ["TranscriptFinal", {"utterance": "x", "text": "my password"}], []]\n'
    (tmp_path / "dead.jsonl").write_bytes(header + line)
    with structlog.testing.capture_logs() as logs:
        assert close_dead_calls(tmp_path, Losses()) == []
    assert "password" not in str(logs)
    assert "line 2 cannot be read" in logs[0]["problem"]


@pytest.mark.parametrize("torn", [b"", b'[13000,["Dtm'])
def test_an_end_that_the_disk_does_not_take_is_told_and_written_at_the_next_start(tmp_path: Path, torn: bytes) -> None:
    path = dead_log(tmp_path, "dead", torn)
    whole = path.stat().st_size - len(torn)
    dead_log(tmp_path, "short")
    os.truncate(
        tmp_path / "short.jsonl", 10
    )  # so that it has a torn line and nothing else: unreadable, and not in the way
    with small_disk(whole + 5), structlog.testing.capture_logs() as logs:
        assert close_dead_calls(tmp_path, Losses()) == []
    assert {(entry["file"], entry["event"]) for entry in logs} == {
        ("dead.jsonl", "dead_call_unreadable"),
        ("short.jsonl", "dead_call_unreadable"),
    }
    assert path.stat().st_size == whole
    assert [call_id for call_id, _ in close_dead_calls(tmp_path, Losses())] == ["dead"]
    assert read_event_log(path).ended == EndReason.SERVER_DIED


def test_a_folder_that_is_none_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "calls").write_bytes(b"")
    assert close_dead_calls(tmp_path / "calls", Losses()) == []
    assert close_dead_calls(tmp_path / "nowhere", Losses()) == []


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Makes every write past so many bytes of a file fail, as a full disk would."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
