"""Rows 21 and 22: ways in which a media socket can end. (Those that take seconds to be noticed are in ``test_patience``.)"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conformance.twilio.phone import Phone, eventually
from tests.conformance.twilio.server import Server, open_files, serve_in_child, undisturbed
from tests.conformance.twilio.speech import Said
from tests.stopwatch import Stopwatch

from antiphon.caller.webhook import CallFailed

Ending = Callable[[Phone], None]


def stop_then_close(phone: Phone) -> None:
    phone.send(phone.uplink.stop())
    phone.drop()


def stop_twice(phone: Phone) -> None:
    phone.send(phone.uplink.stop())
    phone.send(phone.uplink.stop())


def stop_then_media(phone: Phone) -> None:
    phone.send(phone.uplink.stop())
    for _ in range(20):
        phone.send_audio(b"\xff" * 160)


class TestRow21:
    """Orderly endings: everything is freed within half a second, and told once."""

    @pytest.mark.parametrize(
        ("ending", "moment"),
        [
            (stop_then_close, "before audio"),
            (stop_then_close, "while it speaks"),
            (stop_then_close, "while it thinks"),
            (stop_twice, "while it speaks"),
            (stop_then_media, "while it speaks"),
            (Phone.drop, "while it speaks"),
            (Phone.drop, "while it thinks"),
        ],
    )
    async def test_row_21_an_ended_call_leaves_nothing(
        self, server: Server, ten: Said, ending: Ending, moment: str
    ) -> None:
        await server.status()  # opens what the HTTP client needs
        tasks, files = len(asyncio.all_tasks()), open_files()
        url = server.assistant(
            "a",
            greeting="" if moment == "while it thinks" else "and so on " * 50,
            hears=["Ten of clubs."],
            answers=["Never said."],
            first_token_ms=60_000,
        )
        if moment == "before audio":
            phone = await server.rings(url)
            phone.send('{"event":"connected"}')
            phone.send(phone.uplink.start(phone.stream.parameters))
            await eventually(lambda: server.app.manager.live == 1)
        else:
            phone = await server.call(url)
            if moment == "while it speaks":
                await phone.until_hears(100)
            else:
                phone.say(ten.clip)
                await phone.until(lambda: any(task.get_name().startswith("reply-") for task in asyncio.all_tasks()))
        watch = Stopwatch()
        ending(phone)
        await eventually(lambda: server.app.manager.live == 0, 0.5)
        log = await server.log(phone.ids.call_sid, 0.5)
        assert log.ended == "customer-ended-call"
        await eventually(lambda: phone.closed.is_set() and len(server.app.watch) == 0, 0.5)
        await eventually(lambda: len(asyncio.all_tasks()) <= tasks, 0.5)
        await eventually(lambda: open_files() <= files, 0.5)
        # The writing of a log waits for its disk, and a machine for its host: half a second is what it takes where nobody else computes.
        assert watch.own_s < (0.5 if watch.held_up_ms < 100 else 5)
        metrics = server.app.metrics.text().decode()
        assert 'antiphon_calls_ended_total{reason="customer-ended-call"} 1.0' in metrics


class TestRow22:
    """Abrupt endings."""

    async def test_row_22_a_reset_in_the_middle_of_a_word(self, server: Server, ten: Said) -> None:
        other = await server.bystander()
        phone = await server.call(server.assistant("a", greeting="Hello.", hears=["Ten of clubs."]))
        phone.say(ten.clip)
        await phone.until(lambda: phone.now_ms > 500)
        watch = Stopwatch()
        phone.reset()
        await eventually(lambda: server.app.manager.live == 1, 1)
        log = await server.log(phone.ids.call_sid, 1)
        assert watch.own_s < 1
        assert log.ended == "transport-lost"
        undisturbed(other)

    async def test_row_22_sigterm_refuses_new_calls_and_lets_live_ones_end(self, tmp_path: Path) -> None:
        async with serve_in_child(tmp_path, DRAIN_S="1.2") as (server, child):
            ending, staying = await asyncio.gather(
                server.call(
                    server.assistant("short", greeting="Goodbye.", endCallPhrases=["goodbye"], ms_per_character=100)
                ),
                server.call(server.assistant("long", greeting="and so on " * 50)),
            )
            await staying.until_hears(100)
            os.kill(child.pid, signal.SIGTERM)
            watch = Stopwatch()
            refusal = await asyncio.wait_for(self._refusal(server), 1)
            await ending.until(ending.closed.is_set)
            await staying.until(staying.closed.is_set)
            assert watch.wall_s > 1.1 and watch.own_s < 3
            assert "busy" in refusal
            assert await child.end() == 0
            ended = {phone: (await server.log(phone.ids.call_sid)).ended for phone in (ending, staying)}
            assert ended == {ending: "assistant-said-end-call-phrase", staying: "worker-shutdown"}
            assert ending.heard_ms >= 750

    async def _refusal(self, server: Server) -> str:
        """What a new caller is told once the signal has arrived."""
        while True:
            try:
                await Phone(server.beat).ring(server.http, f"{server.url}/twilio/voice")
            except CallFailed as refused:
                return str(refused)
