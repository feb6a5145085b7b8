"""What those who watch a live call are told: where it stands in its workflow, when what was said began, what it has cost."""

from __future__ import annotations

from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.surfaces.console.live import LiveCalls
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import TELEPHONE, EndReason


class Watched:
    """One live call."""

    def __init__(self) -> None:
        self.live = LiveCalls(0, lambda call_id, now_ms: now_ms / 1000)
        self.live.call_started(CallStarted("web", "c1", "desk", format_in=TELEPHONE, format_out=TELEPHONE), 0)
        self._at_ms = 0

    def happens(self, event: ev.Event | None, *actions: do.Action) -> str:
        """Where it stands then."""
        self._at_ms += 10
        self.live.happened("c1", self._at_ms, event, actions)
        return str(self.live.rows(self._at_ms)[0]["node"])


def started(reply: int, *, speculative: bool = False) -> do.StartReply:
    return do.StartReply(reply, 1, 1, (), speculative)


def test_it_stands_where_its_reply_stands() -> None:
    call = Watched()
    assert call.happens(None, started(1)) == ""
    assert call.happens(ev.ReplyPlaced(1, "day")) == "day"
    call.happens(None, started(2))
    assert call.happens(ev.ReplyPlaced(2, "hour")) == "hour"


def test_a_guess_stands_nowhere_before_it_has_proved_right() -> None:
    call = Watched()
    call.happens(None, started(1))
    call.happens(ev.ReplyPlaced(1, "day"))
    call.happens(None, started(2, speculative=True))
    assert call.happens(ev.ReplyPlaced(2, "hour")) == "day"
    assert call.happens(None, do.CancelReply(2)) == "day"
    call.happens(None, started(3, speculative=True))
    assert call.happens(ev.ReplyPlaced(3, "person")) == "day"
    assert call.happens(None, do.ReplyAdopted(3, 1)) == "person"


async def test_who_watches_is_told_where_it_stands_and_then_where_it_goes() -> None:
    call = Watched()
    call.happens(None, started(1))
    call.happens(ev.ReplyPlaced(1, "day"))
    news = call.live.watch("c1")
    assert news is not None
    first = [await anext(news) for _ in range(3)]
    assert first[-1] == {"kind": "node", "node": "day"}
    call.happens(ev.ReplyPlaced(1, "hour"))
    call.happens(ev.ReplyPlaced(1, "hour"))
    call.live.call_ended("c1", 100, EndReason.CUSTOMER_ENDED)
    rest: list[dict[str, Any]] = [each async for each in news]
    assert [(each["kind"], each.get("node")) for each in rest] == [("node", "hour"), ("ended", None)]


async def test_what_the_caller_says_stands_where_it_began_and_not_where_it_was_understood() -> None:
    call = Watched()
    news = call.live.watch("c1")
    assert news is not None
    for _ in range(3):
        await anext(news)
    call.happens(ev.SpeechStarted(1, 10))
    call.happens(ev.TranscriptChanged(1, "jam"))
    call.happens(ev.SpeechStarted(2, 30))
    call.happens(None, do.Speak(1, 0, "Two crowns."))
    call.happens(None, do.TurnClosed(1, "jam please"))
    call.happens(None, do.TurnClosed(2, "typed, so that nobody spoke"))
    call.live.call_ended("c1", 100, EndReason.CUSTOMER_ENDED)
    told = [each async for each in news if "text" in each]
    assert [(each["kind"], each["at_ms"]) for each in told] == [
        ("partial", 10),
        ("reply", 40),
        ("turn", 10),
        ("turn", 60),
    ]


def test_the_list_tells_what_a_call_has_cost_so_far() -> None:
    call = Watched()
    assert call.live.rows(2500)[0]["cost_usd"] == 2.5
    assert call.live.rows(2500, "c1") == call.live.rows(2500) and not call.live.rows(2500, "c2")
