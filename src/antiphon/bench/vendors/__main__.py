"""``python -m antiphon.bench.vendors``: the stand-ins in a process of their own, until its standard input ends."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import orjson
import uvloop

from antiphon.bench.vendors.serving import Script, StandIns


async def main() -> None:
    """The first line of standard input is ``{"transcripts": […], "answers": […], "spellings": […]}``, each of which may be left out; the
    ports are the first line of standard output."""
    given: dict[str, list[str]] = orjson.loads(await asyncio.to_thread(sys.stdin.buffer.readline))
    script = replace(Script(), **given)  # type: ignore[arg-type]  # the lists among its fields
    async with StandIns(script) as stand_ins:
        sys.stdout.buffer.write(orjson.dumps(stand_ins.ports) + b"\n")
        sys.stdout.buffer.flush()
        await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
