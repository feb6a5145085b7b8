"""The live calls of a process: who gets in, how they end, and that one call's fault is no other's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
from tests.calls.rig import LoudnessModel, Watcher
from tests.calls.virtual import run_virtually
from tests.session.conftest import LONG

from antiphon.clock import ManualClock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import Greeting, Policy
from antiphon.errors import CapacityError, ConfigurationError, ProviderError
from antiphon.media.plane import MediaPlane
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.admission import Admission, AdmissionLimits, Load
from antiphon.session.event_log import read_event_log
from antiphon.session.manager import SessionManager
from antiphon.session.plan import Engines, SessionPlan
from antiphon.session.replay import replay
from antiphon.transports.base import CallStarted, LostReason
from antiphon.transports.memory import MemoryPhone, MemoryTransport, Wire
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, EndReason


class Building:
    """A process with a few telephones, in virtual time."""

    def __init__(self, folder: Path | None = None, max_calls: int = 3) -> None:
        self.clock = ManualClock(10_000)
        self.wire = Wire(self.clock)
        self.folder = folder
        self.watcher = Watcher()
        self.load = Load(busy=0.1, late_ms=0.0)
        self.engines = Engines(ScriptedSpeechToText(), (ScriptedLanguageModel(),), (ScriptedTextToSpeech(),))
        self.plane = MediaPlane(self.clock, {8000: LoudnessModel})
        self.observers: list[Any] = [self.watcher]
        self.surfaces: dict[str, Any] = {}
        """By the call's id."""
        self.max_calls = max_calls
        self.phones: dict[str, MemoryPhone] = {}
        self.transports: dict[str, MemoryTransport] = {}
        self.manager: SessionManager

    def run(self, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            self.manager = SessionManager(
                self.plane,
                self.clock,
                self._plan,
                self.observers,
                self.max_calls,
                Admission(AdmissionLimits(always=0)),
                lambda: self.load,
            )
            self.plane.start()
            self.manager.start()
            try:
                await main()
            finally:
                await self.manager.close(0)
                self.plane.close()

        run_virtually(self.clock, self.wire, whole)

    def _plan(self, call: CallStarted) -> SessionPlan:
        if call.assistant == "nobody":
            raise ConfigurationError("assistant", "there is no assistant of this name")
        log = self.folder / f"{call.call_id}.jsonl" if self.folder else None
        policy, surface = Policy(greeting=Greeting(message=LONG)), self.surfaces.get(call.call_id)
        return SessionPlan(call.assistant, policy, (), self.engines, event_log=log, surface=surface)

    def ring(self, call_id: str, assistant: str = "test", audio: AudioFormat = TELEPHONE) -> None:
        phone = MemoryPhone(self.clock, self.wire, TELEPHONE, 0, 0.0, 1)
        transport = MemoryTransport(self.wire, phone, 0)
        started = CallStarted("memory", call_id, assistant, format_in=audio, format_out=TELEPHONE)
        phone.connect(self.manager.accept(started, transport))
        self.phones[call_id], self.transports[call_id] = phone, transport


# ------------------------------------------------------------------------------------------------ who gets in


def test_calls_are_taken_until_the_building_is_full_and_again_when_one_has_ended() -> None:
    building = Building(max_calls=2)

    async def main() -> None:
        building.ring("a")
        building.ring("b")
        with pytest.raises(CapacityError, match="full"):
            building.ring("c")
        assert building.manager.live == building.plane.calls == 2
        building.phones["a"].hang_up()
        await asyncio.sleep(0.1)
        building.ring("c")
        assert {session.call.call_id for session in building.manager.sessions()} == {"b", "c"}
        assert building.manager.find("a") is None

    building.run(main)


def test_a_late_beat_refuses_new_calls_and_keeps_the_old_ones() -> None:
    building = Building()

    async def main() -> None:
        building.ring("a")
        building.manager.admit()
        building.load = Load(busy=0.1, late_ms=30.0)
        await asyncio.sleep(0.6)
        for ask in (building.manager.admit, building.manager.require_admission):
            with pytest.raises(CapacityError, match="full"):
                ask()
        building.ring("b")
        assert building.manager.live == 2, "who was let in before is not sent away at the door"
        building.load = Load(busy=0.1, late_ms=1.0)
        await asyncio.sleep(0.6)
        building.manager.require_admission()
        building.manager.admit()

    building.run(main)


def test_draining_refuses_new_calls_and_lets_the_old_ones_talk() -> None:
    building = Building()

    async def main() -> None:
        building.ring("a")
        building.manager.drain()
        with pytest.raises(CapacityError, match="draining"):
            building.ring("b")
        await asyncio.sleep(1)
        assert building.manager.live == 1
        assert building.phones["a"].heard()

    building.run(main)


def test_a_call_without_an_assistant_leaves_nothing_behind() -> None:
    building = Building()

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="assistant"):
            building.ring("a", assistant="nobody")
        assert building.manager.live == building.plane.calls == 0

    building.run(main)


