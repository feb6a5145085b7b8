"""What is heard behind an agent (an assistant's ``backgroundSound``): an office, or a sound file that an application's server has.

A sound is made or fetched once for all calls. No call waits for it: it is heard from when it is there.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import structlog
from numpy.typing import NDArray

from antiphon.audio import codec, pcm
from antiphon.background import ambience
from antiphon.clock import Clock
from antiphon.confined import MISSING
from antiphon.errors import RequestFailed
from antiphon.places import Places
from antiphon.processes import output_of_module
from antiphon.session.plan import BackgroundSound
from antiphon.tools.http import Outgoing, Send
from antiphon.vocabulary import AudioFormat, Encoding

OFF, OFFICE = "off", "office"
MAX_SECONDS = 60
"""Of a longer file only the beginning is heard, over and over."""
MAX_FILE_BYTES = 16 * 1024 * 1024
_LEAST_MS = 1000
_FETCH_S = 30.0
_READ_S = 180.0
"""The reader gives way to everybody else: beside busy processes it takes ten times as long. What it may use of the CPU it bounds itself."""
_MOST_SOUNDS = 16
_AT_ONCE = 6
"""Files that are fetched and read at a time: each may be in memory twice …"""
_OF_ONE_HOST = 2
"""… and of one host: one that hangs keeps nobody else from theirs."""
_KEPT_MS = 3_600_000
_NOT_ASKED_AGAIN_MS = 60_000
log = structlog.get_logger(__name__)


class _NoSound(Exception):
    """What a URL serves cannot be heard."""


@dataclass(slots=True)
class _Known:
    sound: asyncio.Task[bytes | None]
    until_ms: int
    """When it is asked for again."""
    waiting: int = 0
    """Calls that wait for it."""


class BackgroundSounds:
    """One for a process."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._known: OrderedDict[tuple[str, AudioFormat], _Known] = OrderedDict()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._hosts = Places(_OF_ONE_HOST)
        self._reads = asyncio.Semaphore(1)

    def close(self) -> None:
        """Calls are over: what is on its way is not wanted any more."""
        for known in self._known.values():
            known.sound.cancel()

    def of(self, name: str | None) -> BackgroundSound | None:
        """The sound of this name or URL; None for none."""
        if not name or name == OFF:
            return None
        return lambda audio: self._sound(name, audio)

    async def _sound(self, name: str, audio: AudioFormat) -> bytes | None:
        key, now_ms = (name, audio), self._clock.now_ms()
        known = self._known.get(key)
        if known is None or now_ms >= known.until_ms:
            task = asyncio.get_running_loop().create_task(self._made(name, audio), name="background-sound")
            known = self._known[key] = _Known(task, now_ms + _KEPT_MS)
        self._known.move_to_end(key)
        known.waiting += 1
        try:
            sound = await asyncio.shield(known.sound)
        finally:
            known.waiting -= 1
            if not known.waiting and not known.sound.done():  # those calls are over
                known.sound.cancel()
                if self._known.get(key) is known:
                    del self._known[key]
        if sound is None:
            known.until_ms = min(known.until_ms, now_ms + _NOT_ASKED_AGAIN_MS)
        there = [other for other, each in self._known.items() if each.sound.done()]
        for other in there[:-_MOST_SOUNDS]:
            del self._known[other]
        return sound

    async def _made(self, name: str, audio: AudioFormat) -> bytes | None:
        """As it goes over the wire; None where there is none to be had, which the log tells."""
        try:
            return await (asyncio.to_thread(_office, audio) if name == OFFICE else self._of_file(name, audio))
        except (RequestFailed, _NoSound) as error:
            log.warning("background_sound_failed", problem=str(error))  # the URL may hold a secret
        except OSError as error:  # there are no more processes or files to be had
            log.warning("background_sound_failed", problem=type(error).__name__)
        return None

    async def _of_file(self, url: str, audio: AudioFormat) -> bytes:
        async with self._hosts.one(urlsplit(url).netloc), self._at_once:
            samples = await self._read(await self._fetched(url), audio.rate_hz)
        return await asyncio.to_thread(_heard_over_and_over, pcm.from_bytes(samples), audio)

    async def _fetched(self, url: str) -> bytes:
        answer = await self._send(
            Outgoing(url, method="GET", headers={"accept": "audio/*"}, timeout_s=_FETCH_S, answer_bytes=MAX_FILE_BYTES)
        )
        if not answer.ok:
            raise _NoSound(f"the server answered {answer.status}")
        return answer.body

    async def _read(self, file: bytes, rate_hz: int) -> bytes:
        reader = ("antiphon.background.reader", str(rate_hz), str(MAX_SECONDS))
        most_bytes = AudioFormat(Encoding.PCM16, rate_hz).bytes_for_ms(MAX_SECONDS * 1000)
        async with self._reads:
            try:
                async with asyncio.timeout(_READ_S):
                    status, samples = await output_of_module(*reader, given=file, most_bytes=most_bytes)
            except TimeoutError:
                raise _NoSound("it takes too long to read") from None
        if status == MISSING:
            raise _NoSound("WAV files can be read here, others where antiphon[webrtc] is installed")
        if status != 0:
            raise _NoSound("it is no sound file that can be read")
        return samples


def _office(audio: AudioFormat) -> bytes:
    return _heard_over_and_over(ambience.office(audio.rate_hz), audio)


def _heard_over_and_over(samples: NDArray[np.int16], audio: AudioFormat) -> bytes:
    """As it goes over the wire. Takes a while: from a thread. Raises _NoSound."""
    endless = ambience.endless(samples, audio.rate_hz)
    if len(endless) * 1000 < _LEAST_MS * audio.rate_hz:
        raise _NoSound("it lasts less than a second")
    return codec.encode(endless, audio.encoding)
