"""A call that cannot be handed over goes on, and the caller is told so in the words of the policy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.calls.rig import Call, Watcher

from antiphon.conversation import actions as do
from antiphon.conversation.policy import Policy, Speaking
from antiphon.errors import ProviderError
from antiphon.providers.base import ModelDelta, ModelRequest, TextDelta, TransferDelta
from antiphon.providers.scripted import ScriptedLanguageModel
from antiphon.session.plan import SessionPlan
from antiphon.transports.base import CallStarted

SORRY = "Leider ist gerade niemand da."


class HandsOver(ScriptedLanguageModel):
    """Asks for a transfer with its only reply."""

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelDelta]:
        yield TextDelta("One moment.")
        yield TransferDelta("+15550100")


class Busy(Call):
    """Its carrier hands nobody over."""

    def _plan(self, call: CallStarted) -> SessionPlan:
        async def transfer(provider_call_id: str, destination: str) -> None:
            raise ProviderError("carrier", "busy")

        return replace(super()._plan(call), transfer=transfer)


def spoken(watcher: Watcher) -> list[str]:
    return [action.text for action in watcher.of(do.Speak)]


@pytest.mark.parametrize("rig", [Busy, Call], ids=["the carrier refuses", "nobody can"])
@pytest.mark.parametrize("message", [SORRY, ""])
def test_what_is_said_is_the_policys_and_empty_is_nothing(rig: type[Call], message: str) -> None:
    policy = Policy(speaking=Speaking(transfer_failed_message=message))
    call = rig(policy=policy, greeting="Hello.", hears=["the reception please"], models=[HandsOver([])])

    async def talk(call: Call) -> None:
        await call.until_replies(1)
        await call.sound(700)
        await call.until_replies(3 if message else 2)
        await call.wait(3000)
        assert call.session.end_reason is None, "the call goes on"
        call.phone.hang_up()
        await call.wait(50)

    assert spoken(call.run(talk)) == ["Hello.", "One moment.", *([message] if message else [])]


def test_without_another_word_it_is_said_in_english() -> None:
    assert Speaking().transfer_failed_message.startswith("I am sorry")
