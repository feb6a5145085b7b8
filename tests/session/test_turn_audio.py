"""The sound of the open turn: what of it is kept, and in what shape."""

from __future__ import annotations

import pytest

from antiphon.session.turn_audio import MOST_MS, TurnLine
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

WIDE = AudioFormat(Encoding.PCM16, 24000)


def heard(line: TurnLine, audio: AudioFormat, duration_ms: int, value: int = 0) -> None:
    """As the media port does: frames of 20 ms, and now and then what is old is let go."""
    for at_ms in range(0, duration_ms, 20):
        line.append(bytes([value]) * audio.bytes_for_ms(20))
        if at_ms % 400 == 0:
            line.forget()


def test_the_turn_begins_a_moment_before_it_was_noticed() -> None:
    line = TurnLine(TELEPHONE, 400, MOST_MS)
    heard(line, TELEPHONE, 3000, value=1)
    line.turn_opens()
    heard(line, TELEPHONE, 1000, value=2)
    assert line.turn().data == b"\x01" * 4000 + b"\x02" * 8000
    assert line.turn().format == TELEPHONE


def test_of_a_long_turn_the_end_is_kept() -> None:
    line = TurnLine(TELEPHONE, 400, MOST_MS)
    line.turn_opens()
    heard(line, TELEPHONE, 5000, value=1)
    heard(line, TELEPHONE, 7000, value=2)
    assert line.turn().data == b"\x01" * 8000 + b"\x02" * 56_000
    assert len(line.turn().data) <= 64 * 1024


@pytest.mark.parametrize("asked_every_ms", [100, 900])
def test_other_formats_are_kept_as_a_telephone_carries_them(asked_every_ms: int) -> None:
    line = TurnLine(WIDE, 400, 8000)
    line.turn_opens()
    for _ in range(0, 9000, asked_every_ms):
        heard(line, WIDE, asked_every_ms)
        line.turn()
    assert abs(len(line.turn().data) - 64_000) <= 100
    assert line.turn().format == TELEPHONE


def test_between_turns_only_what_the_next_may_begin_with_is_kept() -> None:
    line = TurnLine(TELEPHONE, 400, MOST_MS)
    line.turn_opens()
    heard(line, TELEPHONE, 6000, value=1)
    assert len(line.turn().data) == 6000 * 8
    line.turn_over()
    heard(line, TELEPHONE, 4000, value=2)
    line.turn_opens()
    heard(line, TELEPHONE, 3000, value=3)
    assert line.turn().data == b"\x02" * 4000 + b"\x03" * 24_000


def test_the_line_itself_keeps_what_it_always_kept() -> None:
    line = TurnLine(TELEPHONE, 400, 8000)
    heard(line, TELEPHONE, 20_000)
    assert len(line.since(0)) < 1000 * 8 + 1


def test_of_what_came_at_once_no_more_is_converted_than_is_remembered() -> None:
    converted: list[int] = []
    line = TurnLine(WIDE, 400, MOST_MS)
    convert = line._convert
    assert convert is not None

    def counted(audio: bytes) -> bytes:
        converted.append(len(audio))
        return convert(audio)

    line._convert = counted
    line.turn_opens()
    line.append(bytes(WIDE.bytes_for_ms(120_000)))
    assert abs(len(line.turn().data) - TELEPHONE.bytes_for_ms(MOST_MS)) <= 100
    assert converted == [WIDE.bytes_for_ms(MOST_MS)]
