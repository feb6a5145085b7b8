"""A model that always gives the same reply, with what a scripted one cannot give: a transfer, expected answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from antiphon.providers.base import (
    ExpectedAnswers,
    ExpectedAnswersDelta,
    ModelDelta,
    ModelRequest,
    TextDelta,
    TransferDelta,
)


class FixedModel:
    """Implements ``LanguageModel``."""

    name = "fixed"

    def __init__(self, *, says: str, transfer_to: str = "", grammar: str = "") -> None:
        self._says = says
        self._transfer_to = transfer_to
        self._grammar = grammar

    async def start(self) -> None:
        """Ready at once."""

    async def close(self) -> None:
        """Nothing to free."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        if self._grammar:
            yield ExpectedAnswersDelta(ExpectedAnswers(grammar=self._grammar))
        yield TextDelta(self._says)
        if self._transfer_to:
            yield TransferDelta(self._transfer_to)
