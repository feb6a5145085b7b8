"""Deepgram's ``/v1/listen`` for many calls: it hears where there is sound, and says what it was told to.

Telephone audio alone: µ-law or linear PCM at 8 kHz. Interim results twelve times in three seconds of speech, final ones when asked or after
the silence that the client wants (``endpointing``, 10 ms where it says nothing: developers.deepgram.com/docs/endpointing), and
``SpeechStarted`` for who asks for it (``vad_events``: developers.deepgram.com/docs/speech-started).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import orjson
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from antiphon.audio import g711
from antiphon.bench.vendors.delays import Delays
from antiphon.bench.vendors.messages import TimedWord, deepgram_metadata, deepgram_results, deepgram_speech_started
from antiphon.bench.vendors.trouble import Plan, Trouble

_RATE_PER_MS = 8
_SAMPLE_BYTES = {"mulaw": 1, "linear16": 2}
INTERIM_EVERY_MS = 240
QUIET_EVERY_MS = 960
"""Results without words, while nobody speaks."""
_ENDPOINTING_MS = 10.0
"""Deepgram's own."""
WORD_MS = 260
_LOUD = 900
"""Of a sample: above the noise of a line (−55 dBFS), below speech."""
_LOUD_SHARE = 0.1
_TABLE = bytes(
    int(abs(int(level)) > _LOUD) for level in g711.mulaw_decode(np.arange(256, dtype=np.uint8)).astype(np.int32)
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for in the query."""

    sample_bytes: int = 1
    endpointing_ms: float | None = _ENDPOINTING_MS
    """None: only when asked."""
    speech_started: bool = False

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self | None:
        """None for what Deepgram would not take, or no telephone sends."""
        sample_bytes = _SAMPLE_BYTES.get(query.get("encoding", ""))
        silence = query.get("endpointing", f"{_ENDPOINTING_MS:g}")
        if (
            sample_bytes is None
            or query.get("sample_rate") != "8000"
            or not (silence == "false" or silence.isdecimal())
        ):
            return None
        endpointing_ms = None if silence == "false" else float(silence)
        return cls(sample_bytes, endpointing_ms, query.get("vad_events") == "true")

    def loud(self, piece: bytes) -> bool:
        """Whether there is more than the noise of a line in it."""
        if self.sample_bytes == 1:
            return piece.translate(_TABLE).count(1) >= _LOUD_SHARE * len(piece)
        levels = np.abs(np.frombuffer(piece, dtype="<i2").astype(np.int32))
        return int(np.count_nonzero(levels > _LOUD)) >= _LOUD_SHARE * len(levels)


class DeepgramListener(WSListener):
    """One connection, which is one call."""

    def __init__(self, transcripts: Sequence[str], delays: Delays, plan: Plan, wish: Wish) -> None:
        super().__init__()
        self._transcripts, self._delays, self._plan, self._wish = transcripts, delays, plan, wish
        self._transport: WSTransport | None = None
        self._heard_ms = self._final_ms = self._told_ms = self._loud_ms = 0.0
        self._began_ms: float | None = None
        """Where the speech began that has no final words yet."""
        self._utterances = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._trouble: Trouble | None = None
        self._spared = False

    @property
    def at_work(self) -> int:
        """1 while its connection is open, else 0."""
        return int(self._transport is not None)

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._spared = self._plan.spares("deepgram")

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._transport = None
        for timer in self._timers:
            timer.cancel()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.BINARY:
            self._hear(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.TEXT:
            self._told(orjson.loads(frame.get_payload_as_bytes())["type"])
        elif frame.msg_type is WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), b"")
            transport.disconnect()

    def _hear(self, piece: bytes) -> None:
        piece_ms = len(piece) / self._wish.sample_bytes / _RATE_PER_MS
        self._heard_ms += piece_ms
        if self._wish.loud(piece):
            if self._began_ms is None:
                self._began_ms = self._heard_ms - piece_ms
                self._utterances += 1
                if self._wish.speech_started:
                    self._send(deepgram_speech_started(self._began_ms))
                self._trouble = self._trouble or (None if self._spared else self._plan.next("deepgram"))
                self._spared = False
            self._loud_ms = self._heard_ms
        if self._began_ms is not None and self._trouble in ("killed", "throttled") and self._words_so_far() >= 2:
            self._trouble = None
            self._drop()
        elif self._paused():
            self._final(speech_final=True)
        elif self._heard_ms - self._told_ms >= (QUIET_EVERY_MS if self._began_ms is None else INTERIM_EVERY_MS):
            self._interim()

    def _paused(self) -> bool:
        """Whether the silence is long enough to make words final, and its words are ready."""
        silence_ms = self._wish.endpointing_ms
        if self._began_ms is None or silence_ms is None:
            return False
        return self._heard_ms - self._loud_ms >= silence_ms + self._delays.final_ms

    def _told(self, kind: str) -> None:
        if kind == "Finalize":
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._delays.final_ms / 1000, self._finalize)
            self._timers = {each for each in self._timers if each.when() > loop.time()} | {timer}
        elif kind == "CloseStream" and self._transport is not None:
            self._send(deepgram_metadata(self._heard_ms))
            self._transport.send_close(WSCloseCode.OK, b"")
            self._transport.disconnect()

    def _finalize(self) -> None:
        self._final(from_finalize=True)

    def _words_so_far(self) -> int:
        return int((self._heard_ms - (self._began_ms or 0.0)) // WORD_MS)

    def _words(self, *, whole: bool) -> list[TimedWord]:
        """Of the utterance that goes on: as many as there was time for, or all of them."""
        began_ms = self._began_ms
        if began_ms is None or self._trouble == "silent":
            return []
        text = self._transcripts[(self._utterances - 1) % len(self._transcripts)].split()
        spoken_ms = max(self._loud_ms - began_ms, 1.0)
        each_ms = min(WORD_MS, spoken_ms / len(text)) if whole else WORD_MS
        count = len(text) if whole else min(len(text), self._words_so_far())
        return [
            TimedWord(word, began_ms + at * each_ms, began_ms + (at + 1) * each_ms)
            for at, word in enumerate(text[:count])
        ]

    def _interim(self) -> None:
        self._told_ms = self._heard_ms
        self._send(deepgram_results(self._words(whole=False), self._final_ms, self._heard_ms, final=False))

    def _final(self, *, speech_final: bool = False, from_finalize: bool = False) -> None:
        words = self._words(whole=True)
        self._send(
            deepgram_results(
                words,
                self._final_ms,
                self._heard_ms,
                final=True,
                speech_final=speech_final,
                from_finalize=from_finalize,
            )
        )
        self._final_ms = self._told_ms = self._heard_ms
        self._began_ms = None
        if self._trouble == "silent":
            self._trouble = None

    def _send(self, message: dict[str, object]) -> None:
        if self._transport is None or self._trouble == "stalled":
            return
        if self._trouble == "garbled":
            self._transport.send(WSMsgType.TEXT, b'{"type":"Results","channel":{"alternat')
            return
        self._transport.send(WSMsgType.TEXT, orjson.dumps(message))

    def _drop(self) -> None:
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
