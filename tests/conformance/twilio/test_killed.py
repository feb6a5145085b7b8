"""A server that is killed in the middle of a call: nothing of it is lost, and the next server says what became of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from structlog.testing import capture_logs
from tests.conformance.twilio.server import actions, serve_here, serve_in_child
from tests.conformance.twilio.speech import Said

from antiphon.audio.wav import read_wav
from antiphon.session.event_log import read_event_log
from antiphon.session.replay import replay


async def test_kill_9_leaves_a_playable_recording_and_a_log_that_replays(tmp_path: Path, ten: Said) -> None:
    async with serve_in_child(tmp_path) as (server, child):
        url = server.assistant("a", greeting="Hello there.", hears=["Ten of clubs."], answers=["and so on " * 30])
        phone = await server.call(url)
        await phone.until_quiet(100)
        phone.say(ten.clip)
        await phone.until(lambda: len(phone.hearing.utterances) == 2)
        await phone.until(lambda: phone.now_ms > phone.hearing.utterances[1].heard_from_ms + 1000)
        phone.say(ten.clip)
        await phone.until(lambda: phone.clears_ms)
        cleared_ms = phone.now_ms
        await phone.until(lambda: phone.now_ms > cleared_ms + 500)
        os.kill(child.pid, signal.SIGKILL)
        lasted_ms = phone.now_ms
        await phone.until(phone.closed.is_set)
        assert await child.end() == -signal.SIGKILL
    path = server.log_path(phone.ids.call_sid)
    assert path is not None

    log = read_event_log(path)
    assert log.ended is None
    assert replay(log) is None
    assert [turn["text"] for turn in actions(log, "TurnClosed")] == ["Ten of clubs."]
    assert lasted_ms - (log.entries[-1].now_ms - log.header.started_ms) < 1000, (
        "what happened until a second ago is there"
    )

    samples, rate_hz = read_wav(path.with_suffix(".wav"))
    recorded_ms = len(samples) * 1000 / rate_hz
    assert lasted_ms - 3000 < recorded_ms <= lasted_ms + 100
    assert abs(samples[:, 0]).max() > 1000, "the caller is on the left"
    assert abs(samples[:, 1]).max() > 1000, "the agent is on the right"

    with capture_logs() as lines:
        async with serve_here(tmp_path):
            pass
    (closed,) = [line for line in lines if line["event"] == "dead_call_closed"]
    assert (closed["call_id"], closed["reason"]) == (log.header.call_id, "worker-died")
    assert abs(closed["lasted_ms"] - lasted_ms) < 1000
    assert path.read_bytes().endswith(b'{"ended":"worker-died"}\n')
    assert read_event_log(path).ended == "worker-died"
