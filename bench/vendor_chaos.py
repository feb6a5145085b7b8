"""Calls through vendors in trouble: killed, stalled, silent, throttled, garbled. No turn may be silent, and no word said twice.

    python bench/vendor_chaos.py --calls 100

The stand-ins (``antiphon.bench.vendors``) spell what they say, so that what the callers heard is read to the letter. Exit status 1 where
a turn was not answered, a word was heard twice, a failure is not on the timeline, or a task or work at a vendor is left over. Callers and
stand-ins share this process: on a busy machine so many calls make the vendors slow for everybody, and what fails then is the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from antiphon.bench.chaos import run_chaos


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="antiphon-chaos-") as scratch:
        found = await run_chaos(Path(scratch), arguments.calls, arguments.turns)
    for (vendor, trouble), count in sorted(found.made.items()):
        print(f"{vendor:>10} {trouble:>9}: {count}")
    print(
        f"{found.turns} turns: {found.silent} silent, {len(found.twice)} with a word said twice, {found.failures} failures on timelines"
    )
    print(
        f"calls lost: {len(found.lost)}; troubles on no timeline: {found.untold or 'none'}; left over: {found.left or 'nothing'}"
    )
    for words in found.twice[:10]:
        print(f"  heard: {words}")
    return 0 if found.well else 1


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main()))
