"""What a call's recogniser at a vendor costs this process: µ-law up all the time, partials down, over TLS to a fake in another process.

    python bench/vendor_recogniser.py [--calls 40] [--seconds 6]

Prints CPU milliseconds of this process per second of call: through Antiphon (picows), and for the bare wire the same bytes through picows
and through ``websockets``. Needs what ``make test`` installs.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import ssl
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.providers.fakes.deepgram import FakeDeepgram
from tests.providers.fakes.server import KEY, Session
from websockets.asyncio.client import connect

from antiphon.providers.base import ExpectedAnswers
from antiphon.providers.socket import VendorSocket
from antiphon.providers.stt.deepgram import DeepgramSpeechToText
from antiphon.providers.vendor_settings import tls_context
from antiphon.vocabulary import TELEPHONE

FRAME = b"\xff" * 160
PARTIAL = (
    '{"type":"Results","channel_index":[0,1],"duration":%.2f,"start":0,"is_final":false,"speech_final":false,"from_finalize":false,'
    '"channel":{"alternatives":[{"transcript":"i want a table","confidence":0.98,"words":['
    '{"word":"i","punctuated_word":"I","start":0.1,"end":0.2,"confidence":0.9},'
    '{"word":"want","punctuated_word":"want","start":0.2,"end":0.4,"confidence":0.9},'
    '{"word":"a","punctuated_word":"a","start":0.4,"end":0.5,"confidence":0.9},'
    '{"word":"table","punctuated_word":"table","start":0.5,"end":0.9,"confidence":0.9}]}]},'
    '"metadata":{"request_id":"0","model_info":{"name":"m","version":"1","arch":"nova-3"},"model_uuid":"1"}}'
)


class Babbling(Session):
    """Four partials a second, whatever it hears."""

    async def run(self) -> None:
        heard = 0
        async for message in self.socket:
            if isinstance(message, bytes):
                heard += len(message)
                if heard % 2000 < len(message):
                    await self.socket.send(PARTIAL % (heard / 8000))


class Fake(FakeDeepgram):
    session_class = Babbling


def serve(pipe: Connection, folder: str) -> None:
    async def run() -> None:
        async with Fake() as fake:
            pipe.send((fake.url, fake.trust(Path(folder))))
            await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def beats(seconds: int, beat: Callable[[], None]) -> float:
    """CPU seconds of ``beat``, called every 20 ms."""
    loop = asyncio.get_running_loop()
    begun_s, due_s = cpu_s(), loop.time()
    for _ in range(seconds * 50):
        beat()
        due_s += 0.02
        await asyncio.sleep(max(0.0, due_s - loop.time()))
    return cpu_s() - begun_s


async def through_antiphon(url: str, authority: str, calls: int, seconds: int) -> float:
    engine = DeepgramSpeechToText(KEY, url, ca_file=authority)
    await engine.start()
    told = 0

    def tell(_event: object) -> None:
        nonlocal told
        told += 1

    streams = [engine.open(TELEPHONE, ExpectedAnswers(), tell) for _ in range(calls)]
    while not all(stream.socket.is_ready for stream in streams):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    for stream in streams:
        stream.begin(1)

    def beat() -> None:
        for stream in streams:
            stream.push(FRAME)

    used_s = await beats(seconds, beat)
    await engine.close()
    assert told >= calls, "partials were heard"
    return used_s


class Owner:
    """Takes what comes, and forgets it."""

    def opened(self) -> None: ...
    def ready(self) -> None: ...
    def message(self, payload: bytes, *, text: bool) -> None: ...
    def closed_by_vendor(self, code: int, reason: str) -> None: ...
    def interrupted(self, failure: Any) -> None: ...
    def gave_up(self, failure: Any) -> None: ...


async def bare_picows(url: str, authority: str, calls: int, seconds: int) -> float:
    tls = tls_context(authority)
    address, headers = f"{url}/v1/listen?model=nova-3&encoding=mulaw", {"Authorization": f"Token {KEY}"}
    sockets = [VendorSocket("bare", lambda: address, lambda: headers, Owner(), tls=tls) for _ in range(calls)]
    for socket in sockets:
        socket.wake()
    while not all(socket.is_ready for socket in sockets):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    used_s = await beats(seconds, _every_fourth(lambda: [socket.send(FRAME * 4, text=False) for socket in sockets]))
    for socket in sockets:
        socket.close()
    return used_s


async def bare_websockets(url: str, authority: str, calls: int, seconds: int) -> float:
    tls = ssl.create_default_context(cafile=authority)
    address, headers = f"{url}/v1/listen?model=nova-3&encoding=mulaw", {"Authorization": f"Token {KEY}"}
    sockets = [await connect(address, ssl=tls, additional_headers=headers, compression=None) for _ in range(calls)]

    async def read(socket: Any) -> None:
        async for _ in socket:
            pass

    readers = [asyncio.create_task(read(socket)) for socket in sockets]
    sends: set[asyncio.Task[None]] = set()

    async def send_all() -> None:
        for socket in sockets:
            await socket.send(FRAME * 4)

    def send() -> None:
        task = asyncio.create_task(send_all())
        sends.add(task)
        task.add_done_callback(sends.discard)

    used_s = await beats(seconds, _every_fourth(send))
    for socket in sockets:
        await socket.close()
    await asyncio.gather(*readers)
    return used_s


def _every_fourth(work: Callable[[], object]) -> Callable[[], None]:
    count = 0

    def beat() -> None:
        nonlocal count
        count += 1
        if count % 4 == 0:
            work()

    return beat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=6)
    given = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, folder))
        process.start()
        url, authority = ours.recv()
        import uvloop

        for name, work in (
            ("nothing but the beat", None),
            ("Antiphon, Deepgram Nova", through_antiphon),
            ("the bytes, picows", bare_picows),
            ("the bytes, websockets", bare_websockets),
        ):
            run = (
                beats(given.seconds, lambda: None) if work is None else work(url, authority, given.calls, given.seconds)
            )
            used_s = uvloop.run(run)
            print(f"{name:28} {used_s * 1000 / given.calls / given.seconds:.3f} ms CPU per second of call")
        ours.send(None)
        process.join(5)


if __name__ == "__main__":
    main()
