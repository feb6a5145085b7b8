"""Another policy tried on a call that is over, in a process of its own (``session/what_if_process.py``): one at a time, bounded in time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from starlette.exceptions import HTTPException

from antiphon.processes import output_of

_AT_ONCE = 1
_WAITING = 8
_WITHIN_S = 60.0


class WhatIf:
    """Asks, and bounds who asks."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._asked = 0

    async def ask(self, log: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
        """``{"was": […], "would": […]}``. Raises HTTPException 422 naming the field, 503 where too many ask, 504 where it takes
        too long."""
        if self._asked >= _WAITING:
            raise HTTPException(503, "Others are trying policies; try again in a minute")
        self._asked += 1
        try:
            async with asyncio.timeout(_WITHIN_S), self._turn:
                answer = await self._run(log, changes)
        except TimeoutError:
            raise HTTPException(504, "The call is too long to be tried again here; use antiphon replay") from None
        finally:
            self._asked -= 1
        if "problem" in answer:
            raise HTTPException(422, str(answer["problem"]))
        return answer

    async def _run(self, log: Path, changes: Mapping[str, Any]) -> dict[str, Any]:
        program = (sys.executable, "-m", "antiphon.session.what_if_process", str(log))
        _, out = await output_of(program, given=orjson.dumps(changes))
        try:
            answer: dict[str, Any] = orjson.loads(out)
        except orjson.JSONDecodeError:
            raise HTTPException(500, "The call could not be run again") from None
        return answer
