"""What the talk page is told of whole conversations beside the Realtime API's events."""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from tests.calls.realtime_rig import Client, Event, Rig
from tests.calls.test_realtime_responses import LONG, asks

from antiphon.conversation import actions as do
from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.surfaces.realtime.access import Access
from antiphon.surfaces.realtime.secrets import ClientSecret
from antiphon.surfaces.talk.desk import SECRET_KIND
from antiphon.surfaces.talk.marks import TalkMarks
from antiphon.vocabulary import CallContext, ToolCall, ToolSpec

VISITOR = Access(ClientSecret(f"{SECRET_KIND}_1", 0, {}))
TRANSCRIBED = {"audio": {"input": {"transcription": {}}}}


def page(*, tells_arguments: bool = True, **options: Any) -> Rig:
    """A conversation on the talk page, which the server plays out."""
    given = {"plays_out": True, "owner": VISITOR, "stored": TRANSCRIBED} | options
    return Rig(watch=partial(TalkMarks, tells_arguments=tells_arguments), **given)


def marks(client: Client) -> list[Event]:
    return [event for event in client.events if event["type"].startswith("talk.")]


def kinds(client: Client, *without: str) -> list[str]:
    told = [event["type"].removeprefix("talk.") for event in marks(client)]
    return [kind for kind in told if kind not in without]


def test_a_spoken_turn_tells_its_words_as_they_come_and_where_its_time_goes() -> None:
    stt = ScriptedSpeechToText(["what is the weather"], partial_every_ms=100)
    rig = page(stt=stt, answers=["It is sunny today."], first_token_ms=200)

    async def talk(rig: Rig, client: Client) -> None:
        await client.pause(500)
        await rig.sound(800)
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert client.of("talk.partial")[0]["text"] == "what is the weather"
    assert kinds(client)[0] == "partial", "while the visitor speaks"
    turns = client.of("talk.turn")
    grown = [
        [name for name in ("stopped_ms", "closed_ms", "token_ms", "heard_ms") if turn[name] is not None]
        for turn in turns
    ]
    assert grown[0] == ["stopped_ms"], "told when the visitor is silent, before it is known that the turn is over"
    assert all(set(before) <= set(after) for before, after in pairwise(grown)), "it only grows"
    last = turns[-1]
    assert grown[-1] == ["stopped_ms", "closed_ms", "token_ms", "heard_ms"]
    assert last["stopped_ms"] < last["closed_ms"] <= last["heard_ms"]
    assert last["token_ms"] <= last["heard_ms"]
    assert last["heard_ms"] == last["at_ms"]
    heard_ms = client.times_ms[client.events.index(client.one("output_audio_buffer.started"))]
    assert client.times_ms[client.events.index(last)] == heard_ms, "in the same moment as the API's own event"


def test_a_typed_turn_is_over_at_once() -> None:
    rig = page(answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hi")
        client.say("response.create")
        await client.until("output_audio_buffer.started")

    client = rig.run(talk)
    first, *_, last = client.of("talk.turn")
    assert first["stopped_ms"] == first["closed_ms"] is not None
    assert first["token_ms"] is first["heard_ms"] is None
    assert last["closed_ms"] < last["token_ms"] < last["heard_ms"]


def test_a_request_that_is_refused_begins_no_turn() -> None:
    rig = page(answers=[LONG], first_token_ms=300)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.pause(100)
        client.say("response.create")
        await client.until("output_audio_buffer.started")

    client = rig.run(talk)
    assert client.one("error")
    assert len({turn["stopped_ms"] for turn in client.of("talk.turn")}) == 1


def test_an_interruption_is_held_and_then_confirmed() -> None:
    rig = page(hears=["stop please now"], answers=[LONG, "Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        await client.pause(1500)
        await rig.sound(1500)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert kinds(client, "turn", "partial")[:2] == ["held", "interrupted"]
    held, interrupted = client.one("talk.held"), client.one("talk.interrupted")
    assert held["reply"] == interrupted["reply"]
    assert 1400 <= interrupted["heard_ms"] <= 1800
    assert held["at_ms"] < interrupted["at_ms"]


def test_a_cough_is_held_and_gone_on_from() -> None:
    rig = page(hears=[""], answers=[LONG])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")
        await client.pause(800)
        await rig.sound(100)
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    assert kinds(client, "turn", "partial") == ["held", "resumed"]
    resumed = client.one("talk.resumed")
    assert resumed["held_ms"] == resumed["at_ms"] - client.one("talk.held")["at_ms"] > 0
    assert client.of("talk.turn")[-1]["stopped_ms"] is None, "it was no turn"


class Weather:
    """Tools that take their time; the tides are not known."""

    def specs(self) -> tuple[ToolSpec, ...]:
        return tuple(ToolSpec(name, "", {"type": "object"}) for name in ("weather", "tides"))

    async def run(self, call: ToolCall, context: CallContext) -> str:
        await asyncio.sleep(0.3)
        if call.name == "tides":
            raise ValueError("no such sea")
        return "Rain."


def test_tools_are_told_when_they_run_and_how_they_end() -> None:
    rig = page(answers=[asks("weather", "tides"), "It rains."], tools=Weather())

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hi")
        client.say("response.create")
        await client.until("output_audio_buffer.stopped")

    client = rig.run(talk)
    told = [(event["name"], event["arguments"]) for event in client.of("talk.tool")]
    assert told == [("weather", '{"city":"Rome"}'), ("tides", '{"city":"Rome"}')]
    done = {event["id"]: event for event in client.of("talk.tool_done")}
    assert (done["call_1"]["outcome"], done["call_2"]["outcome"]) == ("answered", "failed")
    assert 300 <= done["call_1"]["lasted_ms"] <= 320
    assert "Rain." not in str(marks(client)), "what a tool answers is for the model"


def test_on_a_page_that_stands_open_strangers_are_told_no_arguments() -> None:
    rig = page(answers=[asks("weather"), "It rains."], tools=Weather(), tells_arguments=False)

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hi")
        client.say("response.create")
        await client.until("output_audio_buffer.stopped")

    assert "arguments" not in rig.run(talk).one("talk.tool")


@pytest.mark.parametrize("plays_out", [True, False], ids=["WebRTC", "WebSocket"])
@pytest.mark.parametrize("owner", [Access(), Access(ClientSecret("secret_1", 0, {})), Access(key_id="key_1")])
def test_nobody_else_is_told_anything(owner: Access, plays_out: bool) -> None:
    rig = page(hears=["hello"], answers=[asks("weather"), LONG], tools=Weather(), owner=owner, plays_out=plays_out)

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hi")
        client.say("response.create")
        await client.until("response.done")
        assert rig.watcher.of(do.RunTool)

    assert marks(rig.run(talk)) == []
