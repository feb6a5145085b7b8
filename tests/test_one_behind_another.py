"""One server in front of another: the one behind is the hosted service of a call on the one in front. Both are ours, and speak by the
service's documented protocol only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.serving import line, place_call, running_server, settings_for, write_assistant

from antiphon.caller.dialogue import Cued
from antiphon.config import Vendor
from antiphon.session.event_log import EventLog, read_event_log

FRONT = """
{greeting}model: {{ provider: vapi-hosted, model: behind }}
startSpeakingPlan: {{ waitSeconds: 0.3, transcriptionEndpointingPlan: {{ onNoPunctuationSeconds: 0.3 }} }}
"""
BEHIND = """
name: Behind
firstMessage: Good day, this is the shop.
transcriber: {{ provider: scripted, options: {{ transcripts: [what is the price of marmalade, no stop that] }} }}
model: {{ provider: scripted, options: {{ replies: ["{story}", Very well.], first_token_ms: 40 }} }}
voice: {{ provider: scripted, options: {{ ms_per_character: 40, first_chunk_ms: 20 }} }}
startSpeakingPlan: {{ waitSeconds: 0.3, transcriptionEndpointingPlan: {{ onNoPunctuationSeconds: 0.3 }} }}
"""
STORY = (
    "It costs eleven crowns, and there is a great deal to be said about it, which will take me quite a while to say."
)


@dataclass
class Both:
    front: EventLog
    record: dict[str, Any] = field(default_factory=dict)
    """Of the call on the server behind."""

    def spoken(self) -> list[dict[str, Any]]:
        return [fields for entry in self.front.entries for name, fields in entry.actions if name == "ReplyClosed"]

    def behind(self) -> list[tuple[str, str]]:
        messages = self.record["artifact"]["messages"]
        return [(each["role"], each["message"]) for each in messages if each["role"] in ("bot", "user")]


def write(folder: Path, name: str, document: str) -> None:
    folder.mkdir()
    (write_assistant(folder / "assistants") / f"{name}.yaml").write_text(document, encoding="utf-8")


@asynccontextmanager
async def behind(folder: Path, story: str) -> AsyncIterator[httpx.AsyncClient]:
    write(folder, "behind", BEHIND.format(story=story))
    async with running_server(settings_for(folder, open_api=True)) as (_, client):
        yield client


async def ring_up(folder: Path, story: str, *lines: Cued, greeting: str = "") -> Both:
    async with behind(folder / "behind", story) as hosted:
        front = folder / "front"
        write(front, "front", FRONT.format(greeting=f"firstMessage: {greeting}\n" if greeting else ""))
        account = Vendor(api_key="any", base_url=str(hosted.base_url))  # type: ignore[arg-type]
        settings = settings_for(front, assistant="front", vendors={"vapi": account})
        async with running_server(settings) as (antiphon, _):
            await place_call(antiphon.settings.base_url, *lines, agent_done_ms=2000, greeting_ms=5000)
        (log,) = (front / "data").rglob("*.jsonl")
        (call,) = (await hosted.get("/call")).json()
        return Both(read_event_log(log), call)


@pytest.mark.speech
async def test_a_conversation_through_both(tmp_path: Path) -> None:
    both = await ring_up(tmp_path, "It costs eleven crowns.", line())
    assert [(reply["text"], reply["status"]) for reply in both.spoken()] == [
        ("Good day, this is the shop.", "completed"),
        ("It costs eleven crowns.", "completed"),
    ]
    assert both.behind() == [
        ("bot", "Good day, this is the shop."),
        ("user", "what is the price of marmalade"),
        ("bot", "It costs eleven crowns."),
    ]
    turns = [fields["text"] for entry in both.front.entries for name, fields in entry.actions if name == "TurnClosed"]
    assert turns == ["what is the price of marmalade"]
    assert both.record["endedReason"] == "customer-ended-call"
    assert both.front.ended == "customer-ended-call"


@pytest.mark.speech
async def test_a_conversation_through_both_that_is_interrupted(tmp_path: Path) -> None:
    both = await ring_up(
        tmp_path, f"{STORY} {STORY}", line(), line(barge_in_ms=900), greeting="Hello, you are in front."
    )
    greeting, first, second = both.spoken()
    assert (greeting["text"], greeting["status"]) == ("Hello, you are in front.", "completed")
    assert (first["status"], second["text"]) == ("interrupted", "Very well.")
    assert STORY.startswith(first["text"]) and first["text"]
    said = both.behind()
    assert said[0] == ("bot", "Hello, you are in front.")
    assert said[1] == ("user", "what is the price of marmalade") and said[3:] == [
        ("user", "no stop that"),
        ("bot", "Very well."),
    ]
    heard_behind = said[2][1]
    assert heard_behind != STORY and STORY.startswith(heard_behind.rstrip("."))
    assert abs(len(heard_behind) - len(first["text"])) < 40, "both know about the same of what was heard"
