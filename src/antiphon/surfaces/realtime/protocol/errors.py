"""What a client did wrong, in the protocol's own words. Codes and texts are those of the Realtime API, because clients match on both.

LiveKit matches the prefix "Cancellation failed", Pipecat the codes of ``active_response``, ``cancel_not_active`` and the
``event_id`` of ``no_such_item``; so neither may be reworded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from antiphon.errors import ProtocolError

ErrorKind = Literal["invalid_request_error", "server_error", "rate_limit_error"]
ItemVerb = Literal["retrieving", "deleting", "truncating"]

_SHOWN_CHARS = 64
"""A client's own words come back in an error no longer than this."""

_VERB_CODES: dict[ItemVerb, str] = {
    "retrieving": "item_retrieve_invalid_item_id",
    "deleting": "item_delete_invalid_item_id",
    "truncating": "item_truncate_invalid_item_id",
}


class ClientError(ProtocolError):
    """One client event cannot be obeyed; the session goes on. ``event_id`` is the client's own, where it could be read.

    ``str(error)`` may hold words of the client: it is for the client, never for a log. ``code`` and ``param`` may be logged.
    """

    def __init__(
        self,
        code: str,
        message: str,
        param: str | None = None,
        event_id: str | None = None,
        kind: ErrorKind = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.event_id = event_id
        self.kind = kind

    def answering(self, event_id: str | None) -> ClientError:
        """The same error as the answer to ``event_id``; an id it already carries stays."""
        return ClientError(self.code, self.message, self.param, self.event_id or event_id, self.kind)

    def to_event(self) -> dict[str, Any]:
        """The ``error`` event, without its own ``event_id``. What is not known is left out: agents-js takes no null here."""
        error: dict[str, Any] = {"type": self.kind, "code": self.code, "message": self.message}
        if self.param is not None:
            error["param"] = self.param
        if self.event_id is not None:
            error["event_id"] = self.event_id
        return {"type": "error", "error": error}


def not_json() -> ClientError:
    return ClientError("invalid_json", "The message could not be parsed: it is not valid JSON.")


def too_deep(most: int) -> ClientError:
    return ClientError("invalid_value", f"The message is nested too deeply. Expected at most {most} levels.")


def missing(param: str) -> ClientError:
    return ClientError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)


def unknown(param: str) -> ClientError:
    """``param`` ends in the client's own field name, which may be of any length."""
    shown = param if len(param) <= 4 * _SHOWN_CHARS else f"{param[: 4 * _SHOWN_CHARS]}…"
    return ClientError("unknown_parameter", f"Unknown parameter: '{shown}'.", shown)


def wrong_type(param: str, expected: str, value: object) -> ClientError:
    """``expected`` comes with its article ("a boolean"); ``value`` is named by its type only."""
    where = f" for '{param}'" if param else ""
    return ClientError(
        "invalid_type", f"Invalid type{where}: expected {expected}, but got {_named(value)} instead.", param or None
    )


def unsupported(param: str, value: str, allowed: Iterable[str]) -> ClientError:
    """A word that is none of those allowed."""
    shown = value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}…"
    return ClientError("invalid_value", f"Invalid value: '{shown}'. Supported values are: {_listed(allowed)}.", param)


def out_of_bounds(param: str, problem: str) -> ClientError:
    """``problem`` is a sentence without its stop, such as "integer above maximum value: at most 4096"."""
    return ClientError("invalid_value", f"Invalid '{param}': {problem}.", param)


def bad_audio(param: str, problem: str) -> ClientError:
    """``problem`` is what stood there instead of base64, such as "an invalid value"."""
    return ClientError(
        "invalid_value", f"Invalid '{param}'. Expected base64-encoded audio bytes but got {problem}.", param
    )


def active_response(response_id: str) -> ClientError:
    return ClientError(
        "conversation_already_has_active_response",
        f"Conversation already has an active response in progress: {response_id}. "
        "Wait until the response is finished before creating a new one.",
    )


def cancel_not_active() -> ClientError:
    return ClientError("response_cancel_not_active", "Cancellation failed: no active response found")


