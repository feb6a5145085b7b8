"""The event log of one call: every input with its time, and what the conversation answered.

One JSON document a line. The first is the header (how the conversation was set up), every other is ``[now_ms, event,
actions]``: an event is ``[name, fields]`` or null for a timer, an action likewise. Of the messages in a ``StartReply`` only their
number and a checksum are kept: they follow from the rest. ``{"used": [now_ms, provider, usage]}`` between them tells what a provider was
asked for: nothing follows from it, a replay passes over it. The last line is ``{"ended": reason}``; a log without it belongs to a
process that died, or to a live call: whoever writes a log holds a lock on it, which the system lets go of when the process dies.

The log holds what was said: it is data, kept where recordings are kept, never a log message.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, get_args

import msgspec
from pydantic import TypeAdapter, ValidationError

from antiphon.conversation.actions import Action, StartReply
from antiphon.conversation.events import Event
from antiphon.conversation.policy import Policy
from antiphon.errors import MalformedMessage
from antiphon.files import private_folder
from antiphon.session.message_checksums import MessageChecksums
from antiphon.vocabulary import Message, ToolSpec, Usage

VERSION = 1
_END = b'{"ended"'
_TAIL_BYTES = 200
"""The line with the end is shorter."""
# Not orjson: every document it makes keeps the 4 KiB it was written into, and here hundreds wait to be flushed.
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
_UNWRITABLE = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)
_UNREADABLE = (msgspec.DecodeError, KeyError, ValueError, TypeError, ValidationError, RecursionError, AttributeError)
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""A file that cannot be made for one of these can perhaps be made a moment later."""
_EVENTS: dict[str, TypeAdapter[Any]] = {kind.__name__: TypeAdapter(kind) for kind in get_args(Event)}
_HEADER_FIELDS: dict[str, TypeAdapter[Any]] = {
    "policy": TypeAdapter(Policy),
    "messages": TypeAdapter(list[Message]),
    "tools": TypeAdapter(list[ToolSpec]),
}


@dataclass(frozen=True, slots=True)
class LogHeader:
    """How a conversation was set up."""

    call_id: str
    assistant: str
    wall_ms: int
    """UTC at ``started_ms``."""
    started_ms: int
    """Session clock when the call began."""
    policy: Policy
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    carrier: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Ids by which the carrier knows the call, who called whom, and in which direction."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    now_ms: int
    event: Event | None
    actions: list[Any]
    """As written: ``[name, fields]``."""


@dataclass(frozen=True, slots=True)
class UsageEntry:
    now_ms: int
    provider: str
    usage: Usage


def plain_action(action: Action, checksums: MessageChecksums | None = None) -> list[Any]:
    """An action as the log writes it. ``checksums`` are the call's, which spare what was written before."""
    if isinstance(action, StartReply):
        checksum = (checksums or MessageChecksums()).of(action.messages)
        left_out = ("messages", "options")  # of the options, the request tells
        fields = {
            field.name: getattr(action, field.name)
            for field in dataclasses.fields(action)
            if field.name not in left_out
        }
        return ["StartReply", {**fields, "messages": len(action.messages), "checksum": checksum}]
    return [type(action).__name__, action]


def encode_entry(
    now_ms: int, event: Event | None, actions: Sequence[Action], checksums: MessageChecksums | None = None
) -> bytes:
    """One line, without its end."""
    tagged = None if event is None else [type(event).__name__, event]
    return encode([now_ms, tagged, [plain_action(action, checksums) for action in actions]])


class EventLogWriter:
    """Appends to one call's log. Lines are kept until ``flush``, which the session manager calls twice a second for all calls."""

    _MAX_LINES = 20_000
    """Lines kept while the disk refuses them. Then the log breaks off: its beginning can still be replayed, a log with a hole cannot."""

    def __init__(self, path: Path, header: LogHeader) -> None:
        """Raises OSError where the file cannot be made. Where the disk only has no room now, ``flush`` tells so, as later."""
        private_folder(path.parent)
        self._path = path
        self._file: int | None = None
        self._lines: list[bytes] = [encode({"version": VERSION, **_shallow(header)})]
        self._lost = 0
        self._checksums = MessageChecksums()
        try:
            self.flush()
        except OSError as error:
            if error.errno not in _PASSING:
                self._let_go()
                raise

    @property
    def broken(self) -> bool:
        """Whether it has broken off: what happens from now on is not in it."""
        return self._lost > 0

    def _open(self) -> int:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self._path, flags, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._file

    def note_usage(self, now_ms: int, provider: str, usage: Usage) -> None:
        """As ``append``. Nothing is kept of it where the log has broken off."""
        if self._lost or len(self._lines) >= self._MAX_LINES:
            return
        used = {name: value for name, value in _shallow(usage).items() if value}
        self._lines.append(encode({"used": [now_ms, provider, used]}))

    def append(self, now_ms: int, event: Event | None, actions: Sequence[Action]) -> None:
        """Never raises: what cannot be written (half a character from a model) breaks the log off, not the call."""
        if self._lost or len(self._lines) >= self._MAX_LINES:
            self._lost += 1
            return
        try:
            self._lines.append(encode_entry(now_ms, event, actions, self._checksums))
        except _UNWRITABLE:
            self._lost += 1

    def flush(self) -> None:
        """Hand the lines to the operating system: from then on a killed process does not lose them. Raises OSError; what was not
        written is kept for the next time."""
        data = b"".join(line + b"\n" for line in self._lines)
        taken = 0
        try:
            file = self._open()
            while taken < len(data):
                taken += os.write(file, data[taken:])
        finally:
            # JSON has no line end inside a line; of a line the disk took the beginning of, the rest is the first that waits.
            self._lines = data[taken:].splitlines()

    def close(self, reason: str) -> None:
        """Write the end. Raises OSError where the disk does not take it; the file is closed all the same."""
        self._lines.append(encode({"ended": reason, **({"lost": self._lost} if self._lost else {})}))
        try:
            self.flush()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            os.close(self._file)


