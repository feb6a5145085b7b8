"""Timelines: where the time of each turn went, as ``antiphon call`` reads it."""

from __future__ import annotations

from typing import Any

import orjson
from tests.calls.rig import Call
from tests.session.conftest import LONG

from antiphon.caller.timeline import read_rows
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy
from antiphon.session.timeline import Timelines
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, EndReason


def a_call(call_id: str, provider_call_id: str = "") -> CallStarted:
    return CallStarted(
        "twilio", call_id, "front-desk", provider_call_id=provider_call_id, format_in=TELEPHONE, format_out=TELEPHONE
    )


def rows_of(call: Call) -> list[dict[str, Any]]:
    line = call.timelines.find("call-1")
    assert line is not None
    return line.rows()


def test_the_stages_of_a_turn_follow_each_other() -> None:
    policy = Policy(endpointing=Endpointing("fixed", silence_ms=300, speculative_reply=False))
    call = Call(hears=["what time is it"], answers=["It is three."], policy=policy, first_token_ms=100)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    call.run(talk)
    [row] = rows_of(call)
    stages = [row[name] for name in ("user_stopped_ms", "turn_closed_ms", "first_token_ms", "first_audio_ms")]
    assert stages == sorted(stages)
    stopped_ms = 10_000 + 200 + 800
    assert abs(row["user_stopped_ms"] - stopped_ms) <= 60
    assert abs(row["turn_closed_ms"] - stopped_ms - 300) <= 60
    assert row["first_token_ms"] - row["turn_closed_ms"] == 101
    assert row["first_audio_ms"] - row["first_token_ms"] == 50
    assert row["wall_ms"] - row["user_stopped_ms"] == call.clock.wall_ms() - call.clock.now_ms()
    assert (row["turn"], row["heard"], row["text"]) == (1, "what time is it", "It is three.")
    assert not row["interrupted"]
    assert not row["speculative"]


def test_a_guess_that_proved_right_shows_its_head_start() -> None:
    policy = Policy(endpointing=Endpointing("fixed", silence_ms=600, speculate_after_ms=200))
    call = Call(hears=["hello there"], answers=["Hello."], policy=policy)

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(800)
        await call.until_replies(1)

    call.run(talk)
    [row] = rows_of(call)
    assert row["speculative"]
    assert row["first_token_ms"] < row["turn_closed_ms"] <= row["first_audio_ms"]


def test_an_interrupted_answer_and_a_greeting_are_told_apart() -> None:
    call = Call(greeting="Good day.", hears=["tell me", "no stop that"], answers=[LONG, "As you like."])

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(700)
        await call.wait(2500)
        await call.sound(800)
        await call.until_replies(3)

    call.run(talk)
    line = call.timelines.find("call-1")
    assert line is not None
    assert line.greeting == "Good day."
    first, second = line.rows()
    assert first["interrupted"]
    assert LONG.startswith(first["text"])
    assert first["text"]
    assert not second["interrupted"]
    assert second["text"] == "As you like."
    assert line.interrupted == 1


def test_rows_are_what_the_simulated_caller_reads() -> None:
    call = Call(hears=["hello"], answers=["Hello."])

    async def talk(call: Call) -> None:
        await call.wait(200)
        await call.sound(600)
        await call.until_replies(1)

    call.run(talk)
    [row] = rows_of(call)
    [read] = read_rows(orjson.dumps([row]))
    assert (read.turn, read.text, read.first_audio_ms) == (1, "Hello.", row["first_audio_ms"])
    assert read.stages.closed_ms == row["turn_closed_ms"] - row["user_stopped_ms"]


def test_a_call_is_found_by_our_id_and_the_carriers() -> None:
    timelines = Timelines(0, 0)
    timelines.call_started(a_call("ours", "CA1"), 5)
    assert timelines.find("ours") is timelines.find("CA1")
    assert timelines.find("CA2") is None


def test_ended_calls_are_forgotten_oldest_first_and_live_ones_never() -> None:
    timelines = Timelines(0, 0, keep=3)
    for number in range(5):
        timelines.call_started(a_call(f"call-{number}"), number)
        if number in (1, 2):
            timelines.call_ended(f"call-{number}", number, EndReason.CUSTOMER_ENDED)
    assert [number for number in range(5) if timelines.find(f"call-{number}")] == [0, 3, 4]
    timelines.call_started(a_call("call-5"), 5)
    assert timelines.find("call-0") is not None, "bounded by admission, not by forgetting"


def test_the_turns_of_one_call_are_bounded() -> None:
    timelines = Timelines(0, 0, max_turns=3)
    timelines.call_started(a_call("ours"), 0)
    for number in range(10):
        timelines.happened("ours", number, None, [do.TurnClosed(number, "again")])
    line = timelines.find("ours")
    assert line is not None
    assert [row["turn"] for row in line.rows()] == [0, 1, 2]


def test_what_happens_on_an_unknown_call_is_ignored() -> None:
    timelines = Timelines(0, 0)
    timelines.happened("nobody", 0, ev.PlaybackStarted(1), [do.TurnClosed(1, "x")])
    timelines.call_ended("nobody", 0, EndReason.CUSTOMER_ENDED)
    assert timelines.find("nobody") is None


def test_failures_of_engines_stand_with_the_turn_that_closed_before_them() -> None:
    timelines = Timelines(1_000_000, 0)
    timelines.call_started(a_call("call-1"), 5_000)
    timelines.provider_failed("call-1", "deepgram", "provider_unavailable")
    for turn, now_ms in ((1, 7_000), (2, 9_000)):
        timelines.happened("call-1", now_ms, None, [do.TurnClosed(turn, "hello")])
        timelines.provider_failed("call-1", "openai", "provider_timeout")
    timelines.provider_failed("nobody", "openai", "provider_timeout")
    line = timelines.find("call-1")
    assert line is not None
    first, second = (row["failures"] for row in line.rows())
    assert [(each["provider"], each["at_ms"]) for each in first] == [("deepgram", 5_000), ("openai", 7_000)]
    assert second == [{"at_ms": 9_000, "provider": "openai", "code": "provider_timeout"}]
    for _ in range(500):
        timelines.provider_failed("call-1", "openai", "provider_timeout")
    assert len(line.failures) == 100