def test_a_call_that_cannot_be_heard_frees_its_recogniser() -> None:
    building = Building()
    closed: list[bool] = []

    class Recogniser(ScriptedSpeechToText):
        def open(self, *given: Any) -> Any:
            stream = super().open(*given)
            close = stream.close
            stream.close = lambda: (closed.append(True), close())  # type: ignore[func-returns-value,method-assign]
            return stream

    building.engines = replace(building.engines, stt=Recogniser())

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="format_in"):
            building.ring("a", audio=AudioFormat(Encoding.PCM16, 16_000))
        assert building.manager.live == building.plane.calls == 0

    building.run(main)
    assert closed == [True]


def test_a_recogniser_that_cannot_be_opened_leaves_nothing_behind() -> None:
    building = Building()

    class Refusing(ScriptedSpeechToText):
        def open(self, *given: Any) -> Any:
            raise ProviderError("stt", "no")

    building.engines = replace(building.engines, stt=Refusing())

    async def main() -> None:
        with pytest.raises(ProviderError):
            building.ring("a")
        assert building.manager.live == building.plane.calls == 0

    building.run(main)


# ------------------------------------------------------------------------------------------------ one call's fault


def test_a_fault_ends_its_own_call_and_no_other(tmp_path: Path) -> None:
    building = Building(tmp_path)

    class Buggy(Watcher):
        def happened(self, call_id: str, now_ms: int, event: Any, actions: Any) -> None:
            if isinstance(event, ev.DtmfPressed):
                raise ValueError("a bug")

    building.surfaces["a"] = Buggy()

    async def main() -> None:
        building.ring("a")
        building.ring("b")
        await asyncio.sleep(0.5)
        for phone in building.phones.values():
            phone.press("1")
        await asyncio.sleep(3)
        assert [session.call.call_id for session in building.manager.sessions()] == ["b"]
        assert building.plane.calls == 1

    with structlog.testing.capture_logs() as logs:
        building.run(main)
    assert [entry["call_id"] for entry in logs if entry["event"] == "session_fault"] == ["a"]
    assert building.transports["a"].closed_with is not None
    assert read_event_log(tmp_path / "a.jsonl").ended == EndReason.SERVER_DIED
    log = read_event_log(tmp_path / "b.jsonl")
    assert replay(log) is None
    assert any(action[0] == "TurnClosed" for entry in log.entries for action in entry.actions), "its key was a turn"


# ------------------------------------------------------------------------------------------------ ending


def test_closing_waits_for_calls_that_end_by_themselves() -> None:
    building = Building()

    async def main() -> None:
        building.ring("a")
        await asyncio.sleep(0.2)
        asyncio.get_running_loop().call_later(2, building.phones["a"].hang_up)
        before = building.clock.now_ms()
        closing = asyncio.create_task(building.manager.close(30))
        await asyncio.sleep(1)
        with pytest.raises(CapacityError, match="draining"):
            building.ring("b")
        await closing
        assert 2000 <= building.clock.now_ms() - before < 2100

    building.run(main)
    assert building.watcher.ended is EndReason.CUSTOMER_ENDED