def _shallow(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


# ------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class EventLog:
    """A log read back. ``ended`` is None where the process died; ``torn`` where its last line is not whole."""

    header: LogHeader
    entries: list[LogEntry]
    ended: str | None
    torn: bool
    lost: int = 0
    """Inputs after the last entry that could not be written."""
    used: tuple[UsageEntry, ...] = ()


def read_event_log(path: Path) -> EventLog:
    """Raises OSError, MalformedMessage (with the line)."""
    with path.open("rb") as file:  # line by line: a log may be long, and one client's lines are 200 KB each
        return _read(file)


def _read(file: BinaryIO) -> EventLog:
    first = file.readline()
    if not first.endswith(b"\n"):
        raise MalformedMessage("event_log", "the file is empty")
    header = _read_header(first)
    entries: list[LogEntry] = []
    ended: str | None = None
    lost = 0
    torn = False
    used: list[UsageEntry] = []
    for number, line in enumerate(file, start=2):
        if not line.endswith(b"\n"):
            torn = True
            break
        try:
            document = decode(line)
            if isinstance(document, dict) and "used" in document:
                now_ms, provider, usage = document["used"]
                used.append(UsageEntry(int(now_ms), str(provider), Usage(**usage)))
                continue
            if isinstance(document, dict):
                ended, lost = str(document["ended"]), int(document.get("lost", 0))
                continue
            entries.append(_read_entry(document))
        except _UNREADABLE as error:
            raise MalformedMessage("event_log", f"line {number} cannot be read ({type(error).__name__})") from None
    return EventLog(header, entries, ended, torn, lost, tuple(used))


def _read_entry(document: Any) -> LogEntry:
    now_ms, event, actions = document
    if not isinstance(now_ms, int) or not isinstance(actions, list):
        raise TypeError("an entry is [now_ms, event, actions]")
    return LogEntry(now_ms, None if event is None else read_event(event), actions)


def read_event(tagged: Sequence[Any]) -> Event:
    """``[name, fields]`` → event. Raises KeyError, ValidationError."""
    name, fields = tagged
    event: Event = _EVENTS[name].validate_python(fields)
    return event


def _read_header(line: bytes) -> LogHeader:
    try:
        fields = decode(line)
        if fields.pop("version") != VERSION:
            raise MalformedMessage("event_log", f"only version {VERSION} can be read")
        for name, kind in _HEADER_FIELDS.items():
            value = kind.validate_python(fields[name])
            fields[name] = tuple(value) if isinstance(value, list) else value
        return LogHeader(**fields)
    except _UNREADABLE as error:
        raise MalformedMessage("event_log", f"the header cannot be read ({type(error).__name__})") from None


def unfinished_logs(folder: Path, on_unreadable: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Logs of calls whose process died. Those of calls that live, in this process or another, are not among them. What is no file, or
    cannot be read, is told to ``on_unreadable`` and left alone. Raises OSError where the folder cannot be read."""
    for path in sorted(folder.glob("*.jsonl")):
        try:
            unfinished = _is_unfinished(path)
        except OSError as error:
            on_unreadable(path, error)
        else:
            if unfinished:
                yield path


def end_dead_log(path: Path, *, torn: bool, reason: str) -> bool:
    """Write the end into a log whose process died; of a ``torn`` last line nothing is kept. False where another process that looks for dead
    calls does it, or has done it. Raises OSError, and then the log is as it was but for that line."""
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if _last_line(file).startswith(_END):
            return False
        size = os.fstat(file).st_size
        if torn:
            size = _whole_lines(file, size)
            os.ftruncate(file, size)
        end = encode({"ended": reason}) + b"\n"
        taken = 0
        try:
            while taken < len(end):
                taken += os.pwrite(file, end[taken:], size + taken)
        except OSError:
            os.ftruncate(file, size)
            raise
        return True
    finally:
        os.close(file)


def _whole_lines(file: int, size: int) -> int:
    """Up to the last line's end."""
    while size > 0:
        begin = max(size - _TAIL_BYTES, 0)
        found = os.pread(file, size - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        size = begin
    return 0


def _is_unfinished(path: Path) -> bool:
    # What lies in the folder may be anything: a link would be followed out of it, a named pipe waited for.
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a file")
        return not _last_line(file).startswith(_END) and _nobody_writes(file)
    finally:
        os.close(file)


def _last_line(file: int) -> bytes:
    """Its last bytes, if it is long."""
    begin = max(os.fstat(file).st_size - _TAIL_BYTES, 0)
    return os.pread(file, _TAIL_BYTES, begin).rstrip(b"\n").rsplit(b"\n", 1)[-1]


def _nobody_writes(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
