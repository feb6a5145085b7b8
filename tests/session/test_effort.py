"""How much of the time a thread wants a core."""

from __future__ import annotations

import threading
import time

import pytest

from antiphon.session.effort import ThreadEffort


def spin(cpu_s: float) -> None:
    until_s = time.thread_time() + cpu_s
    while time.thread_time() < until_s:
        pass


@pytest.mark.parametrize("has_file", [True, False])
def test_a_thread_that_works_is_seen_to_work(has_file: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_file:
        monkeypatch.setattr(threading, "get_native_id", lambda: 0)
    effort = ThreadEffort(0)
    spin(0.1)
    # What it had to wait for a core, on a busy machine, comes on top.
    assert 0.08 <= effort.share(1_000_000_000) <= 1.0


def test_the_work_of_other_threads_is_not_ours() -> None:
    effort = ThreadEffort(0)
    other = threading.Thread(target=spin, args=(0.2,))
    other.start()
    other.join()
    assert effort.share(1_000_000_000) < 0.1


def test_a_share_is_between_none_and_all() -> None:
    effort = ThreadEffort(0)
    spin(0.01)
    assert effort.share(1) == 1.0
    assert effort.share(1) == 0.0, "no time has passed"
