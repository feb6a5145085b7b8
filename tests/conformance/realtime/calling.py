"""A call over WebRTC from this process: a stock aiortc peer that talks, listens and reads the events of its channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from tests.conformance.realtime.speech import RATE_HZ, Said
from tests.transports.webrtc_peer import Browser, only_loopback

from antiphon.audio.pcm import dbfs
from antiphon.audio.resample import resample

LOUD_DBFS = -40.0
_HZ = 48_000
_FRAME = 960

Post = Callable[[str], Awaitable[tuple[str, str]]]
"""Sends an offer; the answer's SDP and the call's id."""


class LiveMicrophone(MediaStreamTrack):
    """Silence in real time, and what is said when it is said."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._frames = 0
        self._began_s: float | None = None
        self._waiting = np.zeros(0, dtype=np.int16)

    def say(self, said: Said) -> None:
        """Begins with the next frame."""
        self._waiting = np.concatenate([self._waiting, resample(said.pcm, RATE_HZ, _HZ)])

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        self._began_s = self._began_s if self._began_s is not None else loop.time()
        await asyncio.sleep(max(0.0, self._began_s + self._frames * 0.02 - loop.time()))
        samples = np.zeros((1, _FRAME), dtype=np.int16)
        now, self._waiting = self._waiting[:_FRAME], self._waiting[_FRAME:]
        samples[0, : now.size] = now
        frame = AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _HZ, self._frames * _FRAME, Fraction(1, _HZ)
        self._frames += 1
        return frame


class Call(Browser):
    """A call that has been answered."""

    def __init__(self) -> None:
        self.microphone = LiveMicrophone()
        super().__init__(self.microphone)
        self.call_id = ""

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the server sent, in order."""
        return [orjson.loads(text) for text in self.texts]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def until_sent(self, kind: str, count: int = 1, within_s: float = 60.0) -> dict[str, Any]:
        """The ``count``th event of a type."""
        try:
            async with asyncio.timeout(within_s):
                while len(self.of(kind)) < count:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise AssertionError(f"no {kind} in {within_s} s; came {[e['type'] for e in self.events][-20:]}") from None
        return self.of(kind)[count - 1]

    def send(self, kind: str, **fields: Any) -> None:
        self.channel.send(orjson.dumps({"type": kind, **fields}).decode())

    def loud_ms(self) -> int:
        """How much of what was heard was speech."""
        return sum(20 for frame in self.heard[-10_000:] if dbfs(frame.to_ndarray().reshape(-1)) > LOUD_DBFS)


@asynccontextmanager
async def calling(post: Post, route: Callable[[str], str] = str) -> AsyncIterator[Call]:
    """A call whose channel is open. ``route`` leads the answer's candidates somewhere else."""
    with only_loopback():
        call = Call()
        try:
            answer, call.call_id = await post(await call.offer())
            await call.take(route(answer))
            await call.until_sent("session.created")
            yield call
        finally:
            await call.close()
