"""Whole Realtime sessions: written and spoken turns, push-to-talk, interruption, in the order the clients rely on."""

from __future__ import annotations

import base64
from typing import Any

from tests.calls.realtime_rig import Client, Rig, ms_of, said, tone

from antiphon.providers.scripted import ScriptedSpeechToText

TEXT = {"output_modalities": ["text"]}
TRANSCRIBED = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
MANUAL = {"audio": {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}}

MESSAGE = ["output_item.added", "item.added", "content_part.added"]
SPOKEN = [
    "created", *MESSAGE, "output_audio_transcript.delta", "output_audio.delta", "output_audio.done",
    "output_audio_transcript.done", "content_part.done", "item.done", "output_item.done", "done",
]  # fmt: skip


def test_a_written_turn() -> None:
    rig = Rig(answers=["Hello there."])

    async def talk(rig: Rig, client: Client) -> None:
        client.write("hi", "item_1")
        client.say("response.create", response={**TEXT, "metadata": {"topic": "greeting"}})
        await client.until("response.done")

    client = rig.run(talk)
    assert client.types == [
        "session.created", "item.added", "item.done", "created", *MESSAGE, "output_text.delta", "output_text.done",
        "content_part.done", "item.done", "output_item.done", "done",
    ]  # fmt: skip
    response = client.one("response.done")["response"]
    assert response["status"] == "completed"
    assert response["metadata"] == {"topic": "greeting"}
    assert response["output"][0]["content"] == [{"type": "output_text", "text": "Hello there."}]
    assert response["usage"]["output_tokens"] > 0
    assert client.of("conversation.item.added")[1]["previous_item_id"] == "item_1"
    assert said(*rig.requests[0]) == [("user", "hi")]


