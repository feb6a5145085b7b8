"""People's words on real calls, heard by the recognisers that need no account."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.conformance.twilio import speech
from tests.conformance.twilio.figures import show
from tests.conformance.twilio.phone import LINE_NOISE
from tests.conformance.twilio.server import Server, serve_here

from antiphon.caller.clips import read_clip

LATE_MS = 60_000
"""For words on a machine that may be busy: they are judged here, not haste."""
CARD_WORDS = """#JSGF V1.0;
grammar cards;
public <cards> = <card>+;
<card> = <rank> [ of <suit> ];
<rank> = ace | two | three | four | five | six | seven | eight | nine | ten | jack | queen | king;
<suit> = clubs | hearts | spades | diamonds;
"""


@pytest.mark.speech
@pytest.mark.usefixtures("_fixed_model")
@pytest.mark.parametrize("recogniser", ["moonshine", "pocketsphinx"])
async def test_the_words_of_five_people_are_right(tmp_path: Path, recogniser: str) -> None:
    """What the timeline says was heard is what ``tests/data/speech/words.txt`` says was said."""
    plan = {
        "model": {"provider": "fixed", "options": {"says": "Which card?", "grammar": CARD_WORDS}},
        "firstMessageMode": "assistant-speaks-first-with-model-generated-message",
        "transcriber": {"provider": recogniser, "options": {"final_timeout_ms": LATE_MS}},
        "startSpeakingPlan": {"waitSeconds": 0.9},
        "policy": {"endpointing": {"final_timeout_ms": LATE_MS}},
    }
    async with serve_here(tmp_path, default=plan) as server:
        heard = await asyncio.gather(*(_heard(server, name) for name in speech.CARDS))
    show("; ".join(heard))
    assert heard == list(speech.CARDS.values())


async def _heard(server: Server, name: str) -> str:
    phone = await server.call(f"{server.url}/twilio/voice")
    await phone.until_quiet(200)
    phone.say(read_clip(speech.RECORDINGS / f"{name}.wav", LINE_NOISE))
    await phone.until(lambda: not phone.speaking)
    await phone.until(lambda: len(phone.hearing.utterances) > 1, within_s=LATE_MS / 1000)
    await phone.hang_up()
    answer = await server.http.get(f"{server.url}/calls/{phone.ids.call_sid}/timeline")
    return " ".join(row["heard"] for row in answer.json())
