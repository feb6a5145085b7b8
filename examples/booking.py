"""A booking service for a voice assistant: its tools, and what it does when a call is over.

    uvicorn examples.booking:service --factory --port 9000

and in the assistant: ``server: {url: http://localhost:9000/, secret: …}`` (the same as BOOKING_SECRET), with the tools that
``application.documents()`` describes under ``model.tools``. It is run by tests/app/test_example.py over real HTTP.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antiphon.app import Application, Call, shared_secret

HOURS = tuple(dt.time(hour, minute) for hour in range(9, 17) for minute in (0, 30))


@dataclass
class Diary:
    """Who comes when. A real service has a database here."""

    taken: dict[tuple[dt.date, dt.time], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def booking(diary: Diary, secret: str) -> Application:
    """The service as an ASGI app."""
    application = Application(shared_secret(secret))

    @application.on("assistant-request")
    async def who_answers(message: Mapping[str, Any], call: Call) -> dict[str, Any]:
        """A telephone rings at a number that has no assistant: this one takes it."""
        return {"assistantId": "booking", "assistantOverrides": {"variableValues": {"caller": call.caller}}}

    @application.tool
    def free_times(date: dt.date) -> list[str]:
        """The times on a day that nobody has booked."""
        return [f"{time:%H:%M}" for time in HOURS if (date, time) not in diary.taken][:8]

    @application.tool(deadline_s=4)
    async def book_table(date: dt.date, time: dt.time, name: str, call: Call) -> dict[str, Any]:
        """Book a table. Refuses a time that is taken and names others that are free on that day."""
        await asyncio.sleep(0)  # where a database would be asked
        if time not in HOURS or (date, time) in diary.taken:
            return {"booked": False, "free": free_times(date)}
        if (before := call.state.pop("booked", None)) is not None:
            diary.taken.pop(before, None)  # a caller who changes his mind has one table, not two
        diary.taken[date, time] = name
        call.state["booked"] = (date, time)
        return {"booked": True, "date": date, "time": f"{time:%H:%M}"}

    @application.on("end-of-call-report")
    async def call_is_over(message: Mapping[str, Any], call: Call) -> None:
        """Told once for each call, however often the report is delivered."""
        what = "booked a table" if "booked" in call.state else "booked nothing"
        diary.notes.append(f"{call.caller or 'somebody'} {what} ({message.get('endedReason', 'ended')})")

    return application


def service() -> Application:
    """For an ASGI server's ``--factory``."""
    return booking(Diary(), os.environ["BOOKING_SECRET"])