def commit_too_small(buffered_ms: float) -> ClientError:
    return ClientError(
        "input_audio_buffer_commit_empty",
        "Error committing input audio buffer: buffer too small. "
        f"Expected at least 100ms of audio, but buffer only has {buffered_ms:.2f}ms of audio.",
    )


def no_such_item(verb: ItemVerb, item_id: str) -> ClientError:
    return ClientError(_VERB_CODES[verb], f"Error {verb} item: the item with id '{item_id}' does not exist.", "item_id")


def not_truncatable(item_id: str) -> ClientError:
    """Only the agent's audio can be truncated."""
    return ClientError(
        "item_truncate_invalid_item_id",
        f"Error truncating item: the item with id '{item_id}' has no audio of the assistant at this content index.",
        "item_id",
    )


def unknown_previous_item(item_id: str) -> ClientError:
    return ClientError(
        "invalid_value",
        f"Error creating item: the previous item with id '{item_id}' does not exist.",
        "previous_item_id",
    )


def duplicate_item(item_id: str) -> ClientError:
    return ClientError(
        "item_create_duplicate_item_id", f"Error creating item: an item with id '{item_id}' already exists.", "item.id"
    )


def voice_locked() -> ClientError:
    return ClientError(
        "cannot_update_voice",
        "Cannot update a conversation's voice if assistant audio is present.",
        "session.audio.output.voice",
    )


def not_in_transcription(event_type: str) -> ClientError:
    """A transcription session hears and writes; it never answers."""
    return ClientError("invalid_value", f"'{event_type}' is not available in a transcription session.", "type")


def too_many_out_of_band(most: int) -> ClientError:
    """Responses outside the conversation run beside it, but not without number."""
    return ClientError(
        "rate_limit_exceeded",
        f"Too many response.create outside the conversation at once: at most {most} may be active.",
        kind="rate_limit_error",
    )


def kept_too_much(whose: str, limit_bytes: int) -> ClientError:
    """Items may be deleted to make room."""
    return ClientError(
        "conversation_too_large",
        f"The items of {whose} may have {limit_bytes // 1024} KiB in all. Delete some, or begin another session.",
        "item",
    )


def message_too_large(most_bytes: int) -> ClientError:
    """Audio alone may be longer."""
    return ClientError(
        "message_too_large",
        f"The message is too large. Expected at most {most_bytes} bytes, audio and pictures not counted.",
    )


def too_many_values(most: int) -> ClientError:
    return ClientError("message_too_large", f"The message has too many values. Expected at most {most}.")


def too_much_audio(param: str, most_ms: int) -> ClientError:
    return bad_audio(param, f"more than {most_ms // 1000} s of audio")


def audio_too_early(ahead_ms: int) -> ClientError:
    """It may come faster than it was spoken, but not by any amount."""
    return ClientError(
        "rate_limit_exceeded",
        f"The audio came too fast and was dropped: at most {ahead_ms // 1000} s may be sent ahead of time.",
        "audio",
        kind="rate_limit_error",
    )


def too_many_events() -> ClientError:
    return ClientError("rate_limit_exceeded", "Too many events were sent at once.", kind="rate_limit_error")


def session_idle(idle_ms: int) -> ClientError:
    return ClientError(
        "session_idle", f"Your session was ended: it had neither audio nor an event for {idle_ms // 1000} seconds."
    )


def key_revoked() -> ClientError:
    """The code makes LiveKit's plugin give up for good, which is right here."""
    return ClientError("invalid_api_key", "Your session was ended: the API key behind it was revoked.")


def session_expired(minutes: int) -> ClientError:
    return ClientError("session_expired", f"Your session hit the maximum duration of {minutes} minutes.")


def agent_failed() -> ClientError:
    return ClientError(
        "server_error",
        "The session has ended: the assistant's model, voice or recogniser failed too often in a row.",
        kind="server_error",
    )


def server_failed() -> ClientError:
    """Ours, not the client's. Never one of the codes that make LiveKit give up for good (§5(g))."""
    return ClientError("server_error", "The server had an error while processing your request.", kind="server_error")


def _named(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a decimal number"
    if isinstance(value, str):
        return "a string"
    return "an array" if isinstance(value, list) else "an object"


def _listed(words: Iterable[str]) -> str:
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])}, and {quoted[-1]}"
