"""Texts of an assistant as they come."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from antiphon.wire_model import WireModel

Message1000 = Annotated[str, Field(max_length=1000)]
Phrase = Annotated[str, Field(max_length=240)]


class PromptMessage(WireModel):
    role: Literal["system", "user", "assistant"]
    content: str = ""
