"""What a connection check asks of the server is bounded: legs that carry no call, and questions to the relay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.transports.test_webrtc_relay import Turn

from antiphon.clock import ManualClock
from antiphon.errors import CapacityError
from antiphon.surfaces.talk.probe import MAX_PROBES, ConnectionProbe
from antiphon.transports.webrtc.base import LegListener


class Engine:
    """Answers every offer."""

    def __init__(self) -> None:
        self.listeners: list[LegListener] = []

    async def answer(self, offer_sdp: str, listener: LegListener) -> tuple[str, Any]:
        await asyncio.sleep(0)
        self.listeners.append(listener)
        return "v=0", None


async def test_a_few_are_checked_at_once_and_those_that_are_over_make_room() -> None:
    engine = Engine()
    probe = ConnectionProbe(engine, None, ManualClock())  # type: ignore[arg-type]
    asked = await asyncio.gather(*(probe.answer("v=0") for _ in range(MAX_PROBES + 2)), return_exceptions=True)
    assert [answer for answer in asked if answer == "v=0"] == ["v=0"] * MAX_PROBES
    assert sum(isinstance(answer, CapacityError) for answer in asked) == 2
    engine.listeners[0].closed("hangup")
    assert await probe.answer("v=0") == "v=0"
    with pytest.raises(CapacityError):
        await probe.answer("v=0")
    for listener in engine.listeners:
        listener.closed("hangup")


async def test_the_relay_is_not_asked_again_within_half_a_minute() -> None:
    turn, clock = Turn(), ManualClock()
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: turn, local_addr=("127.0.0.1", 0))
    probe = ConnectionProbe(Engine(), turn.server("them"), clock)  # type: ignore[arg-type]
    assert await asyncio.gather(*(probe.relay() for _ in range(5))) == ["refused"] * 5
    asked = turn.asked
    clock.advance(29_000)
    assert (await probe.relay(), turn.asked) == ("refused", asked)
    clock.advance(1000)
    assert (await probe.relay(), turn.asked) == ("refused", 2 * asked)
    turn.transport.close()


async def test_without_a_relay_nobody_is_asked() -> None:
    assert await ConnectionProbe(Engine(), None, ManualClock()).relay() == "none"  # type: ignore[arg-type]
