#!/usr/bin/env python3
"""Draw the state machines of ``antiphon.conversation.state`` into docs/turn-taking.md.

    python tools/draw_states.py            rewrite the diagrams
    python tools/draw_states.py --check    exit with 1 when they are not those of the tables

A diagram stands between ``<!-- states: NAME -->`` and ``<!-- end of states -->``; everything else on the page is written by hand.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from antiphon.conversation.state import AGENT_TRANSITIONS, CALL_TRANSITIONS, REPLY_TRANSITIONS, USER_TRANSITIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "turn-taking.md"
TABLES: Mapping[str, Mapping[tuple[StrEnum, StrEnum], StrEnum]] = {
    "user": USER_TRANSITIONS,
    "agent": AGENT_TRANSITIONS,
    "call": CALL_TRANSITIONS,
    "reply": REPLY_TRANSITIONS,
}
BLOCK = re.compile(r"(?P<begin><!-- states: (?P<name>\w+) -->\n).*?(?P<end><!-- end of states -->)", re.DOTALL)


def diagram(table: Mapping[tuple[StrEnum, StrEnum], StrEnum]) -> str:
    """Mermaid text of one machine. Its first state begins; one that is never left ends."""
    first = next(iter(type(next(iter(table))[0])))
    left = {before for before, _ in table}
    lines = ["```mermaid", "stateDiagram-v2", "    direction LR", f"    [*] --> {first}"]
    lines += [f"    {before} --> {after}: {trigger}" for (before, trigger), after in table.items()]
    lines += [f"    {after} --> [*]" for after in dict.fromkeys(table.values()) if after not in left]
    return "\n".join([*lines, "```", ""])


def drawn(page: str) -> str:
    """The page with its diagrams as the tables have them. Raises ValueError where a machine has no place on the page."""
    names = {match["name"] for match in BLOCK.finditer(page)}
    if names != set(TABLES):
        raise ValueError(
            f"the page must have one place for each of {', '.join(TABLES)}; it has {', '.join(sorted(names)) or 'none'}"
        )
    return BLOCK.sub(lambda match: match["begin"] + diagram(TABLES[match["name"]]) + match["end"], page)


def main() -> int:
    parser = argparse.ArgumentParser(description="Draw the conversation's state machines into the documentation.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when the diagrams are out of date")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    page = arguments.page.read_text(encoding="utf-8")
    try:
        wanted = drawn(page)
    except ValueError as problem:
        sys.stderr.write(f"{arguments.page.name}: {problem}\n")
        return 1
    if arguments.check:
        if page != wanted:
            sys.stderr.write(f"{arguments.page.name} is out of date: run python tools/draw_states.py\n")
        return int(page != wanted)
    arguments.page.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
