"""What is left of a call, from its event log alone."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from tests.calls.rig import Call

from antiphon.calls.artifact import Addresses, Labels, artifact
from antiphon.calls.heard import HeardCall, heard_call
from antiphon.conversation import actions as do
from antiphon.conversation.events import CallConnected, MessageAdded
from antiphon.conversation.policy import Policy
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedReply
from antiphon.session.event_log import EventLog, LogEntry, LogHeader, read_event_log
from antiphon.session.replay import replay
from antiphon.vocabulary import CallContext, EndReason, Message, ToolCall, ToolSpec


class Prices:
    """A tool of ours."""

    def specs(self) -> list[ToolSpec]:
        return [ToolSpec("price", "What something costs.")]

    async def run(self, call: ToolCall, context: CallContext) -> str:
        return "eleven crowns"


def read(folder: Path) -> HeardCall:
    return heard_call(read_event_log(folder / "call-1.jsonl"))


def a_call_with_a_tool(folder: Path) -> Call:
    asked = ScriptedReply("", (ToolCall("t1", "price", {"of": "marmalade"}),))
    call = Call(
        greeting="Good day.",
        hears=["what is the price of marmalade"],
        answers=[asked, "It costs eleven crowns."],
        tools=Prices(),
        folder=folder,
    )

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.wait(200)
        await call.sound(900)
        await call.until_replies(2)
        await call.wait(100)
        call.session.drop(EndReason.CUSTOMER_ENDED)

    call.run(talk)
    return call


def test_messages_have_the_words_and_times_of_the_call(tmp_path: Path) -> None:
    call = a_call_with_a_tool(tmp_path)
    left = artifact([read(tmp_path)])
    roles = [message["role"] for message in left["messages"]]
    assert roles == ["bot", "user", "tool_calls", "tool_call_result", "bot"]
    greeting, question, tool, answer, reply = left["messages"]
    assert left["transcript"] == ("AI: Good day.\nUser: what is the price of marmalade\nAI: It costs eleven crowns.\n")
    assert tool["toolCalls"][0]["function"] == {"name": "price", "arguments": '{"of":"marmalade"}'}
    assert (answer["toolCallId"], answer["name"], answer["result"]) == ("t1", "price", "eleven crowns")
    began = read(tmp_path).wall_ms
    assert all(message["time"] == began + round(message["secondsFromStart"] * 1000) for message in left["messages"])
    times = [message["time"] for message in left["messages"]]
    assert times == sorted(times)
    assert question["endTime"] - question["time"] == question["duration"]
    assert 700 <= question["duration"] <= 1000, "the caller spoke for 900 ms"
    assert greeting["duration"] == 50 * len("Good day.")
    assert reply["endTime"] >= reply["time"] >= question["endTime"]
    assert [entry["role"] for entry in left["messagesOpenAIFormatted"]] == [
        "assistant", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert left["messagesOpenAIFormatted"][3]["tool_call_id"] == "t1"
    assert orjson.dumps(left)
    assert call.watcher.ended is EndReason.CUSTOMER_ENDED


def test_latencies_are_measured_and_add_up(tmp_path: Path) -> None:
    call = a_call_with_a_tool(tmp_path)
    measured = artifact([read(tmp_path)])["performanceMetrics"]
    (turn,) = measured["turnLatencies"]
    parts = ("modelLatency", "voiceLatency", "transcriberLatency", "endpointingLatency")
    assert sum(turn[name] for name in parts) == turn["turnLatency"] == measured["turnLatencyAverage"]
    times = call.timelines.find("call-1")
    assert times is not None
    live = times.turns[0]
    assert live.first_audio_ms is not None and live.speech_ended_ms is not None
    assert turn["turnLatency"] == live.first_audio_ms - live.speech_ended_ms, "the log tells what observers were told"
    assert turn["modelLatency"] > 0 and turn["voiceLatency"] > 0


def test_what_was_not_heard_is_not_in_it(tmp_path: Path) -> None:
    long = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."
    call = Call(hears=["count for me", "please stop it now"], answers=[long, "Very well."], folder=tmp_path)

    async def talk(call: Call) -> None:
        await call.sound(600)
        await call.until(lambda: call.heard_ms() > 1000)
        await call.sound(900)
        await call.until_replies(2)
        call.session.drop(EndReason.CUSTOMER_ENDED)

    call.run(talk)
    left = artifact([read(tmp_path)], Labels("Ann", "Caller"))
    cut = next(message for message in left["messages"] if message["role"] == "bot")
    assert cut["interrupted"] and cut["message"].startswith("One two") and "fourteen" not in cut["message"]
    assert cut["endTime"] - cut["time"] < len(long) * 50
    assert left["performanceMetrics"]["numAssistantInterrupted"] == 1
    assert left["transcript"].startswith("Caller: count for me\nAnn: One two")


@pytest.mark.parametrize("last", [b'"TranscriptFinal"', b'"TurnClosed"'])
def test_a_log_that_broke_off_tells_what_there_is(tmp_path: Path, last: bytes) -> None:
    """Also where nobody had found yet that the caller's turn was over."""
    a_call_with_a_tool(tmp_path)
    path = tmp_path / "call-1.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    question = next(at for at, line in enumerate(lines) if last in line and b"marmalade" in line)
    path.write_bytes(b"".join(lines[: question + 1]) + b"[torn")
    heard = read(tmp_path)
    assert heard.ended == ""
    assert artifact([heard])["transcript"] == "AI: Good day.\nUser: what is the price of marmalade\n"


