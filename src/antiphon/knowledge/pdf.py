"""The text of a PDF, read by a process of its own: one that is made to hang or to swell ends that process alone."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from antiphon.knowledge.pdf_reader import MAX_TEXT_BYTES, MISSING

SECONDS = 30.0
_AT_ONCE = asyncio.Semaphore(2)
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
log = structlog.get_logger(__name__)


async def text_of_pdf(path: Path, seconds: float = SECONDS) -> bytes | None:
    """UTF-8, as much as is looked at of a file; None where nothing can be read: it is encrypted, scanned, broken, or takes too long."""
    async with _AT_ONCE:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "antiphon.knowledge.pdf_reader", str(path),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                text = await _read(process.stdout)
                status = await process.wait()
        except TimeoutError:
            log.warning("pdf_unread", problem="timeout")
            return None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
    if status != 0:
        log.warning("pdf_unread", problem="pypdf is not installed" if status == MISSING else "unreadable")
        return None
    return text.strip() or None


async def _read(stream: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while size < MAX_TEXT_BYTES and (part := await stream.read(65_536)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)[:MAX_TEXT_BYTES].decode("utf-8", "ignore").encode()
