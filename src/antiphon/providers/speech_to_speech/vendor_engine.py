"""What engines of these vendors have in common: how long they wait, by what authorities they check a vendor, which formats there are."""

from __future__ import annotations

import ssl
from typing import Any

from antiphon.errors import ConfigurationError, ProviderError
from antiphon.providers.base import Partials
from antiphon.providers.socket import SocketCounts, SocketLimits
from antiphon.providers.speech_to_speech.own_requests import TurnLimits
from antiphon.providers.vendor_settings import tls_context
from antiphon.vocabulary import AudioFormat

_LEAST_WAIT_MS, _MOST_WAIT_MS = 500, 60_000
_LEAST_UTTERANCE_MS, _MOST_UTTERANCE_MS = 1_000, 600_000


class VendorEngine:
    """One account, and what its calls share. A subclass sets the class attributes, and opens its stream: then it is a
    ``SpeechToSpeech``."""

    name: str
    formats: tuple[AudioFormat, ...]
    spoken_formats: tuple[AudioFormat, ...]
    needs_key = True

    def __init__(
        self,
        api_key: str,
        *,
        reply_timeout_ms: int = 7_000,
        words_timeout_ms: int = 5_000,
        max_utterance_ms: int = 120_000,
        ca_file: str = "",
    ) -> None:
        """``reply_timeout_ms``: a reply of which nothing comes for so long has failed; ``words_timeout_ms``: the same of the words of an
        utterance. Raises ConfigurationError."""
        self.api_key = api_key
        self.reply_timeout_s = _wait_s("reply_timeout_ms", reply_timeout_ms)
        self.words_timeout_s = _wait_s("words_timeout_ms", words_timeout_ms)
        if not _LEAST_UTTERANCE_MS <= max_utterance_ms <= _MOST_UTTERANCE_MS:
            raise ConfigurationError("max_utterance_ms", f"must be {_LEAST_UTTERANCE_MS} … {_MOST_UTTERANCE_MS}")
        self.max_utterance_ms = max_utterance_ms
        self.limits = SocketLimits()
        self.counts = SocketCounts()
        self._ca_file = ca_file
        self._tls: ssl.SSLContext | None = None
        tls_context(ca_file)

    async def start(self) -> None:
        """Nothing to load: each call has connections of its own."""

    async def close(self) -> None:
        """Calls close their own."""

    @property
    def tls(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = tls_context(self._ca_file)
        return self._tls

    def _require_formats(self, heard: AudioFormat, spoken: AudioFormat) -> None:
        """Raises ProviderError."""
        for audio, known in ((heard, self.formats), (spoken, self.spoken_formats)):
            if audio not in known:
                raise ProviderError(self.name, f"audio format {audio.encoding} at {audio.rate_hz} Hz is not supported")


class OwnTurnEngine(VendorEngine):
    """Of a vendor that takes turns itself."""

    continuous = True
    partials: Partials = "reliable"

    def __init__(self, api_key: str, *, nudge_after_ms: int = 2_500, **common: Any) -> None:
        """``nudge_after_ms``: a vendor that has not begun to answer by then is asked to; its ``reply_timeout_ms`` begins after that. Raises
        ConfigurationError."""
        nudge_after_s = _wait_s("nudge_after_ms", nudge_after_ms)
        super().__init__(api_key, **common)
        self.turn_limits = TurnLimits(nudge_after_s, self.reply_timeout_s)


def _wait_s(name: str, value_ms: int) -> float:
    if not _LEAST_WAIT_MS <= value_ms <= _MOST_WAIT_MS:
        raise ConfigurationError(name, f"must be {_LEAST_WAIT_MS} … {_MOST_WAIT_MS}")
    return value_ms / 1000
