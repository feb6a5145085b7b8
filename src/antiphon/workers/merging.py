"""One answer out of those of all workers: the live calls of all, and all metrics, each with the worker's number. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import orjson


def merged(path: str, answers: Sequence[tuple[int, bytes]]) -> bytes:
    """``answers`` by the workers' numbers, in order."""
    return _live(answers) if path.endswith("/live") else _metrics(answers)


def _live(answers: Sequence[tuple[int, bytes]]) -> bytes:
    rows = [row for _, body in answers for row in orjson.loads(body)["calls"]]
    return orjson.dumps({"calls": sorted(rows, key=lambda row: row["wall_ms"], reverse=True)})


def _metrics(answers: Sequence[tuple[int, bytes]]) -> bytes:
    """In the exposition format all samples of one metric stand together, below what is said of it."""
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for number, body in answers:
        said: list[bytes] = []
        samples = families.setdefault(b"", ([], []))[1]
        for line in body.splitlines():
            if line.startswith(b"# HELP "):
                said = [line]
            elif line.startswith(b"# TYPE "):
                samples = families.setdefault(line.split(b" ")[2], ([*said, line], []))[1]
            elif line:
                samples.append(_labelled(line, b'worker="%d"' % number))
    return b"\n".join(line for said, samples in families.values() for line in (*said, *samples)) + b"\n"


def _labelled(sample: bytes, label: bytes) -> bytes:
    # A label's value may hold a brace, the name before it may not.
    name, brace, rest = sample.partition(b"{")
    if brace and b" " not in name:
        return name + b"{" + label + b"," + rest
    name, _, value = sample.partition(b" ")
    return name + b"{" + label + b"} " + value
