"""Row 13: the caller speaks while the agent does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.conformance.twilio.figures import show, spread
from tests.conformance.twilio.phone import Phone
from tests.conformance.twilio.server import HELD_AT_ONCE, Server, actions
from tests.conformance.twilio.speech import Said

from antiphon.caller.lateness import percentile
from antiphon.vocabulary import WordTiming

pytestmark = pytest.mark.timed
GREETING = "Good morning and welcome to the shop, we are open from nine to five on every day but Sunday and holidays."
MS_PER_CHARACTER = 50
ANSWER = "Very well."
TOLERANCE_MS = 10
"""Two whole-millisecond clocks, and a message's way between two sockets; what the machine adds comes on top."""


async def speak_over(
    server: Server, said: Said, into_ms: float, policy: Mapping[str, Any] | None = None
) -> tuple[Phone, float]:
    """A call whose greeting is cut by ``said``; and when that was acoustically loud first (ms since the stream began)."""
    url = server.assistant(
        "a",
        greeting=GREETING,
        ms_per_character=MS_PER_CHARACTER,
        hears=["Wait a minute please."],
        answers=[ANSWER],
        startSpeakingPlan={"waitSeconds": 0.7},  # some of these people pause between words
        policy=policy or {},
    )
    phone = await server.call(url)
    await phone.until_hears(into_ms)
    onset_ms = phone.say(said.clip) - said.clip.offset_ms + said.clip.onset_ms
    await phone.until(lambda: phone.clears_ms)
    return phone, onset_ms


async def interrupt(server: Server, said: Said, into_ms: float) -> Phone:
    """The same, until the answer to it has been heard."""
    phone, _ = await speak_over(server, said, into_ms, HELD_AT_ONCE)
    await phone.until(lambda: phone.hearing.spoken_until_ms > phone.clears_ms[-1], within_s=60)
    await phone.until_quiet()
    await phone.hang_up()
    return phone


def words_heard(heard_ms: float) -> str:
    """The greeting's words whose middle was heard, by the voice's own word times."""
    words, at = [], 0
    for word in GREETING.split():
        at = GREETING.index(word, at)
        timing = WordTiming(word, at * MS_PER_CHARACTER, (at + len(word)) * MS_PER_CHARACTER)
        if (timing.start_ms + timing.end_ms) / 2 <= heard_ms:
            words.append(word)
        at += len(word)
    return " ".join(words)


async def test_row_13_barge_in_silences_the_agent_and_the_history_is_what_was_heard(
    server: Server, cards: dict[str, Said]
) -> None:
    short = [said for said in cards.values() if said.clip.duration_ms < 2000]
    phones = await asyncio.gather(*(interrupt(server, said, into_ms) for said in short for into_ms in (700, 910)))
    for phone in phones:
        # In a pause of the caller's the agent may have gone on, to be held again: the last ``clear`` is the one that counts.
        cut_ms = phone.clears_ms[-1]
        tolerance_ms = TOLERANCE_MS * len(phone.clears_ms) + phone.machine_late_ms + phone.playout.underrun_ms
        log = await server.log(phone.ids.call_sid)
        (confirmed,) = actions(log, "InterruptionConfirmed")
        closed, answer = actions(log, "ReplyClosed")
        # Not one frame of the old reply after ``clear``; what comes next belongs to the new one.
        after = [message for message in phone.received if message.at_ms > cut_ms and message.event != "clear"]
        assert after
        names = [json.loads(message.text)["mark"]["name"] for message in after if message.event == "mark"]
        assert names
        assert all(name.startswith(f"r{answer['reply']}:") for name in names)
        # ``clear`` stands where the greeting ends, and the answer begins only after the caller has ended.
        stretches = list(zip(phone.playout.stretches, phone.stretches(), strict=True))
        greeting = b"".join(audio for stretch, audio in stretches if stretch.end_ms <= cut_ms)
        said = b"".join(audio for stretch, audio in stretches if stretch.start_ms > cut_ms)
        assert len(said) == len(ANSWER) * MS_PER_CHARACTER * 8
        assert len(greeting) / 8 == pytest.approx(confirmed["heard_ms"], abs=tolerance_ms)
        # Marks that the ``clear`` flushed came back at once, and were not taken for hearing.
        assert closed["status"] == "interrupted"
        assert not closed["estimated"]
        heard_ms = len(greeting) / 8
        around = range(int(heard_ms - tolerance_ms), int(heard_ms + tolerance_ms) + 2)
        assert closed["text"] in {words_heard(ms) for ms in around}
        assert len(phone.heard()) / 8 < len(GREETING) * MS_PER_CHARACTER


async def test_row_13_speech_is_answered_with_silence_quickly(server: Server, cards: dict[str, Said]) -> None:
    """From the acoustic onset of a person's voice to the ``clear``, and to silence on the line."""
    voices = [*cards.values(), *cards.values()]
    calls = await asyncio.gather(*(speak_over(server, said, 600 + 110 * number) for number, said in enumerate(voices)))
    clears = [phone.clears_ms[0] - onset_ms for phone, onset_ms in calls]
    silences = [_silent_ms(phone, phone.clears_ms[0]) - onset_ms for phone, onset_ms in calls]
    show(f"onset to clear {spread(clears)}; onset to silence {spread(silences)}")
    late_ms = [
        phone.machine_late_ms for phone, _ in calls
    ]  # of ours: these callers stood still, whatever the server did
    for figures in (clears, silences):
        own = [figure - late for figure, late in zip(figures, late_ms, strict=True)]
        assert _percentile(figures, 0.5) <= 200
        assert _percentile(own, 0.9) <= 400, "of ten, one may have met another test's heaviest moment"


def _silent_ms(phone: Phone, cut_ms: float) -> float:
    return max(stretch.end_ms for stretch in phone.playout.stretches if stretch.start_ms < cut_ms)


def _percentile(figures: Sequence[float], share: float) -> float:
    value = percentile(figures, share)
    assert value is not None
    return value
