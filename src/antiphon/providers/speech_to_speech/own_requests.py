"""What our side asks of a vendor that takes turns itself, what is sent to it for that, and how long is waited."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.providers.speech_to_speech.vendor_turn import VendorTurn


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How long is waited for what."""

    nudge_after_s: float = 2.5
    """A vendor that has not begun by itself is asked."""
    reply_timeout_s: float = 7.0
    """Then for its first sound, and for the next one; and for a session."""
    offer_after_s: float = 1.5
    """What nobody claims after a sign is offered."""
    offer_every_s: float = 0.5
    held_for_s: float = 10.0
    """And dropped after this time …"""
    most_held_ms: float = 60_000
    """… or where more sound than this waits."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """Ask the vendor to speak; ``first``: nobody has said anything yet."""

    first: bool


@dataclass(frozen=True, slots=True)
class AnswerNext:
    """This reply is the next: tell the vendor what it has to know for it, and say (``asked_for``) where it was asked to answer by that."""

    reply: int


@dataclass(frozen=True, slots=True)
class SayWords:
    """Have the vendor speak these; ``at_once``: in the place of what it says, which nobody hears."""

    text: str
    at_once: bool


@dataclass(slots=True, eq=False)
class Asked:
    reply: int
    text: str | None
    """None: an answer."""
    since_s: float
    follows: int = 0
    """The caller's latest utterance when it was asked for."""
    first: bool = False
    sent_s: float | None = None
    """When the vendor was nudged, or told the words."""
    next: bool = False
    """What was asked for before is over."""
    told: bool = False
    """The vendor knows what it has to know for it."""
    tried: int = 0
    turn: VendorTurn | None = None
