"""The model's side of a session with Gemini Live. The vendor answers every input by itself: what it makes is held back until it is asked
for, and belongs to nobody where it is not.

A reply that is asked for finds its answer in one of four ways: it has been coming since the caller's last words; it goes on from tools
whose answers are sent now; it is asked for by text (what a client typed); or the session remembers something else than our history, and
is replaced.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from antiphon.providers.base import ModelRequest
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.base import HeardMs, ReplyFailed, ReplyOver, SpokenReplyEvent
from antiphon.providers.speech_to_speech.gemini_generation import Generation
from antiphon.providers.speech_to_speech.gemini_reading import Reading
from antiphon.providers.speech_to_speech.gemini_turns import ModelTurns
from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory
from antiphon.vocabulary import Usage

_LOOK_EVERY_S = 0.25
_REMEMBERED_REPLIES = 4
_MOST_REPLACED = 3
_GO_ON = "(Please go on.)"


@dataclass(slots=True, eq=False)
class _Asked:
    """One answer that was asked for, or will be."""

    reply: int
    request: ModelRequest | None
    """None: ``text`` is to be read word for word."""
    text: str = ""
    since_s: float = 0.0
    """When it was asked for, or anything of it came last."""
    generation: Generation | None = None
    tries: int = 0
    replaced: int = 0
    """How many sessions were made for it."""


class Replying:
    """Implements ``Floor``. Told what the vendor says by the session's owner; sends by ``send``."""

    def __init__(
        self,
        model: str,
        memory: SessionMemory,
        reading: Reading,
        send: Callable[[bytes], bool],
        tell: Callable[[SpokenReplyEvent], None],
        is_up: Callable[[], bool],
        caller_speaks: Callable[[], bool],
        start_over: Callable[[ModelRequest], None],
        fits: Callable[[ModelRequest], bool],
        floor_is_free: Callable[[], None],
        timeout_s: float,
    ) -> None:
        """``is_up``: whether there is a session that can be asked; ``caller_speaks``: whether it hears something that is to be waited for.
        ``fits``: whether it was made for such a request; ``start_over`` makes one that is. ``floor_is_free``: what waits for the end of a
        reply may go on."""
        self._memory, self._reading = memory, reading
        self._send, self._tell = send, tell
        self._is_up, self._caller_speaks = is_up, caller_speaks
        self._start_over, self._fits = start_over, fits
        self._floor_is_free = floor_is_free
        self._timeout_s = timeout_s
        self.heard_ms: HeardMs = lambda reply: None
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Asked] = deque()
        self._active: _Asked | None = None
        self.turns = ModelTurns(model, memory, send, self._hand_over, self._tell_paid)
        self._made: OrderedDict[int, list[Generation]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for, being made or waited for."""
        return self._active is None and not self._queue and self.turns.idle

    @property
    def taken(self) -> bool:
        """As ``Floor``."""
        active = self._active
        return active is not None and active.generation is not None and active.generation is self.turns.now

    # -------------------------------------------------------------------------------------------- our side

    def respond(self, reply: int, request: ModelRequest) -> None:
        self._ask(_Asked(reply, request))

    def say(self, reply: int, text: str) -> None:
        self._ask(_Asked(reply, None, text))

    def _ask(self, asked: _Asked) -> None:
        asked.since_s = self._loop.time()
        self._queue.append(asked)
        self._made.setdefault(asked.reply, [])
        while len(self._made) > _REMEMBERED_REPLIES:
            self._made.popitem(last=False)
        self.go_on()
        self._watch()

    def go_on(self) -> None:
        """Find an answer to what is asked for next, if that can be done now."""
        if self._active is not None or not self._queue:
            return
        asked = self._queue[0]
        if asked.request is None:
            generation = self._reading.read(asked.text)
            generation.item = self._memory.add(Item("assistant", asked.text, told=False))
        elif self._is_up() and not self._caller_speaks():
            found = self._answer_to(asked.request)
            if found is None:
                self._wait_for_another_session(asked)
                return
            generation = found
        else:
            return
        self._queue.popleft()
        asked.since_s = self._loop.time()
        generation.claimed = True
        generation.may_use_tools = asked.request is not None and bool(asked.request.tools)
        asked.generation, self._active = generation, asked
        self._made.setdefault(asked.reply, []).append(generation)
        self._loop.call_soon(self._hand_over)  # never from inside a call of our side

    def _wait_for_another_session(self, asked: _Asked) -> None:
        """It is being made, and will fit. One that does not would be a fault of ours, and is not tried for ever."""
        asked.replaced += 1
        if asked.replaced > _MOST_REPLACED:
            self._queue.popleft()
            self._loop.call_soon(self._tell, ReplyFailed(asked.reply, "no session could be told the conversation"))

    def _answer_to(self, request: ModelRequest) -> Generation | None:
        now = self.turns.now
        coming = now.item if now is not None and not now.claimed else None
        missing = self._memory.missing(request.messages, tuple(self.turns.owed), coming)
        answers = {each.tool_call_id: each for each in request.messages if each.role == "tool"}
        answered = any(id in answers for id in self.turns.owed)
        if missing is None or (missing and answered) or not self._fits(request):
            self._start_over(request)
            return None
        if answered:
            return self.turns.answer_tools({id: each.content for id, each in answers.items() if id})
        if not missing and now is not None and coming is not None and not now.unwanted:
            if not request.tools:
                self.turns.go_on_without_tools(now)
            return now
        return self._ask_by_text([(each.kind, each.text) for each in missing])

    def _ask_by_text(self, missing: list[tuple[Any, str]]) -> Generation:
        self._send(wire.ACTIVITY_START)
        self.input_began()
        notes = self._memory.notes()
        for kind, text in missing:
            self._memory.add(Item(kind, text))
        texts = [text if kind == "user" else f"({text})" for kind, text in missing]
        self._send(wire.text("\n".join(each for each in (notes, *(texts or [_GO_ON])) if each)))
        self._send(wire.ACTIVITY_END)
        return self.turns.expect()

    def cancel(self, reply: int, heard_ms: int) -> None:
        self._queue = deque(asked for asked in self._queue if asked.reply != reply)
        active = self._active
        if active is not None and active.reply == reply:
            self._active = None
            if active.request is None:
                self._reading.stop()
        self._note_heard(reply, heard_ms)
        for generation in self._made.pop(reply, []):
            if not generation.over or generation.item.heard is not None:
                generation.give_up()
        self._floor_is_free()
        self.go_on()

    def note_heard(self) -> None:
        """As ``Floor``."""
        reply = next(reversed(self._made), 0)
        self._note_heard(reply, self.heard_ms(reply))

    def _note_heard(self, reply: int, heard_ms: float | None) -> None:
        """None: all of it."""
        start_ms = 0.0
        for generation in self._made.get(reply, ()):
            length_ms = wire.SPOKEN.ms_of(generation.audio_bytes)
            share = (
                1.0 if heard_ms is None else (heard_ms - start_ms) / length_ms if length_ms else float(generation.over)
            )
            generation.item.was_heard(share if generation.over else min(share, 0.99))
            start_ms += length_ms

    def close(self) -> None:
        self._queue.clear()
        self._active = None
        self.turns.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._reading.stop()

    def input_began(self) -> None:
        """As ``Floor``."""
        self.turns.interrupt()

    def input_ended(self) -> None:
        """As ``Floor``."""
        self.turns.expect()
        self.go_on()

    def _tell_paid(self, usage: tuple[Usage, ...]) -> None:
        """What nobody heard is paid for all the same."""
        if usage:
            self._loop.call_soon(self._tell, ReplyOver(0, usage))

    # -------------------------------------------------------------------------------------------- the session's life

    def lost(self) -> None:
        """The session is gone. A reply of which nothing was heard is asked for again, once."""
        now = self.turns.now
        self.turns.lost()
        active = self._active
        if active is None or active.generation is None or active.generation is not now:
            return
        self._active = None
        active.generation.break_off()
        if active.generation.audio_bytes or active.tries:
            self._tell(ReplyFailed(active.reply, "the session was lost in the middle of it"))
        else:
            active.tries, active.generation, active.since_s = 1, None, self._loop.time()
            self._made[active.reply] = []
            self._memory.take_back()
            self._queue.appendleft(active)

    def fail_all(self, problem: str) -> None:
        """There is no session, and none will be for a while."""
        waiting = [*([self._active] if self._active is not None else []), *self._queue]
        self._active = None
        self._queue.clear()
        for asked in waiting:
            self._tell(ReplyFailed(asked.reply, problem, gone=True))

    def _watch(self) -> None:
        if self._timer is None and (self._active is not None or self._queue):
            self._timer = self._loop.call_later(_LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Nothing is waited for without end."""
        self._timer = None
        asked = self._active or (self._queue[0] if self._queue else None)
        if asked is not None and self._loop.time() - asked.since_s > self._timeout_s:
            gone = not (self._reading.is_ready if asked.request is None else self._is_up())
            if asked is self._active:
                self._active = None
                if asked.request is None:
                    self._reading.stop()
                elif asked.generation is not None:
                    asked.generation.break_off()
                    asked.generation.give_up()
            else:
                self._queue.popleft()
            what = "the session was not ready within" if gone else "nothing came of it for"
            self._tell(ReplyFailed(asked.reply, f"{what} {self._timeout_s:.0f} s", gone=gone))
            self._floor_is_free()
            self.go_on()
        self._watch()

    # -------------------------------------------------------------------------------------------- what comes of it

    def _hand_over(self) -> None:
        """What has come of the reply that is being made."""
        active = self._active
        if active is None or active.generation is None:
            return
        generation = active.generation
        events = generation.take(active.reply)
        if events:
            active.since_s = self._loop.time()
        if generation.over:
            self._active = None
        for event in events:
            self._tell(event)
        if generation.over:
            self._floor_is_free()
            self.go_on()

    def heard_from_reading(self) -> None:
        """Something has come of words of ours."""
        if self._active is not None and self._active.request is None:
            self._hand_over()
