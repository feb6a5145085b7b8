"""The live calls as somebody watching sees them: a ``SessionObserver`` that keeps what a list shows, and tells watchers as it happens.

A watcher has a bounded queue. One that does not keep up is cut off: its browser connects anew, and is told the state first. The call
never waits for anybody who watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.transports.base import CallStarted
from antiphon.vocabulary import EndReason, Usage

MAX_WATCHERS = 64
_QUEUE = 256
_KEPT = 400
"""Messages of a live call that a new watcher is told."""
_WORDS_CHARS = 160
News = dict[str, Any]


@dataclass(slots=True)
class LiveCall:
    call: CallStarted
    started_ms: int
    wall_ms: int
    floor: str = "nobody"
    """``caller``, ``agent``, ``held``, ``thinking`` or ``nobody``."""
    words: str = ""
    """The last that were said."""
    words_of: str = ""
    kept: list[News] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    """Of replies that are being written."""
    sounding: int = 0
    """The last reply that was heard."""
    speech_began_ms: int | None = None
    """Of a turn that is open."""
    speech_ended_ms: int | None = None
    node: str = ""
    """Where it stands in the workflow it follows; empty before the first reply, and where it follows none."""
    guesses: dict[int, str] = field(default_factory=dict)
    """Replies that are only guesses so far, and where each would stand."""
    watchers: list[asyncio.Queue[News | None]] = field(default_factory=list)


class LiveCalls:
    """All of this process."""

    def __init__(self, wall_offset_ms: int, cost_of: Callable[[str, int], float]) -> None:
        """``wall_offset_ms``: UTC less the session clock. ``cost_of(call_id, now_ms)``: what a live call has cost so far, in US dollars."""
        self._wall_offset_ms = wall_offset_ms
        self._cost_of = cost_of
        self._calls: dict[str, LiveCall] = {}
        self._watching = 0

    def rows(self, now_ms: int, call_id: str = "") -> list[News]:
        """What the list shows, the newest first; of this one call alone where it is named."""
        shown = self._calls.values() if not call_id else [self._calls[call_id]] if call_id in self._calls else []
        return [
            {
                "id": live.call.call_id, "assistant": live.call.assistant, "provider": live.call.provider, "caller": live.call.caller,
                "wall_ms": live.wall_ms, "lasts_ms": now_ms - live.started_ms, "floor": live.floor, "words": live.words,
                "words_of": live.words_of, "node": live.node, "cost_usd": self._cost_of(live.call.call_id, now_ms),
            }
            for live in reversed(shown)
        ]  # fmt: skip

    def find(self, call_id: str) -> LiveCall | None:
        return self._calls.get(call_id)

    def watch(self, call_id: str) -> AsyncGenerator[News, None] | None:
        """What happens in a call, what has happened first; over with it. None where it does not live or too many watch already."""
        live = self._calls.get(call_id)
        return None if live is None or self._watching >= MAX_WATCHERS else self._news(live)

    async def _news(self, live: LiveCall) -> AsyncGenerator[News, None]:
        with self._queue(live) as queue:
            yield {"kind": "begin", "wall_ms": live.wall_ms, "assistant": live.call.assistant}
            for news in list(live.kept):
                yield news
            yield {"kind": "now", "floor": live.floor}
            yield {"kind": "node", "node": live.node}
            while (news_ := await queue.get()) is not None:
                yield news_

    @contextmanager
    def _queue(self, live: LiveCall) -> Any:
        queue: asyncio.Queue[News | None] = asyncio.Queue(_QUEUE)
        live.watchers.append(queue)
        self._watching += 1
        try:
            yield queue
        finally:
            self._watching -= 1
            if queue in live.watchers:
                live.watchers.remove(queue)

    # ---------------------------------------------------------------------------------- SessionObserver

    def call_started(self, call: CallStarted, now_ms: int) -> None:
        self._calls[call.call_id] = LiveCall(call, now_ms, now_ms + self._wall_offset_ms)

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        live = self._calls.get(call_id)
        if live is None:
            return
        at_ms = now_ms - live.started_ms
        if (tell := _OF_EVENTS.get(type(event))) is not None:
            tell(live, at_ms, event)
        for action in actions:
            if (tell := _OF_ACTIONS.get(type(action))) is not None:
                tell(live, at_ms, action)

    def used(self, call_id: str, provider: str, usage: Usage) -> None:
        """The meter counts it."""

    def provider_failed(self, call_id: str, provider: str, code: str) -> None:
        if (live := self._calls.get(call_id)) is not None:
            _tell(live, {"kind": "failure", "provider": provider, "code": code})

    def call_ended(self, call_id: str, now_ms: int, reason: EndReason) -> None:
        live = self._calls.pop(call_id, None)
        if live is not None:
            _tell(live, {"kind": "ended", "at_ms": now_ms - live.started_ms, "reason": str(reason)})
            for queue in live.watchers:
                _put(queue, None)


def _tell(live: LiveCall, news: News, *, keep: bool = True) -> None:
    if keep:
        live.kept.append(news)
        if len(live.kept) > _KEPT:
            del live.kept[: _KEPT // 4]
    for queue in list(live.watchers):
        if not _put(queue, news):
            live.watchers.remove(queue)


def _put(queue: asyncio.Queue[News | None], news: News | None) -> bool:
    """False where it is full: it is emptied then, and its watcher is told to go."""
    try:
        queue.put_nowait(news)
    except asyncio.QueueFull:
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(None)
        return False
    return True


def _said(live: LiveCall, who: str, text: str) -> None:
    live.words, live.words_of = text[-_WORDS_CHARS:], who


def _began(live: LiveCall, at_ms: int, event: ev.SpeechStarted) -> None:
    if live.speech_began_ms is None:
        live.speech_began_ms = at_ms


def _spoken_at(live: LiveCall, at_ms: int) -> int:
    """When what the caller says was begun, as in a call that is over; else its answer, which may be written ahead, would seem the older."""
    return live.speech_began_ms if live.speech_began_ms is not None else at_ms


def _partial(live: LiveCall, at_ms: int, event: ev.TranscriptChanged) -> None:
    _said(live, "caller", event.text)
    at_ms = _spoken_at(live, at_ms)
    _tell(live, {"kind": "partial", "at_ms": at_ms, "utterance": event.utterance, "text": event.text}, keep=False)


def _typed(live: LiveCall, at_ms: int, event: ev.TextReceived) -> None:
    _tell(live, {"kind": "typed", "at_ms": at_ms, "text": event.text})


def _stopped(live: LiveCall, at_ms: int, event: ev.SpeechStopped) -> None:
    live.speech_ended_ms = at_ms - event.silence_ms


def _sounded(live: LiveCall, at_ms: int, event: ev.PlaybackStarted) -> None:
    after_ms = at_ms - live.speech_ended_ms if live.speech_ended_ms is not None else None
    live.speech_ended_ms, live.sounding = None, event.reply
    _tell(live, {"kind": "heard", "at_ms": at_ms, "reply": event.reply, "after_ms": after_ms})


def _asked(live: LiveCall, at_ms: int, action: do.StartReply) -> None:
    if action.speculative:
        live.guesses[action.reply] = ""
    else:
        live.guesses.pop(action.reply, None)


def _placed(live: LiveCall, at_ms: int, event: ev.ReplyPlaced) -> None:
    """A guess stands nowhere before it has proved right."""
    if event.reply in live.guesses:
        live.guesses[event.reply] = event.node
    else:
        _move(live, at_ms, event.node)


def _adopted(live: LiveCall, at_ms: int, action: do.ReplyAdopted) -> None:
    if node := live.guesses.pop(action.reply, ""):
        _move(live, at_ms, node)


def _move(live: LiveCall, at_ms: int, node: str) -> None:
    if live.node != node:
        live.node = node
        _tell(live, {"kind": "node", "at_ms": at_ms, "node": node}, keep=False)


def _closed(live: LiveCall, at_ms: int, action: do.TurnClosed) -> None:
    _said(live, "caller", action.text)
    _tell(live, {"kind": "turn", "at_ms": _spoken_at(live, at_ms), "turn": action.turn, "text": action.text})
    live.speech_began_ms = None


def _dropped(live: LiveCall, at_ms: int, action: do.TurnDropped) -> None:
    _tell(live, {"kind": "dropped", "at_ms": _spoken_at(live, at_ms), "turn": action.turn, "text": action.text})
    live.speech_began_ms = None


def _spoke(live: LiveCall, at_ms: int, action: do.Speak) -> None:
    text = f"{live.texts.get(action.reply, '')} {action.text}".strip()
    live.texts[action.reply] = text
    _said(live, "agent", text)
    _tell(live, {"kind": "reply", "at_ms": at_ms, "reply": action.reply, "text": text}, keep=False)


def _reply_closed(live: LiveCall, at_ms: int, action: do.ReplyClosed) -> None:
    text = live.texts.pop(action.reply, action.text)
    _tell(
        live,
        {
            "kind": "reply",
            "at_ms": at_ms,
            "reply": action.reply,
            "text": text,
            "heard": action.text,
            "status": action.status,
        },
    )


def _cancelled(live: LiveCall, at_ms: int, action: do.CancelReply) -> None:
    """A guess that proved wrong was never said."""
    live.guesses.pop(action.reply, None)
    if action.reply != live.sounding and live.texts.pop(action.reply, None) is not None:
        _tell(live, {"kind": "withdrawn", "reply": action.reply}, keep=False)


def _held(live: LiveCall, at_ms: int, action: do.HoldPlayback) -> None:
    _floor(live, "held")
    _tell(live, {"kind": "held", "at_ms": at_ms, "reply": action.reply})


def _resumed(live: LiveCall, at_ms: int, action: do.InterruptionDismissed) -> None:
    _tell(live, {"kind": "resumed", "at_ms": at_ms, "reply": action.reply, "held_ms": action.held_ms})


def _interrupted(live: LiveCall, at_ms: int, action: do.InterruptionConfirmed) -> None:
    _tell(live, {"kind": "interrupted", "at_ms": at_ms, "reply": action.reply, "heard_ms": action.heard_ms})


def _ran(live: LiveCall, at_ms: int, action: do.RunTool) -> None:
    call = action.call
    _tell(live, {"kind": "tool", "at_ms": at_ms, "id": call.id, "name": call.name, "arguments": dict(call.arguments)})


def _changed(live: LiveCall, at_ms: int, action: do.StateChanged) -> None:
    """Whoever speaks over the agent has the floor."""
    if action.machine == "user" and action.after == "speaking":
        _floor(live, "caller")
    elif action.machine == "user" and action.before == "speaking" and live.floor == "caller":
        _floor(live, "nobody")
    elif action.machine == "agent":
        _floor(live, {"speaking": "agent", "held": "held", "thinking": "thinking"}.get(action.after, "nobody"))


def _floor(live: LiveCall, floor: str) -> None:
    if live.floor != floor:
        live.floor = floor
        _tell(live, {"kind": "now", "floor": floor}, keep=False)


# By type, asked for every event of every call: most of them change nothing here.
_Tell = Callable[[LiveCall, int, Any], None]
_OF_EVENTS: Mapping[type, _Tell] = {
    ev.TranscriptChanged: _partial,
    ev.TextReceived: _typed,
    ev.SpeechStarted: _began,
    ev.SpeechStopped: _stopped,
    ev.PlaybackStarted: _sounded,
    ev.ReplyPlaced: _placed,
}
_OF_ACTIONS: Mapping[type, _Tell] = {
    do.TurnClosed: _closed,
    do.TurnDropped: _dropped,
    do.Speak: _spoke,
    do.StartReply: _asked,
    do.ReplyAdopted: _adopted,
    do.ReplyClosed: _reply_closed,
    do.CancelReply: _cancelled,
    do.HoldPlayback: _held,
    do.InterruptionDismissed: _resumed,
    do.InterruptionConfirmed: _interrupted,
    do.RunTool: _ran,
    do.StateChanged: _changed,
}
