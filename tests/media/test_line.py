"""What a caller's line has carried can be asked for, and no more of it is kept than was agreed."""

from __future__ import annotations

import pytest

from antiphon.audio import codec
from antiphon.media.line import HEARD_AGAIN_MS, KEPT_MS, AgentLine, CallerLine
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

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
    assert len(kept) == KEPT_MS * 8
    assert kept.endswith(bytes([99]) * FRAME)


@pytest.mark.parametrize(("back", "size"), [(KEPT_MS * 8, 256), (1000, 1), (300, 300)])
def test_a_piece_of_what_is_kept_is_there_to_the_byte(back: int, size: int) -> None:
    line = line_of(100)
    assert line.piece(line.end - back, size) == line.since(line.end - back)[:size]


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


# ------------------------------------------------------------------------------------------------ the agent's


def silence(ms: int) -> bytes:
    return codec.silence(TELEPHONE, ms * 8)


def voice(ms: int, tone: int = 1) -> bytes:
    return bytes([tone]) * (ms * 8)


def test_what_the_agent_says_lies_where_it_sounds() -> None:
    line = AgentLine(TELEPHONE)
    line.sound(voice(100), 5000)
    line.sound(voice(100, 2), 5300)
    assert line.between(4950, 5450) == (silence(50) + voice(100) + silence(200) + voice(100, 2) + silence(50)), (
        "and silence wherever nothing does"
    )
    assert line.between(5310, 5320) == voice(10, 2)
    assert line.between(4000, 4100) == silence(100) == line.between(9000, 9100)


def test_sound_follows_sound_though_clocks_disagree() -> None:
    line = AgentLine(TELEPHONE)
    line.sound(voice(100), 5000)
    line.sound(voice(100, 2), 5097)
    assert line.between(5000, 5200) == voice(100) + voice(100, 2)


def test_what_was_silenced_does_not_sound() -> None:
    line = AgentLine(TELEPHONE)
    line.sound(voice(200), 5000)
    line.silenced(5080)
    assert line.between(5000, 5200) == voice(80) + silence(120)
    line.sound(voice(50, 2), 5150)
    assert line.between(5000, 5200) == voice(80) + silence(70) + voice(50, 2)
    line.silenced(4000)
    assert line.bytes_after(0) == 0


def test_what_nobody_can_ask_for_any_more_is_let_go() -> None:
    line = AgentLine(TELEPHONE)
    for at_ms in range(0, 60_000, 100):
        line.sound(voice(100), at_ms)
        assert line.bytes_after(0) <= (HEARD_AGAIN_MS + 400) * 8
    assert line.between(60_000 - HEARD_AGAIN_MS, 60_000) == voice(HEARD_AGAIN_MS)
    line.sound(voice(100), 90_000)
    assert line.bytes_after(0) == 800, "a silence of half a minute is not kept"


def test_what_is_still_to_be_recorded_is_kept_however_old() -> None:
    line = AgentLine(TELEPHONE)
    line.recorded_ms = 300
    for at_ms in range(0, 5000, 100):
        line.sound(voice(100), at_ms)
    assert line.between(300, 5000) == voice(4700)


def test_whole_samples_in_any_format() -> None:
    wide = AudioFormat(Encoding.PCM16, 24000)
    line = AgentLine(wide)
    line.sound(bytes(wide.bytes_for_ms(40)), 1000)
    assert len(line.between(993, 1051)) == wide.bytes_for_ms(58)
