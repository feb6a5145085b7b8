"""Sounds that are no interruption: the agent goes on at the sample the caller last heard."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.conformance.twilio.figures import show
from tests.conformance.twilio.phone import Phone
from tests.conformance.twilio.server import HELD_AT_ONCE, Server, actions, serve_here
from tests.conformance.twilio.speech import Said, noise

from antiphon.audio.g711 import mulaw_decode, mulaw_encode
from antiphon.caller.clips import Clip
from antiphon.providers.scripted_hum import endless, hum
from antiphon.vocabulary import TELEPHONE

REPLY = "The shop is open from nine to five every day."
REPLY_MS = len(REPLY) * 40
SEAM_MS = 5
"""Two clocks of whole milliseconds, and a message between two sockets; what the machine adds there and back comes on top."""


def seams_ms(stretches: Sequence[bytes], whole: bytes) -> list[float]:
    """How much was said twice (or, negative, lost) between one stretch and the next. Raises where a stretch is no part of ``whole``."""
    seams = []
    at = 0
    for stretch in stretches:
        reach = 100 * 8
        # The voice repeats itself: only what lies near the end of the stretch before can be its continuation.
        found = whole.find(stretch, max(0, at - reach), at + reach + len(stretch))
        assert found >= 0, "something was heard that the agent did not say there"
        if stretches[0] is not stretch:
            seams.append((at - found) / 8)
        at = found + len(stretch)
    assert at == len(whole), "the end was not heard"
    return seams


async def spoken_over(server: Server, name: str, clip: Clip, hears: str) -> Phone:
    """A reply with ``clip`` in the middle of it, heard to its end."""
    phone = await server.call(server.assistant(name, greeting=REPLY, hears=[hears], policy=HELD_AT_ONCE))
    await phone.until_hears(700)
    phone.say(clip)
    await phone.until(lambda: phone.heard_ms >= REPLY_MS - 100, within_s=60)
    await phone.until_quiet(200)
    await phone.hang_up()
    return phone


async def test_cough_slam_mm_hm_and_okay_lose_nothing_and_repeat_nothing(server: Server, ten: Said) -> None:
    """Noises, a hum, and a person's voice whose words (as the recogniser has them) say that it only listens."""
    whole = endless(hum(TELEPHONE), 0, REPLY_MS * 8)
    sounds = {
        "cough": (noise("cough"), ""),
        "slam": (noise("slam"), ""),
        "hum": (noise("hum"), "mm-hm"),
        "okay": (ten.clip, "okay yeah"),
    }
    phones = await asyncio.gather(*(spoken_over(server, name, *sound) for name, sound in sounds.items()))
    for name, phone in zip(sounds, phones, strict=True):
        log = await server.log(phone.ids.call_sid)
        seams = seams_ms(phone.stretches(), whole)
        holds = [fields["held_ms"] for fields in actions(log, "InterruptionDismissed")]
        show(f"{name}: held {holds} ms, seams {seams} ms, silence {gaps_ms(phone)} ms")
        assert all(abs(seam) <= SEAM_MS + 2 * phone.machine_late_ms for seam in seams), name
        assert not actions(log, "InterruptionConfirmed"), name
        (closed,) = actions(log, "ReplyClosed")
        assert (closed["text"], closed["status"]) == (REPLY, "completed")
        assert abs(closed["heard_ms"] - REPLY_MS) <= 1
    assert len(phones[-1].stretches()) > 1, "a person's voice holds the agent"


def gaps_ms(phone: Phone) -> list[int]:
    ended = phone.playout.stretches
    return [round(after.start_ms - before.end_ms) for before, after in itertools.pairwise(ended)]


@pytest.mark.speech
async def test_our_own_voice_coming_back_is_nobody(tmp_path: Path) -> None:
    """A loudspeaker returns what it plays 250 ms later at −20 dB."""
    said = "We are open every day. Do come by."
    async with serve_here(tmp_path, default={"greeting": said, "voice": {"provider": "espeak"}}) as server:
        await _talk_to_itself(server)


async def _talk_to_itself(server: Server) -> None:
    phone = await server.call(f"{server.url}/twilio/voice")

    def with_echo(frame: bytes, position_ms: float) -> bytes:
        played = phone.playout.heard(position_ms - 250, position_ms - 250 + len(frame) / 8)
        mixed = _pcm(frame) + 0.1 * _pcm(played)
        return mulaw_encode(np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)).tobytes()

    phone.transform = with_echo
    await phone.until(lambda: phone.received, within_s=60)
    await phone.until_quiet(1000, within_s=60)
    await phone.hang_up()
    log = await server.log(phone.ids.call_sid)
    show(f"echo: {server.app.plane.hearing_counters.echo_windows} windows known as echo")
    assert server.app.plane.hearing_counters.echo_windows > 0, "the echo was loud enough to be taken for speech"
    assert not actions(log, "HoldPlayback")
    assert not actions(log, "TurnOpened")
    (closed,) = actions(log, "ReplyClosed")
    assert (closed["text"], closed["status"]) == ("We are open every day. Do come by.", "completed")
    assert len(phone.heard()) / 8 == pytest.approx(closed["heard_ms"], abs=1)


def _pcm(mulaw: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return mulaw_decode(np.frombuffer(mulaw, dtype=np.uint8)).astype(np.float64)
