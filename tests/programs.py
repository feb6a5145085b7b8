"""Programs that are not Python: Node.js with the stock JavaScript clients, and Chromium. ``tools/test-tools.sh`` installs them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

JS = Path(__file__).resolve().parent / "conformance" / "realtime" / "js"
"""Our scripts, and beside them ``node_modules``: a script is looked for its packages where it lies."""


def node() -> str:
    """Path of Node.js, with the packages there. Skips the test where they are not; fails it where CI is set."""
    found = shutil.which("node")
    if found is None:
        missing("Node.js")
    if not (JS / "node_modules" / ".package-lock.json").is_file():
        missing("the JavaScript clients (npm ci)")
    return found


def chromium() -> str:
    """Path of Chromium; otherwise as ``node``."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("Chromium")
    return found


def missing(name: str) -> NoReturn:
    """Skips the test, or fails it where CI is set."""
    reason = f"{name} is not installed: run tools/test-tools.sh"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
