"""The automaton of the order: it takes every stream that is right, and finds every rule broken."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.surfaces.realtime.protocol.streams import MANUAL, MOVES, Move, Stream, stream

from antiphon.surfaces.realtime.protocol import order, order_items
from antiphon.surfaces.realtime.protocol import server_events as say
from antiphon.surfaces.realtime.protocol.items import InputAudio, InputText, MessageItem
from antiphon.surfaces.realtime.protocol.order import OrderChecker, Violation
from antiphon.surfaces.realtime.protocol.server_events import Event

examples = settings(max_examples=80, deadline=None, derandomize=True, database=None)
IN_EVENTS: tuple[Move, ...] = tuple(move for move in MOVES if move not in ("played", "interrupted"))
ON_A_TRACK: tuple[Move, ...] = tuple(move for move in MOVES if move not in ("speak", "cut", "both"))
"""Where sound travels as media: WebRTC."""

moves = st.lists(st.sampled_from(IN_EVENTS), max_size=10) | st.lists(st.sampled_from(ON_A_TRACK), max_size=10)


def violations(events: list[Event], *, midway: bool = False) -> list[Violation]:
    checker = OrderChecker(midway=midway)
    found = [violation for event in events if (violation := checker.see(event))]
    return found or [Violation("unfinished", "", name) for name in checker.unfinished()]


@examples
@given(moves)
def test_a_right_stream_is_taken(played: list[Move]) -> None:
    assert violations(stream(played).events) == []


@pytest.mark.parametrize("move", MOVES)
def test_every_move_is_right_by_itself(move: Move) -> None:
    assert violations(stream([move]).events) == []


@examples
@given(moves, st.data())
def test_nothing_that_binds_can_be_left_out(played: list[Move], data: st.DataObject) -> None:
    told = stream([*played, "spoken", "write"])
    index = data.draw(st.sampled_from([index for index, bound in enumerate(told.bound) if bound]))
    assert violations(told.events[:index] + told.events[index + 1 :])


@examples
@given(moves, st.data())
def test_nothing_that_binds_can_come_twice(played: list[Move], data: st.DataObject) -> None:
    told = stream([*played, "spoken", "write"])
    index = data.draw(st.sampled_from([index for index, bound in enumerate(told.bound) if bound]))
    again = {**told.events[index], "event_id": "event_again"}
    assert violations([*told.events[: index + 1], again, *told.events[index + 1 :]])


@examples
@given(moves, st.data())
def test_nothing_of_a_response_comes_after_it(played: list[Move], data: st.DataObject) -> None:
    told = stream([*played, data.draw(st.sampled_from(["write", "call", "aside"]))])
    end = told.at("response.done", -1)
    begin = told.at("response.created", -1)
    late = {**told.events[data.draw(st.integers(begin, end))], "event_id": "event_late"}
    assert violations([*told.events[: end + 1], late])


@examples
@given(moves, st.data())
def test_a_sideband_may_join_anywhere(played: list[Move], data: st.DataObject) -> None:
    """It hears the rest of what has begun, after its own ``session.created``."""
    told = stream(played)
    joined = data.draw(st.integers(1, len(told.events)))
    heard = [told.events[0], *told.events[joined:]]
    assert violations(heard, midway=True) == []


EVERYTHING: tuple[Move, ...] = (
    "spoken",
    "late words",
    "both",
    "cut",
    "truncate",
    "retrieve",
    "delete",
    "aside",
    "silence",
)
PLAYED: tuple[Move, ...] = ("spoken", "late words", "played", "interrupted", "truncate", "delete")


@pytest.mark.parametrize("played", [EVERYTHING, PLAYED])
def test_a_sideband_may_join_at_every_step(played: tuple[Move, ...]) -> None:
    told = stream(played)
    for joined in range(1, len(told.events)):
        heard = [told.events[0], *told.events[joined:]]
        assert violations(heard, midway=True) == []
    inside = told.at("response.content_part.added")
    assert violations([told.events[0], *told.events[inside:]])


Mutation = Callable[[Stream], None]


def edited(event_type: str, count: int = 0, **changes: Any) -> Mutation:
    """A field of one event says something else; ``item__status`` is the field ``status`` of ``item``."""

    def mutate(told: Stream) -> None:
        index = told.at(event_type, count)
        event = told.events[index] = copy.deepcopy(told.events[index])
        for path, value in changes.items():
            *outer, name = path.split("__")
            place = event
            for key in outer:
                place = place[key]
            if value is None and name not in ("conversation_id", "status"):
                del place[name]
            else:
                place[name] = value

    return mutate


def moved(event_type: str, count: int, *, before: str, before_count: int = 0) -> Mutation:
    """One event comes before another."""

    def mutate(told: Stream) -> None:
        event = told.events.pop(told.at(event_type, count))
        told.events.insert(told.at(before, before_count), event)

    return mutate


def dropped(event_type: str, count: int = 0) -> Mutation:
    def mutate(told: Stream) -> None:
        del told.events[told.at(event_type, count)]

    return mutate


def inserted(event: Event, *, before: str | None = None, count: int = 0) -> Mutation:
    def mutate(told: Stream) -> None:
        index = len(told.events) if before is None else told.at(before, count)
        told.events.insert(index, {**event, "event_id": "event_more"})

    return mutate


def repeated(event_type: str, count: int = 0, *, before: str | None = None) -> Mutation:
    def mutate(told: Stream) -> None:
        inserted(told.events[told.at(event_type, count)], before=before)(told)

    return mutate


def opened(move: Move) -> Mutation:
    """A response begins in the middle of another."""

    def mutate(told: Stream) -> None:
        extra = stream([move]).events[1]
        inserted({**extra, "response": {**extra["response"], "id": "resp_other"}}, before="response.done")(told)

    return mutate


TRANSCRIPTION = "conversation.item.input_audio_transcription"
USER_ITEM = MessageItem("item_new", "user", (InputText("hi"),))

BROKEN: list[tuple[str, tuple[Move, ...], Mutation]] = [
    ("session_first", (), dropped("session.created")),
    ("session_first", ("typed",), repeated("session.created")),
    ("event_id", ("write",), edited("response.done", event_id=7)),
    ("event_id", ("write",), edited("response.done", event_id="event_0")),
    ("unknown_type", (), inserted({"type": "response.cancelled"})),
    ("unknown_type", (), inserted({"type": ["response.created"]})),
    ("malformed", ("write",), edited("response.output_text.delta", delta=None)),
    ("malformed", ("typed",), inserted({"type": "conversation.item.added", "item": None})),
    # The caller's speech.
    ("speech_order", ("spoken",), edited("input_audio_buffer.speech_stopped", item_id="item_9")),
    ("speech_order", ("spoken",), edited("input_audio_buffer.committed", item_id="item_9")),
    ("speech_order", ("spoken",), moved("conversation.item.added", 0, before="input_audio_buffer.committed")),
    ("speech_order", ("spoken",), moved("input_audio_buffer.committed", 0, before="input_audio_buffer.speech_stopped")),
    (
        "speech_order",
        ("spoken",),
        repeated("input_audio_buffer.speech_started", before="input_audio_buffer.speech_stopped"),
    ),
    ("speech_order", ("spoken",), repeated("input_audio_buffer.committed")),
    ("speech_order", ("spoken",), repeated("input_audio_buffer.speech_started")),
    ("speech_order", ("silence",), repeated("input_audio_buffer.timeout_triggered")),
    ("speech_times", ("silence",), edited("input_audio_buffer.timeout_triggered", audio_start_ms=99_999)),
    ("speech_times", ("spoken",), edited("input_audio_buffer.speech_stopped", audio_end_ms=-1)),
    ("speech_times", ("spoken", "spoken"), edited("input_audio_buffer.speech_started", 1, audio_start_ms=-1)),
    ("commit_unanswered", ("spoken", "write"), dropped("conversation.item.done")),
    ("commit_unanswered", ("spoken", "spoken"), dropped("conversation.item.done")),
    ("commit_unanswered", ("pushed", "pushed"), dropped("conversation.item.done")),
    ("commit_unanswered", ("spoken",), inserted(say.item_added(USER_ITEM, None), before="conversation.item.added")),
    # Items.
    ("item_announced_twice", ("typed",), repeated("conversation.item.added")),
    ("previous_item_unknown", ("typed",), edited("conversation.item.added", previous_item_id="item_9")),
    ("previous_item_unknown", ("typed",), edited("conversation.item.added", previous_item_id="item_1")),
    ("previous_item_unknown", ("typed",), edited("conversation.item.done", previous_item_id="item_9")),
    ("previous_item_unknown", ("pushed",), edited("input_audio_buffer.committed", previous_item_id="item_9")),
    ("item_not_announced", ("typed",), moved("conversation.item.done", 0, before="conversation.item.added")),
    ("item_not_announced", (), inserted(say.item_deleted("item_9"))),
    ("item_not_announced", (), inserted(say.item_retrieved(USER_ITEM))),
    ("item_not_announced", (), inserted(say.item_truncated("item_9", 0, 0))),
    (
        "item_not_announced",
        ("spoken",),
        inserted(say.transcription_delta("item_1", "x"), before="conversation.item.added"),
    ),
    ("item_not_announced", ("write",), moved("response.content_part.added", 0, before="conversation.item.added")),
    ("item_not_announced", ("call",), dropped("conversation.item.added")),
    ("item_done_twice", ("typed",), repeated("conversation.item.done")),
    ("item_status", ("typed",), edited("conversation.item.done", item__status="in_progress")),
    ("item_status", ("write",), edited("response.output_item.added", item__status="completed")),
    ("item_status", ("write",), edited("conversation.item.added", item__status="completed")),
    ("item_status", ("write",), edited("response.output_item.done", item__status="in_progress")),
    ("item_null", ("typed",), edited("conversation.item.added", item__status=None)),
    ("item_null", ("typed",), edited("conversation.item.added", item__content=[{"type": "input_text", "text": None}])),
    (
        "item_transcript_missing",
        ("spoken",),
        edited("conversation.item.added", item__content=[{"type": "input_audio"}]),
    ),
    ("truncated_not_spoken", ("spoken",), inserted(say.item_truncated("item_1", 0, 0))),
    ("transcription_not_of_user", ("write",), inserted(say.transcription_delta("item_2", "x"))),
    ("transcription_over", ("spoken", "late words"), repeated(f"{TRANSCRIPTION}.completed")),
    ("transcription_over", ("spoken", "late words"), repeated(f"{TRANSCRIPTION}.delta")),
    ("out_of_band_item", ("aside",), inserted(say.item_added(MessageItem("item_2", "assistant"), None))),
    # Responses.
    ("response_twice", ("write",), repeated("response.created")),
    ("response_not_active", ("write",), dropped("response.created")),
    ("response_not_active", ("write",), repeated("response.done")),
    ("response_not_active", ("speak",), repeated("response.output_audio.delta")),
    ("two_responses", ("write",), opened("write")),
    ("response_status", ("write",), edited("response.created", response__status="completed")),
    ("response_status", ("write",), edited("response.done", response__status="in_progress")),
    (
        "response_status",
        ("cut",),
        edited("response.done", response__status_details={"type": "cancelled", "reason": "x"}),
    ),
    ("response_status", ("cut",), edited("response.done", response__status_details={"type": "failed"})),
    ("output_index", ("write",), edited("response.output_item.added", output_index=1)),
    ("output_item_twice", ("both",), edited("response.output_item.added", 1, item__id="item_2")),
    ("output_item_twice", ("write",), repeated("response.output_item.done", before="response.done")),
    ("output_item_unknown", ("write",), edited("response.content_part.added", item_id="item_9")),
    ("output_item_unknown", ("write",), edited("response.output_text.delta", output_index=3)),
    ("output_item_over", ("write",), repeated("response.output_text.delta", before="response.output_item.done")),
    ("output_item_over", ("write",), repeated("response.output_text.delta", before="response.done")),
    ("output_item_done_early", ("write",), moved("response.output_item.done", 0, before="conversation.item.done")),
    ("output_open", ("write",), dropped("response.output_item.done")),
    ("output_differs", ("write",), edited("response.done", response__output=[])),
    (
        "output_differs",
        ("write",),
        edited("response.done", response__output=[{"id": "item_2", "type": "message", "content": []}]),
    ),
    ("content_index", ("write",), edited("response.content_part.added", content_index=1)),
    ("part_unknown", ("write",), edited("response.output_text.delta", content_index=1)),
    ("part_unknown", ("write",), moved("response.output_text.delta", 0, before="response.content_part.added")),
    ("part_kind", ("write",), edited("response.content_part.added", part__type="output_text")),
    ("part_kind", ("speak",), edited("response.content_part.done", part__type="text")),
    ("part_over", ("write",), repeated("response.output_text.delta", before="response.content_part.done")),
    ("part_over", ("write",), repeated("response.output_text.delta", before="conversation.item.done")),
    ("part_over", ("write",), repeated("response.output_text.done", before="response.content_part.done")),
    ("part_over", ("speak",), moved("response.output_audio.delta", 0, before="response.content_part.done")),
    ("part_over", ("call",), repeated("response.function_call_arguments.delta", before="conversation.item.done")),
    ("part_open", ("write",), dropped("response.output_text.done")),
    ("part_open", ("speak",), dropped("response.output_audio.done")),
    ("part_open", ("write",), dropped("response.content_part.done")),
    ("text_differs", ("write",), edited("response.output_text.done", text="Goodbye")),
    ("text_differs", ("write",), edited("response.content_part.done", part__text="Goodbye")),
    ("text_differs", ("speak",), edited("response.content_part.done", part__transcript="Hel")),
    ("text_differs", ("cut",), edited("response.output_item.done", item__status="completed")),
    ("call_differs", ("call",), edited("response.function_call_arguments.done", name="g")),
    ("call_differs", ("call",), edited("response.function_call_arguments.done", arguments="[]")),
    ("call_differs", ("call",), edited("response.function_call_arguments.delta", call_id="call_9")),
    ("call_differs", ("call",), edited("response.output_item.done", item__call_id="call_9")),
    ("call_differs", ("call",), edited("response.output_item.done", item__arguments="[]")),
    ("call_open", ("call",), dropped("response.function_call_arguments.done")),
    # The playout.
    ("playout_order", ("played",), moved("output_audio_buffer.started", 0, before="response.content_part.added")),
    ("playout_order", ("played",), moved("output_audio_buffer.stopped", 0, before="response.done")),
    ("playout_order", ("played",), dropped("output_audio_buffer.started")),
    ("playout_order", ("played",), repeated("output_audio_buffer.started", before="response.done")),
    ("playout_order", ("speak",), inserted(say.playout_started("resp_1"))),
    ("playout_order", ("played", "speak"), dropped("response.done", 1)),
    ("playout_order", (), inserted(say.playout_started("resp_9"))),
]


@pytest.mark.parametrize(
    ("rule", "played", "mutate"), BROKEN, ids=[f"{n}-{rule}" for n, (rule, *_) in enumerate(BROKEN)]
)
def test_each_rule_is_found_broken(rule: str, played: tuple[Move, ...], mutate: Mutation) -> None:
    told = stream(played)
    if mutate.__qualname__.startswith("dropped") and rule == "session_first":
        told.play("typed")
    mutate(told)
    found = violations(told.events)
    assert found[0].rule == rule, found


def test_every_rule_that_is_documented_is_tested() -> None:
    """And every rule the automaton names is documented."""
    documented = {label for label in re.findall(r"``([a-z_]+)``", order.__doc__ or "") if label != "malformed"}
    assert documented <= {rule for rule, _, _ in BROKEN}
    assert {rule for rule, _, _ in BROKEN} == documented | {"malformed"}


def test_a_detection_that_is_turned_off_forgets_the_word_it_was_in() -> None:
    told = Stream()
    told.tell(say.session_created(MANUAL), say.speech_started("item_1", 0), say.session_updated(MANUAL))
    told.play("pushed")
    assert violations(told.events) == []


def test_a_deleted_item_may_still_be_written_and_told_and_its_name_used_again() -> None:
    told = stream(["spoken"])
    told.tell(say.item_deleted("item_1"), say.transcription_completed("item_1", "x", 1.0))
    again = MessageItem("item_1", "user", (InputAudio("x"),))
    told.tell(say.item_added(again, None), say.item_done(again, None))
    assert violations(told.events) == []
    during = stream(["write"])
    during.events.insert(during.at("response.output_text.delta"), {**say.item_deleted("item_2"), "event_id": "event_x"})
    del during.events[during.at("conversation.item.done")]
    assert violations(during.events) == []


def test_an_aside_runs_beside_a_response() -> None:
    told = stream(["write"])
    aside = stream(["aside"]).events[1:]
    named = [renamed(event) for event in aside]
    middle = told.at("response.output_text.delta")
    assert violations([*told.events[:middle], *named, *told.events[middle:]]) == []


def renamed(event: Event) -> Event:
    """The same event of another response."""
    return {
        key: {"resp_1": "resp_b", "item_2": "item_b"}.get(value, value)
        if isinstance(value, str)
        else renamed(value)
        if isinstance(value, dict)
        else [renamed(inner) for inner in value]
        if isinstance(value, list) and all(isinstance(inner, dict) for inner in value)
        else value
        for key, value in event.items()
    } | ({"event_id": f"b_{event['event_id']}"} if "event_id" in event else {})


def test_what_is_not_finished_is_named() -> None:
    checker = OrderChecker()
    for event in stream(["write"]).events[:-1]:
        assert checker.see(event) is None
    assert checker.unfinished() == ["resp_1"]
    checker = OrderChecker()
    for event in stream(["spoken"]).events[:-1]:
        assert checker.see(event) is None
    assert checker.unfinished() == ["item_1"]


def test_a_violation_names_no_content() -> None:
    told = stream(["write"])
    edited("response.output_text.done", text="a secret")(told)
    assert violations(told.events)[0] == Violation("text_differs", "response.output_text.done", "item_2")


def test_names_of_events_are_kept_for_a_while_only() -> None:
    checker = OrderChecker()
    assert checker.see({**say.session_created(MANUAL), "event_id": "first"}) is None
    for number in range(5000):
        assert checker.see({**say.audio_cleared(), "event_id": str(number)}) is None
    assert checker.see({**say.audio_cleared(), "event_id": "4999"}) == Violation(
        "event_id", "input_audio_buffer.cleared"
    )
    assert len(checker._event_ids) <= order._IDS_KEPT


def test_the_rules_exception_carries_its_label() -> None:
    assert str(order_items.RuleBroken("rule", "item_1")) == "rule: item_1"
