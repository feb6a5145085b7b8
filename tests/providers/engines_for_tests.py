"""Engines for the worker tests: one that does what it is told, also the bad things engines do."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.errors import ProviderError
from antiphon.providers.worker_frames import Frame

if TYPE_CHECKING:
    from antiphon.providers.worker_process import Link


class Obedient:
    """Answers ``echo`` and ``note``; ``raise``, ``refuse``, ``crash``, ``hang``, ``garbage`` and ``long`` do what they say."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        if options.get("broken"):
            raise RuntimeError("text that must not be shown")
        self._options = options
        self._notes: list[int] = []

    def warm(self) -> None:
        sys.stdout.write("engines print\n")
        sys.stderr.write("and complain\n")

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "echo":
            link.send(Frame(frame.stream, "echo", {"process": os.getpid(), **frame.fields}, frame.payload))
        elif frame.kind == "raise":
            raise ValueError("the caller's words")
        elif frame.kind == "refuse":
            raise ProviderError("obedient", "no")
        elif frame.kind == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif frame.kind == "hang":
            time.sleep(60)
        elif frame.kind == "note":
            self._notes.append(frame.stream)
            time.sleep(0.001)
        elif frame.kind == "notes":
            link.send(Frame(frame.stream, "notes", {"streams": self._notes}))
        elif frame.kind == "loop":
            while True:
                pass
        elif frame.kind == "work":
            time.sleep(float(frame.fields["seconds"]))
        elif frame.kind == "garbage":
            link.send(Frame(frame.stream, "before"))
            os.write(int(sys.argv[1]), b"\xff" * 8)
        elif frame.kind == "long":
            pieces = 0
            while not link.closing(frame.stream):
                pieces += 1
                link.send(Frame(frame.stream, "piece", {"number": pieces}))
                time.sleep(0.001)


class Mortal(Obedient):
    """Obedient once; from its first crash on it dies at every start, for as long as the file ``mark`` is there."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._mark = Path(options["mark"])
        if self._mark.exists():
            os._exit(3)

    def handle(self, frame: Frame, link: Link) -> None:
        if frame.kind == "crash":
            self._mark.touch()
        super().handle(frame, link)
