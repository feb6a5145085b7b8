"""Rows 19 and 20: audio in any portions, and keys."""

from __future__ import annotations

import pytest
from tests.conformance.twilio.attentive import AttentiveStream
from tests.conformance.twilio.phone import eventually
from tests.conformance.twilio.server import Server, actions
from tests.conformance.twilio.speech import Said

from antiphon.conversation import events as ev


class TestRow19:
    """Portions of any length. (The watchdog is in ``test_patience``.)"""

    async def test_row_19_any_portions_are_the_same_speech(
        self, server: Server, attentive: list[AttentiveStream], ten: Said
    ) -> None:
        """Frames of 10, 30, 100 and 137 ms, and all of it at once: the same samples, one utterance each."""
        url = server.assistant("a", transcriber={"provider": "attentive"})
        audio = ten.clip.mulaw + b"\xff" * 8 * 400
        for portion_ms in (10, 30, 100, 137, 3000):
            phone = await server.rings(url)
            phone.send('{"event":"connected"}')
            phone.send(phone.uplink.start(phone.stream.parameters))
            await eventually(lambda: server.app.manager.live == 1)
            for at in range(0, len(audio), portion_ms * 8):
                phone.send_audio(audio[at : at + portion_ms * 8])
            stream = attentive[-1]
            await eventually(lambda stream=stream: len(stream.heard) == len(audio))  # type: ignore[misc]
            assert bytes(stream.heard) == audio
            await eventually(lambda stream=stream: stream.finished == 1)  # type: ignore[misc]
            await phone.hang_up()
            log = await server.log(phone.ids.call_sid)
            spans = [
                entry.event for entry in log.entries if isinstance(entry.event, ev.SpeechStarted | ev.SpeechStopped)
            ]
            assert [type(event).__name__ for event in spans] == ["SpeechStarted", "SpeechStopped"], portion_ms
            assert stream.begun == 1
            assert spans[1].media_ms == pytest.approx(ten.clip.offset_ms, abs=150)


class TestRow20:
    """Keys."""

    async def test_row_20_every_key_once_in_order_and_none_taken_for_speech(self, server: Server) -> None:
        url = server.assistant("a", greeting="Please enter your number. " * 4, answers=["Thank you."])
        phone = await server.call(url)
        await phone.until_hears(200)
        keys = "0123456789*ABCD"
        phone.press(keys)
        phone.send(phone.uplink.dtmf("12"))
        phone.send(phone.uplink.dtmf("x"))
        phone.press("#")
        await phone.until(lambda: phone.clears_ms, within_s=1)
        await phone.until(lambda: phone.hearing.spoken_until_ms > phone.clears_ms[-1])
        await phone.until_quiet(200)
        await phone.hang_up()
        log = await server.log(phone.ids.call_sid)
        pressed = [entry.event.digit for entry in log.entries if isinstance(entry.event, ev.DtmfPressed)]
        assert "".join(pressed) == keys + "#"
        assert [turn["text"] for turn in actions(log, "TurnClosed")] == [keys]
        assert not any(isinstance(entry.event, ev.SpeechStarted) for entry in log.entries)
        assert [closed["status"] for closed in actions(log, "ReplyClosed")] == ["interrupted", "completed"]
        assert server.app.twilio.authorizer.anomalies.counts == {"malformed_bad_digit": 2}

    async def test_row_20_keys_without_a_hash_are_taken_after_a_pause_and_speech_may_go_on(
        self, server: Server, ten: Said
    ) -> None:
        url = server.assistant(
            "a", hears=["Ten of clubs."], answers=["Thank you."], keypadInputPlan={"timeoutSeconds": 0.6}
        )
        phone = await server.call(url)
        phone.say(ten.clip)
        await phone.until(lambda: phone.now_ms > 400)
        phone.press("42")
        pressed_ms = phone.now_ms
        await phone.until_quiet(200)
        await phone.hang_up()
        log = await server.log(phone.ids.call_sid)
        (turn,) = actions(log, "TurnClosed")
        assert set(turn["text"].replace(".", "").split()) == {"Ten", "of", "clubs", "42"}
        assert phone.hearing.utterances[0].received_ms > pressed_ms + 600
