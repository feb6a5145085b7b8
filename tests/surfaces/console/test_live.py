"""Where a live call stands in its workflow, as those who watch are told."""

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
        self.live = LiveCalls(0)
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
