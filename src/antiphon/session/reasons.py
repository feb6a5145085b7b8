"""Why a turn closed, and why a sound over the agent was an interruption or none: the rule and the facts, as plain objects.

The conversation decides by its rules (``endpointing``, ``barge_in``) and logs what it decided, not why: the
reason follows from the input that led to it, what was known then, and the policy's numbers.
"""

from __future__ import annotations

from typing import Any

from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Policy
from antiphon.conversation.words import starts_with_phrase, strip_phrases, words_of

_CAUSES: dict[type, str] = {
    ev.SilenceReached: "silence",
    ev.TranscriptFinal: "words",
    ev.TranscriptFailed: "words",
    ev.EndOfTurnScored: "detector",
    ev.WaitTold: "rule",
    ev.VendorTurnSignal: "recogniser",
    ev.TurnCommitted: "client",
    ev.TurnDiscarded: "client",
    ev.TextReceived: "typed",
    ev.DtmfPressed: "keypad",
    type(None): "timer",
    ev.CallDropped: "call_ended",
}
_WAITS = (
    "wait_ms", "on_punctuation_ms", "on_number_ms", "on_no_punctuation_ms", "max_wait_ms", "empty_turn_timeout_ms",
)  # fmt: skip


def why_closed(event: ev.Event | None, waited_ms: int | None, policy: Policy) -> dict[str, Any]:
    """``cause``: the kind of input that closed it (None: a timer). ``waited_ms``: the silence that was last asked for; ``rule``: which
    number of the policy that was, None where it lay between two of them. ``silence_ms``: the silence there was."""
    silence_ms = event.silence_ms if isinstance(event, ev.SilenceReached) else None
    rule = _wait_named(waited_ms, policy.endpointing)
    return {
        "cause": _CAUSES.get(type(event), "other"),
        "waited_ms": waited_ms,
        "silence_ms": silence_ms,
        "rule": rule,
    }


def _wait_named(waited_ms: int | None, endpointing: Endpointing) -> str | None:
    if endpointing.mode == "fixed":
        return "silence_ms"
    return next((name for name in _WAITS if getattr(endpointing, name) == waited_ms), None)


def why_confirmed(event: ev.Event | None, evidence: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """``evidence``: ``words`` ``voice_ms`` ``final`` ``confidence`` ``speech``, handed on beside the ``rule``."""
    rules = policy.barge_in
    words = words_of(evidence["words"])
    telling = strip_phrases(words, rules.acknowledgement_phrases, unfinished=not evidence["final"])
    if isinstance(event, ev.TextReceived):
        rule = "typed"
    elif rules.mode == "immediate":
        rule = "immediate"
    elif words and starts_with_phrase(words, rules.interruption_phrases):
        rule = "phrase"
    elif rules.num_words > 0 and len(telling) >= rules.num_words:
        rule = "num_words"
    elif telling:
        rule = "word_and_voice"
    elif evidence["voice_ms"] >= rules.voice_alone_ms:
        rule = "voice_alone"
    else:
        rule = "max_hold"
    return {"rule": rule, **evidence}


def why_dismissed(event: ev.Event | None, evidence: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """As ``why_confirmed``, with the ``silence_ms`` after which the agent went on, where silence decided."""
    words = words_of(evidence["words"])
    if event is None:
        rule = "max_hold"
    elif not words:
        rule = "no_words" if evidence["speech"] else "no_speech"
    elif not strip_phrases(words, policy.barge_in.acknowledgement_phrases):
        rule = "acknowledgement"
    else:
        rule = "too_little"
    silence_ms = event.silence_ms if isinstance(event, ev.SilenceReached) else None
    return {"rule": rule, "silence_ms": silence_ms, **evidence}
