"""A call as a test tells it: a caller who makes sounds and speaks, a voice, a mouth that plays in real time, ears that count
silence, a model that says what it is told to; and one clock, which only the test moves.

Everything the conversation asks for is carried out as the session would: at once, without a choice. A ``Witness`` looks on.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.conversation.witness import Witness
from tests.conversation.world import Ears, Mouth, Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.conversation.policy import Endpointing, Policy
from antiphon.conversation.state import Agent, User
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec

STOP_HANGOVER_MS = 100
"""Silence after which the ears say that speech, or a sound, is over."""
A = TypeVar("A")


@dataclass(order=True, slots=True)
class Scheduled:
    at_ms: int
    serial: int
    event: ev.Event = field(compare=False)


class CallDriver:
    """A call on the driver's clock. Methods that take time move it; the rest happens now."""

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        tools: Iterable[ToolSpec] = (),
        messages: Iterable[Message] = (),
        voice: Voice | None = None,
        start_ms: int = 0,
    ) -> None:
        self.policy = policy or Policy()
        self._setup = (tuple(messages), tuple(tools))
        self.conversation = Conversation(self.policy, *self._setup)
        self.now_ms = start_ms
        self.voice = voice or Voice()
        self.ears = Ears(silent_since_ms=start_ms)
        self.mouth: Mouth | None = None
        self.mouth_answers = True
        """False: ``HoldPlayback`` is carried out but not answered."""
        self.mouth_tells_start = True
        """False: the first sound of a reply is not told."""
        self.pieces: dict[int, list[tuple[str, int]]] = {}
        """What of each reply became audio: text and length."""
        self.utterance = 0
        self.log: list[tuple[int, ev.Event | None, tuple[do.Action, ...]]] = []
        self.witness = Witness(self.words_heard, writes=self.policy.output == "text")
        self._insisting: set[int] = set()
        """Replies that may sound while the caller does: asked for by the client, or not to be interrupted."""
        self._insisting_words = [] if self.policy.greeting.interruptible else [self.policy.greeting.message]
        self._inbox: list[ev.Event] = []
        self._plan: list[Scheduled] = []
        self._serial = itertools.count()
        self._seen = 0

    # -------------------------------------------------------------------------------------- inputs

    def happens(self, *events: ev.Event) -> CallDriver:
        """Feed events now, and everything that follows from them at once."""
        self._inbox += events
        while self._inbox:
            event = self._inbox.pop(0)
            if self.mouth is not None:
                self.mouth.play_until(self.now_ms)
            if isinstance(event, ev.SayRequested) and not event.interruptible:
                self._insisting_words.append(event.text)
            self.conversation.handle(event, self.now_ms)
            self._carry_out(event)
        self._check_the_air()
        return self

    def timer(self) -> CallDriver:
        """The conversation's deadline has come (or somebody asks too early)."""
        self.conversation.handle_timer(self.now_ms)
        self._carry_out(None)
        deadline = self.conversation.deadline()
        assert deadline is None or deadline > self.now_ms, "a timer that is due again at once would spin"
        return self.happens()

    def later(self, after_ms: int, event: ev.Event) -> CallDriver:
        """Feed an event when the clock gets there."""
        heapq.heappush(self._plan, Scheduled(self.now_ms + after_ms, next(self._serial), event))
        return self

    def _carry_out(self, event: ev.Event | None) -> None:
        actions = tuple(self.conversation.actions())
        self.log.append((self.now_ms, event, actions))
        for action in actions:
            self._carry_out_one(action)
            asked = isinstance(event, ev.ReplyRequested) and isinstance(action, do.StartReply)
            own = isinstance(action, do.Speak) and any(words.startswith(action.text) for words in self._insisting_words)
            if asked or own or (isinstance(action, do.StartReply) and action.request):
                self._insisting.add(action.reply)
        self.witness.saw(event, actions, self.conversation)

    def _carry_out_one(self, action: do.Action) -> None:
        if isinstance(action, do.Speak):
            self._voice(action)
        elif isinstance(action, do.WatchSilence):
            self.ears.watch_ms = action.silence_ms
        elif isinstance(action, do.CancelReply | do.StopPlayback):
            if self.mouth is not None and self.mouth.reply == action.reply:
                self.mouth = None
        elif isinstance(action, do.SoftenPlayback):
            mouth = self._mouth_for(action.reply)
            assert mouth.audible and not mouth.soft
            mouth.soft = True
        elif isinstance(action, do.AskPlayback):
            mouth = self._mouth_for(action.reply)
            mouth.play_until(self.now_ms)
            self._inbox.append(ev.PlaybackReached(action.reply, mouth.heard_ms))
        elif isinstance(action, do.StartPlayback | do.EndSpeech | do.HoldPlayback | do.ResumePlayback):
            mouth = self._mouth_for(action.reply)
            mouth.play_until(self.now_ms)
            if isinstance(action, do.StartPlayback):
                mouth.open = True
                self._start_if_audible(mouth)
            elif isinstance(action, do.EndSpeech):
                mouth.ended = True
            elif isinstance(action, do.HoldPlayback):
                assert mouth.open and not mouth.held
                mouth.held, mouth.soft = True, False
                if self.mouth_answers:
                    self._inbox.append(ev.PlaybackReached(action.reply, mouth.heard_ms))
            else:
                assert mouth.held or mouth.soft
                mouth.held = mouth.soft = False
                self._start_if_audible(mouth)

    def _mouth_for(self, reply: int) -> Mouth:
        if self.mouth is None or self.mouth.reply != reply:
            self.mouth = Mouth(reply, at_ms=self.now_ms)
        return self.mouth

    def _start_if_audible(self, mouth: Mouth) -> None:
        if mouth.audible and mouth.made_ms and not mouth.started and self.mouth_tells_start:
            mouth.started = True
            self._inbox.append(ev.PlaybackStarted(mouth.reply))

    def _voice(self, action: do.Speak) -> None:
        mouth = self._mouth_for(action.reply)
        pieces = self.pieces.setdefault(action.reply, [])
        if self.voice.silent:
            mouth.awaited += 1
            pieces.append((action.text, 0))
            return
        if self.voice.fails:
            pieces.append((action.text, 0))
            self._inbox.append(ev.SynthesisFailed(action.reply, action.piece))
            return
        mouth.play_until(self.now_ms)
        length_ms = len(action.text) * self.voice.ms_per_char
        pieces.append((action.text, length_ms))
        mouth.made_ms += length_ms
        words = self.voice.words(action.text) if self.voice.word_times else ()
        self._inbox.append(ev.SpeechSynthesized(action.reply, action.piece, length_ms, words))
        self._start_if_audible(mouth)

    def _check_the_air(self) -> None:
        """What is really heard agrees with the states, and the agent does not speak over a caller who has the floor."""
        audible = self.mouth is not None and self.mouth.started and self.mouth.audible and not self.mouth.finished
        speaking = self.conversation.agent in (Agent.SPEAKING, Agent.SOFTENED)
        assert speaking or not audible
        if speaking and self.conversation.user is not User.SILENT:
            assert self.mouth is not None
            assert self.mouth.reply in self._insisting or not self.conversation.policy.barge_in.enabled

    def voice_gives_up(self) -> CallDriver:
        """The session's own timeouts: what the voice never answered has failed."""
        mouth = self.mouth
        if mouth is not None and mouth.awaited:
            mouth.awaited = 0
            lost = [number for number, (_, length_ms) in enumerate(self.pieces[mouth.reply]) if not length_ms]
            self.happens(*(ev.SynthesisFailed(mouth.reply, piece) for piece in lost))
        return self

    def words_heard(self, reply: int, heard_ms: int) -> str:
        """This test's own account: the words whose middle had been played."""
        heard: list[str] = []
        start_ms = 0
        for text, length_ms in self.pieces.get(reply, []):
            if length_ms:
                for word in self.voice.words(text):
                    if start_ms + (word.start_ms + word.end_ms) / 2 <= heard_ms:
                        heard.append(word.text)
            start_ms += length_ms
        return " ".join(heard)

    # -------------------------------------------------------------------------------------- time

    def passes(self, duration_ms: int) -> CallDriver:
        """Time goes by, and everything that is due happens when it is due."""
        return self.at(self.now_ms + duration_ms)

    def at(self, until_ms: int) -> CallDriver:
        """Time goes by until ``until_ms``."""
        self.happens()
        while (next_ms := self._next_ms()) is not None and next_ms <= until_ms:
            self._move(next_ms)
            self._do_what_is_due()
        self._move(until_ms)
        return self

    def _next_ms(self) -> int | None:
        times = [
            self._plan[0].at_ms if self._plan else None,
            self.mouth.done_ms if self.mouth else None,
            self.ears.due_ms,
            self.conversation.deadline(),
        ]
        return min((time for time in times if time is not None), default=None)

    def _move(self, to_ms: int) -> None:
        self.now_ms = max(self.now_ms, to_ms)
        if self.mouth is not None:
            self.mouth.play_until(self.now_ms)

    def _do_what_is_due(self) -> None:
        if self._plan and self._plan[0].at_ms <= self.now_ms:
            self.happens(heapq.heappop(self._plan).event)
        if (mouth := self.mouth) is not None and mouth.done_ms is not None and mouth.done_ms <= self.now_ms:
            mouth.finished = True
            self.happens(ev.PlaybackFinished(mouth.reply, mouth.heard_ms))
        if (due_ms := self.ears.due_ms) is not None and due_ms <= self.now_ms:
            self.ears.watch_ms = None
            self.happens(ev.SilenceReached(self.now_ms - self.ears.silent_since_ms))
        deadline = self.conversation.deadline()
        if deadline is not None and deadline <= self.now_ms:
            self.timer()

    def only_timers(self, at_most: int = 500) -> CallDriver:
        """Nothing happens any more, for ever: only the conversation's own deadlines come."""
        for _ in range(at_most):
            if (deadline := self.conversation.deadline()) is None:
                return self
            self.now_ms = max(self.now_ms, deadline)
            self.timer()
        raise AssertionError("the timers never come to an end")

    # -------------------------------------------------------------------------------------- the call

    def connects(self) -> CallDriver:
        return self.happens(ev.CallConnected(), ev.AudioArrived())

    def drops(self, reason: EndReason = EndReason.CUSTOMER_ENDED) -> CallDriver:
        """The line is gone. As the session does, what was heard until then is told first."""
        if self.mouth is not None and self.mouth.started:
            self.happens(ev.PlaybackReached(self.mouth.reply, self.mouth.heard_ms))
        return self.happens(ev.CallDropped(reason))

    def policy_is(self, policy: Policy) -> CallDriver:
        return self.happens(ev.PolicyChanged(policy))

    # -------------------------------------------------------------------------------------- the caller

    def caller_sounds(self) -> CallDriver:
        """Something that may become speech."""
        self.ears.sounding = True
        return self.happens(ev.SoundStarted(self.now_ms))

    def sound_fades(self) -> CallDriver:
        """It was over ``STOP_HANGOVER_MS`` ago, and was no speech."""
        self._silent()
        return self.happens(ev.SoundFaded(self.ears.silent_since_ms, STOP_HANGOVER_MS))

    def coughs(self, for_ms: int = 200) -> CallDriver:
        return self.caller_sounds().passes(for_ms + STOP_HANGOVER_MS).sound_fades()

    def speech_starts(self) -> CallDriver:
        if not self.ears.sounding:
            self.caller_sounds()
        self.utterance += 1
        return self.happens(ev.SpeechStarted(self.utterance, self.now_ms))

    def speech_stops(self, *, near: bool = True, share: float = 1.0) -> CallDriver:
        """It was over ``STOP_HANGOVER_MS`` ago."""
        self._silent()
        return self.happens(ev.SpeechStopped(self.utterance, self.ears.silent_since_ms, STOP_HANGOVER_MS, near, share))

    def _silent(self) -> None:
        self.ears.sounding = False
        self.ears.silent_since_ms = self.now_ms - STOP_HANGOVER_MS

    def partial(self, text: str) -> CallDriver:
        return self.happens(ev.TranscriptChanged(self.utterance, text))

    def final(
        self, text: str, *, utterance: int | None = None, complete: float | None = None, confidence: float | None = None
    ) -> CallDriver:
        return self.happens(ev.TranscriptFinal(utterance or self.utterance, text, complete, confidence))

    def caller_speaks(
        self, text: str, for_ms: int = 600, *, final_after_ms: int | None = 0, partials: bool = True
    ) -> CallDriver:
        """Speech with words on the way and at its end. ``final_after_ms`` counts from the moment the ears say it has stopped; None: the
        final words never come."""
        self.speech_starts()
        words = text.split()
        for voice_ms in range(100, for_ms + 1, 100):
            self.passes(100).happens(ev.SpeechContinued(self.utterance, voice_ms))
            said = words[: len(words) * voice_ms // for_ms]
            if said and partials:
                self.partial(" ".join(said))
        self.passes(STOP_HANGOVER_MS).speech_stops()
        if final_after_ms is not None:
            self.later(final_after_ms, ev.TranscriptFinal(self.utterance, text))
            self.passes(final_after_ms)
        return self

    def types(self, text: str, *, reply: bool = True) -> CallDriver:
        return self.happens(ev.TextReceived(text, reply))

    def presses(self, digits: str) -> CallDriver:
        return self.happens(*(ev.DtmfPressed(digit) for digit in digits))

    # -------------------------------------------------------------------------------------- the model

    @property
    def asked(self) -> do.StartReply:
        """The last request to the model."""
        return self.all(do.StartReply)[-1]

    def model_says(self, text: str, *, reply: int | None = None, done: bool = True) -> CallDriver:
        number = reply or self.asked.reply
        self.happens(ev.ReplyText(number, text))
        return self.happens(ev.ReplyDone(number) if done else ev.ReplyPaused(number))

    def model_is_done(self) -> CallDriver:
        return self.happens(ev.ReplyDone(self.asked.reply))

    def model_fails(self) -> CallDriver:
        return self.happens(ev.ReplyFailed(self.asked.reply))

    def model_asks_for(self, name: str, call_id: str = "call-1", **arguments: object) -> CallDriver:
        return self.happens(ev.ReplyAskedForTool(self.asked.reply, ToolCall(call_id, name, dict(arguments))))

    def tool_answers(self, content: str, call_id: str = "call-1") -> CallDriver:
        return self.happens(ev.ToolFinished(call_id, content))

    def agent_says(self, text: str) -> CallDriver:
        """A whole turn: the caller speaks, the model answers with ``text``, and its voice is heard from now on."""
        self.caller_speaks("Tell me something.").passes(Endpointing().wait_ms)
        return self.model_says(text)

    # -------------------------------------------------------------------------------------- what was done

    def all(self, kind: type[A]) -> list[A]:
        """Every action of this kind so far."""
        return [action for _, _, actions in self.log for action in actions if isinstance(action, kind)]

    def since(self) -> list[do.Action]:
        """Actions since this was last asked."""
        actions = [action for _, _, batch in self.log[self._seen :] for action in batch]
        self._seen = len(self.log)
        return actions

    def only(self, kind: type[A]) -> A:
        """The one action of this kind."""
        (action,) = self.all(kind)
        return action

    def times(self, kind: type[do.Action]) -> list[int]:
        """When actions of this kind were asked for."""
        return [now_ms for now_ms, _, actions in self.log for action in actions if isinstance(action, kind)]

    def said(self) -> list[tuple[str, str]]:
        """The history as pairs of role and words."""
        return [(message.role, message.content) for message in self.conversation.history()]

    def only_said_by_caller(self) -> list[str]:
        return [words for role, words in self.said() if role == "user"]

    @property
    def states(self) -> tuple[str, str, str]:
        return (str(self.conversation.call), str(self.conversation.user), str(self.conversation.agent))

    def replays(self) -> CallDriver:
        """The recorded inputs, fed to a fresh conversation, give the same actions."""
        fresh = Conversation(self.policy, *self._setup)
        for number, (now_ms, event, actions) in enumerate(self.log):
            if event is None:
                fresh.handle_timer(now_ms)
            else:
                fresh.handle(event, now_ms)
            assert tuple(fresh.actions()) == actions, f"entry {number} differs"
        return self


def connected(
    policy: Policy | None = None, *, tools: Sequence[ToolSpec] = (), voice: Voice | None = None
) -> CallDriver:
    """A call that is live."""
    return CallDriver(policy, tools=tools, voice=voice).connects()
