"""What takes the server seconds to notice: rows 7, 19, 22 and 23. All of it is begun at once, and each test waits for its own part."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from tests.conformance.twilio.figures import show
from tests.conformance.twilio.phone import AUTH_TOKEN, Phone, eventually
from tests.conformance.twilio.server import Server, serve_here, undisturbed
from tests.stopwatch import Stopwatch
from websockets.asyncio.client import connect

from antiphon.caller.webhook import handshake_headers
from antiphon.caller.wire import CONNECTED
from antiphon.transports import socket as media_socket

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPEECH = "and so on " * 100


@dataclass(frozen=True, slots=True)
class Ended:
    """How a socket or a call came to its end."""

    how: str
    after_s: float
    own_s: float
    """Of that, what the machine gave us."""
    unsent_bytes: int = 0
    """The most that ever waited in our process."""


@dataclass(frozen=True, slots=True)
class Scenes:
    """Everything under way."""

    nothing_said: Awaitable[Ended]
    only_connected: Awaitable[Ended]
    endless_handshake: Awaitable[Ended]
    silent: Awaitable[Phone]
    in_bursts: Awaitable[Phone]
    half_open: Awaitable[Ended]
    not_reading: Awaitable[Ended]
    bystander: Phone
    rss_kib: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scenes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scenes]:
    # A smaller buffer than usual for those who do not read, so that it is full after seconds.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_socket, "SEND_BUFFER_BYTES", 4608)
        async with serve_here(tmp_path_factory.mktemp("patience")) as server:
            bystander = await server.bystander()
            url = server.assistant("talking", greeting=SPEECH)
            rss_kib = _rss_kib()
            tasks = [
                asyncio.create_task(scene)
                for scene in (
                    _says(server),
                    _says(server, CONNECTED.decode()),
                    _never_finishes_its_handshake(server),
                    _falls_silent(server, url),
                    _speaks_in_bursts(server, url),
                    _is_half_open(server, url),
                    _does_not_read(server, url),
                )
            ]
            yield Scenes(*tasks, bystander=bystander, rss_kib=rss_kib)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _says(server: Server, *messages: str) -> Ended:
    """A media socket that says this, and nothing more."""
    url = "ws" + server.url.removeprefix("http") + "/twilio/media"
    watch = Stopwatch()
    async with connect(url, additional_headers=handshake_headers(url, AUTH_TOKEN)) as socket:
        for message in messages:
            await socket.send(message)
        await asyncio.wait_for(socket.wait_closed(), 8)
        return Ended(f"close code {socket.close_code}", watch.wall_s, watch.own_s)


async def _never_finishes_its_handshake(server: Server) -> Ended:
    watch = Stopwatch()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"GET /twilio/media HTTP/1.1\r\nhost: a\r\nupgrade: web")
    answer = await asyncio.wait_for(reader.read(), 8)
    writer.close()
    return Ended("no answer" if not answer else "an answer", watch.wall_s, watch.own_s)


async def _falls_silent(server: Server, url: str) -> Phone:
    """No audio comes any more and no echo of a mark, but pings are answered: a caller who is muted."""
    phone = await server.call(url, marks="never")
    await phone.until_hears(100)
    phone.sends_frames = False
    silent_ms = phone.now_ms + 4500
    await phone.until(lambda: phone.now_ms > silent_ms)
    return phone


async def _speaks_in_bursts(server: Server, url: str) -> Phone:
    """All the audio of two seconds at once, twice: a network that stalls."""
    phone = await server.call(url, marks="never")
    await phone.until_hears(100)
    phone.sends_frames = False
    for _ in range(2):
        burst_ms = phone.now_ms + 2200
        await phone.until(lambda burst_ms=burst_ms: phone.now_ms > burst_ms)  # type: ignore[misc]
        for _frame in range(110):
            phone.send_audio(b"\xff" * 160)
    return phone


async def _is_half_open(server: Server, url: str) -> Ended:
    """Nothing comes, and nothing that we send is read: the network between is gone."""
    phone = await server.call(url)
    await phone.until_hears(100)
    phone.sends_frames = False
    phone.stop_reading()
    ended = await _end_of(server, phone)
    phone.reset()
    return ended


async def _does_not_read(server: Server, url: str) -> Ended:
    phone = await server.call(url, receive_buffer=2304)
    await phone.until_hears(100)
    phone.stop_reading()
    ended = await _end_of(server, phone)
    phone.reset()
    return ended


async def _end_of(server: Server, phone: Phone) -> Ended:
    session = next(each for each in server.app.manager.sessions() if each.call.provider_call_id == phone.ids.call_sid)
    watch, unsent_bytes = Stopwatch(), 0

    def ended() -> bool:
        nonlocal unsent_bytes
        unsent_bytes = max(unsent_bytes, session._transport.unsent_bytes())
        return session.end_reason is not None

    await eventually(ended, 15)
    after_s, own_s = watch.wall_s, watch.own_s
    log = await server.log(phone.ids.call_sid)
    assert log.ended == session.end_reason
    return Ended(log.ended or "", after_s, own_s, unsent_bytes)


async def test_row_07_a_socket_that_never_becomes_a_call_is_closed(scenes: Scenes) -> None:
    for socket in (await scenes.nothing_said, await scenes.only_connected):
        assert socket.how == "close code 1008"
        assert socket.after_s > 4.9 and socket.own_s < 6.5
    slowloris = await scenes.endless_handshake
    assert slowloris.how == "no answer"
    assert slowloris.after_s > 4.9 and slowloris.own_s < 6.5


async def test_row_19_neither_a_line_that_answers_pings_nor_a_stall_of_two_seconds_ends_the_call(
    scenes: Scenes,
) -> None:
    """Three seconds of nothing, not even the answer to a ping, do: see row 22."""
    assert not (await scenes.silent).closed.is_set()
    assert not (await scenes.in_bursts).closed.is_set()


async def test_row_22_half_open(scenes: Scenes) -> None:
    half_open = await scenes.half_open
    assert half_open.how == "transport-stalled"
    assert half_open.after_s > 2.9 and half_open.own_s < 4


async def test_row_23_a_caller_that_does_not_read_is_let_go_and_harms_nobody(scenes: Scenes) -> None:
    slow = await scenes.not_reading
    show(f"a caller that does not read: let go after {slow.after_s:.1f} s, {slow.unsent_bytes} bytes waited at most")
    # Our own five seconds or the kernel's TCP_USER_TIMEOUT of five seconds: whichever comes first.
    assert slow.how in ("transport-stalled", "transport-lost")
    assert 0 < slow.unsent_bytes < 128 * 1024
    assert _rss_kib() - scenes.rss_kib < 8 * 1024
    undisturbed(scenes.bystander)


def _rss_kib() -> int:
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
