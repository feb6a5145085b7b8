"""Reading ``/proc``: the formats as Linux writes them, and a real process."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time

import pytest

from antiphon.bench import proc

STAT = (
    "4242 (a (strange) name) S 1 4242 4242 0 -1 4194304 100 0 0 0 "
    + "150 50"
    + " 7 9 20 0 4 0 5955 1000 200 18446744073709551615"
)
SMAPS = """55d0c0a00000-7ffd1c9f2000 ---p 00000000 00:00 0                          [rollup]
Rss:              142184 kB
Pss:              109036 kB
Pss_Anon:          69000 kB
Shared_Clean:      40000 kB
Private_Clean:      2000 kB
Private_Dirty:     89364 kB
Anonymous:         69632 kB
Swap:                  0 kB
"""
MACHINE = "cpu  1000 20 300 9000 400 5 6 70 0 0\ncpu0 500 10 150 4500 200 2 3 35 0 0\n"


def test_cpu_is_user_and_system_time_whatever_the_program_is_called() -> None:
    assert proc.parse_cpu_s(STAT) == 200 / proc.TICKS_PER_S


def test_memory_by_name() -> None:
    assert proc.parse_memory(SMAPS) == proc.Memory(rss_kib=142184, pss_kib=109036, own_kib=69632)


def test_waiting_for_a_disk_is_not_work_and_steal_is() -> None:
    time_spent = proc.parse_machine_time(MACHINE)
    assert time_spent.busy_s == pytest.approx((1000 + 20 + 300 + 5 + 6 + 70) / proc.TICKS_PER_S)
    assert time_spent.steal_s == pytest.approx(70 / proc.TICKS_PER_S)


def test_a_process_that_works_is_seen_to_work() -> None:
    before_s = proc.cpu_s(os.getpid())
    limit_s = time.process_time() + 0.05
    while time.process_time() < limit_s:
        pass
    assert proc.cpu_s(os.getpid()) - before_s >= 0.03


def test_memory_that_is_used_is_own() -> None:
    before = proc.memory(os.getpid())
    # Pages of the kernel's: what Python allocates may come out of memory that it had freed and kept.
    with mmap.mmap(-1, 32 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        grown_kib = proc.memory(os.getpid()).own_kib - before.own_kib
        assert len(held) // 1024 * 0.9 < grown_kib < len(held) // 1024 * 1.5


def test_children_are_counted_apart() -> None:
    work = "sum(range(3_000_000)); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert proc.children_cpu_s(os.getpid()) >= proc.cpu_s(child.pid) > 0
        child.communicate(b"\n")


def test_a_process_that_is_gone_says_so() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    for read in (proc.cpu_s, proc.memory, proc.children_cpu_s):
        with pytest.raises(proc.ProcessGone, match=str(child.pid)):
            read(child.pid)
