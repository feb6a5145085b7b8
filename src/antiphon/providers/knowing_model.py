"""A model that is given what an application knows of the question, each time the caller has said something.

Protocol: ``CustomKnowledgeBase`` of the voice platform's API reference.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from antiphon.providers.base import LanguageModel, ModelDelta, ModelRequest, TextDelta
from antiphon.providers.wrapped import WrappedModel
from antiphon.vocabulary import CallContext, Message

_MAX_CHARS = 32_000
"""Of all documents together."""
_TOLD = "What is known about the last question:"


@dataclass(frozen=True, slots=True)
class Found:
    """What an application's server answered."""

    documents: tuple[str, ...] = ()
    """The likeliest first."""
    say: str = ""
    """Where it says so, this is the answer, and no model is asked."""


LookUp = Callable[[CallContext, Sequence[Message]], Awaitable[Found]]
"""What is known of the last message. Never fails: then nothing is known."""


class KnowingModel(WrappedModel):
    """Implements ``LanguageModel`` around another."""

    def __init__(self, model: LanguageModel, look_up: LookUp) -> None:
        super().__init__(model)
        self._look_up = look_up

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        messages = request.messages
        if messages and messages[-1].role == "user":
            found = await self._look_up(request.context, messages)
            if found.say:
                yield TextDelta(found.say)
                return
            if found.documents:
                told = "\n\n".join((_TOLD, *found.documents))[:_MAX_CHARS]
                # Before the question: what models are told last is what they answer.
                request = replace(request, messages=(*messages[:-1], Message("system", told), messages[-1]))
        answer = self.behind.stream(request)
        try:
            async for delta in answer:
                yield delta
        finally:
            if isinstance(answer, AsyncGenerator):
                await answer.aclose()
