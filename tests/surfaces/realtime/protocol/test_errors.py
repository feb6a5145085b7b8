"""The texts that clients match on, to the letter."""

from __future__ import annotations

import pytest

from antiphon.errors import ProtocolError
from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol.errors import ClientError


@pytest.mark.parametrize(
    ("error", "code", "message", "param"),
    [
        (
            errors.active_response("resp_X"),
            "conversation_already_has_active_response",
            "Conversation already has an active response in progress: resp_X. "
            "Wait until the response is finished before creating a new one.",
            None,
        ),
        (
            errors.cancel_not_active(),
            "response_cancel_not_active",
            "Cancellation failed: no active response found",
            None,
        ),
        (
            errors.commit_too_small(0),
            "input_audio_buffer_commit_empty",
            "Error committing input audio buffer: buffer too small. "
            "Expected at least 100ms of audio, but buffer only has 0.00ms of audio.",
            None,
        ),
        (
            errors.no_such_item("retrieving", "X"),
            "item_retrieve_invalid_item_id",
            "Error retrieving item: the item with id 'X' does not exist.",
            "item_id",
        ),
        (
            errors.no_such_item("deleting", "X"),
            "item_delete_invalid_item_id",
            "Error deleting item: the item with id 'X' does not exist.",
            "item_id",
        ),
        (
            errors.no_such_item("truncating", "X"),
            "item_truncate_invalid_item_id",
            "Error truncating item: the item with id 'X' does not exist.",
            "item_id",
        ),
        (
            errors.missing("session.type"),
            "missing_required_parameter",
            "Missing required parameter: 'session.type'.",
            "session.type",
        ),
        (errors.unknown("session.voice"), "unknown_parameter", "Unknown parameter: 'session.voice'.", "session.voice"),
        (
            errors.wrong_type("session.x", "a boolean", None),
            "invalid_type",
            "Invalid type for 'session.x': expected a boolean, but got null instead.",
            "session.x",
        ),
        (
            errors.unsupported("type", "scooby.dooby.doo", ["a", "b", "c"]),
            "invalid_value",
            "Invalid value: 'scooby.dooby.doo'. Supported values are: 'a', 'b', and 'c'.",
            "type",
        ),
        (
            errors.unsupported("type", "x", ["a"]),
            "invalid_value",
            "Invalid value: 'x'. Supported values are: 'a'.",
            "type",
        ),
        (
            errors.voice_locked(),
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            "session.audio.output.voice",
        ),
        (errors.session_expired(60), "session_expired", "Your session hit the maximum duration of 60 minutes.", None),
    ],
)
def test_codes_and_texts(error: ClientError, code: str, message: str, param: str | None) -> None:
    assert (error.code, error.message, error.param) == (code, message, param)
    assert isinstance(error, ProtocolError)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a decimal number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_wrong_value_is_named_by_its_type_and_not_shown(value: object, name: str) -> None:
    assert (
        errors.wrong_type("x", "a poem", value).message
        == f"Invalid type for 'x': expected a poem, but got {name} instead."
    )


def test_what_is_not_known_is_left_out() -> None:
    assert ClientError("c", "m").to_event() == {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": "c", "message": "m"},
    }
    assert ClientError("c", "m", "p", "e", "server_error").to_event() == {
        "type": "error",
        "error": {"type": "server_error", "code": "c", "message": "m", "param": "p", "event_id": "e"},
    }


def test_an_error_answers_one_event() -> None:
    assert ClientError("c", "m").answering("e1").event_id == "e1"
    assert ClientError("c", "m", event_id="e1").answering("e2").event_id == "e1"


def test_our_own_failures_are_not_codes_that_stop_a_client_for_good() -> None:
    """LiveKit gives up on these."""
    fatal = {
        "insufficient_quota",
        "credit_balance_exhausted",
        "invalid_api_key",
        "account_deactivated",
        "billing_hard_limit_reached",
    }
    assert errors.server_failed().code not in fatal
    assert errors.too_many_out_of_band(4).code not in fatal
