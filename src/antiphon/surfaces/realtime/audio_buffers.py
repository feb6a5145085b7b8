"""The two ways of audio over JSON: what a client appends, and the deltas it is sent. The core speaks and hears PCM at 24 kHz;
the wire's G.711 is converted here, at the edge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from antiphon.audio import codec
from antiphon.audio.resample import Resampler
from antiphon.clock import Clock
from antiphon.surfaces.realtime.protocol.audio_config import PCM
from antiphon.surfaces.realtime.protocol.errors import audio_too_early
from antiphon.surfaces.realtime.responses import DELTA_MS, WireResponse
from antiphon.vocabulary import AudioFormat, Encoding

_TIMES_AS_FAST = 4
"""The ears hear what waits five times as fast as it was spoken."""


class AppendedAudio:
    """What a client appends, as whole samples of PCM at 24 kHz."""

    def __init__(self, audio: AudioFormat = PCM) -> None:
        self._rest = b""
        self.format = audio
        self.ms_per_byte = audio.ms_of(1)
        self._resampler = Resampler(audio.rate_hz, PCM.rate_hz)

    def change(self, audio: AudioFormat) -> None:
        """What comes next is in another format."""
        if audio != self.format:
            self.format = audio
            self.ms_per_byte = audio.ms_of(1)
            self.clear()

    def clear(self) -> None:
        """What is left of the last sample belongs to nothing any more."""
        self._rest = b""
        self._resampler = Resampler(self.format.rate_hz, PCM.rate_hz)

    def take(self, audio: bytes) -> bytes:
        """Clients cut their audio anywhere, also inside a sample."""
        if self.format != PCM:
            samples = codec.decode(audio, self.format.encoding)
            return codec.encode(self._resampler.process(samples), Encoding.PCM16)
        if self._rest:
            audio = self._rest + audio
        whole = len(audio) & ~1
        self._rest = audio[whole:]
        return audio[:whole] if self._rest else audio


class AudioAhead:
    """How much audio a session may still be sent before its time: what it was given at the start, and afterwards some times as
    much as time passes, so that a recording can be sent at once, and a file of hours as fast as it can be heard."""

    def __init__(self, clock: Clock, most_ms: int) -> None:
        """``most_ms`` 0: there is no bound."""
        self._clock = clock
        self._most_ms = most_ms
        self._left_ms = float(most_ms)
        self._at_ms = clock.now_ms()

    def take(self, audio_ms: float) -> None:
        """So much comes now. Raises ClientError where it is too much, and nothing of it is counted."""
        if not self._most_ms:
            return
        if audio_ms > self._left_ms:  # before that, nobody need know how late it is
            now_ms = self._clock.now_ms()
            self._left_ms = min(self._left_ms + (now_ms - self._at_ms) * _TIMES_AS_FAST, self._most_ms)
            self._at_ms = now_ms
            if audio_ms > self._left_ms:
                raise audio_too_early(self._most_ms)
        self._left_ms -= audio_ms


class AudioDeltas:
    """The ``CallTransport`` of a session whose audio travels as deltas. The client owns the playback: everything is handed over as it is
    made, in pieces of some size."""

    marks = False
    paced = False

    def __init__(self, response: Callable[[], WireResponse | None]) -> None:
        """``response`` is whose audio it is now."""
        self._response = response
        self._pending = bytearray()
        self._flush_handle: asyncio.Handle | None = None
        self._delta_bytes = PCM.bytes_for_ms(DELTA_MS)
        self._format = PCM
        self._resampler: Resampler | None = None

    def begin(self, audio: AudioFormat) -> None:
        """A response begins, in this format."""
        self.clear()
        self._format = audio
        self._resampler = Resampler(PCM.rate_hz, audio.rate_hz) if audio != PCM else None

    def flush(self, *, final: bool = False) -> None:
        """Send what waits; ``final``: it was the last of its response."""
        self._cancel_flush()
        pending, self._pending = bytes(self._pending), bytearray()
        for start in range(0, len(pending), self._delta_bytes):
            self._send(pending[start : start + self._delta_bytes])
        if final and self._resampler is not None:
            tail = codec.encode(self._resampler.flush(), self._format.encoding)
            response = self._response()
            if response is not None and tail:
                response.audio(tail, 0.0)

    def _send(self, audio: bytes) -> None:
        response = self._response()
        if response is None:
            return
        duration_ms = PCM.ms_of(len(audio))
        if self._resampler is not None:
            samples = self._resampler.process(codec.decode(audio, Encoding.PCM16))
            audio = codec.encode(samples, self._format.encoding)
        response.audio(audio, duration_ms)

    def _cancel_flush(self) -> None:
        if self._flush_handle is not None:
            self._flush_handle.cancel()
            self._flush_handle = None

    # ---------------------------------------------------------------------------------- CallTransport

    def send_audio(self, audio: bytes) -> None:
        self._pending += audio
        while len(self._pending) >= self._delta_bytes:
            whole = bytes(self._pending[: self._delta_bytes])
            del self._pending[: self._delta_bytes]
            self._send(whole)
        if self._pending and self._flush_handle is None:
            # The mouth gives a voice's chunk away in several messages, one after the other: they leave together.
            self._flush_handle = asyncio.get_running_loop().call_soon(self.flush)

    def send_mark(self, name: str) -> None:
        """There are none (``marks``)."""

    def clear(self) -> None:
        self._cancel_flush()
        self._pending.clear()

    def unsent_bytes(self) -> int:
        return len(self._pending)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """The session is over; who drives it is told by the session."""
        self.clear()
