"""The recording of one call, written as it happens: stereo, the caller left, the agent right, both as they were heard.

The caller's audio is the time base. The agent's audio is laid where it sounds; what a barge-in cleared is taken out again, which is why a
block goes to the file only once it can no longer change: until then the caller's side stays on the call's line. Files are written by a
thread of their own: a slow disk never delays the beat.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import structlog

from antiphon.audio import codec
from antiphon.audio.convert import converter
from antiphon.audio.wav import WavTooLarge, WavWriter
from antiphon.files import private_folder, reason
from antiphon.losses import Losses
from antiphon.media.line import AgentLine, CallerLine
from antiphon.vocabulary import AudioFormat

_BLOCK_MS = 1000
_MARGIN_MS = 400
"""The agent's lead reaches a quarter of a second ahead and may still be cleared: so much is left alone when a block is written."""
_LONGEST_ALONE_MS = 30_000
"""So long the agent may speak without anything coming from the caller, who is the time base: then the caller's side is silent, else a
client that never sends audio would leave the whole of the agent's in memory until the call ends."""
_SHORTEST_PAUSE_MS = 1000
"""Behind the clock by less, a stream is late and not paused."""
_LOOK_EVERY_S = 0.2
_MAX_WAITING_BLOCKS = 4096
"""Blocks of all calls waiting for the disk: ten seconds of four hundred calls, about 64 MiB. Beyond that, blocks are lost and
counted, and silence stands for them."""

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class Recording:
    """One file, and what became of it."""

    file: WavWriter
    call_id: str
    failing: bool = False
    """The disk did not take the last block."""
    failed: bool = False
    """Something of it is lost."""
    waiting_gap: _Gap | None = None
    """The last of its blocks that wait, where that is a gap: so a disk that hangs costs one entry a call, however long it hangs."""


@dataclass(eq=False, slots=True)
class _Gap:
    """Audio that found no room among the waiting blocks: silence of as many bytes."""

    recording: Recording
    size: int


