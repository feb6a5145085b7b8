"""What a caller's line has carried can be asked for, and no more of it is kept than was agreed."""

from __future__ import annotations

import pytest

from antiphon.media.line import KEPT_MS, CallerLine
from antiphon.vocabulary import TELEPHONE

FRAME = 160


def line_of(frames: int) -> CallerLine:
    line = CallerLine(TELEPHONE)
    for number in range(frames):
        line.append(bytes([number]) * FRAME)
        line.forget()
    return line


@pytest.mark.parametrize("back", [1, FRAME, 3 * FRAME + 7, KEPT_MS * 8])
def test_the_latest_audio_is_there_to_the_byte(back: int) -> None:
    line = line_of(100)
    whole = b"".join(bytes([number]) * FRAME for number in range(100))
    assert line.end == len(whole)
    assert line.since(line.end - back) == whole[-back:]


def test_of_what_is_no_longer_here_the_rest_is_given() -> None:
    line = line_of(100)
    kept = line.since(0)
    assert KEPT_MS * 8 <= len(kept) <= 2 * KEPT_MS * 8 + FRAME
    assert kept.endswith(bytes([99]) * FRAME)


def test_of_what_has_not_come_yet_there_is_nothing() -> None:
    line = line_of(3)
    assert line.since(line.end) == line.since(line.end + 1) == b""
    assert CallerLine(TELEPHONE).since(0) == b""


def test_who_needs_more_gets_more() -> None:
    line = CallerLine(TELEPHONE, kept_ms=1000)
    for _ in range(200):
        line.append(bytes(FRAME))
        line.forget()
    assert len(line.since(0)) >= 8000
