"""How an engine's process is started: with one socket and nothing else of the server's.

An engine reads what strangers wrote, one is GPL, and any may be taken over or hang. So its process gets no descriptor but its own
(a listening socket in an engine that hangs keeps the port taken after the server's death), and of the environment only what it takes to
run Python and numpy: the settings, which hold secrets, stay here.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping

from antiphon.processes import Process, start

_NAMES = frozenset({"PATH", "LANG", "LANGUAGE", "TMPDIR", "TZ", "LD_LIBRARY_PATH"})
_PREFIXES = ("LC_", "PYTHON", "OPENBLAS", "OMP_", "MKL_", "MALLOC_")
"""Where Python, its packages and their libraries are, and how numpy's libraries are to compute (some processors need them told)."""
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One process is one core: threads of numpy's own would wait for each other on products of a few thousand numbers."""


def environment(ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables an engine's process is given, out of ours."""
    kept = {name: value for name, value in ours.items() if name in _NAMES or name.startswith(_PREFIXES)}
    return {**kept, **_ONE_THREAD}


async def start_process(theirs: socket.socket, engine: str, options: str) -> Process:
    """``worker_process`` serving ``engine`` on its end of the socket pair. Raises OSError."""
    # -P: an engine's process must not import what happens to lie in the working directory.
    program = (sys.executable, "-P", "-m", "antiphon.providers.worker_process")
    arguments = (str(theirs.fileno()), engine, options, str(os.getpid()))
    return await start((*program, *arguments), environment(), (theirs.fileno(),))
