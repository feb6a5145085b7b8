"""The far side of reading a stranger's file: a process of its own (``processes.output_of_module``) that bounds itself."""

from __future__ import annotations

import os
import resource

MISSING, UNREADABLE = 3, 4
"""Exit statuses: the package that reads such files is not installed; the file is none that can be read."""


def confine(cpu_s: int, memory_bytes: int) -> None:
    """This process gives way to everybody else, writes no file, and ends where it takes more than this."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
