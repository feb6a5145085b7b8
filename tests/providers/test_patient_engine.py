"""Long work is done between frames: a process serves whoever speaks, whatever else it is at."""

from __future__ import annotations

import socket
from threading import Thread

from antiphon.providers.worker_frames import Frame, FrameReader, encode
from antiphon.providers.worker_process import Link, serve

PIECES = 50


class Counting:
    """``job`` gives it fifty pieces of work; it tells of each, and of every frame that comes in between."""

    def __init__(self) -> None:
        self.left = 0

    def warm(self) -> None:
        pass

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "job":
            self.left = PIECES
        else:
            link.send(Frame(frame.stream, "seen", {"left": self.left}))

    def work(self, link: Link) -> bool:
        if not self.left:
            return False
        self.left -= 1
        link.send(Frame(1, "piece", {"left": self.left}))
        return True


def test_frames_and_pings_are_answered_between_pieces_of_work() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        thread = Thread(target=serve, args=(Counting(), Link(theirs)))
        thread.start()
        reader, received = FrameReader(), list[Frame]()

        def until(kind: str) -> Frame:
            ours.settimeout(20)
            while not any(frame.kind == kind for frame in received):
                received.extend(reader.feed(ours.recv(65536)))
            return next(frame for frame in received if frame.kind == kind)

        until("warm")
        # In one write: the second frame is there before the first piece of work can begin.
        ours.sendall(encode(Frame(1, "job")) + encode(Frame(2, "speech")) + encode(Frame(0, "ping", {"n": 1})))
        assert until("seen").fields["left"] == PIECES
        until("pong")
        while sum(frame.kind == "piece" for frame in received) < PIECES:
            received.extend(reader.feed(ours.recv(65536)))
        kinds = [frame.kind for frame in received]
        assert kinds.index("pong") < kinds.index("piece")
        ours.shutdown(socket.SHUT_WR)
        thread.join(20)
        assert not thread.is_alive()
