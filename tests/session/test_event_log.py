"""Event logs: what is written comes back, whatever happened to the disk or the process."""

from __future__ import annotations

import dataclasses
import errno
import os
import stat
import types
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.conversation import events as ev
from antiphon.conversation.actions import Action, EndCall, StartReply
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.errors import MalformedMessage
from antiphon.session import event_log
from antiphon.session.event_log import (
    EventLogWriter,
    LogHeader,
    encode_entry,
    plain_action,
    read_event,
    read_event_log,
    unfinished_logs,
)
from antiphon.vocabulary import EndReason, Message, ToolCall

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=12),
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    type(None): st.none(),
    Any: st.none() | st.booleans() | st.text(max_size=5) | st.lists(st.integers(0, 9), max_size=3),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as the vocabulary writes types."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: values_of(hints[field.name]) for field in dataclasses.fields(kind)})


def write_log(folder: Path, header: LogHeader, *lines: bytes, ended: bool = True) -> Path:
    path = folder / "call-1.jsonl"
    writer = EventLogWriter(path, header)
    writer.append(10_000, ev.CallConnected(), [])
    writer.append(10_020, None, [EndCall(EndReason.NO_CUSTOMER_AUDIO)])
    if ended:
        writer.close("done")
    else:
        writer.flush()
        os.close(writer._file)
    if lines:
        with open(path, "ab") as file:
            file.writelines(lines)
    return path


# ------------------------------------------------------------------------------------------------ what comes back


@pytest.mark.parametrize("kind", get_args(ev.Event), ids=lambda kind: kind.__name__)
def test_every_event_comes_back_as_it_was(kind: type) -> None:
    @given(values_of(kind))
    def round_trip(event: ev.Event) -> None:
        _, tagged, _ = orjson.loads(encode_entry(5, event, []))
        assert read_event(tagged) == event

    round_trip()


@pytest.mark.parametrize("kind", get_args(Action), ids=lambda kind: kind.__name__)
def test_every_action_is_written_by_name_with_all_its_fields(kind: type) -> None:
    @given(values_of(kind))
    def written(action: Action) -> None:
        _, event, [[name, fields]] = orjson.loads(encode_entry(5, None, [action]))
        assert event is None
        assert name == kind.__name__
        # What a reply does otherwise stands in the request that asked for it.
        assert {field.name for field in dataclasses.fields(kind)} - {"options"} <= set(fields)
        assert [name, fields] == orjson.loads(orjson.dumps(plain_action(action)))

    written()


def test_of_the_messages_a_model_was_shown_only_count_and_checksum_are_kept() -> None:
    def fields(*messages: Message) -> dict[str, Any]:
        return orjson.loads(encode_entry(0, None, [StartReply(1, 1, 1, messages)]))[2][0][1]

    one = fields(Message("user", "my secret words"))
    assert "my secret words" not in str(one)
    assert one["messages"] == 1
    assert one["checksum"] != fields(Message("user", "other words"))["checksum"]
    assert one["checksum"] == fields(Message("user", "my secret words"))["checksum"]


def test_a_log_comes_back_with_its_header_entries_and_end(tmp_path: Path, header: LogHeader) -> None:
    log = read_event_log(write_log(tmp_path, header))
    assert log.header == header
    assert [(entry.now_ms, entry.event) for entry in log.entries] == [(10_000, ev.CallConnected()), (10_020, None)]
    assert log.entries[1].actions == [["EndCall", {"reason": "assistant-did-not-receive-customer-audio"}]]
    assert (log.ended, log.torn, log.lost) == ("done", False, 0)


def test_a_policy_that_is_not_the_default_comes_back(tmp_path: Path, header: LogHeader) -> None:
    policy = Policy(Endpointing("fixed", 310), BargeIn(interruption_phrases=("hé",)), output="text")
    path = write_log(tmp_path, dataclasses.replace(header, policy=policy))
    assert read_event_log(path).header.policy == policy


