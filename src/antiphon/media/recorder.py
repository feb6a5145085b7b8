"""The recording of one call, written as it happens: stereo, the caller left, the agent right, both as they were heard.

The caller's audio is the time base. The agent's audio is laid where it sounds; what a barge-in cleared is taken out again, which is
why a block
goes to the file only once it can no longer change. Files are written by a thread of their own: a slow disk never delays the beat.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

import structlog

from antiphon.audio import codec
from antiphon.audio.convert import converter
from antiphon.audio.wav import WavTooLarge, WavWriter
from antiphon.media.line import AgentLine
from antiphon.vocabulary import AudioFormat

_BLOCK_MS = 1000
_MARGIN_MS = 400
"""The agent's lead reaches a quarter of a second ahead and may still be cleared: so much stays in memory when a block is written."""
_LONGEST_ALONE_MS = 30_000
"""So long the agent may speak without anything coming from the caller, who is the time base: then the caller's side is silent, else a
client that never sends audio would leave the whole of the agent's in memory until the call ends."""
_LOOK_EVERY_S = 0.2
_MAX_WAITING_BLOCKS = 4096
"""Blocks of all calls waiting for the disk: ten seconds of four hundred calls, about 64 MiB. Beyond that, blocks are lost and counted."""

log = structlog.get_logger(__name__)


class RecordingWriter:
    """The one thread that writes recordings."""

    def __init__(self) -> None:
        # The thread looks by itself a few times a second: waking it for every block, and handing it the interpreter each time, cost more
        # than the writing.
        self._work: deque[tuple[WavWriter, bytes, bytes] | WavWriter] = deque()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost_blocks = 0
        self.failed_files = 0

    def start(self) -> None:
        if self._thread is None:
            self._closing.clear()
            self._thread = threading.Thread(target=self._run, name="recording-writer", daemon=True)
            self._thread.start()

    def write(self, file: WavWriter, left: bytes, right: bytes) -> None:
        """Take a block; never waits."""
        if len(self._work) >= _MAX_WAITING_BLOCKS:
            self.lost_blocks += 1
            return
        self._work.append((file, left, right))

    def finish(self, file: WavWriter) -> None:
        """Close a file after all its blocks."""
        self._work.append(file)

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
            try:
                if isinstance(item, WavWriter):
                    item.close()
                else:
                    file, left, right = item
                    file.write_stereo(left, right)
                    file.flush()
            except (OSError, WavTooLarge, ValueError) as error:
                self.failed_files += 1
                log.warning("recording_failed", problem=type(error).__name__)


class Recorder:
    """One call's recording, in the agent's format: where the caller's is another, it is converted."""

    def __init__(
        self, path: Path, caller: AudioFormat, audio: AudioFormat, agent: AgentLine, writer: RecordingWriter
    ) -> None:
        """``agent`` is what the agent says, in ``audio``. Raises OSError where the file cannot be made."""
        self._audio = audio
        self._convert = converter(caller, audio) if caller != audio else None
        self._writer = writer
        self._file = WavWriter(path, audio, channels=2)
        self._agent = agent
        self._silence = codec.silence(audio, 1)
        self._bytes_per_ms = audio.rate_hz * audio.bytes_per_sample / 1000
        self._block = audio.bytes_for_ms(_BLOCK_MS)
        self._full = self._block + audio.bytes_for_ms(_MARGIN_MS)
        self._left = bytearray()
        self._began_ms: int | None = None
        """Session clock at the first byte of the caller's side still in memory."""
        self._closed = False

    def hear(self, audio: bytes, now_ms: int) -> None:
        """The caller's audio, gaps filled."""
        if self._closed:
            return
        if self._convert is not None:
            audio = self._convert(audio)
        if self._began_ms is None:
            self._begin(now_ms - int(self._audio.ms_of(len(audio))))
        self._left += audio
        self._write_what_is_full()

    def _write_what_is_full(self) -> None:
        while len(self._left) >= self._full:
            self._flush(self._block)

    def speaks(self, starts_ms: int) -> None:
        """The agent says something, from ``starts_ms`` on; nobody may have been heard before."""
        if self._began_ms is None:
            self._begin(starts_ms)
            return
        alone_ms = starts_ms - self._began_ms - len(self._left) / self._bytes_per_ms
        if alone_ms > _LONGEST_ALONE_MS:
            self._left += self._filled(b"", self._audio.bytes_for_ms(alone_ms))
            self._write_what_is_full()

    def _begin(self, at_ms: int) -> None:
        self._began_ms = self._agent.recorded_ms = at_ms

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._flush(max(len(self._left), self._unrecorded_of_agent()))
            self._writer.finish(self._file)

    def _unrecorded_of_agent(self) -> int:
        return 0 if self._began_ms is None else self._agent.bytes_after(self._began_ms)

    def _flush(self, size: int) -> None:
        if not size or self._began_ms is None:
            return
        ends_ms = self._began_ms + round(size / self._bytes_per_ms)
        left, right = bytes(self._left[:size]), self._agent.between(self._began_ms, ends_ms)[:size]
        del self._left[:size]
        self._writer.write(self._file, self._filled(left, size), self._filled(right, size))
        self._began_ms = self._agent.recorded_ms = ends_ms

    def _filled(self, side: bytes, size: int) -> bytes:
        """Silence where the side is shorter than the block: it had nothing more to say, or the block is no whole milliseconds long."""
        return side + self._silence * ((size - len(side)) // len(self._silence))