def test_who_was_let_in_before_the_drain_may_still_come_and_is_waited_for() -> None:
    building = Building()

    async def main() -> None:
        building.manager.admit()
        before = building.clock.now_ms()
        closing = asyncio.create_task(building.manager.close(30))
        await asyncio.sleep(0.4)
        with pytest.raises(CapacityError, match="draining"):
            building.manager.admit()
        building.manager.require_room()
        building.ring("a")
        with pytest.raises(CapacityError, match="draining"):
            building.ring("b")  # one was let in, not two
        await asyncio.sleep(1)
        assert building.phones["a"].heard()
        building.phones["a"].hang_up()
        await closing
        assert 1400 <= building.clock.now_ms() - before < 1600

    building.run(main)


def test_a_drain_waits_a_minute_for_one_who_never_comes() -> None:
    building = Building()

    async def main() -> None:
        building.manager.admit()
        await asyncio.sleep(20)
        before = building.clock.now_ms()
        await building.manager.close(600)
        assert 39_000 <= building.clock.now_ms() - before <= 41_000
        with pytest.raises(CapacityError, match="draining"):
            building.ring("a")

    building.run(main)


def test_a_second_close_ends_the_wait_for_one_who_may_come() -> None:
    building = Building()

    async def main() -> None:
        building.manager.admit()
        before = building.clock.now_ms()
        closing = asyncio.create_task(building.manager.close(30))
        await asyncio.sleep(1)
        await building.manager.close(0)
        await closing
        assert building.clock.now_ms() - before < 1100
        with pytest.raises(CapacityError, match="draining"):
            building.manager.require_room()

    building.run(main)


def test_closing_ends_what_is_left_after_the_grace_and_notes_what_was_heard(tmp_path: Path) -> None:
    building = Building(tmp_path)

    async def main() -> None:
        building.ring("a")
        await asyncio.sleep(1)
        before = building.clock.now_ms()
        await building.manager.close(0.5)
        assert 500 <= building.clock.now_ms() - before < 600
        assert building.manager.live == building.plane.calls == 0
        left = [task for task in asyncio.all_tasks() if task.get_name().startswith(("voice", "reply", "tool"))]
        assert left == []
        await building.manager.close(0.5)

    building.run(main)
    assert building.watcher.ended is EndReason.SERVER_SHUTDOWN
    [closed] = building.watcher.of(do.ReplyClosed)
    assert 1300 <= closed.heard_ms <= 1500
    log = read_event_log(tmp_path / "a.jsonl")
    assert log.ended == EndReason.SERVER_SHUTDOWN
    assert replay(log) is None


def test_event_logs_reach_the_disk_twice_a_second(tmp_path: Path) -> None:
    building = Building(tmp_path)

    async def main() -> None:
        building.ring("a")
        await asyncio.sleep(1.2)
        log = read_event_log(tmp_path / "a.jsonl")
        assert log.ended is None
        assert isinstance(log.entries[0].event, ev.CallConnected)

    building.run(main)


def test_a_log_that_cannot_be_made_does_not_harm_the_call(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    building = Building(blocker)

    async def main() -> None:
        building.ring("a")
        await asyncio.sleep(1)
        assert building.manager.live == 1
        assert building.phones["a"].heard()

    with structlog.testing.capture_logs() as logs:
        building.run(main)
    assert "event_log_failed" in [entry["event"] for entry in logs]


def test_every_way_a_connection_can_go_ends_the_call_for_a_reason() -> None:
    for lost in get_args(LostReason):
        building = Building()

        async def main(building: Building = building, lost: Any = lost) -> None:
            building.ring("a")
            building.phones["a"].hang_up(lost)
            await asyncio.sleep(0.1)
            assert building.manager.live == 0

        building.run(main)