def test_only_its_owner_may_read_a_log(tmp_path: Path, header: LogHeader) -> None:
    assert stat.S_IMODE(write_log(tmp_path, header).stat().st_mode) == 0o600


def test_a_log_is_never_written_over(tmp_path: Path, header: LogHeader) -> None:
    path = write_log(tmp_path, header)
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        EventLogWriter(path, header)
    assert path.read_bytes() == before


# ------------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("kept", [1, 7, 30])
def test_a_torn_last_line_is_told_and_left_out(tmp_path: Path, header: LogHeader, kept: int) -> None:
    path = write_log(tmp_path, header, encode_entry(10_040, ev.DtmfPressed("1"), [])[:kept], ended=False)
    log = read_event_log(path)
    assert log.torn
    assert log.ended is None
    assert len(log.entries) == 2


@pytest.mark.parametrize(
    "line",
    [
        b"not json", b"[]", b"{}", b"null", b"7", b'"abc"', b'["soon", null, []]', b"[1, null, null]", b'[1, ["Nonsense", {}], []]',
        b'[1, ["DtmfPressed", {}], []]', b"[" * 100_000, b'[1, ["DtmfPressed", {"digit": 5}], []]', b'[1, "DtmfPressed", []]', b"[1, null]",
        b"\xff", b'{"ended":' * 50_000, b"\0" * 5000,
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, header: LogHeader, line: bytes) -> None:
    path = write_log(tmp_path, header, line + b"\n", ended=False)
    with pytest.raises(MalformedMessage, match="line 4 cannot be read"):
        read_event_log(path)


def test_an_error_in_a_line_does_not_repeat_what_was_said(tmp_path: Path, header: LogHeader) -> None:
    path = write_log(tmp_path, header, b'[1, ["TranscriptFinal", {"utterance": "x", "text": "my password"}], []]\n')
    with pytest.raises(MalformedMessage) as caught:
        read_event_log(path)
    assert "password" not in str(caught.value)


def test_another_version_is_refused(tmp_path: Path, header: LogHeader) -> None:
    path = write_log(tmp_path, header)
    path.write_bytes(path.read_bytes().replace(b'"version":1', b'"version":2', 1))
    with pytest.raises(MalformedMessage, match="only version 1"):
        read_event_log(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b'{"version":1', "empty"),
        (b"[]\n", "header"),
        (b'{"version":1}\n', "header"),
        (b"hello\n", "header"),
        (b"[" * 100_000 + b"\n", "header"),
        (b'{"a":' * 100_000 + b"\n", "header"),
        (b'{"version":1,"policy":{"endpointing":{"silence_ms":"long"}},"messages":[],"tools":[]}\n', "header"),
    ],
)
def test_a_header_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with pytest.raises(MalformedMessage, match=problem):
        read_event_log(path)


# ------------------------------------------------------------------------------------------------ a disk that refuses


