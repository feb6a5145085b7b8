"""What is heard behind an agent (an assistant's ``backgroundSound``): an office, or a sound file that an application's server has.

A sound is made or fetched once for all calls. No call waits for it: it is heard from when it is there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import OrderedDict
from dataclasses import dataclass

import structlog

from antiphon.audio import codec, pcm
from antiphon.background import ambience
from antiphon.background.reader import MISSING
from antiphon.clock import Clock
from antiphon.errors import RequestFailed
from antiphon.processes import output_of
from antiphon.session.plan import BackgroundSound
from antiphon.tools.http import Outgoing, Send
from antiphon.vocabulary import AudioFormat, Encoding

OFF, OFFICE = "off", "office"
MAX_SECONDS = 60
"""Of a longer file only the beginning is heard, over and over."""
MAX_FILE_BYTES = 16 * 1024 * 1024
_LEAST_MS = 1000
_FETCH_S = 30.0
_READ_S = 30.0
_MOST_SOUNDS = 16
_KEPT_MS = 3_600_000
_NOT_ASKED_AGAIN_MS = 60_000
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "VIRTUAL_ENV")
log = structlog.get_logger(__name__)


class _NoSound(Exception):
    """What a URL serves cannot be heard."""


@dataclass(slots=True)
class _Known:
    sound: asyncio.Task[bytes | None]
    until_ms: int
    """When it is asked for again."""


class BackgroundSounds:
    """One for a process."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._known: OrderedDict[tuple[str, AudioFormat], _Known] = OrderedDict()
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
            while len(self._known) > _MOST_SOUNDS:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        sound = await asyncio.shield(known.sound)
        if sound is None:
            known.until_ms = min(known.until_ms, now_ms + _NOT_ASKED_AGAIN_MS)
        return sound

    async def _made(self, name: str, audio: AudioFormat) -> bytes | None:
        """As it goes over the wire; None where there is none to be had, which the log tells."""
        if name == OFFICE:
            samples = await asyncio.to_thread(ambience.office, audio.rate_hz)
        else:
            try:
                samples = pcm.from_bytes(await self._read(await self._fetched(name), audio.rate_hz))
            except (RequestFailed, _NoSound) as error:
                log.warning("background_sound_failed", problem=str(error))  # the URL may hold a secret
                return None
        endless = await asyncio.to_thread(ambience.endless, samples, audio.rate_hz)
        if len(endless) * 1000 < _LEAST_MS * audio.rate_hz:
            log.warning("background_sound_failed", problem="it lasts less than a second")
            return None
        return codec.encode(endless, audio.encoding)

    async def _fetched(self, url: str) -> bytes:
        answer = await self._send(
            Outgoing(url, method="GET", headers={"accept": "audio/*"}, timeout_s=_FETCH_S, answer_bytes=MAX_FILE_BYTES)
        )
        if not answer.ok:
            raise _NoSound(f"the server answered {answer.status}")
        return answer.body

    async def _read(self, file: bytes, rate_hz: int) -> bytes:
        program = (sys.executable, "-m", "antiphon.background.reader", str(rate_hz), str(MAX_SECONDS))
        env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        most_bytes = AudioFormat(Encoding.PCM16, rate_hz).bytes_for_ms(MAX_SECONDS * 1000)
        async with self._reads:
            try:
                async with asyncio.timeout(_READ_S):
                    status, samples = await output_of(program, env, file, most_bytes)
            except TimeoutError:
                raise _NoSound("it takes too long to read") from None
        if status == MISSING:
            raise _NoSound("WAV files can be read here, others where antiphon[webrtc] is installed")
        if status != 0:
            raise _NoSound("it is no sound file that can be read")
        return samples
