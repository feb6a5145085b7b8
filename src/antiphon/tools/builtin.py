"""Tools that act on the call itself: ending it, handing it over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from antiphon.errors import AntiphonError, ConfigurationError, RequestFailed
from antiphon.tools.handoff import AskDestination, HandOver, message_of, not_handed_over
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


class VoicemailTool:
    """voicemail: the assistant's message is left, and the call ends."""

    def __init__(self, message: str) -> None:
        self._message = message

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        return ToolAnswer("The message is left, and the call ends.", say=self._message, ends_call=True)


PressKeys = Callable[[str, str], Awaitable[None]]
"""``(call_id, keys)``: lets the far side hear them. Raises ConfigurationError where it cannot, or they are none."""


class DtmfTool:
    """dtmf: presses telephone keys, to get through a menu or to an extension."""

    def __init__(self, press: PressKeys) -> None:
        self._press = press

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        # Models that know the platform's tool name the argument as they like.
        written = next((value for value in call.arguments.values() if isinstance(value, str | int)), "")
        try:
            await self._press(context.call_id, str(written))
        except ConfigurationError as error:
            return ToolAnswer(f"The keys were not pressed: {error.problem}.", failed=True)
        return ToolAnswer("The keys were pressed. Wait for what is answered.")


def dtmf_parameters() -> dict[str, object]:
    """JSON Schema of the arguments that the model fills in."""
    told = "The keys in their order: 0 to 9, * and #. w between them waits half a second, W a second."
    return {"type": "object", "properties": {"keys": {"type": "string", "description": told}}, "required": ["keys"]}


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


_NOBODY = "The application named nobody: the conversation stays here."


class AskedTransferTool:
    """transferCall without destinations: where to is what the application's server says."""

    def __init__(self, ask: AskDestination, hand_over: HandOver) -> None:
        """``hand_over``: to an assistant."""
        self._ask = ask
        self._hand_over = hand_over

    async def run(self, call: ToolCall, context: CallContext) -> ToolAnswer:
        try:
            answer = await self._ask(context, call.arguments)
        except RequestFailed:
            return ToolAnswer("The application did not say where to: the conversation stays here.", failed=True)
        chosen = answer.get("destination")
        if isinstance(chosen, str) and chosen:
            chosen = {"type": "number", "number": chosen}
        if not isinstance(chosen, Mapping) or not chosen:
            error = answer.get("error")
            return ToolAnswer(error if isinstance(error, str) and error else _NOBODY, failed=True)
        said = message_of(answer) or message_of(chosen)
        if chosen.get("type") == "assistant":
            try:
                taker = await self._hand_over(context, chosen, {})
            except AntiphonError as error:
                return not_handed_over(error)
            return ToolAnswer(f"Handed over to {taker}.", say=said, hands_over=True)
        address = chosen.get("number") or chosen.get("sipUri")
        if not isinstance(address, str) or not address:
            return ToolAnswer(_NOBODY, failed=True)
        return ToolAnswer("The call is handed over now.", say=said, transfer_to=address)


def transfer_parameters(destinations: Sequence[Destination]) -> dict[str, object]:
    """JSON Schema of the arguments that the model fills in."""
    if len(destinations) < 2:
        return {"type": "object", "properties": {}}
    told = "; ".join(f"{one.address}: {one.description}" for one in destinations if one.description)
    choice = {"type": "string", "enum": [one.address for one in destinations], "description": told[:1000]}
    return {"type": "object", "properties": {"destination": choice}, "required": ["destination"]}
