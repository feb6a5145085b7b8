"""handoff: another assistant leads the same call from now on."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall

HandOver = Callable[[CallContext, Mapping[str, Any], Mapping[str, Any]], Awaitable[str]]
"""``(call, destination, variables)`` → the name of the assistant that takes over. Raises ConfigurationError, ProviderError."""
AskDestination = Callable[[CallContext, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""``(call, arguments)`` → what the application's server answers: ``destination`` or ``error``, and perhaps ``result`` or ``message``.
Raises RequestFailed."""
_DEFAULT_MESSAGE = "Transferring the call now"
"""What the platform says before the assistant of a transfer destination that has no message."""
_NOBODY = "The application named no assistant: the conversation stays here."
DYNAMIC = "dynamic"


class HandoffTool:
    """To the one destination there is, or the one of several that the model names, and to nobody else."""

    def __init__(
        self,
        destinations: Sequence[Mapping[str, Any]],
        ask: Mapping[str, AskDestination],
        hand_over: HandOver,
        result: str = "",
    ) -> None:
        """``ask``: by the name of a destination, who is asked where to. ``result``: what the model is told; empty for the usual."""
        self._destinations = {name_of(each): each for each in destinations}
        self._ask = ask
        self._hand_over = hand_over
        self._result = result

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        named = call.arguments.get("destination")
        chosen = self._destinations.get(str(named))
        if chosen is None and len(self._destinations) == 1:
            chosen = next(iter(self._destinations.values()))
        if chosen is None:
            return ToolAnswer(f"The destinations are {', '.join(self._destinations)}.", failed=True)
        told = {name: value for name, value in call.arguments.items() if name != "destination"}
        result = self._result
        try:
            if (ask := self._ask.get(name_of(chosen))) is not None:
                answer = await ask(context, call.arguments)
                if not isinstance(answer.get("destination"), Mapping) or not answer["destination"]:
                    return ToolAnswer(_text(answer.get("error")) or _NOBODY, failed=True)
                chosen, result = answer["destination"], _text(answer.get("result")) or result
            taker = await self._hand_over(context, chosen, told)
        except AntiphonError as error:
            return not_handed_over(error)
        return ToolAnswer(result or f"Handed over to {taker}.", say=message_of(chosen), hands_over=True)


def not_handed_over(error: AntiphonError) -> ToolAnswer:
    problem = getattr(error, "problem", "") or error.code
    return ToolAnswer(f"The conversation stays here, it could not be handed over: {problem}.", failed=True)


def name_of(destination: Mapping[str, Any]) -> str:
    """What the model calls it."""
    squad = destination.get("squad")
    squad_name = squad.get("name") if isinstance(squad, Mapping) else None
    names = (
        destination.get("assistantName"), destination.get("entryAssistantName"), destination.get("assistantId"),
        _named(destination.get("assistant")), destination.get("squadId"), squad_name, destination.get("type"),
    )  # fmt: skip
    return next((name for name in names if isinstance(name, str) and name), "assistant")


def is_transfer(destination: Mapping[str, Any]) -> bool:
    """Whether it is written as a transfer to an assistant, which says a message before and has modes of its own."""
    return destination.get("type") == "assistant" and ("transferMode" in destination or "message" in destination)


def message_of(destination: Mapping[str, Any]) -> str:
    """Spoken before; empty for nothing."""
    message = destination.get("message", _DEFAULT_MESSAGE if is_transfer(destination) else "")
    if isinstance(message, Mapping):
        contents = message.get("contents") or [{}]
        first = contents[0] if isinstance(contents, list | tuple) and isinstance(contents[0], Mapping) else {}
        message = message.get("content") or first.get("text")
    return _text(message)


def handoff_function(destinations: Sequence[Mapping[str, Any]]) -> tuple[str, str, dict[str, Any]]:
    """Name, description and parameters (JSON Schema) that the model is shown where their author wrote none."""
    names = [name_of(each) for each in destinations]
    single = re.sub(r"[^A-Za-z0-9_-]", "_", names[0]) if len(names) == 1 else "assistant"
    listed = " ".join(
        f"{at}. {name}{f': {when}' if (when := _text(each.get('description'))) else ''}."
        for at, (name, each) in enumerate(zip(names, destinations, strict=True), start=1)
    )
    properties: dict[str, Any] = {}
    required: list[str] = []
    if len(names) > 1:
        properties["destination"] = {"type": "string", "enum": names}
        required.append("destination")
    for each in destinations:
        plan = each.get("variableExtractionPlan")
        schema = plan.get("schema") if isinstance(plan, Mapping) else None
        wanted = schema.get("properties") if isinstance(schema, Mapping) else None
        if isinstance(wanted, Mapping) and isinstance(schema, Mapping):
            properties |= wanted
            if len(names) == 1 and isinstance(schema.get("required"), list | tuple):
                required += schema["required"]
    told = f"Hand the conversation over to another assistant, when you are told to. Destinations: {listed}"
    return f"handoff_to_{single}"[:64], told[:1000], {"type": "object", "properties": properties, "required": required}


def _named(assistant: Any) -> str:
    return _text(assistant.get("name")) if isinstance(assistant, Mapping) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
