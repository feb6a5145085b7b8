"""Whether a worker's process lives."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from pathlib import Path

from antiphon.workers.life import LifeLock, forget, living

HOLDS = """
import sys
from pathlib import Path
from antiphon.workers.life import LifeLock
lock = LifeLock(Path(sys.argv[1]), "theirs")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_process_lives_until_it_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    ours = LifeLock(folder, "ours")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        assert living(folder) == {"ours", "theirs"}
        process.kill()
        process.wait()
    assert living(folder) == {"ours"}
    forget(folder, "theirs")
    forget(folder, "theirs")
    assert [path.name for path in folder.iterdir()] == ["ours"]
    ours.release()
    ours.release()
    assert living(folder) == set()


def test_whoever_looks_at_this_moment_does_not_keep_a_worker_from_starting(tmp_path: Path) -> None:
    (tmp_path / "ours").touch()
    with (tmp_path / "ours").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        locks: list[LifeLock] = []
        starting = threading.Thread(target=lambda: locks.append(LifeLock(tmp_path, "ours")))
        starting.start()
        fcntl.flock(looking, fcntl.LOCK_UN)
        starting.join()
    assert len(locks) == 1 and living(tmp_path) == {"ours"}
    locks[0].release()
