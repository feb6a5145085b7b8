"""The far side of ``worker``: the main program of an engine's process.

It is started as ``python -P -m antiphon.providers.worker_process FD MODULE:CLASS OPTIONS``, serves one engine on the socket it
inherited, one frame after the other, and ends when that socket is closed: so it never outlives the server, however that died.
Standard output and error are the null device (engines print); what matters comes back as frames.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections import deque
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

import orjson

from antiphon.errors import AntiphonError, ProviderError
from antiphon.providers.worker_frames import Frame, FrameReader, encode

_READ_BYTES = 256 * 1024


class Engine(Protocol):
    """What runs in the process. Built with ``engine(options)``; any exception there means it cannot run here."""

    def warm(self) -> None:
        """Load what is slow, after the server has been told that the engine exists and before the first frame."""
        ...

    def handle(self, frame: Frame, link: Link) -> None:
        """Do what one frame asks, answering through ``link``. An exception fails this frame's stream, not the process."""
        ...


class Link:
    """The process's end of the socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = FrameReader()
        self._received: deque[Frame] = deque()

    def send(self, frame: Frame) -> None:
        """Blocks while the server is slow to read. Raises OSError when it is gone."""
        self._connection.sendall(encode(frame))

    def receive(self) -> Frame | None:
        """The next frame; None when the server has closed or is gone."""
        while not self._received:
            data = self._connection.recv(_READ_BYTES)
            if not data:
                return None
            self._received.extend(self._reader.feed(data))
        return self._received.popleft()

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
    while (frame := link.receive()) is not None:
        if frame.kind == "ping":
            link.send(Frame(0, "pong"))
            continue
        try:
            engine.handle(frame, link)
        except OSError:
            raise
        except Exception as failure:
            # Whatever one call's data did to the engine must not end the other calls in this process.
            link.send(Frame(frame.stream, "error", {"problem": _describe(failure)}))


def _describe(failure: Exception) -> str:
    """Our own errors speak; of a foreign one only the type is told, because its text may hold the caller's words."""
    if isinstance(failure, ProviderError):
        return failure.problem  # the provider's name is put in front again at the other end
    return str(failure) if isinstance(failure, AntiphonError) else f"the engine raised {type(failure).__name__}"


def _build(path: str, options: Mapping[str, Any]) -> Engine:
    module, _, name = path.partition(":")
    engine: Engine = getattr(import_module(module), name)(options)
    return engine


def main(arguments: list[str]) -> int:
    """Exit status 0 when the server closed us, 1 when the engine cannot run here or the server vanished in mid-write."""
    descriptor, path, options = arguments
    # Ctrl-C in a terminal reaches the whole process group; only the server decides when we end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
