"""The values a node wants, as they are written: Vapi's ``variableExtractionPlan`` with our ``x-slot`` beside each property."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from antiphon.wire_model import WireModel
from antiphon.workflow import templates
from antiphon.workflow.dates import WEEKDAYS

SlotKind = Literal["date", "time", "number", "digits", "phone", "name", "yes-no", "choice", "email", "text"]
Language = Literal["en", "ko"]
"""What callers speak: chooses the readers of values and the few sentences a workflow does not write itself."""
Template = Annotated[str, Field(max_length=2000)]


class SlotOptions(WireModel):
    """``x-slot``: how to ask for one value, how to read it, and which values will do."""

    type: SlotKind | None = None
    """Follows from the schema where absent: its ``format``, ``enum`` and ``type``."""
    label: str = ""
    """What the value is called in speech ("day"): "change the day" refers to it. Defaults to the property's name."""
    ask: Template = ""
    reask: Template = ""
    """Spoken instead of ``ask`` when the answer was not understood."""
    help: Template = ""
    acknowledge: Template = ""
    """Spoken when the value has been understood for the first time."""
    confirm: Template = ""
    """A yes-or-no question that must be answered with yes before the value counts."""
    invalid: dict[str, Template] = Field(default_factory=dict)
    """What to say of a value that will not do, by reason: ``past``, ``too-far``, ``closed``, ``range``, ``length``."""
    future: bool = False
    """Dates: today at the earliest."""
    max_days_ahead: int | None = Field(default=None, ge=0, le=3660)
    weekdays: tuple[str, ...] = WEEKDAYS
    """Dates: the weekdays that will do."""
    opens: dt.time = dt.time(0)
    closes: dt.time = dt.time(23, 59)
    """Times: from and including ``opens`` to and including ``closes``."""
    on_date: str = ""
    """Times: the date slot this is a time of; a time of today must be yet to come."""
    length: int | None = Field(default=None, ge=1, le=64)
    """Digits: exactly so many."""
    region: str = Field(default="US", pattern="^[A-Z]{2}$")
    """Phones: whose national numbers are understood."""
    given: tuple[str, ...] = ()
    family: tuple[str, ...] = ()
    """Names a recogniser should expect. Others are understood, too, if it hears them."""
    synonyms: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Choices: other ways to say each."""

    @field_validator("weekdays")
    @classmethod
    def _known_weekdays(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        days = tuple(day.lower() for day in value)
        if not days or not set(days) <= set(WEEKDAYS):
            raise ValueError(f"allowed are {', '.join(WEEKDAYS)}, at least one")
        return days

    @field_validator("ask", "reask", "help", "acknowledge", "confirm")
    @classmethod
    def _template(cls, value: str) -> str:
        return templates.check(value)

    @model_validator(mode="after")
    def _hours(self) -> SlotOptions:
        if self.opens >= self.closes:
            raise ValueError("opens must be before closes")
        return self


class Property(WireModel):
    """One property of a variable extraction schema."""

    type: str = "string"
    description: str = ""
    format: str = ""
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    items: Property | None = None
    slot: SlotOptions = Field(default_factory=SlotOptions, alias="x-slot")


class ExtractionSchema(WireModel):
    properties: dict[str, Property] = Field(default_factory=dict)
    required: tuple[str, ...] | None = None
    """The values that are asked for; others are kept if volunteered. Absent: all are asked for."""


class Alias(WireModel):
    key: str
    value: Template


class ExtractionPlan(WireModel):
    """On a conversation node the values to ask for; on a tool node the fields of its JSON answer to keep."""

    extraction_schema: ExtractionSchema = Field(default_factory=ExtractionSchema, alias="schema")
    aliases: tuple[Alias, ...] = ()
