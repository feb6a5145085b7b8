"""The text of a PDF, read by a process of its own: one that is made to hang or to swell ends that process alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from antiphon.confined import MISSING
from antiphon.knowledge.pdf_reader import MAX_TEXT_BYTES
from antiphon.processes import output_of_module

SECONDS = 30.0
_AT_ONCE = asyncio.Semaphore(2)
log = structlog.get_logger(__name__)


async def text_of_pdf(path: Path, seconds: float = SECONDS) -> bytes | None:
    """UTF-8, as much as is looked at of a file; None where nothing can be read: it is encrypted, scanned, broken, or takes too long."""
    async with _AT_ONCE:
        try:
            async with asyncio.timeout(seconds):
                reader = "antiphon.knowledge.pdf_reader"
                status, text = await output_of_module(reader, str(path), most_bytes=MAX_TEXT_BYTES)
        except TimeoutError:
            log.warning("pdf_unread", problem="timeout")
            return None
    if status != 0:
        log.warning("pdf_unread", problem="pypdf is not installed" if status == MISSING else "unreadable")
        return None
    return text.decode("utf-8", "ignore").encode().strip() or None
