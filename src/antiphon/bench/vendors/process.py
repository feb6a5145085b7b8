"""The stand-ins' process, for whoever needs vendors that are not this process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import orjson

from antiphon.bench import machine
from antiphon.bench.vendors.serving import environment
from antiphon.errors import ProviderUnavailable

_READY_WITHIN_S = 30.0


@asynccontextmanager
async def stand_ins(
    script: Mapping[str, Sequence[str]] | None = None, cores: frozenset[int] | None = None
) -> AsyncIterator[dict[str, str]]:
    """Variables that lead a server to them. ``script``: as ``serving.Script``. Raises ProviderUnavailable."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "antiphon.bench.vendors", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        machine.pin(process.pid, cores)
        process.stdin.write(orjson.dumps(script or {}) + b"\n")
        async with asyncio.timeout(_READY_WITHIN_S):
            told = await process.stdout.readline()
        if not told:
            raise ProviderUnavailable("stand-ins", "their process ended before it was ready")
        sockets, responses = orjson.loads(told)
        yield environment((sockets, responses))
    except TimeoutError:
        raise ProviderUnavailable("stand-ins", f"they were not ready within {_READY_WITHIN_S:g} s") from None
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
