"""A machine that stands still for seconds, as one does that is moved to another host: calls go on where they were."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.conformance.twilio.server import serve_in_child

FROZEN_S = 4.0
"""Longer than a caller may be silent before the line counts as dead."""


async def test_no_call_is_lost(tmp_path: Path) -> None:
    async with serve_in_child(tmp_path) as (server, child):
        phones = await asyncio.gather(
            *(server.call(server.assistant("a", greeting="and so on " * 200)) for _ in range(3))
        )
        await asyncio.gather(*(phone.until_hears(300) for phone in phones))
        child.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(FROZEN_S)
        child.process.send_signal(signal.SIGCONT)
        until_ms = phones[0].now_ms + 7000
        await phones[0].until(lambda: phones[0].now_ms > until_ms or any(phone.closed.is_set() for phone in phones))
        assert not [phone.close_reason for phone in phones if phone.closed.is_set()]
        heard_ms = [phone.heard_ms for phone in phones]
        await phones[0].until(
            lambda: all(phone.heard_ms > before + 500 for phone, before in zip(phones, heard_ms, strict=True))
        )
        (held_up,) = child.logged("process_held_up")
        assert held_up["late_ms"] > 3000