def test_a_spoken_turn_with_voice_activity() -> None:
    rig = Rig(hears=["what is the weather"], answers=["It is sunny today."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        await client.listen(600)
        await client.speak(800)
        await client.listen(1500)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.types == [
        "session.created", "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed", "item.added", "item.done", "item.input_audio_transcription.delta",
        "item.input_audio_transcription.completed", *SPOKEN,
    ]  # fmt: skip
    started, stopped = (client.one(f"input_audio_buffer.speech_{name}") for name in ("started", "stopped"))
    assert abs(started["audio_start_ms"] - (600 - 300)) <= 40, "the padding is part of it"
    assert abs(stopped["audio_end_ms"] - (1400 + 500)) <= 50, "and so is the silence that ended it"
    item = client.of("conversation.item.done")[0]["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]
    assert {started["item_id"], stopped["item_id"], client.one("input_audio_buffer.committed")["item_id"]} == {
        item["id"]
    }
    transcription = client.one("conversation.item.input_audio_transcription.completed")
    assert transcription["item_id"] == item["id"]
    assert transcription["transcript"] == "what is the weather"
    assert 0.7 < transcription["usage"]["seconds"] < 1.0
    assert client.one("response.output_audio_transcript.done")["transcript"] == "It is sunny today."
    assert abs(ms_of(client.audio()) - len("It is sunny today.") * 50) < 5
    usage = client.one("response.done")["response"]["usage"]
    assert usage["output_token_details"]["audio_tokens"] == 18
    assert usage["input_token_details"]["audio_tokens"] in (8, 9)


def test_words_are_not_told_where_nobody_asked_for_them() -> None:
    rig = Rig(hears=["secret"], answers=["Yes."])

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(600)
        await client.listen(1200)
        await client.until("response.done")
        client.say("conversation.item.retrieve", item_id=client.of("conversation.item.done")[0]["item"]["id"])

    client = rig.run(talk)
    assert not [kind for kind in client.types if "transcription" in kind]
    assert client.one("conversation.item.retrieved")["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert said(*rig.requests[0]) == [("user", "secret")]


def test_audio_leaves_in_deltas_of_some_size() -> None:
    rig = Rig(answers=["One two three four five six seven eight nine ten."])

    async def talk(rig: Rig, client: Client) -> None:
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    sizes = [ms_of(b"0" * (len(event["delta"]) * 3 // 4)) for event in client.of("response.output_audio.delta")]
    assert max(sizes) <= 201
    assert sum(sizes) / len(sizes) > 100


def test_push_to_talk() -> None:
    rig = Rig(hears=["one", "two"], answers=["First.", "Second."], stored=MANUAL)

    async def talk(rig: Rig, client: Client) -> None:
        for turn in range(2):
            client.say("input_audio_buffer.clear")
            await client.speak(500)
            client.say("input_audio_buffer.commit")
            client.say("response.create")
            await client.until("response.done", turn + 1)

    client = rig.run(talk)
    assert not [kind for kind in client.types if "speech_" in kind]
    assert client.types[:5] == [
        "session.created", "input_audio_buffer.cleared", "input_audio_buffer.committed", "item.added", "item.done",
    ]  # fmt: skip
    assert said(*rig.requests[1]) == [("user", "one"), ("assistant", "First."), ("user", "two")]
    heard = [event["transcript"] for event in client.of("conversation.item.input_audio_transcription.completed")]
    assert heard == ["one", "two"]


def test_two_commits_before_the_first_words_are_two_items() -> None:
    rig = Rig(hears=["one", "two"], answers=["Both."], stored=MANUAL, final_delay_ms=400)

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(2):
            await client.speak(200)
            client.say("input_audio_buffer.commit")
        client.say("response.create")
        await client.until("response.done")

    client = rig.run(talk)
    items = [event["item_id"] for event in client.of("input_audio_buffer.committed")]
    words = client.of("conversation.item.input_audio_transcription.completed")
    assert [(event["item_id"], event["transcript"]) for event in words] == [(items[0], "one"), (items[1], "two")]
    assert said(*rig.requests[0]) == [("user", "one two")]


def test_what_was_cleared_is_not_heard_and_what_was_committed_stays() -> None:
    rig = Rig(hears=["kept", "rubbish", "meant"], answers=["Yes."], stored=MANUAL, final_delay_ms=300)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(300)
        client.say("input_audio_buffer.commit")
        await client.speak(200)
        client.say("input_audio_buffer.clear")
        await client.listen(500)
        client.say("input_audio_buffer.clear")
        await client.speak(300)
        client.say("input_audio_buffer.commit")
        await client.listen(400)

    client = rig.run(talk)
    words = [event["transcript"] for event in client.of("conversation.item.input_audio_transcription.completed")]
    assert words[0] == "kept"
    assert "rubbish" not in words
    assert len(client.of("input_audio_buffer.committed")) == 2


def test_clearing_in_the_middle_of_speech_makes_no_item() -> None:
    rig = Rig(hears=["rubbish", "meant"], answers=["Yes."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(500)
        client.say("input_audio_buffer.clear")
        await client.listen(1500)
        await client.speak(500)
        await client.listen(1200)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.one("conversation.item.input_audio_transcription.completed")["transcript"] == "meant"
    assert said(*rig.requests[-1]) == [("user", "meant")]


def test_a_whole_recording_at_once_is_heard_as_if_spoken() -> None:
    rig = Rig(hears=["hello"], answers=["Yes."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        client.append(tone(400, 0.0) + tone(900) + tone(1200, 0.0))
        await client.until("response.done")

    client = rig.run(talk)
    assert abs(client.one("input_audio_buffer.speech_started")["audio_start_ms"] - 100) <= 40
    assert abs(client.one("input_audio_buffer.speech_stopped")["audio_end_ms"] - (1300 + 500)) <= 50


def test_an_empty_commit_is_an_error_that_names_what_there_is() -> None:
    rig = Rig(stored=MANUAL)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("input_audio_buffer.commit", event_id="mine")
        client.append(tone(60) + b"\0")
        client.say("input_audio_buffer.commit")
        client.append(tone(99)[1:])
        client.say("input_audio_buffer.commit")

    client = rig.run(talk)
    first, second = (event["error"] for event in client.of("error"))
    assert (first["code"], first["event_id"]) == ("input_audio_buffer_commit_empty", "mine")
    assert first["message"].endswith("but buffer only has 0.00ms of audio.")
    assert second["message"].endswith("but buffer only has 60.00ms of audio.")
    assert len(client.of("input_audio_buffer.committed")) == 1, "159 ms in two odd pieces are enough"


def test_g711_in_both_directions() -> None:
    kind = {"type": "audio/pcmu"}
    stored = {"audio": {"input": {"format": kind}, "output": {"format": kind}}}
    rig = Rig(hears=["hello"], answers=["Good day to you."], stored=stored)

    async def talk(rig: Rig, client: Client) -> None:
        for value in [b"\xff"] * 20 + [b"\x80"] * 40 + [b"\xff"] * 70:
            client.append(value * 160)
            await client.pause(20)
        await client.until("response.done")

    client = rig.run(talk)
    assert abs(client.one("input_audio_buffer.speech_stopped")["audio_end_ms"] - (1200 + 500)) <= 50
    assert abs(len(client.audio()) / 8 - len("Good day to you.") * 50) < 5
    assert client.one("response.created")["response"]["audio"]["output"]["format"] == kind


def test_a_message_that_is_a_recording_is_read_before_it_is_answered() -> None:
    rig = Rig(hears=["recorded words"], answers=["Yes.", "No."], stored=MANUAL, final_delay_ms=500)
    part = {"type": "input_audio", "audio": base64.b64encode(tone(500)).decode()}

    async def talk(rig: Rig, client: Client) -> None:
        client.say("conversation.item.create", item={"id": "a", "type": "message", "role": "user", "content": [part]})
        client.write("and typed ones", "b")
        client.say("response.create", response={**TEXT, "metadata": {"number": "1"}})
        client.say("response.create", event_id="too soon")
        await client.until("response.done")
        told = {"type": "input_audio", "transcript": "known words"}
        client.say("conversation.item.create", item={"type": "message", "role": "user", "content": [told]})
        client.say("response.create", response=TEXT)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert said(*rig.requests[0]) == [("user", "recorded words"), ("user", "and typed ones")]
    assert said(*rig.requests[1])[-1] == ("user", "known words")
    assert client.of("response.created")[0]["response"]["metadata"] == {"number": "1"}
    assert client.one("error")["error"]["event_id"] == "too soon"
    completed = client.one("conversation.item.input_audio_transcription.completed")
    assert (completed["item_id"], completed["transcript"]) == ("a", "recorded words")
    assert completed["usage"] == {"type": "duration", "seconds": 0.5}


def test_a_recording_nobody_understands_is_told_and_not_waited_for() -> None:
    class Deaf(ScriptedSpeechToText):
        def open(self, audio: Any, answers: Any, on_event: Any) -> Any:
            return super().open(audio, answers, lambda event: None)

    rig = Rig(stt=Deaf(), answers=["Yes."], stored=MANUAL)
    part = {"type": "input_audio", "audio": base64.b64encode(tone(500)).decode()}

    async def talk(rig: Rig, client: Client) -> None:
        client.say("conversation.item.create", item={"id": "a", "type": "message", "role": "user", "content": [part]})
        client.say("response.create", response=TEXT)
        await client.until("response.done")

    client = rig.run(talk)
    assert client.one("conversation.item.input_audio_transcription.failed")["item_id"] == "a"
    assert said(*rig.requests[0]) == []


def test_a_client_commits_while_the_server_hears_speech() -> None:
    rig = Rig(hears=["first half", "second half"], answers=["Yes.", "No."], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        client.say("input_audio_buffer.commit", event_id="nothing yet")
        await client.speak(800)
        client.say("input_audio_buffer.commit")
        assert client.types[-4:] == [
            "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "item.added", "item.done",
        ]  # fmt: skip
        await client.listen(1500)
        await client.speak(600)
        await client.listen(1500)
        await client.until("response.done", 2)

    client = rig.run(talk)
    assert client.one("error")["error"]["event_id"] == "nothing yet"
    assert client.of("input_audio_buffer.speech_stopped")[0]["audio_end_ms"] == 800
    transcribed = client.of("conversation.item.input_audio_transcription.completed")
    assert [event["transcript"] for event in transcribed] == ["first half", "second half"]
    assert abs(transcribed[0]["usage"]["seconds"] - 0.8) < 0.1, "what was being said when it was committed is paid for"


def test_a_call_that_ends_while_the_caller_speaks() -> None:
    """What was being said ends where the call does."""
    rig = Rig(hears=["but I was going to"], stored=TRANSCRIBED)

    async def talk(rig: Rig, client: Client) -> None:
        await client.listen(2000)
        await client.speak(800)
        rig.session.end()
        await client.pause(100)

    client = rig.run(talk)
    started, stopped = (client.one(f"input_audio_buffer.speech_{name}") for name in ("started", "stopped"))
    assert started["item_id"] == stopped["item_id"]
    assert stopped["audio_end_ms"] == 2800


def test_a_format_may_change_between_turns() -> None:
    rig = Rig(hears=["one", "two"], answers=["Yes.", "No."], stored=MANUAL)

    async def talk(rig: Rig, client: Client) -> None:
        await client.speak(300)
        client.say("input_audio_buffer.commit")
        client.say("response.create")
        await client.until("response.done")
        client.update(audio={"input": {"format": {"type": "audio/pcma"}}, "output": {"format": {"type": "audio/pcma"}}})
        client.append(b"\xd5" * 4000)
        client.say("input_audio_buffer.commit")
        client.say("response.create", response={"audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}}}})
        await client.until("response.done", 2)
        client.say("response.create")
        await client.until("response.done", 3)

    client = rig.run(talk)
    seconds = [
        event["usage"]["seconds"] for event in client.of("conversation.item.input_audio_transcription.completed")
    ]
    assert seconds == [0.3, 0.5]
    sizes = {}
    for event in client.of("response.output_audio.delta"):
        sizes[event["response_id"]] = sizes.get(event["response_id"], 0) + len(base64.b64decode(event["delta"]))
    pcm, asked_for_pcm, alaw = sizes.values()
    assert pcm == len("Yes.") * 50 * 48
    assert asked_for_pcm == len("No.") * 50 * 48
    assert abs(alaw - len("No.") * 50 * 8) < 40
