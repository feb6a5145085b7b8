"""Which of a number's hooks is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.calls.number_hooks import MAX_HOOKS, hooks_of, read_hooks
from antiphon.errors import ConfigurationError

FAILED, FORWARDED = "assistant-request-failed", "assistant-request-returned-forwarding-phone-number"


def say(text: str) -> dict[str, Any]:
    return {"type": "say", "exact": text}


def ringing(text: str, *starts_with: str) -> dict[str, Any]:
    filters = [{"type": "startsWith", "key": "number", "startsWith": list(starts_with)}] if starts_with else []
    return {"on": "call.ringing", "filters": filters, "do": [say(text)]}


def ending(text: str, *reasons: str) -> dict[str, Any]:
    filters = [{"type": "oneOf", "key": "call.endedReason", "oneOf": list(reasons)}] if reasons else []
    return {"on": "call.ending", "filters": filters, "do": say(text)}


def said(action: Any) -> str:
    return "" if action is None else str(action.exact)


@pytest.mark.parametrize(
    ("caller", "heard"),
    [("+911234", "India"), ("911234", "India"), ("+8612", "China"), ("+4912", ""), ("anonymous", ""), ("", "")],
)
def test_callers_are_told_apart_by_how_their_numbers_begin(caller: str, heard: str) -> None:
    hooks = read_hooks({"hooks": [ringing("India", "91", "92"), ringing("China", "+86"), ringing("India too", "9112")]})
    assert said(hooks.when_ringing(caller)) == heard
    assert hooks.when_ending(FAILED) is None


def test_all_filters_of_a_hook_must_let_a_call_through() -> None:
    narrow = ringing("both", "91")
    narrow["filters"] *= 2
    narrow["filters"][1] = {"type": "startsWith", "key": "number", "startsWith": ["919"]}
    hooks = read_hooks({"hooks": [narrow, ringing("anybody")]})
    assert [said(hooks.when_ringing(caller)) for caller in ("+9190", "+9110")] == ["both", "anybody"]


@pytest.mark.parametrize(
    ("hooks", "heard", "heard_where_named"),
    [
        ([ending("any")], "any", ""),
        ([ending("that", FAILED, FORWARDED), ending("any")], "that", "that"),
        ([ending("other", "assistant-request-returned-error"), ending("any")], "any", ""),
        ([ringing("rings")], "", ""),
        ([{"on": "call.ending"}, ending("any")], "any", ""),
        ([{"on": "call.ending", "do": {"type": "transfer"}}, ending("any")], "any", ""),
    ],
)
def test_what_is_no_failure_needs_a_hook_that_names_it(
    hooks: list[dict[str, Any]], heard: str, heard_where_named: str
) -> None:
    read = read_hooks({"hooks": hooks})
    assert said(read.when_ending(FAILED)) == heard
    assert said(read.when_ending(FORWARDED, named=True)) == heard_where_named


@pytest.mark.parametrize("hooks", [None, []])
def test_a_number_without_hooks_has_none(hooks: Any) -> None:
    assert read_hooks({"hooks": hooks}).hooks == read_hooks({}).hooks == hooks_of({"hooks": hooks}).hooks == ()


def test_what_cannot_be_carried_out_is_refused_by_its_field_and_passed_over_where_it_is_kept() -> None:
    nowhere = {"type": "transfer", "destination": {"type": "number", "number": "the front desk"}}
    hooks = [ringing("fine"), {"on": "call.ringing", "do": [say("a"), nowhere]}]
    with pytest.raises(ConfigurationError) as raised:
        read_hooks({"hooks": hooks})
    assert raised.value.field == "hooks.1.do.1.destination.number"
    assert len(hooks_of({"hooks": hooks}).hooks) == 1
    assert len(hooks_of({"hooks": [ringing("x")] * 100}).hooks) == MAX_HOOKS
