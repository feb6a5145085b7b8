"""Responses: functions, cancels, interruptions, truncation, what clients take back, and what they ask for otherwise."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.calls.realtime_rig import Client, Rig, ms_of, said
from tests.calls.test_realtime_turns import MANUAL, TEXT, TRANSCRIBED

from antiphon.errors import ProviderError
from antiphon.providers.scripted import ScriptedReply
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.vocabulary import ToolCall

WEATHER = {"type": "function", "name": "weather", "description": "The weather.", "parameters": {"type": "object"}}
LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen."


def detection(**fields: Any) -> dict[str, Any]:
    return {"audio": {"input": {"turn_detection": {"type": "server_vad", **fields}}}}


def asks(*names: str, text: str = "") -> ScriptedReply:
    calls = tuple(ToolCall(f"call_{number}", name, {"city": "Rome"}) for number, name in enumerate(names, 1))
    return ScriptedReply(text, calls)


def answer(client: Client, call_id: str, output: str) -> None:
    client.say("conversation.item.create", item={"type": "function_call_output", "call_id": call_id, "output": output})


# ------------------------------------------------------------------------------------------------ handing over


VERY_LONG = " ".join(f"This is sentence number {number} of a very long reply." for number in range(30))


@pytest.mark.parametrize("ahead_ms", [1000, 3000, 10_000])
def test_a_reply_is_handed_over_so_far_ahead_of_its_playing_and_no_further(ahead_ms: int) -> None:
    rig = Rig(answers=[VERY_LONG], settings=RealtimeSettings(audio_ahead_ms=ahead_ms))

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done", limit_ms=120_000)

    client = rig.run(talk)
    deltas = [
        (at_ms, len(event["delta"]) * 3 / 4 / 48)
        for at_ms, event in zip(client.times_ms, client.events, strict=True)
        if event["type"] == "response.output_audio.delta"
    ]
    began_ms, handed_ms, dry_ms, most_ms = deltas[0][0], 0.0, 0.0, 0.0
    for at_ms, duration_ms in deltas:
        dry_ms = max(dry_ms, at_ms - began_ms - handed_ms)
        handed_ms += duration_ms
        most_ms = max(most_ms, handed_ms - (at_ms - began_ms))
    assert ahead_ms * 0.9 <= most_ms <= ahead_ms + 200
    assert dry_ms <= 20, "the client never runs dry"
    assert handed_ms / len(deltas) > 150, "in pieces of some size"
    assert client.one("response.done")["response"]["status"] == "completed"
    assert abs(ms_of(client.audio()) - sum(len(part) for part in pieces(client)) * 50) < 100, "and all of it"


def pieces(client: Client) -> list[str]:
    return [event["delta"].strip() for event in client.of("response.output_audio_transcript.delta")]


def test_who_waits_for_the_end_of_the_response_learns_of_an_interruption() -> None:
    rig = Rig(hears=["stop"], answers=[VERY_LONG, "Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.output_audio.delta")
        await client.listen(15_000)
        assert client.of("response.done") == []
        await client.speak(600)
        await client.listen(2000)

    client = rig.run(talk)
    first = client.of("response.done")[0]["response"]
    assert (first["status"], first["status_details"]["reason"]) == ("cancelled", "turn_detected")
    done = client.events.index(client.of("response.done")[0])
    assert not [
        event
        for event in client.events[done:]
        if event["type"] == "response.output_audio.delta" and event["response_id"] == first["id"]
    ]


def test_an_ordinary_reply_is_handed_over_as_it_is_made() -> None:
    rig = Rig(answers=[LONG])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    assert client.times_ms[client.events.index(client.one("response.done"))] - client.times_ms[0] < 400


# ------------------------------------------------------------------------------------------------ functions


def test_a_function_is_called_answered_and_spoken_about() -> None:
    rig = Rig(answers=[asks("weather"), "It rains."], stored={"tools": [WEATHER]})

    async def talk(rig: Rig, client: Client) -> None:
        client.write("what is the weather")
        client.say("response.create")
        await client.until("response.done")
        answer(client, "call_1", "rain")
        await client.pause(500)
        assert len(client.of("response.created")) == 1, "nothing goes on by itself"
        client.say("response.create")
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert client.types[3:10] == [
        "created", "output_item.added", "item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "item.done", "output_item.done",
    ]  # fmt: skip
    done = client.one("response.function_call_arguments.done")
    assert (done["call_id"], done["name"], done["arguments"]) == ("call_1", "weather", '{"city":"Rome"}')
    [call] = client.of("response.done")[0]["response"]["output"]
    assert (call["type"], call["status"], call["call_id"]) == ("function_call", "completed", "call_1")
    assert said(*rig.requests[1]) == [("user", "what is the weather"), ("assistant", ""), ("tool", "rain")]


def test_words_before_a_call_are_an_item_of_their_own() -> None:
    rig = Rig(answers=[asks("weather", "weather", text="One moment.")], stored={"tools": [WEATHER]})

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    output = client.one("response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    added = client.of("response.output_item.added")
    assert [event["output_index"] for event in added] == [0, 1, 2]
    assert [event["item"]["id"] for event in added] == [item["id"] for item in output]


def test_an_answer_that_comes_before_the_response_is_done_counts() -> None:
    rig = Rig(answers=[asks("weather"), "It rains."], stored={"tools": [WEATHER]})

    async def talk(rig: Rig, client: Client) -> None:
        client.write("what is the weather")
        client.say("response.create")
        await client.until("response.created")
        await client.pause(20)
        answer(client, "call_1", "early")
        await client.until("response.done")
        client.say("response.create")
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert ("tool", "early") in said(*rig.requests[1])
    assert client.of("error") == []


def test_a_function_that_was_not_offered_is_not_told() -> None:
    rig = Rig(answers=[asks("unknown"), "I cannot."], stored={"tools": [WEATHER]})

    async def talk(rig: Rig, client: Client) -> None:
        client.write("what is the weather")
        client.say("response.create", response=TEXT)
        await client.until("response.done")

    client = rig.run(talk)
    [item] = client.one("response.done")["response"]["output"]
    assert item["content"] == [{"type": "output_text", "text": "I cannot."}]


# ------------------------------------------------------------------------------------------------ cancel


def test_cancelling_what_is_said() -> None:
    rig = Rig(answers=[LONG, "Yes."], chunk_interval_ms=150)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        response = await client.until("response.created")
        await client.pause(800)
        client.say("response.cancel", response_id=response["response"]["id"])
        await client.until("response.done")
        client.say("response.create")
        await client.until("response.done", 2)

    client = rig.run(talk)
    first, second = (event["response"] for event in client.of("response.done"))
    assert first["status"] == "cancelled"
    assert first["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert first["output"][0]["status"] == "incomplete"
    assert second["status"] == "completed"


def test_cancelling_in_vain() -> None:
    rig = Rig(answers=["Yes."], first_token_ms=300)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.cancel", event_id="c1")
        client.say("response.create")
        client.say("response.cancel", response_id="resp_other", event_id="c2")
        client.say("response.cancel")
        client.say("response.cancel", event_id="c3")
        await client.until("response.done")

    client = rig.run(talk)
    problems = [event["error"] for event in client.of("error")]
    assert [problem["event_id"] for problem in problems] == ["c1", "c2", "c3"]
    assert {problem["code"] for problem in problems} == {"response_cancel_not_active"}
    assert all(problem["message"].startswith("Cancellation failed") for problem in problems)


def test_a_second_request_while_one_is_answered_is_an_error() -> None:
    rig = Rig(answers=["Yes."], first_token_ms=300)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create", event_id="first")
        client.say("response.create", event_id="second")
        await client.until("response.done")
        client.say("response.create", event_id="third")
        await client.until("response.done", 2)

    client = rig.run(talk)
    problem = client.one("error")["error"]
    assert (problem["code"], problem["event_id"]) == ("conversation_already_has_active_response", "second")
    assert client.of("response.created")[0]["response"]["id"] in problem["message"]


# ------------------------------------------------------------------------------------------------ interruption


def test_barge_in_cancels_and_what_was_heard_stays() -> None:
    rig = Rig(hears=["stop please"], answers=[LONG, "Yes."], chunk_interval_ms=150, stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.output_audio.delta")
        await client.listen(800)
        await client.speak(700)
        item_id = client.one("response.done")["response"]["output"][0]["id"]
        client.say("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=600)
        client.say("conversation.item.retrieve", item_id=item_id)
        await client.listen(1500)
        await client.until("response.done", 2)

    client = rig.run(talk)
    first, second = (event["response"] for event in client.of("response.done"))
    assert first["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert second["status"] == "completed"
    began = client.types.index("input_audio_buffer.speech_started")
    assert client.types[began + 1 : began + 7] == [
        "output_audio.done", "output_audio_transcript.done", "content_part.done", "item.done", "output_item.done", "done",
    ]  # fmt: skip
    assert client.one("conversation.item.truncated")["audio_end_ms"] == 600
    [part] = client.one("conversation.item.retrieved")["item"]["content"]
    assert part["type"] == "output_audio"
    assert part["transcript"] in ("One two", "One two three")
    assert rig.requests[1][-2].content == part["transcript"]
    assert rig.requests[1][-1].content == "stop please"


def test_truncating_what_is_over() -> None:
    rig = Rig(answers=["One two three four."], stored=MANUAL)

    async def talk(rig: Rig, client: Client) -> None:
        client.write("count", "mine")
        client.say("response.create")
        done = await client.until("response.done")
        item_id = done["response"]["output"][0]["id"]

        def truncate(item: str, audio_end_ms: int) -> None:
            client.say("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=audio_end_ms)

        for audio_end_ms in (99_000, 400, 400, 0):
            truncate(item_id, audio_end_ms)
            client.say("conversation.item.retrieve", item_id=item_id)
        truncate("mine", 10)
        truncate("nobody", 10)
        client.say("response.create", response=TEXT)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert [event["audio_end_ms"] for event in client.of("conversation.item.truncated")] == [950, 400, 400, 0]
    heard = [event["item"]["content"][0]["transcript"] for event in client.of("conversation.item.retrieved")]
    assert heard == ["One two three four.", "One two", "One two", ""]
    assert [event["error"]["code"] for event in client.of("error")] == ["item_truncate_invalid_item_id"] * 2


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("interrupt", [True, False])
def test_who_answers_and_who_interrupts(create: bool, interrupt: bool) -> None:
    stored = detection(create_response=create, interrupt_response=interrupt)
    rig = Rig(hears=["hello"], answers=[LONG], chunk_interval_ms=150, stored=stored)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.output_audio.delta")
        await client.speak(500)
        await client.listen(2500)
        await client.pause(3000)

    client = rig.run(talk)
    first = client.of("response.done")[0]["response"]
    assert first["status"] == ("cancelled" if interrupt else "completed")
    assert len(client.of("response.created")) == (2 if create else 1)
    assert len(client.of("input_audio_buffer.committed")) == 1


def test_a_client_answers_by_itself_where_the_server_shall_not() -> None:
    rig = Rig(hears=["hello"], answers=["Yes."], stored=detection(create_response=False))

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(500)
        await client.listen(1000)
        assert client.of("response.created") == []
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    assert said(*rig.requests[0]) == [("user", "hello")]
    assert client.of("error") == []


# ------------------------------------------------------------------------------------------------ items


def test_items_are_put_in_their_places_taken_back_and_shown() -> None:
    rig = Rig(answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("second", "b")
        client.say(
            "conversation.item.create", previous_item_id="root",
            item={"id": "a", "type": "message", "role": "system", "content": [{"type": "input_text", "text": "first"}]},
        )  # fmt: skip
        client.write("fourth", "d")
        client.say(
            "conversation.item.create", previous_item_id="b",
            item={"id": "c", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "third"}]},
        )  # fmt: skip
        client.say("response.create", response=TEXT)
        await client.until("response.done")
        client.say("conversation.item.delete", item_id="b")
        client.say("conversation.item.retrieve", item_id="b", event_id="gone")
        client.say("conversation.item.delete", item_id="b")
        client.write("again", "a")
        client.say(
            "conversation.item.create", previous_item_id="zz", item={"type": "message", "role": "user", "content": []}
        )
        client.say("response.create", response=TEXT)
        await client.until("response.done", 2)

    client = rig.run(talk)
    first, second = rig.requests
    assert said(*first) == [("system", "first"), ("user", "second"), ("assistant", "third"), ("user", "fourth")]
    assert said(*second) == [("system", "first"), ("assistant", "third"), ("user", "fourth"), ("assistant", "Yes.")]
    assert [event["previous_item_id"] for event in client.of("conversation.item.added")[:4]] == [None, None, "b", "b"]
    codes = [event["error"]["code"] for event in client.of("error")]
    assert codes == [
        "item_retrieve_invalid_item_id", "item_delete_invalid_item_id", "item_create_duplicate_item_id", "invalid_value",
    ]  # fmt: skip
    assert client.of("error")[0]["error"]["event_id"] == "gone"


def test_a_deleted_answer_is_forgotten() -> None:
    rig = Rig(answers=["A lie.", "The truth."])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("tell me")
        client.say("response.create", response=TEXT)
        done = await client.until("response.done")
        client.say("conversation.item.delete", item_id=done["response"]["output"][0]["id"])
        client.write("really?")
        client.say("response.create", response=TEXT)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert said(*rig.requests[1]) == [("user", "tell me"), ("user", "really?")]
    assert len(client.of("conversation.item.deleted")) == 1


# ------------------------------------------------------------------------------------------------ one response otherwise


def test_one_response_has_its_own_instructions_input_and_tools() -> None:
    rig = Rig(answers=["Yes."], stored={"instructions": "Be kind."}, hears=["spoken words"])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("typed words", "typed")
        await client.speak(500)
        await client.listen(900)
        await client.until("response.done")
        spoken = client.one("input_audio_buffer.committed")["item_id"]
        client.say("response.create", response={**TEXT, "instructions": "Be brief.", "input": [
            {"type": "item_reference", "id": spoken}, {"type": "item_reference", "id": "nobody"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "only this"}]},
        ]})  # fmt: skip
        await client.until("response.done", 2)
        client.say("response.create", response={**TEXT, "input": []})
        await client.until("response.done", 3)

    rig.run(talk)
    assert said(*rig.requests[1]) == [("system", "Be brief."), ("user", "spoken words"), ("user", "only this")]
    assert said(*rig.requests[2]) == [("system", "Be kind.")]


def test_a_response_beside_the_conversation() -> None:
    rig = Rig(
        answers=lambda request: "Aside." if request.messages[-1].content == "classify" else LONG, token_interval_ms=50
    )

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hello")
        client.say("response.create")
        await client.until("response.output_audio.delta")
        for kind in (["text"], ["audio"]):
            client.say("response.create", response={
                "conversation": "none", "output_modalities": kind, "metadata": {"kind": kind[0]},
                "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "classify"}]}],
            })  # fmt: skip
        await client.until("response.done", 3)
        client.say("response.create")
        await client.until("response.done", 4)

    client = rig.run(talk)
    responses = {event["response"]["id"]: event["response"] for event in client.of("response.done")}
    asides = [response for response in responses.values() if response["conversation_id"] is None]
    assert [response["metadata"]["kind"] for response in asides] == ["text", "audio"]
    assert asides[0]["output"][0]["content"] == [{"type": "output_text", "text": "Aside."}]
    assert asides[1]["output"][0]["content"] == [{"type": "output_audio", "transcript": "Aside."}]
    spoken = [event for event in client.of("response.output_audio.delta") if event["response_id"] == asides[1]["id"]]
    assert spoken
    told = {event["item"]["id"] for event in client.of("conversation.item.added")}
    assert not told & {response["output"][0]["id"] for response in asides}
    assert "Aside." not in [content for _, content in said(*rig.requests[-1])]


def test_asides_are_bounded_and_can_be_cancelled() -> None:
    rig = Rig(answers=["Never."], first_token_ms=5000)

    async def talk(rig: Rig, client: Client) -> None:
        for number in range(5):
            client.say("response.create", response={"conversation": "none", "input": []}, event_id=f"e{number}")
        for event in client.of("response.created"):
            client.say("response.cancel", response_id=event["response"]["id"])
        await client.until("response.done", 4)

    client = rig.run(talk)
    assert client.one("error")["error"]["event_id"] == "e4"
    assert {event["response"]["status"] for event in client.of("response.done")} == {"cancelled"}


def test_a_history_from_elsewhere_is_taken_over() -> None:
    rig = Rig(answers=["Yes."])
    history = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city":"Rome"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "n", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It rains."}]},
    ]

    async def talk(rig: Rig, client: Client) -> None:
        for item in history:
            client.say("conversation.item.create", item=item)
        client.say("conversation.item.create", previous_item_id="m", item=history[0])
        client.say("response.create", response=TEXT)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.of("error") == []
    [request] = rig.requests
    assert said(*request) == [
        ("user", "weather?"), ("assistant", ""), ("tool", "rain"), ("user", "weather?"), ("assistant", "It rains."),
    ]  # fmt: skip
    assert request[1].tool_calls == (ToolCall("c1", "weather", {"city": "Rome"}),)


def test_an_aside_may_call_a_function_or_fail() -> None:
    def reply(request: Any) -> Any:
        if not request.messages:
            raise ProviderError("scripted", "broken")
        assert [tool.name for tool in request.tools] == ["weather"]
        assert [message.content for message in request.messages] == ["Be kind.", "earlier"]
        return asks("weather")

    rig = Rig(answers=reply, stored={"instructions": "Be kind."})

    async def talk(rig: Rig, client: Client) -> None:
        client.write("earlier")
        client.say("response.create", response={"conversation": "none", "tools": [WEATHER]})
        await client.until("response.done")
        client.say("response.create", response={"conversation": "none", "instructions": "", "input": []})
        await client.until("response.done", 2)

    client = rig.run(talk)
    first, second = (event["response"] for event in client.of("response.done"))
    assert (first["status"], first["output"][0]["name"]) == ("completed", "weather")
    assert (second["status"], second["output"]) == ("failed", [])


def test_nothing_but_its_configuration_can_change_before_there_is_media() -> None:
    rig = Rig()

    async def talk(rig: Rig, client: Client) -> None:
        session = rig.sessions.create(rig.session.config, "rtc_1", plays_out=True)
        side = Client(rig, midway=True)
        session.attach(side)
        for kind, fields in (("session.update", {"session": {"type": "realtime"}}), ("response.create", {})):
            session.receive(side, orjson.dumps({"type": kind, **fields}))
        assert side.types == ["session.created", "session.updated", "error"]
        session.end()
        assert side.closed == (1000, "assistant-ended-call")

    rig.run(talk)
