"""Who speaks first, and how a call ends."""

from __future__ import annotations

import pytest
from tests.conversation.driver import CallDriver, connected
from tests.conversation.world import Voice

from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Endpointing, Greeting, Keypad, Policy, Silence, Speaking
from antiphon.vocabulary import EndReason, Message, ToolSpec

HELLO = Greeting(message="Hello, how can I help?")
TALKATIVE = "We are open from Monday to Friday and on the first Saturday of every month."


def ended(call: CallDriver) -> str:
    return str(call.only(do.EndCall).reason)


def in_a_reply(policy: Policy | None = None) -> CallDriver:
    """The agent has been speaking for a second and has more to say."""
    return connected(policy).agent_says(TALKATIVE).passes(1000)


# ------------------------------------------------------------------------------------------------ the beginning


def test_the_assistant_greets() -> None:
    call = connected(Policy(greeting=HELLO)).passes(3000)
    assert call.said() == [("assistant", HELLO.message)]
    assert call.times(do.StartPlayback) == [0] and not call.all(do.StartReply)


def test_the_model_greets() -> None:
    mode = "assistant-speaks-first-with-model-generated-message"
    call = CallDriver(Policy(greeting=Greeting(mode=mode)), messages=[Message("system", "Be kind.")]).connects()
    assert (call.asked.turn, call.asked.messages) == (0, (Message("system", "Be kind."),))
    assert call.model_says("Hello!").passes(1000).said()[-1] == ("assistant", "Hello!")


@pytest.mark.parametrize("greeting", [Greeting(mode="assistant-waits-for-user", message="unused"), Greeting()])
def test_the_assistant_waits(greeting: Greeting) -> None:
    assert connected(Policy(greeting=greeting)).passes(5000).log[0][2] == (
        do.StateChanged("call", "connecting", "live"),
    )


WAITS = Policy(greeting=Greeting(message="Hello, how can I help?", wait_ms=500))


def test_a_greeting_waits_for_the_client_and_not_for_long() -> None:
    asked = connected(WAITS).passes(120).happens(ev.ClientReady(), ev.ClientReady()).passes(5000)
    assert asked.times(do.StartPlayback) == [120]
    alone = connected(WAITS).passes(5000)
    assert alone.times(do.StartPlayback) == [500]
    alone.happens(ev.ClientReady()).passes(5000)
    assert len(alone.all(do.Speak)) == 1, "once"


def test_a_model_generated_greeting_waits_as_well() -> None:
    greeting = Greeting(mode="assistant-speaks-first-with-model-generated-message", wait_ms=500)
    assert connected(Policy(greeting=greeting)).passes(700).times(do.StartReply) == [500]


def test_the_client_may_change_the_greeting_it_waits_for() -> None:
    call = connected(WAITS).passes(100).policy_is(Policy(greeting=Greeting(message="Hi."))).happens(ev.ClientReady())
    assert [piece.text for piece in call.all(do.Speak)] == ["Hi."]


@pytest.mark.parametrize(
    "begins", [ev.ReplyRequested(), ev.SayRequested("First."), ev.TextReceived("hello"), ev.TurnCommitted(1)]
)
def test_a_greeting_is_not_given_once_something_else_has_begun(begins: ev.Event) -> None:
    call = connected(WAITS).passes(100).happens(begins).passes(600).happens(ev.ClientReady()).passes(100)
    assert WAITS.greeting.message not in [piece.text for piece in call.all(do.Speak)]


def test_a_caller_who_speaks_first_is_not_greeted() -> None:
    call = connected(WAITS).passes(100).caller_speaks("Are you open?").passes(3000)
    assert call.all(do.Speak) == []
    assert call.asked.turn == 1


def test_a_greeting_that_waits_says_nothing_once_the_call_ends() -> None:
    assert connected(WAITS).drops().passes(1000).all(do.Speak) == []


def test_before_the_connection_nobody_is_heard_and_after_the_second_one_nothing_is_new() -> None:
    call = CallDriver(Policy(greeting=HELLO)).speech_starts().types("hi").presses("1")
    call.happens(ev.ReplyRequested(), ev.SayRequested("hi"), ev.TurnCommitted(1), ev.TranscriptChanged(1, "hi"))
    assert not any(actions for _, _, actions in call.log)
    assert call.conversation.deadline() is None
    call.connects().connects()
    assert len(call.all(do.Speak)) == 1


def test_a_call_that_never_connects_can_be_ended() -> None:
    assert ended(CallDriver().happens(ev.EndRequested(EndReason.SERVER_SHUTDOWN))) == "worker-shutdown"
    assert ended(CallDriver().drops(EndReason.TRANSPORT_LOST)) == "transport-lost"
    assert CallDriver().timer().states == ("connecting", "silent", "idle")


# ------------------------------------------------------------------------------------------------ the end


