"""What is left of a call when it is over: a value, measured and reported by others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from antiphon.audio.g711 import mulaw_decode
from antiphon.audio.pcm import mix
from antiphon.audio.wav import write_wav
from antiphon.caller.clips import RATE_HZ
from antiphon.caller.hearing import Utterance
from antiphon.caller.lateness import Lateness
from antiphon.caller.measure import Spoken


@dataclass(frozen=True, slots=True)
class Recording:
    """Both sides of a call on one time line: 8 kHz µ-law, equally long."""

    said: bytes
    heard: bytes

    def write(self, path: Path) -> None:
        """A stereo WAV: caller left, agent right. Raises OSError."""
        tracks = [mulaw_decode(np.frombuffer(track, dtype=np.uint8)) for track in (self.said, self.heard)]
        write_wav(path, np.stack(tracks, axis=1), RATE_HZ)

    def write_mixed(self, path: Path) -> None:
        """A WAV to listen to: both sides on one track, as anybody on the line hears them. Raises OSError."""
        said, heard = (mulaw_decode(np.frombuffer(track, dtype=np.uint8)) for track in (self.said, self.heard))
        write_wav(path, mix(said, heard).reshape(-1, 1), RATE_HZ)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, from the caller's end. Times are milliseconds since its stream began."""

    number: int
    call_sid: str
    problem: str = ""
    """Why the call could not be made or broke; empty when it went through the whole script."""
    refused: bool = False
    """The server did not take the call and said so; ``problem`` has its words."""
    unsaid: int = 0
    """Lines that were never said."""
    started_wall_ms: int = 0
    """UTC when the stream began; where there was none, when the server was rung."""
    duration_ms: float = 0.0
    spoken: tuple[Spoken, ...] = ()
    utterances: tuple[Utterance, ...] = ()
    cuts_ms: tuple[float, ...] = ()
    media_messages: int = 0
    """Media messages received."""
    underruns: int = 0
    underrun_ms: float = 0.0
    playout_lateness: Lateness = field(default_factory=Lateness)
    """Of received media messages, each against the end of what was left to play."""
    cleared_ms: float = 0.0
    """Received audio that ``clear`` kept from being heard."""
    frame_lateness: Lateness = field(default_factory=Lateness)
    """Of received media messages, each against the length of the one before."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """What the server sent that Twilio would not take, by kind."""
    lost: int = 0
    """Messages lost by the simulated network, both ways."""
    reordered: int = 0
    warnings: tuple[str, ...] = ()
    recording: Recording | None = None
