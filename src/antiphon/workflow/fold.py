"""The workflow as a pure fold over what happened: ``state = step(state, input)``. No clock, no memory between requests.

Rule 1: the same history at the same ``now`` gives the same state, so speculative and cancelled replies cost nothing.
Rule 2: words are understood at the node that listens. While a tool works, or after a goodbye, that is the last one that did.
Rule 3: of the edges that hold, the one for a correction comes first, then the one that the words fit best, then those on variables
in their order, then the one without a condition.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from antiphon.workflow import answers, edges, intents, templates
from antiphon.workflow.calls import arguments_of, canonical, tool_name
from antiphon.workflow.graph import Graph
from antiphon.workflow.inputs import Answered, Called, Heard, Input, Spoke
from antiphon.workflow.meaning import Meanings, Meant, knows, meant
from antiphon.workflow.reading import Reading, read
from antiphon.workflow.sentences import SENTENCES
from antiphon.workflow.slots import FREE, Slot, Value, explain, problem, spelled, yes_or_no
from antiphon.workflow.spec import ConversationNode, Edge, ToolNode
from antiphon.workflow.state import Prompt, State
from antiphon.workflow.words import Token, Utterance, utterance

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


class Fold:
    """Walks one workflow for one request."""

    def __init__(
        self,
        graph: Graph,
        now: dt.datetime,
        variables: Mapping[str, str],
        tools: frozenset[str],
        meanings: Meanings,
    ) -> None:
        """``now`` is the call's start in the workflow's time zone; ``tools`` are the names that may be called."""
        self._graph = graph
        self._own = SENTENCES[graph.language]
        self._now = now
        self._tools = tools
        self._meanings = meanings
        self._variables = tuple((name, Value(text, text)) for name, text in sorted(variables.items()))

    def start(self) -> State:
        """Before anything has happened."""
        return State(self._graph.start, self._graph.start, values=self._variables)

    def run(self, happened: Sequence[Input]) -> State:
        """Where the conversation stands after all of it."""
        state = self.start()
        for item in happened:
            state = self.step(state, item)
        return self._past_missing_tools(state)

    def step(self, state: State, happened: Input) -> State:
        """One input further."""
        match happened:
            case Heard(text):
                state = replace(self._past_missing_tools(state), remarks=(), changed=())
                return self._left(self._hear(state, utterance(text)))
            case Spoke():
                return replace(state, heard=True)
            case Called(call):
                state = replace(state, calls=state.calls + 1)
                if self._awaits_call(state, call.name):
                    return replace(state, call_id=call.id, call_arguments=canonical(call.arguments))
                return state
            case Answered(call_id=call_id):
                return self._left(self._answered(state, happened)) if state.call_id == call_id else state

    # ------------------------------------------------------------------------------------------------ hearing

    def _hear(self, state: State, said: Utterance) -> State:
        if not said.tokens:
            return replace(state, prompt=Prompt.REPEAT)
        if isinstance(self._graph.nodes[state.node], ConversationNode):
            beyond = intents.asks(said.tokens) or said.text.rstrip().endswith("?")
            return self._hear_at(state, said) or self._missed(state, Prompt.BEYOND if beyond else Prompt.AGAIN)
        if state.call_id:
            return self._hear_while_tool_works(state, said)
        # The words come before the tool was called, or after a goodbye: they may take back what led here.
        back = self._forget_answers(replace(state, node=state.listening_at, prompt=Prompt.ASK))
        return self._hear_at(back, said) or replace(state, prompt=Prompt.ENTER)

    def _hear_at(self, state: State, said: Utterance) -> State | None:
        """What the words do at the listening node; None when they mean nothing there. A goodbye comes after the answer it is said with."""
        goodbye, slot = edges.goodbye_node(self._graph), edges.open_slot(self._graph, state)
        if not goodbye:
            return self._answer(state, said)
        if slot is not None and intents.accepts(said.tokens):
            return self._answer(replace(state, leaving=True), said)
        begins = intents.farewell(said.tokens, open_question=slot is not None)
        if begins == 0 and slot is None and read(self._graph, state, said, None, self._now).changed:
            begins = None  # "see you friday" after wednesday was booked: one of the two is mistaken
        if begins == 0:
            # "great, thanks, bye" to "shall I book it?" may mean yes: whoever hangs up on it believes that it is booked.
            return (
                replace(state, prompt=Prompt.ASK) if self._may_agree(state, slot, said) else self._enter(state, goodbye)
            )
        if begins is None or (slot is not None and slot.kind in FREE):
            return self._answer(state, said)
        return self._answer(replace(state, leaving=True), said.until(begins)) or self._enter(state, goodbye)

    def _may_agree(self, state: State, slot: Slot | None, said: Utterance) -> bool:
        """Whether a yes-or-no question is open and what is said before the goodbye could be a yes. "Okay, goodbye" is only a goodbye."""
        if slot is None or (slot.kind != "yes-no" and state.value(slot.name) is None):
            return False
        before = said.until(intents.goodbye_at(said.tokens))
        return not {"okay", "ok"}.issuperset(before.words) and yes_or_no(before.tokens, self._graph.language) is True

    def _answer(self, state: State, said: Utterance) -> State | None:
        """What the words do at the listening node, a goodbye at their end left aside."""
        tokens, slot = said.tokens, edges.open_slot(self._graph, state)
        free = slot is not None and slot.kind in FREE
        if not free and (known := knows(self._graph, tokens)):
            return self._follow_meaning(state, known)
        reading = read(self._graph, state, said, slot, self._now)
        spoken = edges.spoken(self._graph, state, tokens)
        target = edges.global_node(self._graph, tokens)
        in_doubt = reading.empty and spoken.edge is None
        if target.name and not free and (target.sure or in_doubt):
            return self._enter(state, target.name)
        if spoken.edge is None and reading.only_yes_or_no and (about := self._hear_about_talk(state, reading, tokens)):
            return about
        if reading.asks_back:
            return replace(state, misses=0, prompt=Prompt.ASK)
        if spoken.edge is None and reading.reopened:
            return self._reopen(state, reading.reopened)
        if reading.groups:
            return replace(state, groups=reading.groups, misses=0, prompt=Prompt.MORE)
        if slot is not None and state.value(slot.name) is not None and not reading.changed:
            return self._confirm(state, slot, reading, tokens)
        for _, value in reading.refused:
            state = state.saying(self._own.okay_not.format(value.spoken))
        if reading.given or reading.changed:
            return self._take(state, reading, spoken.edge)
        if reading.refused:
            return replace(state, prompt=Prompt.ASK)
        if spoken.edge is not None:
            return self._advance(replace(state, misses=0), spoken.edge)
        nearest = meant(self._graph, state.node, said.text, self._meanings)
        return self._follow_meaning(state, nearest) if nearest else self._after_any_words(state)

    def _follow_meaning(self, state: State, about: Meant) -> State:
        """Go where a meaning leads: a piece of knowledge leads back to the question in hand."""
        if about.edge is not None:
            return self._advance(replace(state, misses=0), about.edge)
        if about.node:
            return self._enter(state, about.node)
        return replace(state.saying(say(about.told, state)), prompt=Prompt.ASK, misses=0)

    def _left(self, state: State) -> State:
        """Goodbye, once what it was said with has been carried out. A question that is open keeps the caller."""
        goodbye, node = edges.goodbye_node(self._graph), self._graph.nodes[state.node]
        if not state.leaving or not isinstance(node, ConversationNode):
            return state
        state = replace(state, leaving=False)
        if edges.open_slot(self._graph, state) is not None:
            return state
        told = _SENTENCE_END.split(say(self._graph.first_message(node), state)) if state.prompt is Prompt.ENTER else []
        return self._enter(state.saying(*(sentence for sentence in told if not sentence.endswith("?"))), goodbye)

    def _hear_about_talk(self, state: State, reading: Reading, tokens: Sequence[Token]) -> State | None:
        """Words about the conversation itself, understood at every node."""
        if intents.is_wish(intents.START_OVER, tokens) or intents.is_all(intents.START_OVER, tokens):
            if state.groups:
                return replace(state, groups=(), prompt=Prompt.ASK)
            return replace(self.start(), calls=state.calls)
        if intents.is_all(intents.REPEAT, tokens):
            return replace(state, prompt=Prompt.REPEAT)
        if intents.is_all(intents.HELP, tokens):
            return replace(state, prompt=Prompt.HELP)
        if reading.empty and intents.is_all(intents.PAUSE, tokens) and self._after_any_words(state) is None:
            return replace(state, prompt=Prompt.PAUSE)
        if reading.empty and intents.is_all(intents.GREETING, tokens):
            return replace(state, prompt=Prompt.ASK)
        return None

    def _take(self, state: State, reading: Reading, edge: Edge | None) -> State:
        """Keep the values that will do, say what is wrong with the others, and go on."""
        read_values = (*reading.given, *reading.changed)
        together = {**dict(state.values), **{slot.name: value for slot, value in read_values}}
        kept = 0
        for slot, value in read_values:
            reason = problem(slot, value, together, self._now)
            if reason:
                state = state.saying(say(self._explain(slot, reason, value), state.having(slot.name, value)))
                continue
            kept += 1
            is_new = state.value(slot.name) is None
            if slot.name in state.refused:
                value = spelled(slot, value, self._graph.language)
            state = state.having(slot.name, value)
            if any(slot is changed for changed, _ in reading.changed):
                state = replace(state, changed=(*state.changed, slot.name))
            elif is_new:
                state = state.saying(say(slot.options.acknowledge, state))
        if not kept:
            return self._missed(state, Prompt.ASK)
        state = replace(state, misses=0, prompt=Prompt.ASK)
        spoilt = self._spoilt(state)
        if spoilt is not None:
            return self._reopen(state.saying(say(self._explain(*spoilt), state)), [spoilt[0]])
        return self._advance(state, edge, corrected=bool(reading.changed))

    def _explain(self, slot: Slot, reason: str, value: Value) -> str:
        return explain(slot, reason, value, self._graph.language)

    def _spoilt(self, state: State) -> tuple[Slot, str, Value] | None:
        """A value that will no longer do, and why: nine o'clock is fine tomorrow, and over today."""
        values = dict(state.values)
        for name, value in state.values:
            slot = self._graph.slot.get(name)
            if slot is not None and (reason := problem(slot, value, values, self._now)):
                return slot, reason, value
        return None

    def _confirm(self, state: State, slot: Slot, reading: Reading, tokens: Sequence[Token]) -> State | None:
        """The answer to a slot's own confirmation question; None for neither yes nor no nor anything else."""
        answer = yes_or_no(tokens, self._graph.language)
        if answer is False:
            return replace(state.without(slot.name).doubting(slot.name), misses=0, prompt=Prompt.ASK)
        if answer is None and reading.empty:
            return None
        if answer:
            state = replace(state, confirmed=state.confirmed | {slot.name}, misses=0, prompt=Prompt.ASK)
        rest = tuple((other, value) for other, value in reading.given if other is not slot)
        return (
            self._take(state, Reading(given=rest), None)
            if rest
            else self._advance(replace(state, prompt=Prompt.ASK), None)
        )

    def _reopen(self, state: State, reopened: Sequence[Slot]) -> State:
        """Forget the values, and ask for the first of them where it is asked for."""
        names = tuple(slot.name for slot in reopened)
        state = state.without(*names).doubting(*names)
        asked = edges.open_slot(self._graph, state)
        if asked is not None and self._graph.depth[state.node] < self._graph.depth[self._graph.asked_at[names[0]]]:
            return replace(state, misses=0, prompt=Prompt.ASK)  # what comes before it is still to be asked
        return replace(self._enter(state, self._graph.asked_at[reopened[0].name]), prompt=Prompt.ASK)

    def _after_any_words(self, state: State) -> State | None:
        """A node that asks for no values is left by its plain edges once the caller has said anything."""
        if self._graph.slots[state.node]:
            return None
        edge = edges.logical(self._graph, state) or edges.unconditional(self._graph, state)
        return self._follow(state, edge) if edge is not None else None

    def _missed(self, state: State, prompt: Prompt = Prompt.AGAIN) -> State:
        """Not understood. After enough of it the fallback takes over: never silence, never for ever."""
        misses, fallback = state.misses + 1, self._graph.fallback
        if misses >= fallback.max_attempts and fallback.to and fallback.to != state.node:
            return self._enter(state.saying(say(fallback.say, state)), fallback.to)
        return replace(state, misses=misses, prompt=prompt)

    # ------------------------------------------------------------------------------------------------ tools

    def _awaits_call(self, state: State, tool: str) -> bool:
        node = self._graph.nodes[state.node]
        return isinstance(node, ToolNode) and not state.call_id and tool_name(node) == tool

    def _past_missing_tools(self, state: State) -> State:
        """A tool that nobody offers has failed before it is called."""
        for _ in self._graph.nodes:
            node = self._graph.nodes[state.node]
            if not isinstance(node, ToolNode) or state.call_id or tool_name(node) in self._tools:
                break
            state = self._failed(state)
        return state

    def _hear_while_tool_works(self, state: State, said: Utterance) -> State:
        """A correction, or a goodbye, is kept for when the tool has answered; a call that was made cannot be taken back."""
        target = edges.global_node(self._graph, said.tokens)
        if target.name and target.sure:
            return self._enter(state, target.name)
        if edges.goodbye_node(self._graph) and intents.farewell(said.tokens, open_question=False) is not None:
            state = replace(state, leaving=True)
        for slot, value in read(self._graph, state, said, None, self._now).changed:
            if not problem(slot, value, dict(state.values), self._now):
                state = replace(state.having(slot.name, value), changed=(*state.changed, slot.name))
        return replace(state, prompt=Prompt.WAIT)

    def _answered(self, state: State, answer: Answered) -> State:
        node = self._graph.nodes[state.node]
        if answer.outcome == "pending" or not isinstance(node, ToolNode):
            return state
        state = replace(state, call_id="", remarks=(), changed=())
        plan = node.variable_extraction_plan
        fields = answers.read_object(answer.content)
        wanted = bool(plan.extraction_schema.properties or plan.aliases)
        if answer.outcome == "failed" or (wanted and fields is None) or "error" in (fields or {}):
            return self._failed(state)
        corrected = canonical(arguments_of(node, state)) != state.call_arguments
        for name, value in answers.extract(plan, fields or {}, self._now.date(), self._graph.language):
            state = state.having(name, value)
        return self._advance(state, None, corrected=corrected)

    def _failed(self, state: State) -> State:
        edge = edges.failed(self._graph, state)
        if edge is not None:
            return self._follow(state, edge)
        return self._enter(state.saying(self._own.failed), self._graph.fallback.to or state.listening_at)

    # ------------------------------------------------------------------------------------------------ moving

    def _advance(self, state: State, spoken: Edge | None, *, corrected: bool = False) -> State:
        """Leave the node if an edge holds; ``spoken`` is the one the caller's words fit. Values still missing keep the others shut."""
        edge = edges.corrected(self._graph, state) if corrected else None
        if edge is None and (spoken is not None or edges.open_slot(self._graph, state) is None):
            edge = spoken or edges.logical(self._graph, state) or self._always(state)
        return self._follow(state, edge) if edge is not None else state

    def _always(self, state: State) -> Edge | None:
        """The edge without a condition, but for a node that asks for no value: it waits for words that one of its edges knows."""
        listens = isinstance(self._graph.nodes[state.node], ConversationNode)
        return None if listens and not self._graph.slots[state.node] else edges.unconditional(self._graph, state)

    def _follow(self, state: State, edge: Edge) -> State:
        return self._enter(state.saying(say(edge.say, state)).without(*edge.clear).doubting(*edge.clear), edge.to)

    def _enter(self, state: State, name: str) -> State:
        """Arrive at a node. Nodes whose values are all known are passed through, each at most once, so that a circle ends."""
        state = self._arrive(state, name)
        for _ in self._graph.nodes:
            if not self._graph.slots.get(state.node) or edges.open_slot(self._graph, state) is not None:
                break
            edge = edges.logical(self._graph, state) or edges.unconditional(self._graph, state)
            if edge is None:
                break
            state = self._arrive(state.saying(say(edge.say, state)).without(*edge.clear), edge.to)
        return state

    def _arrive(self, state: State, name: str) -> State:
        state = replace(state, node=name, misses=0, prompt=Prompt.ENTER, heard=False, call_id="", groups=())
        if not isinstance(self._graph.nodes[name], ConversationNode):
            return state
        return self._forget_answers(replace(state, listening_at=name))

    def _forget_answers(self, state: State) -> State:
        """A question put again wants a new yes or no."""
        return state.without(*(slot.name for slot in self._graph.slots[state.node] if slot.answers_one_question))


def say(template: str, state: State) -> str:
    """A template with its values as they are spoken."""
    return templates.render(template, lambda name: value.spoken if (value := state.value(name)) else "")
