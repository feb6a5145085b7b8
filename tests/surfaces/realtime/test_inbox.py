"""Bursts, dense messages and long audio: the loop is never kept for long, whoever waits gets a turn, and what is too much is refused.

What is measured is the CPU time of each step that the surface takes on the loop, in whole sessions in virtual time: it does not depend
on what else the machine does.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import itertools
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import pytest
from tests.calls.realtime_rig import Client, Rig, tone

from antiphon.surfaces.realtime import inbox as module
from antiphon.surfaces.realtime.access import Access
from antiphon.surfaces.realtime.commands import MAX_AUDIO_MS
from antiphon.surfaces.realtime.inbox import Inbox, LoopShare
from antiphon.surfaces.realtime.settings import RealtimeSettings

STEP_S = 0.05
MIB = 1024 * 1024


class TookLong(AssertionError):
    """A step was longer than it may be."""


class Steps:
    """How long the longest step took."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.total_s = 0.0
        self.count = 0

    def check(self) -> None:
        """A busy machine makes work cost more CPU, too: what takes long once is tried again (``run``)."""
        if self.longest_s >= STEP_S:
            raise TookLong(f"{self.longest_s:.3f} s")

    def timed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return work(*given, **named)
            finally:
                taken = time.thread_time() - began
                self.longest_s = max(self.longest_s, taken)
                self.total_s += taken
                self.count += 1

        return run