class Disk:
    """``os.write`` with a disk that takes so many bytes and then is full."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, file: int, data: bytes) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "no space left")
        taken = os.write(file, data[: self.room])
        self.room -= taken
        return taken


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Disk]:
    """``disk(room)``: from now on event logs are written to a disk with so much room."""

    def fill(room: int) -> Disk:
        disk = Disk(room)
        monkeypatch.setattr(event_log, "os", types.SimpleNamespace(**{**vars(os), "write": disk.write}))
        return disk

    return fill


@pytest.mark.parametrize("room", [0, 1, 40, 60, 61, 100])
def test_what_the_disk_refused_is_written_when_it_has_room_again(
    tmp_path: Path, header: LogHeader, disk: Callable[[int], Disk], room: int
) -> None:
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    full = disk(room)
    for number in range(5):
        writer.append(10_000 + number, ev.DtmfPressed(str(number)), [])
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            writer.flush()
    writer.append(10_005, ev.DtmfPressed("5"), [])
    full.room = 1_000_000
    writer.close("done")
    log = read_event_log(tmp_path / "log.jsonl")
    assert [entry.event for entry in log.entries] == [ev.DtmfPressed(digit) for digit in "012345"]


def test_memory_is_bounded_while_the_disk_refuses_and_the_log_breaks_off(
    tmp_path: Path, header: LogHeader, disk: Callable[[int], Disk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EventLogWriter, "_MAX_LINES", 10)
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    full = disk(0)
    for number in range(50):
        writer.append(10_000 + number, None, [])
    assert len(writer._lines) == 10
    full.room = 1_000_000
    writer.flush()
    writer.append(10_050, None, [])
    writer.close("done")
    log = read_event_log(tmp_path / "log.jsonl")
    assert [entry.now_ms for entry in log.entries] == list(range(10_000, 10_010)), "a beginning, and no hole"
    assert (log.ended, log.lost) == ("done", 41)


def test_a_log_begun_on_a_full_disk_is_written_when_it_has_room(
    tmp_path: Path, header: LogHeader, disk: Callable[[int], Disk]
) -> None:
    full = disk(0)
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    writer.append(10_000, ev.CallConnected(), [])
    with pytest.raises(OSError, match="no space"):
        writer.flush()
    full.room = 1_000_000
    writer.close("done")
    log = read_event_log(tmp_path / "log.jsonl")
    assert (log.header.call_id, [entry.event for entry in log.entries]) == ("call-1", [ev.CallConnected()])


def test_a_file_that_cannot_be_made_for_want_of_handles_is_made_later(
    tmp_path: Path, header: LogHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(path: Path, flags: int, mode: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as few:
        few.setattr(event_log, "os", types.SimpleNamespace(**{**vars(os), "open": none_left}))
        writer = EventLogWriter(tmp_path / "log.jsonl", header)
        with pytest.raises(OSError, match="Too many"):
            writer.flush()
    writer.close("done")
    assert read_event_log(tmp_path / "log.jsonl").ended == "done"


def test_an_end_that_cannot_be_written_still_closes_the_file(
    tmp_path: Path, header: LogHeader, disk: Callable[[int], Disk]
) -> None:
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    disk(0)
    with pytest.raises(OSError, match="no space"):
        writer.close("done")
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer._file)


def test_a_number_of_any_length_is_kept(tmp_path: Path, header: LogHeader) -> None:
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    event = ev.ReplyAskedForTool(1, ToolCall("t", "pay", {"card": 10**30}))
    writer.append(10_010, event, [])
    writer.close("done")
    assert read_event_log(tmp_path / "log.jsonl").entries[0].event == event


def test_text_that_json_cannot_hold_breaks_the_log_off_and_not_the_call(tmp_path: Path, header: LogHeader) -> None:
    writer = EventLogWriter(tmp_path / "log.jsonl", header)
    writer.append(10_000, ev.CallConnected(), [])
    writer.append(10_010, ev.ReplyText(1, "half a character: \ud800"), [])
    writer.append(10_020, ev.DtmfPressed("1"), [])
    writer.close("done")
    log = read_event_log(tmp_path / "log.jsonl")
    assert [entry.now_ms for entry in log.entries] == [10_000]
    assert log.lost == 2


# ------------------------------------------------------------------------------------------------ who died


def nothing_unreadable(path: Path, error: OSError) -> None:
    raise error


def test_only_logs_that_nobody_ended_and_nobody_writes_are_unfinished(tmp_path: Path, header: LogHeader) -> None:
    for name, ended in (("ended", True), ("died", False)):
        (tmp_path / name).mkdir()
        write_log(tmp_path / name, header, ended=ended).rename(tmp_path / f"{name}.jsonl")
    alive = EventLogWriter(tmp_path / "alive.jsonl", header)
    assert [path.stem for path in unfinished_logs(tmp_path, nothing_unreadable)] == ["died"]
    os.close(alive._file)
    assert [path.stem for path in unfinished_logs(tmp_path, nothing_unreadable)] == ["alive", "died"], (
        "the lock goes with its owner"
    )
