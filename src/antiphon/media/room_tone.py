"""What is heard behind the agent: under what it says, and alone while it is silent.

The far side plays what it has been sent, one after the other. So what is sent of the sound alone is never more than a moment ahead, and
makes way (``clear``) for what the agent says: its words do not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable

from antiphon.audio import codec, pcm
from antiphon.transports.base import CallTransport
from antiphon.vocabulary import AudioFormat

_MESSAGE_MS = 100
_LEAD_MS = 100
"""The far side holds so much of it at least, and a message more at most: as of the agent's voice."""
_UNSENT_MS = 1000
"""To a peer that has not read so much no more is sent."""


class RoomTone:
    """Of one call. ``now_ms`` everywhere is the session clock."""

    __slots__ = (
        "_alone",
        "_at",
        "_audio",
        "_loop",
        "_on_silenced",
        "_on_sound",
        "_transport",
        "_until_ms",
    )

    def __init__(
        self,
        loop: bytes,
        audio: AudioFormat,
        transport: CallTransport,
        on_sound: Callable[[bytes, int], None],
        on_silenced: Callable[[int], None],
    ) -> None:
        """``loop`` is heard over and over: at least a second of ``audio``. ``on_sound`` and ``on_silenced`` as the mouth's."""
        self._loop = loop
        self._audio = audio
        self._transport = transport
        self._on_sound = on_sound
        self._on_silenced = on_silenced
        self._at = 0
        self._until_ms = 0
        """When all that was sent, of the voice too, has been heard."""
        self._alone = False
        """Whether the last of it is the sound alone."""

    def under(self, speech: bytes, starts_ms: int, now_ms: int) -> bytes:
        """What the agent says, to be heard from ``starts_ms`` on, with the sound behind it."""
        if self._alone:
            if self._until_ms > now_ms:
                self._transport.clear()
                self._on_silenced(now_ms)
            self.silenced(now_ms)
        self._until_ms = starts_ms + round(self._audio.ms_of(len(speech)))
        encoding = self._audio.encoding
        behind = codec.decode(self._next(len(speech)), encoding)
        return codec.encode(pcm.mix(codec.decode(speech, encoding), behind), encoding)

    def silenced(self, now_ms: int) -> None:
        """What was sent and not heard will not be: it is sent again."""
        unheard = self._audio.bytes_for_ms(max(self._until_ms - now_ms, 0))
        self._at = (self._at - unheard) % len(self._loop)
        self._until_ms, self._alone = min(self._until_ms, now_ms), False

    def beat(self, now_ms: int, speech_until_ms: int, *, more_comes: bool) -> int:
        """Send what is due where the agent is silent. Returns when to look again. The agent is heard until ``speech_until_ms``;
        ``more_comes``: of what it says, not all has been sent."""
        if more_comes and speech_until_ms > now_ms:
            return speech_until_ms
        if self._transport.unsent_bytes() > self._audio.bytes_for_ms(_UNSENT_MS):
            return now_ms + _MESSAGE_MS
        self._until_ms = max(self._until_ms, now_ms)
        while self._until_ms - now_ms < _LEAD_MS:
            sound = self._next(self._audio.bytes_for_ms(_MESSAGE_MS))
            self._transport.send_audio(sound)
            self._on_sound(sound, self._until_ms)
            self._until_ms += _MESSAGE_MS
            self._alone = True
        return self._until_ms - _LEAD_MS

    def _next(self, size: int) -> bytes:
        piece = self._loop[self._at : self._at + size]
        piece += self._loop[: size - len(piece)]
        self._at = (self._at + size) % len(self._loop)
        return piece
