"""The history as vendors accept it: every tool call answered once, what was cut off said to be, leading instructions apart."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from antiphon.vocabulary import Message

CUT_OFF = "[The caller interrupted here and has not heard the rest.]"
UNHEARD = "[The caller interrupted before any of this reply was heard.]"
"""Behind what was heard of a reply, so that the model neither repeats it nor takes the rest for said."""
NO_ANSWER = "There is no answer yet."
CALL_BEGINS = "[The call has been connected.]"
SILENCE = "[The caller says nothing.]"
"""Where a vendor wants somebody to have spoken, first or last, and nobody has."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""What Anthropic (letters, digits, ``_`` and ``-``) and OpenAI (40 characters) both take."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """``instructions`` are the system messages that the history begins with; ``messages`` are all others."""

    instructions: str
    messages: tuple[Message, ...]


def prompt_of(messages: Sequence[Message]) -> Prompt:
    """The same history gives the same prompt, and a longer one a prompt that begins alike: vendors cache beginnings."""
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    instructions = "\n\n".join(message.content for message in messages[:leading] if message.content)
    return Prompt(instructions, tuple(_named(_marked(message)) for message in _answered(messages[leading:])))


def alternating(messages: Iterable[Message]) -> list[list[Message]]:
    """For vendors with two roles that take turns: groups of the caller's side (tools and later instructions included) and of the model's,
    beginning and ending with the caller's."""
    groups: list[list[Message]] = []
    for message in messages:
        ours = message.role == "assistant"
        if groups and (groups[-1][0].role == "assistant") == ours:
            groups[-1].append(message)
        else:
            groups.append([message])
    if not groups or groups[0][0].role == "assistant":
        groups.insert(0, [Message("user", CALL_BEGINS)])
    if groups[-1][0].role == "assistant":
        groups.append([Message("user", SILENCE)])
    return groups


def as_caller_text(message: Message) -> str:
    """What a user or a later system message says, for vendors that have no such system messages."""
    return f"[Instruction: {message.content}]" if message.role == "system" else message.content


def _marked(message: Message) -> Message:
    if message.role != "assistant" or not message.interrupted:
        return message
    heard = message.content.rstrip()
    return replace(message, content=f"{heard} {CUT_OFF}" if heard else UNHEARD)


def _named(message: Message) -> Message:
    """Ids of tool calls that every vendor takes, also where another vendor made them."""
    if message.tool_call_id is not None and not _ID.fullmatch(message.tool_call_id):
        return replace(message, tool_call_id=_own_id(message.tool_call_id))
    if any(not _ID.fullmatch(call.id) for call in message.tool_calls):
        calls = (call if _ID.fullmatch(call.id) else replace(call, id=_own_id(call.id)) for call in message.tool_calls)
        return replace(message, tool_calls=tuple(calls))
    return message


def _own_id(call_id: str) -> str:
    return f"call_{hashlib.blake2b(call_id.encode(), digest_size=12).hexdigest()}"


def _answered(messages: Sequence[Message]) -> list[Message]:
    """Answers stand right behind the calls they belong to. A call without one gets a stand-in; an answer whose call the history does not
    hold (a client deleted it) becomes text."""
    answers: dict[str, Message] = {}
    for message in messages:
        if message.role == "tool" and message.tool_call_id:
            answers.setdefault(message.tool_call_id, message)
    asked = {call.id for message in messages for call in message.tool_calls}
    shown: list[Message] = []
    told: set[str] = set()
    for message in messages:
        if message.role == "tool":
            if message.tool_call_id not in asked:
                shown.append(Message("user", f"[Result of a tool: {message.content}]"))
            continue
        calls = tuple(call for call in message.tool_calls if call.id not in told)
        if not message.content and not calls and not message.interrupted:
            continue
        shown.append(message if calls == message.tool_calls else replace(message, tool_calls=calls))
        for call in calls:
            told.add(call.id)
            stand_in = Message("tool", NO_ANSWER, tool_call_id=call.id, tool_outcome="pending")
            shown.append(answers.get(call.id, stand_in))
    return shown
