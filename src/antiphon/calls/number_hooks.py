"""A telephone number's hooks, in Vapi's shape: what becomes of a call that comes in, where no assistant shall take it.

- ``call.ringing``: before anybody is asked, by the number of whoever calls;
- ``call.ending``: where the number's application was asked for an assistant and named none that could take the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import structlog
from pydantic import Discriminator, Field

from antiphon.assistants.hook_spec import HookFilter
from antiphon.assistants.tool_definition import TransferDestination
from antiphon.dialling import kind_of
from antiphon.errors import ConfigurationError
from antiphon.wire_model import WireModel, join, parse

MAX_HOOKS = 20
log = structlog.get_logger(__name__)


class CallerFilter(WireModel):
    """By how the number of whoever calls begins, without its ``+``."""

    type: Literal["startsWith"]
    key: Literal["number"]
    starts_with: tuple[Annotated[str, Field(max_length=20)], ...] = Field(max_length=20)

    def lets_through(self, caller: str) -> bool:
        return any(caller.removeprefix("+").startswith(each.removeprefix("+")) for each in self.starts_with)


class SayAction(WireModel):
    """These words, and the call is over."""

    type: Literal["say"]
    exact: str = Field(min_length=1, max_length=4000)


class TransferAction(WireModel):
    type: Literal["transfer"]
    destination: TransferDestination | None = None


NumberAction = Annotated[SayAction | TransferAction, Discriminator("type")]


class RingingHook(WireModel):
    on: Literal["call.ringing"]
    filters: tuple[CallerFilter, ...] = Field(default=(), max_length=20)
    do: tuple[NumberAction, ...] = Field(max_length=20)

    def actions(self) -> Iterator[tuple[str, NumberAction]]:
        """Each with its field. The first is carried out, and no other."""
        return ((f"do.{at}", action) for at, action in enumerate(self.do))


class EndingHook(WireModel):
    on: Literal["call.ending"]
    filters: tuple[HookFilter, ...] = Field(default=(), max_length=20)
    do: NumberAction | None = None

    def actions(self) -> Iterator[tuple[str, NumberAction]]:
        """The one there is, with its field."""
        if self.do is not None:
            yield "do", self.do


NumberHook = Annotated[RingingHook | EndingHook, Discriminator("on")]


class NumberHooks(WireModel):
    """Of a number. The first that matches, and has something to do, is carried out."""

    hooks: tuple[NumberHook, ...] = Field(default=(), max_length=MAX_HOOKS)

    def when_ringing(self, caller: str) -> NumberAction | None:
        """What is done with a call of this number instead of asking anybody."""
        ringing = (hook for hook in self.hooks if isinstance(hook, RingingHook))
        return _first_of(hook for hook in ringing if all(each.lets_through(caller) for each in hook.filters))

    def when_ending(self, reason: str, *, named: bool = False) -> NumberAction | None:
        """What is done with a call that would end now, for ``reason`` in the API's words. ``named``: only by a hook whose filters name it,
        for it is no failure."""
        ending = (hook for hook in self.hooks if isinstance(hook, EndingHook) and (hook.filters or not named))
        return _first_of(hook for hook in ending if all(each.lets_through(reason) for each in hook.filters))

    def destinations(self) -> Iterator[tuple[str, TransferDestination]]:
        """Each with its field."""
        for at, hook in enumerate(self.hooks):
            for field, action in hook.actions():
                if isinstance(action, TransferAction) and action.destination is not None:
                    yield join("hooks", at, field, "destination"), action.destination


def read_hooks(number: Mapping[str, Any]) -> NumberHooks:
    """Raises ConfigurationError for what can never be carried out."""
    read = parse(NumberHooks, {"hooks": number.get("hooks")})
    for field, where in read.destinations():
        require_callable(where, field)
    return read


def require_callable(destination: TransferDestination, field: str) -> None:
    """Raises ConfigurationError for what no carrier can call."""
    if kind_of(destination.address) is None:
        named = "sipUri" if destination.type == "sip" else "number"
        raise ConfigurationError(f"{field}.{named}", "must be a telephone number or a SIP URI that a carrier can call")


def hooks_of(number: Mapping[str, Any]) -> NumberHooks:
    """Those that can be carried out. What was kept before hooks were looked at is passed over, and told in the log."""
    written = number.get("hooks")
    usable: list[NumberHook] = []
    for at, each in enumerate(written[:MAX_HOOKS] if isinstance(written, list) else ()):
        try:
            usable += read_hooks({"hooks": [each]}).hooks
        except ConfigurationError as error:
            field = error.field.replace("hooks.0", f"hooks.{at}", 1)
            log.warning("number_hook_unusable", field=field, problem=error.problem)
    return NumberHooks(hooks=tuple(usable))


def _first_of(hooks: Iterable[RingingHook | EndingHook]) -> NumberAction | None:
    for hook in hooks:
        _, action = next(hook.actions(), ("", None))
        if action is not None and not (isinstance(action, TransferAction) and action.destination is None):
            return action
    return None
