"""What an assistant's hooks may be on, in the platform's words (``calls.hook_rules`` says what each is here)."""

from __future__ import annotations

ASSISTANT_INTERRUPTED = "assistant.speech.interrupted"
CUSTOMER_INTERRUPTED = "customer.speech.interrupted"
SPEECH_TIMEOUT = "customer.speech.timeout"
TIME_ELAPSED = "call.timeElapsed"
MODEL_TIMEOUT = "model.response.timeout"
ENDING = "call.ending"
KNOWN = (ASSISTANT_INTERRUPTED, CUSTOMER_INTERRUPTED, SPEECH_TIMEOUT, TIME_ELAPSED, MODEL_TIMEOUT, ENDING)
ENDED_REASON = "call.endedReason"
"""What a filter may look at."""


def is_speech_timeout(on: str) -> bool:
    """It may carry a property in brackets, for whoever made it."""
    return on == SPEECH_TIMEOUT or (on.startswith(f"{SPEECH_TIMEOUT}[") and on.endswith("]"))
