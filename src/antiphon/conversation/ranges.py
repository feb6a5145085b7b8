"""What each number of a policy may be.

Whoever lets somebody write one (an assistant's file, ``replay --set``) asks here: a negative wait or one of a week is a slip of the
keyboard, and would show as a caller who is never answered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from antiphon.conversation.policy import Policy
from antiphon.errors import ConfigurationError

_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS

RANGES: Mapping[str, tuple[int, int]] = {
    "endpointing.silence_ms": (0, 30_000),
    "endpointing.wait_ms": (0, 30_000),
    "endpointing.on_punctuation_ms": (0, 30_000),
    "endpointing.on_no_punctuation_ms": (0, 30_000),
    "endpointing.on_number_ms": (0, 30_000),
    "endpointing.between_groups_ms": (0, 30_000),
    "endpointing.punctuation": (0, 1),
    "endpointing.last_words_ms": (0, 30_000),
    "endpointing.min_confidence": (0, 1),
    "endpointing.min_speech_share": (0, 1),
    "endpointing.on_incomplete_ms": (0, 60_000),
    "endpointing.max_wait_ms": (0, _MINUTE_MS),
    "endpointing.score_after_ms": (0, 10_000),
    "endpointing.rescore_every_ms": (20, 10_000),
    "endpointing.final_timeout_ms": (0, _MINUTE_MS),
    "endpointing.empty_turn_timeout_ms": (0, _MINUTE_MS),
    "endpointing.stall_grace_ms": (0, _MINUTE_MS),
    "endpointing.speculate_after_ms": (0, 30_000),
    "endpointing.max_speculations": (0, 20),
    "barge_in.num_words": (0, 50),
    "barge_in.voice_ms": (0, 30_000),
    "barge_in.min_confidence": (0, 1),
    "barge_in.min_speech_share": (0, 1),
    "barge_in.noise_share": (0, 1),
    "barge_in.voice_alone_ms": (0, _MINUTE_MS),
    "barge_in.resume_after_ms": (0, 30_000),
    "barge_in.transcript_wait_ms": (0, 30_000),
    "barge_in.longest_transcript_wait_ms": (0, 30_000),
    "barge_in.answer_overlap_ms": (0, 30_000),
    "barge_in.take_back_ms": (0, 30_000),
    "barge_in.max_softened_ms": (0, _MINUTE_MS),
    "barge_in.max_hold_ms": (0, _MINUTE_MS),
    "barge_in.backoff_ms": (0, _MINUTE_MS),
    "barge_in.debounce_ms": (0, 30_000),
    "speaking.first_clause_chars": (1, 2000),
    "speaking.min_sentence_chars": (0, 2000),
    "speaking.max_piece_chars": (20, 2000),
    "speaking.reply_timeout_ms": (100, 5 * _MINUTE_MS),
    "speaking.not_understood_after_ms": (0, _MINUTE_MS),
    "speaking.max_not_understood": (0, 1000),
    "speaking.max_consecutive_failures": (1, 1_000_000),
    "silence.idle_after_ms": (0, 60 * _MINUTE_MS),
    "silence.idle_max_count": (0, 1000),
    "silence.silence_timeout_ms": (0, _DAY_MS),
    "silence.no_audio_timeout_ms": (0, _DAY_MS),
    "silence.max_duration_ms": (0, _DAY_MS),
    "silence.goodbye_timeout_ms": (0, 60 * _MINUTE_MS),
    "greeting.wait_ms": (0, _MINUTE_MS),
    "keypad.timeout_ms": (0, _MINUTE_MS),
    "keypad.max_digits": (1, 1000),
    "late_tool_result_turns": (0, 1000),
    "max_tool_steps": (0, 1000),
}
"""By the dotted path in ``Policy``, both ends included."""


def check_ranges(policy: Policy, paths: Iterable[str] = RANGES) -> None:
    """Raises ConfigurationError naming the first of ``paths`` whose number is out of its range. Paths that are no numbers are let pass."""
    for path in paths:
        allowed = RANGES.get(path)
        if allowed is None:
            continue
        value: Any = policy
        for name in path.split("."):
            value = getattr(value, name)
        lowest, highest = allowed
        if not lowest <= value <= highest:
            raise ConfigurationError(f"policy.{path}", f"must be from {lowest} to {highest}, and is {value}")