@contextmanager
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Every moment in which the surface works off what clients send: when it arrives, and in later turns of the loop."""
    steps = Steps()
    with monkeypatch.context() as patch:
        patch.setattr(Inbox, "put", steps.timed(Inbox.put))
        patch.setattr(LoopShare, "_turn", steps.timed(LoopShare._turn))
        gc.collect()
        gc.disable()  # of a whole test run's objects: the server has few, and rarely looks through them
        try:
            yield steps
        finally:
            gc.enable()


async def idle(rig: Rig) -> None:
    """Until all that was sent is worked off."""
    for _ in range(200_000):
        if not rig.session.inbox._waits:
            return
        await asyncio.sleep(0.001)  # what waits has a part of the time only
    raise AssertionError("it is never worked off")


def run(talk: Callable[[Rig, Client], Awaitable[None]], **given: Any) -> Client:
    for _ in range(2):
        with suppress(TookLong):
            return Rig(**given).run(talk)
    return Rig(**given).run(talk)


def push_to_talk(client: Client, **audio_input: Any) -> None:
    client.update(audio={"input": {"turn_detection": None, **audio_input}})


FORMATS = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
"""With their bytes in a millisecond."""


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("manual", [False, True])
def test_the_longest_append_is_heard_in_strides(kind: str, manual: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = base64.b64encode(bytes([0xD5]) * (MAX_AUDIO_MS * FORMATS[kind])).decode()

    async def talk(rig: Rig, client: Client) -> None:
        client.update(audio={"input": {"format": {"type": kind}, **({"turn_detection": None} if manual else {})}})
        with measured(monkeypatch) as steps:
            client.say("input_audio_buffer.append", audio=audio)
            client.say("conversation.item.retrieve", item_id="nothing")
            assert not client.of("error"), "it is answered in its turn, after the audio"
            await idle(rig)
        steps.check()
        assert [event["error"]["code"] for event in client.of("error")] == ["item_retrieve_invalid_item_id"]
        assert rig.session.core is not None
        assert rig.session.core.port.media_ms == pytest.approx(MAX_AUDIO_MS, abs=50)

    run(talk)


@pytest.mark.parametrize("as_item", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_more_than_that_is_refused_in_every_format(kind: str, as_item: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    audio = base64.b64encode(bytes((MAX_AUDIO_MS + 1000) * FORMATS[kind])).decode()

    async def talk(rig: Rig, client: Client) -> None:
        client.update(audio={"input": {"format": {"type": kind}}})
        with measured(monkeypatch) as steps:
            if as_item:
                item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}]}
                client.say("conversation.item.create", item=item, event_id="e1")
            else:
                client.say("input_audio_buffer.append", audio=audio, event_id="e1")
            await idle(rig)
        steps.check()
        error = client.one("error")["error"]
        assert (error["code"], error["event_id"]) == ("invalid_value", "e1")
        assert not client.of("conversation.item.added")
        assert rig.session.core is not None
        assert rig.session.core.port.media_ms == 0

    run(talk)


BASE64_20_MIB = "A" * (20 * MIB - 200)
HOSTILE: dict[str, Callable[[], bytes]] = {
    "lists": lambda: b'{"type":"response.cancel","x":[' + b"[]," * (20 * MIB // 3) + b"[]]}",
    "a mebibyte of lists": lambda: b'{"type":"response.cancel","x":[' + b"[]," * (MIB // 3 - 20) + b"[]]}",
    "a mebibyte of keys": lambda: b"{" + b",".join(b'"%x":1' % at for at in range(100_000)) + b"}",
    "one text": lambda: b'{"type":"response.cancel","x":"' + b"a" * 20 * MIB + b'"}',
    "blanks": lambda: b" " * 20 * MIB + b"{}",
    "no base64": lambda: b'{"type":"input_audio_buffer.append","audio":"' + BASE64_20_MIB.encode() + b'!"}',
    "tools": lambda: b'{"type":"session.update","session":{"type":"realtime","tools":['
    + b'{"type":"function","name":"f"},' * 30_000 + b"1]}}",
    "parts": lambda: b'{"type":"conversation.item.create","item":{"type":"message","role":"user","content":['
    + b'{"type":"input_text","text":""},' * 8_000 + b"1]}}",
    "backslashes": lambda: b'{"x":"' + b"\\" * 20 * MIB + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_message_keeps_the_loop(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = HOSTILE[kind]()  # not made where it is only collected

    async def talk(rig: Rig, client: Client) -> None:
        with measured(monkeypatch) as steps:
            rig.session.receive(client, payload)
            await idle(rig)
        steps.check()
        assert len(client.of("error")) == 1
        client.write("go on")
        await idle(rig)
        assert client.of("conversation.item.added")

    run(talk)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("input_audio_buffer.clear", {}),
        ("response.create", {}),
        ("session.update", {"session": {"type": "realtime", "instructions": "x" * 1000}}),
        ("conversation.item.create", {"item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}}),
        ("surprise", {}),
    ],
)  # fmt: skip
def test_a_burst_is_worked_off_in_slices_and_others_are_served_meanwhile(
    kind: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk(rig: Rig, client: Client) -> None:
        other = rig.sessions.create(rig.sessions.configure("gpt-realtime", {}))
        bystander = Client(rig)
        other.attach(bystander, primary=True)
        other.start()
        payload = {"type": kind, **fields}
        with measured(monkeypatch) as steps:
            for _ in range(1500):
                client.say(kind, **fields)
            waits = len(rig.session.inbox._queue)
            assert waits > 1000, f"of {payload['type']}"
            rig_session, rig.session = rig.session, other
            bystander.write("are you there?")
            rig.session = rig_session
            for _ in range(3):
                await asyncio.sleep(0)
            assert bystander.of("conversation.item.added"), "it waited for one slice, not for the burst"
            assert len(rig.session.inbox._queue) > waits // 2
            await idle(rig)
        steps.check()
        assert client.held == [True, False]
        assert client.closed is None
        other.end()

    run(talk)


def test_messages_of_one_client_are_obeyed_in_order() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        for at in range(300):
            client.write("x", f"item_{at}")
        await idle(rig)
        assert [event["item"]["id"] for event in client.of("conversation.item.added")] == [
            f"item_{at}" for at in range(300)
        ]

    run(talk)


def test_who_cannot_be_held_up_is_ended_before_much_waits() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        audio = base64.b64encode(bytes(500_000)).decode()
        for _ in range(200):
            client.say("input_audio_buffer.append", audio=audio)
            assert rig.session.inbox._queued_bytes <= module._MOST_BYTES
            if client.closed is not None:
                break
        assert client.held == [True]
        assert client.closed == (1008, "too many events")
        assert rig.session.inbox._queued_bytes < 2 * MIB
        rig.session.detach(client, "violation")

    run(talk)


def test_a_session_that_ends_obeys_nothing_that_waits() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(1000):
            client.write("x")
        told = len(client.events)
        rig.session.end()
        assert client.held == [True, False]
        await asyncio.sleep(0.1)
        assert len(client.of("conversation.item.added")) <= told

    run(talk)


# ------------------------------------------------------------------------------------------------ ahead of time


def test_audio_may_come_ahead_of_time_but_not_by_any_amount() -> None:
    ten = base64.b64encode(tone(10_000, 0.0)).decode()

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(4):
            client.say("input_audio_buffer.append", audio=ten)
        await idle(rig)
        [error] = client.of("error")
        assert (error["error"]["code"], error["error"]["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert rig.session.core is not None
        assert rig.session.core.port.media_ms == 30_000
        await asyncio.sleep(2.5)
        client.say("input_audio_buffer.append", audio=ten, event_id="later")
        await idle(rig)
        assert len(client.of("error")) == 1
        assert rig.session.core.port.media_ms == 40_000

    run(talk, settings=RealtimeSettings(input_ahead_s=30))


def test_audio_that_is_refused_over_and_over_counts_as_events() -> None:
    second = base64.b64encode(tone(1000, 0.0)).decode()

    async def talk(rig: Rig, client: Client) -> None:
        for _ in range(3000):
            client.say("input_audio_buffer.append", audio=second)
            await idle(rig)
            if client.closed is not None:
                break
        assert client.closed == (1008, "too many events")
        rig.session.detach(client, "violation")

    run(talk, settings=RealtimeSettings(input_ahead_s=10))


# ------------------------------------------------------------------------------------------------ what is kept


def text_item(size: int, item_id: str = "") -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * size}]} | (
        {"id": item_id} if item_id else {}
    )


def test_items_are_kept_up_to_a_sum_and_deleting_makes_room() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        for at in range(6):
            client.say("conversation.item.create", item=text_item(60_000, f"i{at}"), event_id=f"e{at}")
            await idle(rig)
        assert [event["error"]["code"] for event in client.of("error")] == ["conversation_too_large"] * 2
        assert [event["error"]["event_id"] for event in client.of("error")] == ["e4", "e5"]
        client.say("conversation.item.delete", item_id="i0")
        client.say("conversation.item.create", item=text_item(60_000, "i6"))
        await idle(rig)
        assert len(client.of("conversation.item.added")) == 5
        kept = rig.session.items._kept
        assert 240_000 < kept.bytes < 256 * 1024
        rig.session.end()
        assert kept.bytes == 0

    run(talk, settings=RealtimeSettings(session_max_kept_kib=256))


def test_pictures_cost_what_is_shown_of_them() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        for size in (800_000, 15 * MIB):
            part = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * size}
            client.say("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
            await idle(rig)
        assert len(client.of("conversation.item.done")) == 2
        assert rig.session.items._kept.bytes < 1000
        assert sum(len(str(entry.item)) for entry in rig.session.items._entries) < 1000

    run(talk)


def test_what_a_secret_s_sessions_keep_is_summed() -> None:
    from antiphon.surfaces.realtime.secrets import ClientSecret

    async def talk(rig: Rig, client: Client) -> None:
        owners = [Access(ClientSecret(f"secret_{name}", 0, {}, "key_a"), "key_a") for name in "aabc"]
        sessions = [rig.sessions.create(rig.session.config, owner=owner) for owner in owners]
        first, second, other, third = (session.items._kept for session in sessions)
        first.take(200_000)
        with pytest.raises(Exception, match="client secret"):
            second.take(200_000)
        other.take(200_000)
        with pytest.raises(Exception, match="key's"):
            third.take(200_000)
        sessions[0].end()
        second.take(200_000)
        for session in sessions[1:]:
            session.end()
        assert not rig.sessions._kept or all(count.bytes == 0 for count in rig.sessions._kept.values())

    run(talk, settings=RealtimeSettings(session_max_kept_kib=1024, secret_max_kept_kib=256, key_max_kept_kib=512))


# ------------------------------------------------------------------------------------------------ idle


def test_a_session_that_nobody_uses_ends_and_says_why() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        await asyncio.sleep(58)
        client.write("still here")
        await client.listen(3000)
        await asyncio.sleep(57)
        assert client.closed is None
        await asyncio.sleep(4)
        assert client.closed == (1000, "silence-timed-out")
        assert client.last("error")["error"]["code"] == "session_idle"

    run(talk, settings=RealtimeSettings(key_idle_s=60))


def test_an_agent_that_speaks_for_long_is_not_idle() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        client.write("tell me all")
        client.say("response.create")
        await client.until("response.done", limit_ms=120_000)
        assert rig.clock.now_ms() > 10_000 + 20_000
        assert client.closed is None

    run(talk, answers=["word " * 400], token_interval_ms=100, settings=RealtimeSettings(key_idle_s=10))


def test_with_no_bound_nobody_is_idle() -> None:
    async def talk(rig: Rig, client: Client) -> None:
        await asyncio.sleep(200)
        assert client.closed is None

    run(talk, settings=RealtimeSettings(key_idle_s=0))


# ------------------------------------------------------------------------------------------------ what is left


@pytest.mark.parametrize("begun", [False, True])
def test_a_session_that_ends_in_the_middle_of_a_long_append_leaves_nothing(begun: bool) -> None:
    """Without a collection: what is tied in a circle would stay until one comes, and that is rarely."""
    audio = base64.b64encode(bytes(8 * MIB)).decode()

    async def talk(rig: Rig, client: Client) -> None:
        other = rig.sessions.create(rig.sessions.configure("gpt-realtime", {}))
        watched = weakref.ref(other)
        talker = Client(rig)
        other.attach(talker, primary=True)
        other.start()
        payload = orjson.dumps({"type": "input_audio_buffer.append", "audio": audio})
        gc.collect()
        gc.disable()
        try:
            for _ in range(2):
                other.receive(talker, payload)
            if begun:
                for _ in range(3):
                    await asyncio.sleep(0)
            other.end()
            del other
            await asyncio.sleep(0.1)
            assert watched() is None
        finally:
            gc.enable()
        client.write("and I go on")
        assert client.of("conversation.item.added")

    run(talk)


class Waiting:
    """An inbox with so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.taken = 0

    def step(self) -> bool:
        self.taken += 1
        self.left -= 1
        return self.left > 0


async def test_a_flood_has_a_share_of_the_time_and_whoever_comes_meanwhile_is_served_at_once() -> None:
    seconds = itertools.count()
    share = LoopShare(lambda: float(next(seconds)))  # a step takes longer than a turn may
    flood, calm = Waiting(1000), Waiting(1)
    share.wait(flood)  # type: ignore[arg-type]
    for _ in range(50):
        await asyncio.sleep(0)
    assert flood.taken == 2, "its first, and one of its share; then it rests for four times as long"
    share.wait(calm)  # type: ignore[arg-type]
    for _ in range(3):
        await asyncio.sleep(0)
    assert (calm.taken, flood.taken) == (1, 2)
