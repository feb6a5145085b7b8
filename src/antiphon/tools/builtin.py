"""Tools that act on the call itself: ending it, handing it over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from antiphon.vocabulary import CallContext, ToolAnswer, ToolCall


class EndCallTool:
    """endCall: the call ends once what is being said has been heard, or with the assistant's goodbye."""

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        return ToolAnswer("The call ends now.", ends_call=True)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call may be handed over to: a number, or a SIP address."""

    address: str
    message: str = ""
    """Spoken before."""
    description: str = ""
    """For the model: when it is meant."""


class TransferCallTool:
    """transferCall: to the one destination there is, or the one of several that the model names. Nowhere else: what a caller talks a
    model into dialling is not dialled."""

    def __init__(self, destinations: Sequence[Destination]) -> None:
        self._destinations = {one.address: one for one in destinations}

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        named = call.arguments.get("destination")
        if named is None and len(self._destinations) == 1:
            chosen: Destination | None = next(iter(self._destinations.values()))
        else:
            chosen = self._destinations.get(str(named))
        if chosen is None:
            return ToolAnswer(f"The destinations are {', '.join(self._destinations)}.", failed=True)
        return ToolAnswer("The call is handed over now.", say=chosen.message, transfer_to=chosen.address)


def transfer_parameters(destinations: Sequence[Destination]) -> dict[str, object]:
    """JSON Schema of the arguments that the model fills in."""
    if len(destinations) < 2:
        return {"type": "object", "properties": {}}
    told = "; ".join(f"{one.address}: {one.description}" for one in destinations if one.description)
    choice = {"type": "string", "enum": [one.address for one in destinations], "description": told[:1000]}
    return {"type": "object", "properties": {"destination": choice}, "required": ["destination"]}
