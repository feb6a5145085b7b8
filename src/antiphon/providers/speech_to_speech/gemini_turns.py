"""What a session with Gemini Live makes of its inputs: one generation after the other, and the calls of tools that it waits for.

What the vendor sends carries no name: it belongs to the latest input, but for the rest of a turn that this input has interrupted, which may
still be on its way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.ids import new_id
from antiphon.providers.speech_to_speech import gemini_wire as wire
from antiphon.providers.speech_to_speech.gemini_generation import Generation
from antiphon.providers.speech_to_speech.told_memory import Item, SessionMemory
from antiphon.vocabulary import ToolCall, Usage

_SETTLED_S = 0.3
"""Words may come a moment after the last sound."""
_MOST_REFUSALS = 3
"""Of tools, in one generation: a model that insists gets its way, and our side says what becomes of it."""


class ModelTurns:
    """Told what the vendor says by the session's owner; sends by ``send``."""

    def __init__(
        self,
        model: str,
        memory: SessionMemory,
        send: Callable[[bytes], bool],
        progress: Callable[[], None],
        paid: Callable[[tuple[Usage, ...]], None],
    ) -> None:
        """``progress``: something has come of ``now``. ``paid`` is told what was made and belongs to no reply."""
        self._model, self._memory = model, memory
        self._send, self._progress, self._paid = send, progress, paid
        self._loop = asyncio.get_running_loop()
        self.now: Generation | None = None
        """What it makes of its latest input."""
        self.owed: dict[str, ToolCall] = {}
        """Calls of tools that it waits for, by id."""
        self._stale = False
        """Sound or words of a turn that was interrupted may come."""
        self._unclosed = False
        """The end of the turn before has not been told."""
        self._settling: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        now = self.now
        return (now is None or (now.over and (now.claimed or now.unwanted))) and not self.owed

    # -------------------------------------------------------------------------------------------- inputs

    def expect(self) -> Generation:
        """It has had an input."""
        self.now = Generation()
        return self.now

    def interrupt(self) -> None:
        """An input begins: what it was making is at its end, heard or not, and so are the calls of tools."""
        now, self.now = self.now, None
        for id in self.owed:
            self._memory.forget_call(id)
        self.owed.clear()
        if now is None:
            return
        if not now.claimed:
            now.give_up()
            if now.item.text:
                now.item.was_heard(0)
            self._paid(now.usage)
        if not now.over or now.generated:
            self._unclosed = True
            self._stale = now.began and not now.generated

    def answer_tools(self, answers: Mapping[str, str]) -> Generation:
        """Each call is answered: it waits for all. ``answers`` by id."""
        told = []
        for id, call in self.owed.items():
            answer = {"output": answers[id]} if id in answers else {"error": "it was not run"}
            told.append((id, call.name, answer))
            self._memory.add(Item("result", answers.get(id, ""), id, call.name))
        self.owed.clear()
        self._send(wire.tool_response(told))
        return self.expect()

    def go_on_without_tools(self, now: Generation) -> None:
        """Of tools that it may not use."""
        if self.owed:
            self._refuse(tuple(self.owed.values()))
            now.go_on_without_tools()

    def _refuse(self, calls: Sequence[ToolCall]) -> None:
        problem = {"error": "no more tools may be used for this answer: answer the caller now"}
        self._send(wire.tool_response([(call.id, call.name, problem) for call in calls]))
        for call in calls:
            self.owed.pop(call.id, None)
            self._memory.forget_call(call.id)

    def lost(self) -> None:
        """The session is gone, and with it what nobody has asked for yet."""
        now, self.now = self.now, None
        if now is not None and not now.claimed:
            now.give_up()
            now.item.was_heard(0)
            self._memory.take_back()
        self._stale = self._unclosed = False
        self.owed.clear()

    def close(self) -> None:
        self.now = None
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None

    # -------------------------------------------------------------------------------------------- the vendor's side

    def read(self, content: wire.ServerContent) -> None:
        """Raises MalformedMessage for sound that cannot be read."""
        now = self.now
        if content.interrupted:
            self._stale = False
        told = content.of_the_model
        if told and now is None:
            self._stale = self._unclosed = True  # it went on while our word was on its way
        elif told and now is not None and not self._stale:
            if not now.began:
                self._memory.add(now.item)
            try:
                now.read(content)
            finally:
                self._progress()
            if now.generated and not now.over:
                self._settle(now)
        if content.turn_complete and content.interaction_status != "IN_PROGRESS":
            self._turn_over(content.turn_complete_reason)

    def _turn_over(self, reason: str | None) -> None:
        now = self.now
        if self._unclosed and (now is None or not now.began):
            self._stale = self._unclosed = False
            return
        self._unclosed = False
        if now is None:
            return
        now.generated = False  # its end has been told
        now.complete(reason)
        self._progress()
        if now.unwanted:
            now.give_up()
            self._paid(now.usage)

    def _settle(self, generation: Generation) -> None:
        if self._settling is not None:
            self._settling.cancel()
        self._settling = self._loop.call_later(_SETTLED_S, self._settled, generation)

    def _settled(self, generation: Generation) -> None:
        self._settling = None
        generation.complete()
        self._progress()

    def asked_for_tools(self, calls: Sequence[wire.FunctionCall]) -> None:
        now = self.now
        read = [ToolCall(each.id or new_id("call"), each.name, each.args or {}) for each in calls]
        if now is None or self._stale:
            return  # of a turn that was interrupted
        if not now.may_use_tools and now.refusals < _MOST_REFUSALS:
            now.refusals += 1
            self._refuse(read)
            return
        if not now.began:
            self._memory.add(now.item)
        for call in read:
            self.owed[call.id] = call
            self._memory.add(Item("call", call_id=call.id))
        now.ask_for(read)
        self._progress()

    def tools_cancelled(self, ids: Sequence[str]) -> None:
        for id in ids:
            if self.owed.pop(id, None) is not None:
                self._memory.forget_call(id)

    def used(self, usage: Any) -> None:
        """``usageMetadata``, which comes with the end of a turn or near it."""
        now = self.now
        if now is None or now.over or (self._unclosed and not now.began):
            self._paid(wire.usage_of(usage, self._model))
        else:
            now.note_usage(usage, self._model)
