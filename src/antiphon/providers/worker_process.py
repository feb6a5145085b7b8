"""The far side of ``worker``: the main program of an engine's process.

It is started as ``python -P -m antiphon.providers.worker_process FD MODULE:CLASS OPTIONS PARENT``, serves one engine on the socket it
inherited, one frame after the other, and ends when that socket is closed. Where the server dies, the kernel kills it (on Linux): one that
is at work or hangs would not look at its socket, so it would outlive the server.
Standard output and error are the null device (engines print); what matters comes back as frames.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

import orjson

from antiphon.errors import AntiphonError, ProviderError
from antiphon.providers.worker_frames import Frame, FrameReader, encode

_READ_BYTES = 256 * 1024
_SIGN_OF_LIFE_S = 0.5
"""At work, the server is told at least so often, between two frames, that this process goes on."""
_PR_SET_PDEATHSIG = 1


class Engine(Protocol):
    """What runs in the process. Built with ``engine(options)``; any exception there means it cannot run here."""

    def warm(self) -> None:
        """Load what is slow, after the server has been told that the engine exists and before the first frame."""
        ...

    def handle(self, frame: Frame, link: Link) -> None:
        """Do what one frame asks, answering through ``link``. An exception fails this frame's stream, not the process."""
        ...


@runtime_checkable
class PatientEngine(Engine, Protocol):
    """An engine whose long work is done in pieces, between which frames are handled: no call's work stands before another's frames."""

    def work(self, link: Link) -> bool:
        """Do one piece, of some milliseconds, of the work that matters most; False where there is none. Failures are told by the engine."""
        ...


class Link:
    """The process's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader()
        self._received: deque[Frame] = deque()
        self._sent_s = 0.0

    def send(self, frame: Frame) -> None:
        """Blocks while the server is slow to read. Raises OSError when it is gone."""
        self._connection.sendall(encode(frame))
        self._sent_s = time.monotonic()

    def sign_of_life(self) -> None:
        """Say that work goes on, if nothing was said for a while: many frames may stand before the ping that asks."""
        if time.monotonic() - self._sent_s >= _SIGN_OF_LIFE_S:
            self.send(Frame(0, "alive"))

    def receive(self) -> Frame | None:
        """The next frame; None when the server has closed or is gone."""
        while not self._received:
            data = self._connection.recv(_READ_BYTES)
            if not data:
                return None
            self._received.extend(self._reader.feed(data))
        return self._received.popleft()

    def waiting(self) -> bool:
        """Whether ``receive`` would return at once. Never blocks."""
        return bool(self._received) or bool(select.select((self._connection,), (), (), 0)[0])

    def closing(self, stream: int) -> bool:
        """Whether a ``close`` for this stream is already waiting: asked between pieces of long work. Never blocks.

        True, too, when the server is gone.
        """
        try:
            data = self._connection.recv(_READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        else:
            if not data:
                return True
            self._received.extend(self._reader.feed(data))
        return any(frame.stream == stream and frame.kind == "close" for frame in self._received)


def serve(engine: Engine, link: Link) -> None:
    """Serve until the server closes."""
    link.send(Frame(0, "ready"))
    engine.warm()
    link.send(Frame(0, "warm"))
    work = engine.work if isinstance(engine, PatientEngine) else None
    while True:
        while work is not None and not link.waiting() and work(link):
            link.sign_of_life()
        frame = link.receive()
        if frame is None:
            return
        if frame.kind == "ping":
            link.send(Frame(0, "pong", frame.fields))
            continue
        try:
            engine.handle(frame, link)
        except OSError:
            raise
        except Exception as failure:
            # Whatever one call's data did to the engine must not end the other calls in this process.
            link.send(Frame(frame.stream, "error", {"problem": _describe(failure)}))
        link.sign_of_life()


def _describe(failure: Exception) -> str:
    """Our own errors speak; of a foreign one only the type is told, because its text may hold the caller's words."""
    if isinstance(failure, ProviderError):
        return failure.problem  # the provider's name is put in front again at the other end
    return str(failure) if isinstance(failure, AntiphonError) else f"the engine raised {type(failure).__name__}"


def _build(path: str, options: Mapping[str, Any]) -> Engine:
    module, _, name = path.partition(":")
    engine: Engine = getattr(import_module(module), name)(options)
    return engine


def die_with(parent: int) -> None:
    """Be killed when the server is, whatever this process does then. Where the system cannot, the closed socket has to do."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)


def keep_only(descriptor: int) -> None:
    """Let go of whatever else was inherited: how descriptors are closed at the start is the event loop's matter, and not all loops do."""
    os.closerange(3, descriptor)
    os.closerange(descriptor + 1, os.sysconf("SC_OPEN_MAX"))


def main(arguments: list[str]) -> int:
    """Exit status 0 when the server closed us, 1 when the engine cannot run here or the server vanished in mid-write."""
    descriptor, path, options, parent = arguments
    die_with(int(parent))
    keep_only(int(descriptor))
    # Ctrl-C in a terminal reaches the whole process group, and systemd's stop every process of the unit; only the server decides when
    # we end: its calls are still heard while they drain.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=int(descriptor)) as connection:
        link = Link(connection)
        try:
            try:
                engine = _build(path, orjson.loads(options))
            except Exception as failure:
                text = str(failure) if isinstance(failure, ImportError) else _describe(failure)
                link.send(Frame(0, "unavailable", {"problem": text}))
                return 1
            serve(engine, link)
        except OSError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