class RecordingWriter:
    """The one thread that writes recordings."""

    def __init__(self, losses: Losses | None = None) -> None:
        # The thread looks by itself a few times a second: waking it for every block, and handing it the interpreter each time, cost more
        # than the writing.
        self._work: deque[tuple[Recording, bytes, bytes] | _Gap | Recording] = deque()
        self._gaps = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._losses = losses or Losses()
        self.lost_blocks = 0
        self.failed_files = 0
        """Recordings that could not be made, or lack something."""

    def start(self) -> None:
        if self._thread is None:
            self._closing.clear()
            self._thread = threading.Thread(target=self._run, name="recording-writer", daemon=True)
            self._thread.start()

    def open(self, path: Path, audio: AudioFormat) -> Recording:
        """A stereo file, readable by its owner alone. One for which the disk has no room now is made when it has. Raises OSError where it
        cannot be made at all, which is counted and told."""
        recording = None
        try:
            private_folder(path.parent)
            file = WavWriter(path, audio, channels=2, patient=True)
            recording = Recording(file, path.stem)
            if file.problem is not None:
                recording.failing = True
                self._note_failure(recording, reason(file.problem))
        except OSError as error:
            self.failed_files += 1
            self._losses.tell("recording_failed", path.stem, call_id=path.stem, problem=reason(error))
            raise
        return recording

    def write(self, recording: Recording, left: bytes, right: bytes) -> None:
        """Take a block; never waits."""
        if len(self._work) < _MAX_WAITING_BLOCKS:
            recording.waiting_gap = None
            self._work.append((recording, left, right))
            return
        self._note_loss(recording, "the disk is too slow")
        with self._gaps:
            gap = recording.waiting_gap
            if gap is not None:
                gap.size += 2 * len(left)
                return
            recording.waiting_gap = _Gap(recording, 2 * len(left))
        self._work.append(recording.waiting_gap)

    def finish(self, recording: Recording) -> None:
        """Close a file after all its blocks."""
        self._work.append(recording)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is waiting, then stop. Blocks for at most ``timeout_s``."""
        if self._thread is not None:
            self._closing.set()
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_EVERY_S):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._work:
            item = self._work.popleft()
            if isinstance(item, Recording):
                self._close_file(item)
            elif isinstance(item, _Gap):
                self._skip(item)
            else:
                self._write_block(*item)

    def _write_block(self, recording: Recording, left: bytes, right: bytes) -> None:
        try:
            recording.file.write_stereo(left, right)
            recording.file.flush()
        except (OSError, WavTooLarge, ValueError) as error:
            recording.failing = True
            self._note_loss(recording, _problem(error))
        else:
            if recording.failing:
                recording.failing = False
                log.info("recording_goes_on", call_id=recording.call_id)

    def _skip(self, gap: _Gap) -> None:
        with self._gaps:
            if gap.recording.waiting_gap is gap:
                gap.recording.waiting_gap = None  # from here on it does not grow
        try:
            gap.recording.file.skip(gap.size)
        except (OSError, WavTooLarge) as error:  # the gap itself was counted when it was made
            self._note_failure(gap.recording, _problem(error))

    def _close_file(self, recording: Recording) -> None:
        try:
            recording.file.close()
        except OSError as error:
            self._note_failure(recording, reason(error))

    def _note_loss(self, recording: Recording, problem: str) -> None:
        self.lost_blocks += 1
        self._note_failure(recording, problem)

    def _note_failure(self, recording: Recording, problem: str) -> None:
        if not recording.failed:
            recording.failed = True
            self.failed_files += 1
        self._losses.tell("recording_failed", recording.call_id, call_id=recording.call_id, problem=problem)


def _problem(error: Exception) -> str:
    if isinstance(error, OSError):
        return reason(error)
    return "the file is full" if isinstance(error, WavTooLarge) else type(error).__name__


@dataclass(eq=False, slots=True)
class _Pause:
    """Of a recording. The caller's side is silent by position on the line, the agent's by the session clock; None: still paused."""

    begin: int
    from_ms: int
    end: int | None = None
    to_ms: int | None = None

    def is_past(self, taken: int, ends_ms: int) -> bool:
        return self.end is not None and self.to_ms is not None and self.end <= taken and self.to_ms <= ends_ms


class Recorder:
    """One call's recording, in the agent's format: where the caller's is another, it is converted."""

    def __init__(
        self,
        path: Path,
        line: CallerLine,
        caller: AudioFormat,
        agent: AgentLine,
        audio: AudioFormat,
        writer: RecordingWriter,
    ) -> None:
        """``line`` carries the caller, in ``caller``, and ``agent`` what the agent says, in ``audio``. Raises OSError where the file cannot
        be made."""
        self._audio = audio
        self._convert = converter(caller, audio) if caller != audio else None
        self._writer = writer
        self._recording = writer.open(path, audio)
        self._line, self._caller, self._agent = line, caller, agent
        self._silence = codec.silence(audio, 1)
        self._bytes_per_ms = audio.rate_hz * audio.bytes_per_sample / 1000
        self._block = caller.bytes_for_ms(_BLOCK_MS)
        self._full = self._block + caller.bytes_for_ms(_MARGIN_MS)
        self.taken = 0
        """Position on the caller's line from which on the recording wants it."""
        self._heard = self._begun = False
        """Whether the caller has been heard, and whether anybody has."""
        self._began_ms = 0
        """Session clock at the first moment that is not in the file."""
        self._silent_ms = 0
        """So much of the caller's side there is nothing of: what comes next on the line comes after it."""
        self._pauses: deque[_Pause] = deque()
        """Those that have not been written whole, in their order."""
        self._closed = False

    def pause(self, now_ms: int) -> bool:
        """From now on silence is written, as long as what is said. False where that is so already."""
        if self._closed or (self._pauses and self._pauses[-1].to_ms is None):
            return False
        self._pauses.append(_Pause(self._line.end, now_ms))
        return True

    def resume(self, now_ms: int, waiting_bytes: int = 0) -> bool:
        """What is said from now on is written again. ``waiting_bytes`` have arrived and are not on the line yet: they were said before.
        False where nothing was paused."""
        if self._closed or not self._pauses or self._pauses[-1].to_ms is not None:
            return False
        last = self._pauses[-1]
        last.end, last.to_ms = self._line.end + waiting_bytes, now_ms
        return True

    def look(self, now_ms: int) -> int:
        """The caller's line carries more. Returns the position on it at which to look again."""
        if self._closed:
            return self.taken
        if not self._heard and self._line.end:
            self._heard = True
            self._hear_first(now_ms - int(self._caller.ms_of(self._line.end)))
        while self._line.end - self.taken >= self._full:
            self._write(self._side(self._block))
        return self.taken + (self._full if self._heard else 1)

    def _hear_first(self, at_ms: int) -> None:
        if self._begun:
            self._rest(at_ms)
        else:
            self._begin(at_ms)

    def pauses(self, until_ms: int) -> None:
        """What comes next on the caller's line is said from ``until_ms`` on. For a client that sends nothing while nobody speaks: what it
        sends would else stand where the pause began."""
        if self._heard and not self._closed and self._behind_ms(until_ms) >= _SHORTEST_PAUSE_MS:
            self._write(self._side(self._line.end - self.taken))
            self._rest(until_ms)

    def speaks(self, starts_ms: int) -> None:
        """The agent says something, from ``starts_ms`` on; nobody may have been heard before."""
        if not self._begun:
            self._begin(starts_ms)
        elif self._behind_ms(starts_ms) > _LONGEST_ALONE_MS:
            self._write(self._side(self._line.end - self.taken))
            self._rest(starts_ms)

    def _begin(self, at_ms: int) -> None:
        self._begun = True
        self._began_ms = self._agent.recorded_ms = at_ms

    def _behind_ms(self, at_ms: int) -> float:
        """How much of the caller's side there is nothing of, until then."""
        return at_ms - self._began_ms - self._silent_ms - self._caller.ms_of(self._line.end - self.taken)

    def _rest(self, until_ms: int) -> None:
        """Nothing of the caller until then. What of it can no longer change is written at once: a pause may last until memory ends."""
        while (whole_ms := (until_ms - self._began_ms - _MARGIN_MS) // _BLOCK_MS * _BLOCK_MS) > 0:
            self._write(b"", self._audio.bytes_for_ms(min(whole_ms, _LONGEST_ALONE_MS)))
        self._silent_ms = max(until_ms - self._began_ms, 0)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._begun:
                self._write(self._side(self._line.end - self.taken), self._agent.bytes_after(self._began_ms))
            self._writer.finish(self._recording)

    def _side(self, size: int) -> bytes:
        """The caller's side, as it is recorded: the silence that is due, then so much of the line."""
        audio = self._line.piece(self.taken, size)
        if self._pauses:
            audio = self._caller_paused(audio)
        self.taken += size
        silence, self._silent_ms = self._silence * int(self._silent_ms * self._audio.rate_hz / 1000), 0
        return silence + (audio if self._convert is None else self._convert(audio))

    def _write(self, left: bytes, size: int = 0) -> None:
        """What the caller's side is until now, and the agent's of the same time. ``size`` bytes at least."""
        size = max(len(left), size)
        ends_ms = self._began_ms + round(size / self._bytes_per_ms)
        right = self._agent.between(self._began_ms, ends_ms)[:size]
        if self._pauses:
            right = self._agent_paused(right, ends_ms)
        if size:
            self._writer.write(self._recording, self._filled(left, size), self._filled(right, size))
        self._began_ms = self._agent.recorded_ms = ends_ms

    def _caller_paused(self, audio: bytes) -> bytes:
        """The line from ``taken`` on, silent where the recording was paused: by what had arrived, however late it came."""
        silent = bytearray(audio)
        for pause in self._pauses:
            begin = max(pause.begin - self.taken, 0)
            end = len(audio) if pause.end is None else min(pause.end - self.taken, len(audio))
            if end > begin:
                silent[begin:end] = codec.silence(self._caller, (end - begin) // self._caller.bytes_per_sample)
        return bytes(silent)

    def _agent_paused(self, audio: bytes, ends_ms: int) -> bytes:
        """The agent's side from ``_began_ms`` on, silent where the recording was paused: by when it sounds."""
        silent = bytearray(audio)
        for pause in self._pauses:
            begin = self._agent_at(pause.from_ms)
            end = len(audio) if pause.to_ms is None else min(self._agent_at(pause.to_ms), len(audio))
            if end > begin:
                silent[begin:end] = self._silence * ((end - begin) // len(self._silence))
        while self._pauses and self._pauses[0].is_past(self.taken, ends_ms):
            self._pauses.popleft()
        return bytes(silent)

    def _agent_at(self, at_ms: int) -> int:
        return max(self._audio.bytes_for_ms(at_ms - self._began_ms), 0) if at_ms > self._began_ms else 0

    def _filled(self, side: bytes, size: int) -> bytes:
        """Silence where the side is shorter than the block: it had nothing more to say, or the block is no whole milliseconds long."""
        return side + self._silence * ((size - len(side)) // len(self._silence))
