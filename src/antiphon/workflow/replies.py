"""What the agent says and does where a conversation stands."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.vocabulary import ToolCall
from antiphon.workflow.calls import call_of
from antiphon.workflow.edges import open_slot
from antiphon.workflow.fold import say
from antiphon.workflow.graph import Graph
from antiphon.workflow.numbers import spoken_digits
from antiphon.workflow.sentences import SENTENCES, Sentences
from antiphon.workflow.slots import Slot
from antiphon.workflow.spec import ConversationNode, EndNode, ToolNode, TransferNode
from antiphon.workflow.state import Prompt, State

STILL_WORKING = SENTENCES["en"].still_working


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: words, and at most one of a tool call, a transfer and the end of the call."""

    text: str
    call: ToolCall | None = None
    transfer_to: str = ""
    ends_call: bool = False


def reply_at(graph: Graph, state: State) -> Reply:
    """The reply to whatever led to ``state``."""
    node = graph.nodes[state.node]
    own = SENTENCES[graph.language]
    message = say(graph.first_message(node), state)
    if isinstance(node, ToolNode):
        if state.call_id:
            return Reply(_text(own, state, own.still_working if state.prompt is Prompt.WAIT else ""))
        return Reply(_text(own, state, message or say(_spoken_at_start(node), state)), call=call_of(node, state))
    if isinstance(node, TransferNode):
        return Reply(_text(own, state, message), transfer_to=say(node.destination, state))
    if isinstance(node, EndNode):
        return Reply(_text(own, state, message), ends_call=True)
    if state.prompt is Prompt.PAUSE:
        return Reply(_text(own, state, own.take_your_time))
    slot = open_slot(graph, state)
    prompt = (
        _without_question(own, node, message, state) if slot is None else _question(own, node, message, slot, state)
    )
    return Reply(_text(own, state, *prompt))


def _without_question(own: Sentences, node: ConversationNode, message: str, state: State) -> tuple[str, ...]:
    """A node that asks for no value."""
    short = say(node.reprompt, state) or message
    if not state.heard or state.prompt in (Prompt.ENTER, Prompt.REPEAT):
        # What was to be said here has not reached the caller, or is wanted once more.
        return (message or short or _generic_help(own, node, state),)
    if state.prompt is Prompt.HELP:
        return (say(node.help, state) or short,)
    if state.prompt in (Prompt.AGAIN, Prompt.BEYOND):
        again = own.beyond if state.prompt is Prompt.BEYOND else own.not_understood
        return (again, *((say(node.help, state),) if state.misses > 1 else ()), short)
    return (short,)


def _generic_help(own: Sentences, node: ConversationNode, state: State) -> str:
    return say(node.help, state) or own.how_can_i_help


def _question(own: Sentences, node: ConversationNode, message: str, slot: Slot, state: State) -> tuple[str, ...]:
    """A node that asks for ``slot``, or for its confirmation."""
    options, confirming = slot.options, state.value(slot.name) is not None
    question = say(options.confirm if confirming else slot.ask, state)
    if state.prompt is Prompt.ENTER:
        return (message, question)
    if state.prompt is Prompt.MORE:
        return (own.more_digits.format(spoken_digits("".join(state.groups))),)
    if state.prompt is Prompt.HELP:
        return (say(options.help or node.help, state) or (own.yes_or_no if confirming else ""), question)
    if state.prompt is Prompt.BEYOND:
        return (own.beyond, *((say(options.help or node.help, state),) if state.misses > 1 else ()), question)
    if state.prompt is Prompt.AGAIN:
        if confirming:
            return (own.not_understood, own.yes_or_no, question)
        reask = say(options.reask or node.reprompt, state)
        helped = (say(options.help or node.help, state),) if state.misses > 1 else ()
        return (reask, *helped) if reask else (own.not_understood, *helped, question)
    return (question,)


def _spoken_at_start(node: ToolNode) -> str:
    """The words Vapi's tools say when they start (``messages`` of type ``request-start``)."""
    messages = node.tool.messages if node.tool else ()
    return next((str(m.get("content", "")) for m in messages if m.get("type") == "request-start"), "")


def _text(own: Sentences, state: State, *prompt: str) -> str:
    """Acknowledgement, remarks, prompt. A corrected value is named, unless the prompt names it anyway."""
    asked = " ".join(sentence for sentence in prompt if sentence)
    values = [value.spoken for name in state.changed if (value := state.value(name)) is not None]
    unnamed = [spoken for spoken in values if spoken not in asked]
    acknowledgement = ""
    if unnamed:
        acknowledgement = own.okay_value.format(own.and_between.join(unnamed))
    elif values:
        acknowledgement = own.okay
    return " ".join(sentence for sentence in (acknowledgement, *state.remarks, asked) if sentence)
