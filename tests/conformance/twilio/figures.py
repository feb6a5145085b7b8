"""Measured figures, for whoever runs the tests with ``-s``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from antiphon.caller.lateness import percentile


def show(what: str) -> None:
    """One line on standard output."""
    sys.stdout.write(f"\n    {what}")


def spread(values: Sequence[float]) -> str:
    """p50 / p95 / max."""
    p50, p95 = percentile(values, 0.5), percentile(values, 0.95)
    assert p50 is not None and p95 is not None
    return f"p50 {p50:.0f}, p95 {p95:.0f}, max {max(values):.0f} ms (n={len(values)})"