def test_a_call_that_drops_keeps_what_was_heard_and_frees_everything() -> None:
    call = connected(tools=[ToolSpec("look_up")]).agent_says("").caller_speaks("Look it up.").passes(400)
    call.model_asks_for("look_up").model_says(TALKATIVE, done=False).passes(1000).drops()
    assert ended(call) == "customer-ended-call"
    assert call.only(do.CancelTool).tool_call_id == "call-1"
    assert ("assistant", "We are open from Monday") in call.said()
    assert call.states == ("ended", "silent", "idle")
    call.caller_speaks("Hello?").types("hello").timer()
    assert call.conversation.deadline() is None


def test_a_call_that_drops_while_the_caller_speaks_drops_the_turn_and_the_guess() -> None:
    call = connected().caller_speaks("Are you there?").passes(100).drops()
    assert call.only(do.CancelReply).reply == 1
    assert call.only(do.TurnDropped) == do.TurnDropped(1, "Are you there?", said=True)
    assert call.said()[-1] == ("user", "Are you there?"), "nobody answers it, and it was said"


def test_what_is_being_said_when_the_agent_ends_the_call_was_said() -> None:
    call = connected().caller_speaks("One more thing").happens(ev.EndRequested(EndReason.ASSISTANT_ENDED)).passes(5000)
    assert ended(call) == "assistant-ended-call"
    assert call.said()[-1] == ("user", "One more thing")


def test_the_model_ends_the_call_once_its_goodbye_was_heard() -> None:
    call = connected(Policy(silence=Silence(end_call_message="Not said."))).caller_speaks("That is all.").passes(400)
    call.model_says("Thank you, goodbye.", done=False).happens(ev.ReplyAskedToEnd(1), ev.ReplyDone(1))
    assert not call.conversation.ended
    call.passes(2000)
    assert ended(call) == "assistant-ended-call"
    assert call.said()[-1] == ("assistant", "Thank you, goodbye.")


def test_a_model_that_ends_without_a_word_has_ours_said() -> None:
    call = connected(Policy(silence=Silence(end_call_message="Goodbye."))).caller_speaks("That is all.").passes(400)
    call.happens(ev.ReplyAskedToEnd(1), ev.ReplyDone(1))
    assert call.states == ("ending", "silent", "speaking")
    assert call.passes(1000).said()[-1] == ("assistant", "Goodbye.")
    assert ended(call) == "assistant-ended-call"


def test_without_any_goodbye_the_call_ends_at_once() -> None:
    call = connected().caller_speaks("That is all.").passes(400).happens(ev.ReplyAskedToEnd(1), ev.ReplyDone(1))
    assert ended(call) == "assistant-ended-call"


def test_a_transfer_follows_the_words_before_it() -> None:
    call = connected().caller_speaks("A human, please.").passes(400).model_says("One moment.", done=False)
    call.happens(ev.ReplyAskedToTransfer(1, "+15550100"), ev.ReplyDone(1))
    assert not call.all(do.TransferCall)
    call.passes(1000)
    assert call.only(do.TransferCall) == do.TransferCall("+15550100")
    assert call.states == ("live", "silent", "idle"), "the carrier ends it; if it cannot, the call goes on"


def test_an_end_call_phrase_ends_the_call_once_it_was_heard() -> None:
    policy = Policy(speaking=Speaking(end_call_phrases=("", "good night")))
    call = connected(policy).agent_says("Thank you, and Good Night!").passes(500)
    assert not call.conversation.ended
    assert ended(call.passes(2000)) == "assistant-said-end-call-phrase"


def test_a_phrase_is_whole_words() -> None:
    call = connected(Policy(speaking=Speaking(end_call_phrases=("by",)))).agent_says("It is nearby.").passes(2000)
    assert not call.conversation.ended


def test_what_is_being_said_is_finished_before_the_goodbye() -> None:
    call = in_a_reply().happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    call.caller_speaks("wait").types("wait").presses("1").happens(ev.SayRequested("more"), ev.ReplyRequested())
    call.passes(10_000)
    assert call.said()[1:] == [("assistant", TALKATIVE), ("assistant", "Goodbye.")]
    assert ended(call) == "assistant-ended-call"


def test_what_was_not_yet_heard_gives_way_to_the_goodbye() -> None:
    call = connected().caller_speaks("Tell me.").passes(400)
    call.happens(ev.ReplyAskedToEnd(1), ev.EndRequested(EndReason.SERVER_SHUTDOWN, "We must close."))
    assert call.only(do.ReplyClosed).status == "cancelled"
    assert call.passes(2000).said()[-1] == ("assistant", "We must close.")
    assert ended(call) == "worker-shutdown"


def test_a_held_agent_goes_on_to_its_goodbye() -> None:
    call = in_a_reply().speech_starts().speech_stops().happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    assert call.states == ("ending", "silent", "speaking")
    assert call.passes(10_000).said()[-1] == ("assistant", "Goodbye.")


def test_a_softened_agent_goes_on_to_its_goodbye_as_loud_as_before() -> None:
    call = in_a_reply().caller_sounds().happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    assert call.states == ("ending", "silent", "speaking")
    assert call.passes(10_000).said()[-1] == ("assistant", "Goodbye.")


