"""When an assistant's hooks are to be carried out: pure. Time is the session's clock.

What the platform calls its events, and what they are here:

- ``assistant.speech.interrupted``: the caller took the floor from the agent (``InterruptionConfirmed``);
- ``customer.speech.interrupted``: the agent began before the caller had finished, and took it back (``ReplyClosed.taken_back``);
- ``customer.speech.timeout``: nothing of the caller for ``options.timeoutSeconds`` since the agent has finished;
- ``call.timeElapsed``: ``options.seconds`` after the call began, once;
- ``model.response.timeout``: a model was asked, and nothing came of it;
- ``call.ending``: the call is over, for a reason that the filters let through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from antiphon.assistants.hook_spec import (
    ASSISTANT_INTERRUPTED,
    CUSTOMER_INTERRUPTED,
    ENDING,
    MODEL_TIMEOUT,
    TIME_ELAPSED,
    Hook,
    is_speech_timeout,
)
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev

_OF_THE_CALLER = (ev.SpeechStarted, ev.TextReceived, ev.DtmfPressed)
_WAITING_MODELS = 8


class HookRules:
    """Of one call, and the assistant that leads it."""

    def __init__(self, hooks: Sequence[Hook], now_ms: int) -> None:
        self._began_ms = now_ms
        self._quiet_since_ms: int | None = None
        """Since when it is the caller's turn to say something."""
        self._asked: dict[int, None] = {}
        """Replies of which nothing has come."""
        self.take(hooks)

    def take(self, hooks: Sequence[Hook]) -> None:
        """These from now on: another assistant leads the call."""
        self._hooks = hooks
        self._counts = [0] * len(hooks)
        self._last_ms = [-1] * len(hooks)
        """When a silence was answered last."""

    def happened(self, event: ev.Event | None, actions: Sequence[do.Action], now_ms: int) -> list[Hook]:
        """Those that one input of the conversation (None: a timer) and what it led to call for."""
        fired: list[Hook] = []
        if isinstance(event, ev.ReplyText | ev.ReplyAskedForTool):
            self._asked.pop(event.reply, None)
        elif isinstance(event, _OF_THE_CALLER):
            self._quiet_since_ms = None
            for at, hook in enumerate(self._hooks):
                if hook.options.trigger_reset_mode == "onUserSpeech":
                    self._counts[at] = 0
        elif isinstance(event, ev.ReplyFailed) and event.reply in self._asked:
            del self._asked[event.reply]
            fired += self._on(MODEL_TIMEOUT)
        for action in actions:
            if isinstance(action, do.StartReply):
                self._quiet_since_ms = None
                self._asked[action.reply] = None
                while len(self._asked) > _WAITING_MODELS:
                    del self._asked[next(iter(self._asked))]
            elif isinstance(action, do.StartPlayback):
                self._quiet_since_ms = None
            elif isinstance(action, do.CancelReply):
                self._asked.pop(action.reply, None)
            elif isinstance(action, do.EndSpeech):
                # With a timer's apology, or without one: what the model says from now on is not heard.
                if event is None and action.reply in self._asked:
                    del self._asked[action.reply]
                    fired += self._on(MODEL_TIMEOUT)
            elif isinstance(action, do.InterruptionConfirmed):
                fired += self._on(ASSISTANT_INTERRUPTED)
            elif isinstance(action, do.ReplyClosed):
                if action.taken_back:
                    fired += self._on(CUSTOMER_INTERRUPTED)
                elif action.status == "completed":
                    self._quiet_since_ms = now_ms
        return fired

    def deadline(self) -> int | None:
        """When ``due`` has something to say, if nothing happens before."""
        return min((at_ms for _, at_ms in self._times()), default=None)

    def due(self, now_ms: int) -> list[Hook]:
        fired = []
        for at, at_ms in list(self._times()):
            if at_ms <= now_ms:
                self._counts[at] += 1
                self._last_ms[at] = now_ms
                fired.append(self._hooks[at])
        return fired

    def ended(self, reason: str) -> list[Hook]:
        """``reason``: in the API's words."""
        return [hook for hook in self._on(ENDING) if all(each.lets_through(reason) for each in hook.filters)]

    def _on(self, name: str) -> list[Hook]:
        return [hook for hook in self._hooks if hook.on == name]

    def _times(self) -> Iterator[tuple[int, int]]:
        for at, hook in enumerate(self._hooks):
            options = hook.options
            if hook.on == TIME_ELAPSED and not self._counts[at] and options.seconds is not None:
                yield at, self._began_ms + round(options.seconds * 1000)
            elif is_speech_timeout(hook.on) and self._quiet_since_ms is not None:
                if self._counts[at] < options.trigger_max_count:
                    yield at, max(self._quiet_since_ms, self._last_ms[at]) + round(options.timeout_seconds * 1000)
