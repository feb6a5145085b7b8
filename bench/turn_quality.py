"""Puts the runs in docs/benchmarks/turns/*.json into the tables of docs/turn-taking-quality.md, and draws docs/benchmarks/turns.svg.

A run is what ``antiphon bench turns --json`` has written. Needs antiphon itself and nothing else.

    python bench/turn_quality.py [FOLDER PAGE SVG]
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from antiphon.bench.turns import report

_BEGIN, _END = "<!-- runs -->", "<!-- end of runs -->"


def rendered(runs: list[dict[str, Any]]) -> str:
    """Every run as a heading and a table."""
    parts = []
    for run in runs:
        calls = sum(1 for each in run["trials"] if not each["problem"])
        about = f" {run['about']}" if run.get("about") else ""
        parts.append(f"**{run['label']}**, suite {run['suite']}, {calls} calls, {run['started'][:10]}.{about}")
        parts.append(report.table(run["groups"], over=run["suite"] == "over"))
    return "\n\n".join(parts)


def main(folder: Path, page: Path, picture: Path) -> None:
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    text = page.read_text(encoding="utf-8")
    block = f"{_BEGIN}\n{rendered(runs)}\n{_END}"
    page.write_text(re.sub(f"{_BEGIN}.*{_END}", lambda _: block, text, flags=re.DOTALL), encoding="utf-8")
    points: dict[str, tuple[tuple[float, float], ...]] = {}
    for run in runs:
        if run["suite"] == "pause":
            points |= report.point_of(run["label"], run["groups"])
    picture.write_text(report.plot(points), encoding="utf-8")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    docs = Path("docs")
    main(*(given or (docs / "benchmarks/turns", docs / "turn-taking-quality.md", docs / "benchmarks/turns.svg")))