def test_an_interruption_already_decided_still_ends_the_reply() -> None:
    call = in_a_reply()
    call.mouth_answers = False
    call.happens(ev.ReplyCancelled(), ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    call.mouth_answers = True
    call.happens(ev.PlaybackReached(1, 1000)).passes(3000)
    assert call.said()[1:] == [("assistant", "We are open from Monday"), ("assistant", "Goodbye.")]


def test_the_open_turn_and_the_queued_words_are_let_go() -> None:
    call = in_a_reply().happens(ev.SayRequested("Never said.")).speech_starts()
    call.happens(ev.EndRequested(EndReason.ASSISTANT_ENDED)).passes(10_000)
    assert len(call.all(do.TurnDropped)) == 1
    assert call.said()[-1] == ("assistant", TALKATIVE)


def test_a_goodbye_that_never_plays_is_cut_after_its_time() -> None:
    call = connected(voice=Voice(silent=True)).happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    assert call.passes(14_999).states == ("ending", "silent", "thinking")
    assert ended(call.passes(1)) == "assistant-ended-call"


def test_a_second_request_to_end_changes_nothing() -> None:
    call = in_a_reply().happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye."))
    call.happens(ev.EndRequested(EndReason.SERVER_SHUTDOWN, "Again.")).passes(10_000)
    assert ended(call) == "assistant-ended-call" and call.said()[-1] == ("assistant", "Goodbye.")


def test_a_client_may_cut_the_goodbye() -> None:
    call = connected().happens(ev.EndRequested(EndReason.ASSISTANT_ENDED, "Goodbye, and thank you very much."))
    call.passes(500).happens(ev.ReplyCancelled())
    assert ended(call) == "assistant-ended-call"


def test_the_longest_call_is_cut_or_bidden_goodbye() -> None:
    loud = Silence(silence_timeout_ms=0, max_duration_ms=60_000)
    cut = in_a_reply(Policy(silence=loud)).at(60_000)
    assert ended(cut) == "exceeded-max-duration"
    polite = connected(
        Policy(silence=Silence(silence_timeout_ms=0, max_duration_ms=60_000, max_duration_message="Time is up."))
    )
    polite.at(60_000)
    assert polite.states == ("ending", "silent", "speaking")
    assert polite.passes(2000).said() == [("assistant", "Time is up.")]
    assert ended(polite) == "exceeded-max-duration"


def test_words_of_ours_wait_their_turn_or_take_it() -> None:
    call = in_a_reply().happens(ev.SayRequested("Second."), ev.SayRequested(" ")).passes(5000)
    assert [words for _, words in call.said()[1:]] == [TALKATIVE, "Second."]
    call = in_a_reply().happens(ev.SayRequested("At once.", interrupts=True)).passes(3000)
    assert [words for _, words in call.said()[1:]] == ["We are open from Monday", "At once."]


def test_words_of_ours_may_end_the_call_even_when_they_are_cut_short() -> None:
    said = connected().happens(ev.SayRequested("We close now.", end_call_after=True)).passes(2000)
    assert ended(said) == "assistant-ended-call"
    cut = connected().happens(ev.SayRequested("We close now, come back.", end_call_after=True)).passes(700)
    assert ended(cut.speech_starts().passes(60).partial("stop")) == "assistant-ended-call"


def test_only_so_many_words_of_ours_are_kept_waiting() -> None:
    call = in_a_reply()
    for number in range(10):
        call.happens(ev.SayRequested(f"Number {number}."))
    call.passes(30_000)
    assert [words for _, words in call.said()[2:]] == [f"Number {number}." for number in range(2, 10)]


# ------------------------------------------------------------------------------------------------ keys


def test_keys_become_one_turn() -> None:
    call = connected().presses("12").passes(1999).presses("3").passes(1999)
    assert call.said() == []
    assert call.passes(1).said() == [("user", "123")]
    assert call.asked.turn == 1


def test_a_delimiter_ends_the_input_and_interrupts() -> None:
    call = in_a_reply().presses("42#")
    assert call.only_said_by_caller()[-1] == "42"
    assert call.only(do.InterruptionConfirmed).heard_ms == 1000


def test_keys_are_not_silence() -> None:
    call = connected(Policy(silence=Silence(silence_timeout_ms=3000), keypad=Keypad(timeout_ms=9000)))
    assert not call.passes(2900).presses("1").passes(8000).conversation.ended


def test_keys_can_be_ignored() -> None:
    call = connected(Policy(keypad=Keypad(enabled=False))).presses("12#").passes(5000)
    assert call.said() == []


# ------------------------------------------------------------------------------------------------ the policy


def test_a_new_policy_holds_from_now_on() -> None:
    fixed = Policy(endpointing=Endpointing(mode="fixed", silence_ms=900, speculative_reply=False))
    call = (
        connected(Policy(endpointing=Endpointing(speculative_reply=False))).caller_speaks("I want a pizza.").passes(200)
    )
    call.policy_is(fixed).passes(3000)
    assert call.times(do.TurnClosed) == [call.ears.silent_since_ms + 900]
    assert call.conversation.policy is fixed
