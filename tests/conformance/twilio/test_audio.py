"""Rows 10 to 12: audio in, audio out, and how much of it was heard."""

from __future__ import annotations

import asyncio
import base64
import json

import numpy as np
from tests.conformance.twilio.attentive import AttentiveStream
from tests.conformance.twilio.phone import LINE_NOISE, Marks, Phone, eventually
from tests.conformance.twilio.server import Server, actions
from tests.conformance.twilio.speech import Said

from antiphon.audio.g711 import mulaw_decode
from antiphon.caller.wire import FRAME_BYTES
from antiphon.conversation import events as ev
from antiphon.media.settings import PlayoutSettings

GREETING = "Hello there."
GREETING_MS = len(GREETING) * 40
# The server cannot know to the millisecond when a message arrives: half a message of tolerance.
SEND_AHEAD_MS = PlayoutSettings().lead_ms + PlayoutSettings().message_ms / 2


async def test_row_10_the_recogniser_gets_every_sample_and_decodes_it_right(
    server: Server, attentive: list[AttentiveStream], ten: Said
) -> None:
    phone = await server.call(server.assistant("a", transcriber={"provider": "attentive"}))
    await phone.until(lambda: phone.now_ms > 200)
    phone.say(ten.clip)
    await phone.until(lambda: not phone.speaking)
    await phone.hang_up()
    await eventually(lambda: attentive[0].closed)
    heard = bytes(attentive[0].heard)
    assert heard == bytes(phone.said)
    at = heard.index(ten.clip.mulaw)
    decoded = mulaw_decode(np.frombuffer(heard[at : at + len(ten.clip.mulaw)], dtype=np.uint8)).astype(np.float64)
    meant = LINE_NOISE.under(np.pad(ten.pcm, (0, -len(ten.pcm) % FRAME_BYTES)))
    noise = decoded - meant
    snr_db = 10 * np.log10(np.mean(meant**2) / np.mean(noise**2))
    assert snr_db > 35


async def test_row_11_what_we_send_is_what_twilio_takes_and_never_far_ahead(server: Server) -> None:
    phone = await server.call(server.assistant("a", greeting="One two three four. Five six seven eight."))
    await phone.until_quiet()
    await phone.hang_up()
    assert not phone.faults
    for message in phone.received:
        document = json.loads(message.text)
        assert document.pop("streamSid") == phone.ids.stream_sid
        event = document.pop("event")
        assert event in ("media", "mark")
        if event == "media":
            audio = base64.b64decode(document["media"].pop("payload"), validate=True)
            assert audio
            assert not audio.startswith(b"RIFF")
            assert document == {"media": {}}
        else:
            assert set(document["mark"]) == {"name"}
    assert phone.most_buffered_ms <= SEND_AHEAD_MS
    log = await server.log(phone.ids.call_sid)
    assert [len(phone.heard()) / 8] == [closed["heard_ms"] for closed in actions(log, "ReplyClosed")]


class TestRow12:
    """Marks. The greeting ends once, whatever the carrier does with them."""

    async def greeted(self, server: Server, marks: Marks) -> Phone:
        phone = await server.call(server.assistant("a", greeting=GREETING), marks=marks)
        await phone.until(lambda: phone.received)
        phone.send(phone.uplink.mark("nobody asked for this"))
        phone.send(phone.uplink.mark("r99:100ms:1"))
        return phone

    async def test_row_12_marks_late_early_twice_and_never(self, server: Server) -> None:
        kinds: list[Marks] = ["prompt", "late", "early", "twice", "never"]
        phones = await asyncio.gather(*(self.greeted(server, kind) for kind in kinds))
        ended_ms = dict.fromkeys(kinds, 0.0)
        for kind, phone in zip(kinds, phones, strict=True):
            session = next(
                each for each in server.app.manager.sessions() if each.call.provider_call_id == phone.ids.call_sid
            )
            await phone.until(lambda session=session: not session.port.mouth.reply)  # type: ignore[misc]
            ended_ms[kind] = phone.now_ms
            await phone.hang_up()
        for kind, phone in zip(kinds, phones, strict=True):
            log = await server.log(phone.ids.call_sid)
            (closed,) = actions(log, "ReplyClosed")
            assert (closed["text"], closed["status"], closed["heard_ms"]) == (GREETING, "completed", GREETING_MS), kind
            finished = [entry.event for entry in log.entries if isinstance(entry.event, ev.PlaybackFinished)]
            assert len(finished) == 1
            assert len(set(phone.mark_names)) == len(phone.mark_names)
            assert json.loads(phone.received[-1].text)["event"] == "mark", "the end is marked"
        assert ended_ms["never"] < GREETING_MS + 2000 + 300

    async def test_row_12_heard_time_is_never_negative_nor_more_than_was_played(
        self, server: Server, ten: Said
    ) -> None:
        url = server.assistant("a", greeting="One two three four five six seven.", hears=["Stop it."], answers=["Yes."])
        kinds: list[Marks] = ["late", "never", "early"]
        phones = await asyncio.gather(*(server.call(url, marks=kind) for kind in kinds))
        await asyncio.gather(*(self.interrupted(phone, ten) for phone in phones))
        for phone in phones:
            log = await server.log(phone.ids.call_sid)
            told = [entry.event.heard_ms for entry in log.entries if isinstance(entry.event, ev.PlaybackReached)]
            assert told
            # A carrier that echoes marks too soon is believed up to 60 ms.
            assert phone.most_buffered_ms <= SEND_AHEAD_MS + 60
            assert all(0 <= heard_ms <= len(phone.heard()) / 8 + 80 for heard_ms in told)

    async def interrupted(self, phone: Phone, said: Said) -> None:
        await phone.until_hears(300)
        phone.say(said.clip)
        await phone.until(lambda: phone.clears_ms)
        await phone.until(lambda: not phone.speaking)
        await phone.hang_up()
