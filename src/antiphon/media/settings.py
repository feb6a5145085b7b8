"""The media plane's numbers, with their reasons."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HearingSettings:
    """How one call is listened to."""

    sound_threshold: float = 0.15
    """Speech probability that counts as a sound worth holding the agent for. Measured on human speech at 8 kHz with −55 dBFS noise:
    crossed 28 ms
    after the acoustic onset in the median, with no false onset in three minutes of noise (DESIGN §3)."""
    speech_threshold: float = 0.5
    """Speech probability that counts as speech."""
    release_threshold: float = 0.35
    """Below this, speech pauses: lower than the threshold to start, so that a weak vowel does not end it."""
    stop_after_ms: int = 128
    """Silence that ends a stretch of speech. Stop consonants are silent for up to 100 ms."""
    utterance_end_ms: int = 320
    """Silence after which the recogniser is asked for its last word at the latest. "Three … p m" is one utterance: cut in two,
    neither half is an answer that a
    grammar knows."""
    fade_after_ms: int = 96
    """Silence that ends a sound which never was speech."""
    preroll_ms: int = 400
    """Audio before the onset that the recogniser gets: the VAD is late on words that begin with f or s (165 ms at the 95th percentile)."""
    report_voice_at_ms: tuple[int, ...] = (200, 600, 1200)
    """Speech is reported as going on when it has lasted so long (whatever the conversation decides by), then once a second. Ascending."""
    early_media_ms: int = 500
    """Audio kept while nobody listens yet (requirement R2)."""
    max_gap_fill_ms: int = 1000
    """A hole in the caller's audio is filled up to this long; beyond it the time base jumps, and is counted."""


@dataclass(frozen=True, slots=True)
class PlayoutSettings:
    """How one call is spoken to."""

    lead_ms: int = 200
    """Audio the far side holds ahead of what is heard. As much as a network hiccup needs and no more: it is what a barge-in must
    clear, and what is
    unknown about what was heard."""
    message_ms: int = 100
    """Audio in one message: half the lead, so that the far side never holds less. 20 ms would cost five times the CPU for nothing: the
    far side buffers anyway."""
    first_message_ms: int = 40
    """The first message of a reply is short, so that it leaves with the voice's first chunk."""
    mark_every_ms: int = 500
    """Marks asked for, so that the playhead is corrected while a reply plays."""
    mark_timeout_ms: int = 2000
    """An end mark that has not come this long after it should have: the clock decides."""
    soften_db: float = 14.0
    """How much softer the agent speaks while it is not known whether a sound is speech: a listener takes it for making room, and a key
    click or a breath does not tear a hole into the sentence."""
    max_reply_ms: int = 180_000
    """Audio of one reply held in memory, at most. What a voice makes beyond it is dropped and counted."""
