"""Every order in which things can happen. Hypothesis is the caller, the client, the model, the network and the clock; the driver and its
witness say what must hold after every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests.conversation.driver import CallDriver
from tests.conversation.world import Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Greeting, Policy, Silence, Speaking
from antiphon.vocabulary import EndReason, Message, ToolCall, ToolSpec

TOOLS = (
    ToolSpec("look_up"),
    ToolSpec("charge", filler="", cancel_on_interruption=True),
    ToolSpec("search", asynchronous=True),
    ToolSpec("open_door", client=True),
)
POLICIES = {
    "phone": Policy(
        greeting=Greeting(message="Hello, this is the clinic. How can I help you?"),
        silence=Silence(idle_messages=("Still there?",)),
    ),
    "strict greeting": Policy(
        greeting=Greeting(message="This call is recorded. Hello there.", interruptible=False),
        silence=Silence(idle_messages=("Are you there?",), silence_timeout_message="Goodbye then."),
        speaking=Speaking(end_call_phrases=("bye",)),
    ),
    "model greets": Policy(
        greeting=Greeting(mode="assistant-speaks-first-with-model-generated-message"),
        endpointing=Endpointing(detector=True, advised=True),
        barge_in=BargeIn(num_words=2),
        max_tool_steps=1,
    ),
    "realtime": Policy(endpointing=Endpointing(mode="fixed", speculative_reply=False), barge_in=BargeIn(mode="immediate")),
    "push to talk": Policy(endpointing=Endpointing(mode="manual"), reply_on_turn_end=False),
    "no barge-in": Policy(barge_in=BargeIn(enabled=False), silence=Silence(max_duration_message="Time is up.")),
    "written": Policy(output="text"),
}  # fmt: skip
WORDS = st.sampled_from(
    ["", "stop", "mm-hm", "yeah", "i want a pizza", "i want a pizza please.", "no", "and", "seven", "wait no actually", "Goodbye."]
)  # fmt: skip
ANSWERS = st.sampled_from(
    [
        "Fine.",
        "Let me see, ",
        "I will look that up for you now. ",
        "Your order is number 7.",
        "<flush />",
        "bye",
        " and then",
        "…",
    ]
)
OPTIONS = (
    None,
    None,
    ev.ReplyOptions("Be brief.", output="text"),
    ev.ReplyOptions(messages=(Message("user", "Only this."),), tools=(ToolSpec("look_up", client=True),)),
)
PLACES = st.one_of(
    st.just(ev.Place()),
    st.builds(ev.Place, turn=st.integers(1, 4)),
    st.builds(ev.Place, reply=st.integers(1, 4)),
    st.builds(ev.Place, id=st.sampled_from(["m1", "m2", "out-open_door-x-1", "unknown"])),
)
SOON = st.sampled_from([0, 1, 20, 100, 199, 200, 300, 500, 1000, 1500, 4000])


class Interleavings(RuleBasedStateMachine):
    """One call."""

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)), times=st.booleans(), start_ms=st.sampled_from([0, 5_000_000]),
        connected=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def begins(self, policy: str, times: bool, start_ms: int, connected: bool) -> None:
        setup = (Message("system", "You are kind."), Message("user", "before"))
        self.call = CallDriver(
            POLICIES[policy], tools=TOOLS, messages=setup, voice=Voice(word_times=times), start_ms=start_ms
        )
        self.tool_ids = 0
        self.door_calls: list[str] = []
        if connected:
            self.call.connects()

    # -------------------------------------------------------------------------------------- time

    @rule(duration_ms=SOON)
    def time_passes(self, duration_ms: int) -> None:
        self.call.passes(duration_ms)

    @rule(off_by_ms=st.sampled_from([-1, 0, 1]))
    def deadline_comes(self, off_by_ms: int) -> None:
        deadline = self.call.conversation.deadline()
        if deadline is not None:
            self.call.at(deadline + off_by_ms)

    @rule()
    def timer_too_early(self) -> None:
        self.call.timer()

    @rule(stalled=st.booleans())
    def audio_stalls(self, stalled: bool) -> None:
        self.call.ears.stalled = stalled

    # -------------------------------------------------------------------------------------- the caller

    @precondition(lambda self: not self.call.ears.sounding)
    @rule()
    def sounds(self) -> None:
        self.call.caller_sounds()

    @precondition(lambda self: self.call.ears.sounding)
    @rule()
    def sound_fades(self) -> None:
        self.call.passes(100).sound_fades()

    @rule()
    def speech_starts(self) -> None:
        self.call.speech_starts()

    @precondition(lambda self: self.call.utterance > 0)
    @rule(voice_ms=st.sampled_from([100, 200, 1200]))
    def speech_goes_on(self, voice_ms: int) -> None:
        self.call.happens(ev.SpeechContinued(self.call.utterance, voice_ms))

    @precondition(lambda self: self.call.ears.sounding)
    @rule()
    def speech_stops(self) -> None:
        self.call.passes(100).speech_stops()

    @rule(
        words=WORDS, for_ms=st.sampled_from([200, 600, 1300]), final_after_ms=st.sampled_from([None, 0, 150, 900]),
        partials=st.booleans(),
    )  # fmt: skip
    def speaks(self, words: str, for_ms: int, final_after_ms: int | None, partials: bool) -> None:
        self.call.caller_speaks(words, for_ms, final_after_ms=final_after_ms, partials=partials)

    @rule(
        final_after_ms=st.sampled_from([None, 0]), thinking_ms=st.sampled_from([0, 250, 500, 2000]), answer=ANSWERS,
        tool=st.sampled_from(["", "", "look_up", "charge", "search"]), twice=st.booleans(), playing_ms=SOON,
    )  # fmt: skip
    def exchange(
        self, final_after_ms: int | None, thinking_ms: int, answer: str, tool: str, twice: bool, playing_ms: int
    ) -> None:
        """A turn as it should go, up to some point: what the other rules then disturb."""
        call = self.call
        call.caller_speaks("What is seven times six?", final_after_ms=final_after_ms).passes(thinking_ms)
        if not call.all(do.StartReply):
            return
        if tool:
            for number in range(1 + twice):
                self.tool_ids += 1
                call.model_asks_for(tool, f"exchange-{self.tool_ids}", of="x" if number else "y")
                call.model_asks_for(tool, f"twin-{self.tool_ids}", of="x")
        call.model_says(answer).passes(playing_ms)

    @precondition(lambda self: self.call.utterance > 0)
    @rule(words=WORDS)
    def late_words(self, words: str) -> None:
        """For whatever was said last, open or over."""
        self.call.final(words)

    @precondition(lambda self: self.call.utterance > 0)
    @rule(words=WORDS, back=st.integers(0, 2))
    def partial(self, words: str, back: int) -> None:
        self.call.happens(ev.TranscriptChanged(self.call.utterance - back, words))

    @precondition(lambda self: self.call.utterance > 0)
    @rule(words=WORDS, back=st.integers(-1, 2), complete=st.sampled_from([None, 0.2, 0.95]))
    def final(self, words: str, back: int, complete: float | None) -> None:
        self.call.happens(ev.TranscriptFinal(self.call.utterance - back, words, complete))

    @precondition(lambda self: self.call.utterance > 0)
    @rule(back=st.integers(0, 2))
    def no_transcript(self, back: int) -> None:
        self.call.happens(ev.TranscriptFailed(self.call.utterance - back))

    @precondition(lambda self: self.call.all(do.ScoreTurn))
    @rule(probability=st.sampled_from([0.0, 0.5, 0.9]), told=st.booleans())
    def detector_answers(self, probability: float, told: bool) -> None:
        asked = self.call.all(do.ScoreTurn)[-1]
        self.call.happens(ev.EndOfTurnScored(asked.turn, probability, asked.text if told else ""))

    @precondition(lambda self: self.call.all(do.AskWait))
    @rule(wait_ms=st.sampled_from([0, 300, 15_000]), back=st.integers(1, 3))
    def adviser_answers(self, wait_ms: int, back: int) -> None:
        asked = self.call.all(do.AskWait)[-back:][0]
        self.call.happens(ev.WaitTold(asked.turn, wait_ms, asked.text))

    @precondition(lambda self: self.call.utterance > 0)
    @rule(back=st.integers(0, 1), kind=st.sampled_from(["start", "eager_end", "resumed", "end"]))
    def vendor_signals(self, back: int, kind: Literal["start", "eager_end", "resumed", "end"]) -> None:
        self.call.happens(ev.VendorTurnSignal(self.call.utterance - back, kind))

    @rule(words=WORDS, reply=st.booleans())
    def types(self, words: str, reply: bool) -> None:
        self.call.types(words, reply=reply)

    @rule(digits=st.sampled_from(["1", "12#", "#", "9"]))
    def presses(self, digits: str) -> None:
        self.call.presses(digits)

    # -------------------------------------------------------------------------------------- the client

    @precondition(
        lambda self: self.call.conversation.policy.endpointing.mode == "manual" or len(self.call.log) % 4 == 3
    )
    @rule(with_audio=st.booleans())
    def commits(self, with_audio: bool) -> None:
        if with_audio:
            self.call.utterance += 1
        self.call.happens(ev.TurnCommitted(self.call.utterance if with_audio else 0))

    @rule()
    def discards(self) -> None:
        self.call.happens(ev.TurnDiscarded())

    @rule(request=st.sampled_from(["r0", "r1"]), options=st.sampled_from(OPTIONS))
    def requests(self, request: str, options: ev.ReplyOptions | None) -> None:
        self.call.happens(ev.ReplyRequested(request, options))

    @rule(name=st.sampled_from(["m1", "m2", "m3"]), after=PLACES)
    def message_placed(self, name: str, after: ev.Place) -> None:
        self.call.happens(ev.MessageAdded(Message("user", "Placed.", id=name), after=after))

    @precondition(lambda self: len(self.call.log) % 3 == 0)
    @rule(place=PLACES)
    def message_removed(self, place: ev.Place) -> None:
        self.call.happens(ev.MessageRemoved(place))

    @precondition(lambda self: self.door_calls)
    @rule(pick=st.integers(0, 5))
    def client_answers(self, pick: int) -> None:
        call_id = self.door_calls[pick % len(self.door_calls)]
        asked = [call.id for message in self.call.conversation.history() for call in message.tool_calls]
        if call_id in asked:
            self.call.happens(ev.MessageAdded(Message("tool", "open", tool_call_id=call_id, id=f"out-{call_id}")))

    @precondition(lambda self: len(self.call.log) % 5 == 0)
    @rule(text=st.sampled_from(["", "Be brief."]))
    def instructions_change(self, text: str) -> None:
        self.call.happens(ev.InstructionsChanged(text))
        first = self.call.conversation.history()[:1]
        if self.call.conversation.call != "ended":
            assert [message.content for message in first if message.role == "system"][:1] == ([text] if text else [])

    @precondition(lambda self: self.call.conversation.agent != "idle" or len(self.call.log) % 4 == 2)
    @rule()
    def cancels(self) -> None:
        self.call.happens(ev.ReplyCancelled("c1"))

    @precondition(lambda self: self.call.mouth or self.call.all(do.ReplyClosed))
    @rule(back=st.integers(-1, 3), heard_ms=st.sampled_from([-5, 0, 400, 1500, 100_000]))
    def truncates(self, back: int, heard_ms: int) -> None:
        newest = self.call.mouth.reply if self.call.mouth else len(self.call.all(do.ReplyClosed))
        self.call.happens(ev.PlaybackTruncated(newest - back, heard_ms))

    @rule(interruptible=st.booleans(), interrupts=st.booleans(), end=st.sampled_from([False, False, False, True]))
    def says(self, interruptible: bool, interrupts: bool, end: bool) -> None:
        # Words nobody else says: the driver knows by them which replies may not be interrupted.
        words = f"Announcement {'one, please wait' if interruptible else 'two, do not interrupt'}."
        self.call.happens(ev.SayRequested(words, interruptible, interrupts, end))

    @rule(role=st.sampled_from(["user", "system"]), reply=st.booleans())
    def message_added(self, role: str, reply: bool) -> None:
        self.call.happens(ev.MessageAdded(Message(role, "A message."), reply))  # type: ignore[arg-type]

    @precondition(lambda self: len(self.call.log) % 4 == 0)
    @rule(policy=st.sampled_from(sorted(POLICIES)))
    def policy_changes(self, policy: str) -> None:
        self.call.policy_is(POLICIES[policy])

    @precondition(lambda self: len(self.call.log) % 4 == 1)
    @rule(enabled=st.sampled_from([True, True, False]))
    def barge_in_is_switched(self, enabled: bool) -> None:
        policy = self.call.conversation.policy
        self.call.policy_is(replace(policy, barge_in=replace(policy.barge_in, enabled=enabled)))

    # -------------------------------------------------------------------------------------- the model and its tools

    def _a_reply(self, back: int) -> int:
        """The last reply asked for; one before; one that never was."""
        return self.call.asked.reply - back

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(text=ANSWERS, back=st.sampled_from([0, 0, 0, 1, -1]))
    def model_says(self, text: str, back: int) -> None:
        self.call.happens(ev.ReplyText(self._a_reply(back), text))

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(back=st.sampled_from([0, 0, 0, 1, -1]))
    def model_pauses(self, back: int) -> None:
        self.call.happens(ev.ReplyPaused(self._a_reply(back)))

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(back=st.sampled_from([0, 0, 0, 1, -1]))
    def model_is_done(self, back: int) -> None:
        self.call.happens(ev.ReplyDone(self._a_reply(back)))

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(text=ANSWERS)
    def model_answers(self, text: str) -> None:
        self.call.model_says(text)

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(back=st.sampled_from([0, 0, 1, -1]))
    def model_fails(self, back: int) -> None:
        self.call.happens(ev.ReplyFailed(self._a_reply(back)))

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(
        name=st.sampled_from(["look_up", "charge", "search", "open_door", "unheard of"]),
        of=st.sampled_from(["x", "y"]),
        fresh=st.booleans(),
    )
    def model_asks_for_tool(self, name: str, of: str, fresh: bool) -> None:
        self.tool_ids += fresh
        call = ToolCall(f"{name}-{of}-{self.tool_ids}", name, {"of": of})
        if name == "open_door":
            self.door_calls.append(call.id)
        self.call.happens(ev.ReplyAskedForTool(self._a_reply(0), call))

    @precondition(lambda self: self.call.all(do.StartReply))
    @rule(transfer=st.sampled_from([False, False, True]))
    def model_asks_to_leave(self, transfer: bool) -> None:
        reply = self._a_reply(0)
        self.call.happens(ev.ReplyAskedToTransfer(reply, "+15550100") if transfer else ev.ReplyAskedToEnd(reply))

    @precondition(lambda self: self.call.all(do.RunTool))
    @rule(pick=st.integers(0, 5), fails=st.booleans())
    def tool_answers(self, pick: int, fails: bool) -> None:
        run = self.call.all(do.RunTool)
        call_id = run[pick % len(run)].call.id
        self.call.happens(ev.ToolFailed(call_id, "no luck") if fails else ev.ToolFinished(call_id, "42"))

    # -------------------------------------------------------------------------------------- the voice and the mouth

    @rule(fails=st.sampled_from([False, False, True]), silent=st.sampled_from([False, False, True]))
    def voice_changes(self, fails: bool, silent: bool) -> None:
        self.call.voice.fails, self.call.voice.silent = fails, silent

    @rule(answers=st.booleans())
    def mouth_is_slow(self, answers: bool) -> None:
        self.call.mouth_answers = answers

    @precondition(lambda self: self.call.mouth is not None and self.call.mouth.started)
    @rule()
    def mouth_tells(self) -> None:
        mouth = self.call.mouth
        assert mouth is not None
        self.call.happens(ev.PlaybackReached(mouth.reply, mouth.heard_ms))

    # -------------------------------------------------------------------------------------- the end

    @precondition(lambda self: len(self.call.log) > 25)
    @rule(message=st.sampled_from(["", "Goodbye, and thank you."]))
    def end_is_requested(self, message: str) -> None:
        self.call.happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, message))

    @precondition(lambda self: len(self.call.log) > 40)
    @rule()
    def line_drops(self) -> None:
        self.call.drops()

    def teardown(self) -> None:
        if not hasattr(self, "call"):
            return
        call = self.call
        if call.conversation.call == "connecting":
            call.connects()
        if len(call.log) % 2:
            call.only_timers()
        else:
            self._let_it_come_to_rest()
        assert call.conversation.ended
        assert len(call.all(do.EndCall)) == 1
        call.replays()

    def _let_it_come_to_rest(self) -> None:
        """With engines that work and a caller who is silent from now on, nothing hangs: the call ends for silence."""
        call = self.call
        call.ears.stalled, call.voice.fails, call.voice.silent, call.mouth_answers = False, False, False, True
        if call.ears.sounding:
            call.passes(100).speech_stops()
        call.policy_is(replace(call.conversation.policy, silence=Silence(max_duration_ms=0)))
        call.voice_gives_up()
        call.happens(ev.TurnCommitted())
        for _ in range(30):
            for run in call.all(do.RunTool):
                call.happens(ev.ToolFinished(run.call.id, "42"))
            if call.all(do.StartReply):
                call.model_says("")
            call.passes(20_000)


def test_every_interleaving_keeps_the_rules() -> None:
    """For a longer hunt, raise ``max_examples`` and set ``derandomize`` to False."""
    profile = settings(
        max_examples=250, stateful_step_count=40, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(Interleavings, settings=profile)