def test_parts_of_a_call_follow_each_other(tmp_path: Path) -> None:
    a_call_with_a_tool(tmp_path / "one")
    a_call_with_a_tool(tmp_path / "two")
    left = artifact([read(tmp_path / "one"), read(tmp_path / "two")])
    assert len(left["messages"]) == 10 and len(left["performanceMetrics"]["turnLatencies"]) == 2
    assert artifact([])["messages"] == []


def test_files_are_named_under_all_the_names_they_have() -> None:
    left = artifact([], addresses=Addresses("m", "s", "c", "a", "l", "2026-01-01T00:00:00.000Z"))
    assert left["recordingUrl"] == left["recording"]["mono"]["combinedUrl"] == left["presignedMonoUrl"] == "m"
    assert left["recording"]["mono"]["customerUrl"] == "c"
    assert left["logUrl"] == "l"
    assert "recordingUrl" not in artifact([], addresses=Addresses(log="l"))


def test_usage_is_in_the_log_and_a_replay_passes_over_it(tmp_path: Path) -> None:
    call = a_call_with_a_tool(tmp_path)
    log = read_event_log(tmp_path / "call-1.jsonl")
    assert replay(log) is None
    spoken = sum(entry.usage.characters for entry in log.used)
    assert spoken == len("Good day.") + len("It costs eleven crowns.")
    heard_ms = sum(entry.usage.audio_ms for entry in log.used)
    assert 900 <= heard_ms <= 2500, "speech, with what came before and after it"
    assert {entry.provider for entry in log.used} == {"scripted"}
    assert log.header.carrier["direction"] == "inbound"
    assert call.watcher.of(do.EndCall)
    assert isinstance(call.engines.models[0], ScriptedLanguageModel)


def test_a_record_holds_no_more_of_what_a_client_puts_into_a_conversation_than_two_million_characters() -> None:
    header = LogHeader("call-1", "desk", 0, 0, Policy(), (), ())
    added = [MessageAdded(Message("user", str(number) * 300_000, id=f"item-{number}")) for number in range(9)]
    entries = [LogEntry(number, event, []) for number, event in enumerate(added, start=1)]
    long = heard_call(EventLog(header, [LogEntry(0, CallConnected(), []), *entries], "hangup", torn=False))
    assert long.truncated and len(long.messages) == 6
    left = artifact([long])
    assert left["messagesTruncated"] is True and len(left["messages"]) == 6
    short = heard_call(EventLog(header, [LogEntry(0, CallConnected(), []), *entries[:6]], "hangup", torn=False))
    assert not short.truncated and "messagesTruncated" not in artifact([short])
