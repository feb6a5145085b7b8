"""Why a call ended, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping

from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.vocabulary import EndReason

NEVER_CONNECTED = "call.in-progress.error-vapifault-transport-never-connected"
WORKER_DIED = "call.in-progress.error-vapifault-worker-died"
ASSISTANT_REQUEST_FAILED = "assistant-request-failed"
RETURNED_ERROR = "assistant-request-returned-error"
RETURNED_INVALID = "assistant-request-returned-invalid-assistant"
RETURNED_UNSPEAKABLE = "assistant-request-returned-unspeakable-error"
RETURNED_NOBODY = "assistant-request-returned-no-assistant"
RETURNED_NUMBER = "assistant-request-returned-forwarding-phone-number"
RINGING_SAID = "call.ringing.hook-executed-say"
RINGING_TRANSFERRED = "call.ringing.hook-executed-transfer"
ENDING_SAID = "call.ending.hook-executed-say"
ENDING_TRANSFERRED = "call.ending.hook-executed-transfer"
TURNED_AWAY = frozenset(
    {ASSISTANT_REQUEST_FAILED, RETURNED_ERROR, RETURNED_INVALID, RETURNED_UNSPEAKABLE, RETURNED_NOBODY, RETURNED_NUMBER,
     RINGING_SAID, RINGING_TRANSFERRED, ENDING_SAID, ENDING_TRANSFERRED}
)  # fmt: skip
"""Of calls that came in and that no assistant took."""
NOT_SCHEDULED = "scheduled-call-deleted"
TOO_LATE = "call.start.error-get-transport"
_PHONE = frozenset({"inboundPhoneCall", "outboundPhoneCall"})
_WORDS: Mapping[EndReason, str] = {
    EndReason.CUSTOMER_ENDED: "customer-ended-call",
    EndReason.ASSISTANT_ENDED: "assistant-ended-call",
    EndReason.ASSISTANT_SAID_END_PHRASE: "assistant-said-end-call-phrase",
    EndReason.TRANSFERRED: "assistant-forwarded-call",
    EndReason.SILENCE_TIMED_OUT: "silence-timed-out",
    EndReason.EXCEEDED_MAX_DURATION: "exceeded-max-duration",
    EndReason.EXCEEDED_COST_LIMIT: "exceeded-cost-limit",  # ours: the platform has no caps
    EndReason.NO_CUSTOMER_AUDIO: "call.in-progress.error-assistant-did-not-receive-customer-audio",
    EndReason.VOICEMAIL: "voicemail",
    EndReason.TRANSPORT_LOST: "customer-ended-call",
    EndReason.TRANSPORT_STALLED: "customer-ended-call",
    EndReason.PROVIDER_FAILED: "call.in-progress.error-providerfault-custom-llm-llm-failed",
    EndReason.SERVER_SHUTDOWN: "worker-shutdown",
    EndReason.SERVER_DIED: WORKER_DIED,
    EndReason.REFUSED: "manually-canceled",
    EndReason.CANCELLED: "manually-canceled",
}
_BY_CARRIER: Mapping[str, str] = {
    "busy": "customer-busy",
    "no-answer": "customer-did-not-answer",
    "canceled": "manually-canceled",
    "failed": "call.start.error-get-transport",
    "completed": "customer-ended-call",
}


def in_words(reason: EndReason, call_type: str) -> str:
    """Of a call of this type."""
    if call_type in _PHONE and reason in (EndReason.TRANSPORT_LOST, EndReason.TRANSPORT_STALLED):
        return "phone-call-provider-closed-websocket"
    return _WORDS[reason]


def of_dial(status: str) -> str:
    """Of a call that was dialled and never spoken on: its carrier's last word on it."""
    return _BY_CARRIER.get(status, "call.start.error-get-transport")


def of_failure(error: Exception) -> str:
    """Of a call whose media came and that could not begin."""
    if isinstance(error, CapacityError):
        return "call.start.error-subscription-concurrency-limit-reached"
    if isinstance(error, ProviderError):
        return "pipeline-error-custom-transcriber-failed"
    if isinstance(error, ConfigurationError):
        return "assistant-not-valid"
    return WORKER_DIED
