"""Nobody hurts anybody else: whatever one session is fed, the calls beside it miss no frame, and what it was fed is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.calls.rig import SPEECH, Call, LoudnessModel, Watcher, tone

from antiphon.audio import g711
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.policy import BargeIn, Endpointing, Policy
from antiphon.media.plane import MediaPlane
from antiphon.providers.scripted import ScriptedLanguageModel, ScriptedSpeechToText, ScriptedTextToSpeech
from antiphon.session.plan import Engines, SessionPlan
from antiphon.session.session import Session
from antiphon.transports.base import CallStarted
from antiphon.transports.memory import memory_pair
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding, EndReason

LONG = "I can tell you a great many things about this, and all of them take quite a while to say to the end."
WIDE = AudioFormat(Encoding.PCM16, 24000)
FORMATS = (TELEPHONE, WIDE, AudioFormat(Encoding.PCM16, 16000))


class WideLoudnessModel(LoudnessModel):
    rate_hz = 16000
    window_samples = 512


@dataclass(frozen=True)
class Step:
    do: str
    ms: int = 0


steps = st.one_of(
    st.builds(Step, st.just("audio"), st.one_of(st.integers(1, 80), st.integers(100, 6000))),
    st.builds(Step, st.just("quiet"), st.integers(1, 3000)),
    st.builds(Step, st.just("wait"), st.integers(1, 400)),
    st.builds(Step, st.sampled_from(["commit", "clear", "manual", "evidence", "end"])),
)


def loud(audio: AudioFormat, duration_ms: int, level: float = SPEECH) -> bytes:
    samples = np.full(audio.rate_hz * duration_ms // 1000, round(level * 32767), dtype=np.int16)
    if audio.encoding is Encoding.MULAW:
        return g711.mulaw_encode(samples).tobytes()
    return samples.astype("<i2").tobytes()


def a_neighbour(call: Call, audio: AudioFormat, watcher: Watcher, hears: tuple[str, ...] = ("hello there",)) -> Session:
    """Another session on the same plane, with engines of its own."""
    engines = Engines(
        stt=ScriptedSpeechToText(list(hears), final_delay_ms=60),
        models=(ScriptedLanguageModel(["Yes."] * 8, first_token_ms=100),),
        voices=(ScriptedTextToSpeech(first_chunk_ms=50, ms_per_character=50),),
    )
    transport, phone, _ = memory_pair(call.clock, audio)
    policy = Policy(endpointing=Endpointing(mode="fixed", silence_ms=300), barge_in=BargeIn(backoff_ms=0))
    started = CallStarted("memory", f"call-{id(watcher)}", "test", format_in=audio, format_out=audio)
    session = call.manager.open(started, SessionPlan("test", policy, (), engines, observers=(watcher,)), transport)
    phone.connect(session)
    return session


async def drive(session: Session, audio: AudioFormat, script: list[Step]) -> None:
    for step in script:
        match step.do:
            case "audio":
                session.audio(loud(audio, step.ms), None)
            case "quiet":
                session.audio(loud(audio, step.ms, 0.0), None)
            case "wait":
                await asyncio.sleep(step.ms / 1000)
            case "commit":
                session.commit_turn()
            case "clear":
                session.discard_turn()
            case "end":
                session.drop(EndReason.CUSTOMER_ENDED)
            case mode:
                policy = session.conversation.policy
                session.change_policy(replace(policy, endpointing=replace(policy.endpointing, mode=mode)))


class OwnWatcher(Watcher):
    """Of one call, where several are live."""

    def happened(self, call_id: str, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        if call_id == "call-1":
            super().happened(call_id, now_ms, event, actions)


class Beside(Call):
    """The bystander's call: it hears a long greeting, whatever its neighbours do."""

    def __init__(self) -> None:
        super().__init__(greeting=LONG)
        self.watcher = OwnWatcher()

    def run_beside(self, others: Callable[[Call], Any]) -> tuple[int, float]:
        """Returns how much of the greeting was heard, in tenths of a second, and how much silence stood between its frames, in ms."""

        async def talk(call: Call) -> None:
            call.plane._vad = {8000: LoudnessModel, 16000: WideLoudnessModel}  # type: ignore[attr-defined]
            call.manager._max_calls = 9  # type: ignore[attr-defined]
            await others(call)
            await call.until_replies(1)

        self.run(talk)
        heard = self.phone.heard()
        gaps = [after.at_ms - before.at_ms - len(before.audio) / 8 for before, after in pairwise(heard)]
        return round(self.heard_ms() / 100), sum(gaps)


UNDISTURBED = Beside().run_beside(lambda call: call.wait(1))


@given(st.lists(st.tuples(st.sampled_from(FORMATS), st.lists(steps, max_size=12)), min_size=1, max_size=3))
@settings(max_examples=12, deadline=None)
def test_whatever_sessions_are_fed_the_bystander_misses_no_frame(scripts: list[tuple[AudioFormat, list[Step]]]) -> None:
    bystander = Beside()
    plane: list[MediaPlane] = []

    async def others(call: Call) -> None:
        plane.append(call.plane)
        await asyncio.gather(*(drive(a_neighbour(call, audio, Watcher()), audio, script) for audio, script in scripts))

    assert bystander.run_beside(others) == UNDISTURBED
    assert (plane[0].beat.failures, plane[0].cut_out) == (0, 0)


@pytest.mark.parametrize("audio", FORMATS, ids=str)
@pytest.mark.parametrize("clip_ms", [300, 2000, 20_000])
def test_a_clip_sent_at_once_and_committed_is_one_turn(audio: AudioFormat, clip_ms: int) -> None:
    """S1: it made every call deaf and mute for up to half its length."""
    bystander, watcher = Beside(), Watcher()

    async def others(call: Call) -> None:
        session = a_neighbour(call, audio, watcher)
        session.audio(loud(audio, clip_ms), None)
        session.commit_turn()
        await call.until(lambda: bool(watcher.of(do.TurnClosed)))
        assert call.plane.beat.failures == call.plane.cut_out == 0

    assert bystander.run_beside(others) == UNDISTURBED
    assert [turn.text for turn in watcher.of(do.TurnClosed)] == ["hello there"]


def test_after_a_commit_the_next_speech_is_heard() -> None:
    bystander, watcher = Beside(), Watcher()

    async def others(call: Call) -> None:
        session = a_neighbour(call, WIDE, watcher, hears=("first", "second"))
        session.audio(loud(WIDE, 4000), None)
        session.commit_turn()
        await call.until(lambda: len(watcher.of(do.ReplyClosed)) == 1)
        await drive(session, WIDE, [Step("audio", 700), Step("wait", 100), Step("quiet", 900), Step("wait", 900)])
        await call.until(lambda: len(watcher.of(do.TurnClosed)) == 2)

    bystander.run_beside(others)
    assert [turn.text for turn in watcher.of(do.TurnClosed)] == ["first", "second"]


class Rejecting(LoudnessModel):
    """A model that cannot be given one of the calls: full scale, which only the neighbour says."""

    def infer(self, slots: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        if np.abs(windows).max() > 0.95:
            raise ValueError("this window")
        return super().infer(slots, windows)


def test_a_call_whose_hearing_raises_is_cut_out_and_ends() -> None:
    bystander, watcher = Beside(), Watcher()

    async def others(call: Call) -> None:
        [ears] = call.plane._ears.values()  # type: ignore[attr-defined]
        ears._attention._model = Rejecting()
        session = a_neighbour(call, TELEPHONE, watcher)
        await call.wait(50)
        session.audio(tone(200, 1.0), None)
        await call.wait(100)
        assert watcher.ended is EndReason.SERVER_DIED
        assert (call.plane.beat.failures, call.plane.cut_out) == (0, 1)

    assert bystander.run_beside(others) == UNDISTURBED


@pytest.mark.parametrize("part", ["mouth", "port", "listener"])
def test_a_call_whose_part_of_the_beat_raises_is_cut_out_and_ends(part: str) -> None:
    bystander, watcher = Beside(), Watcher()

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    async def others(call: Call) -> None:
        session = a_neighbour(call, TELEPHONE, watcher)
        port: Any = session.port
        await call.wait(50)
        session.audio(tone(200, SPEECH), None)
        if part == "listener":
            session.sound_started = broken  # type: ignore[method-assign]
        elif part == "port":
            port._ears, port._behind, port.wants_beat = None, True, True
        else:
            port.mouth._playhead, port.mouth.reply, port.mouth._open, port.mouth.wake_ms = None, 1, True, 0
        call.plane.attend(session.port)
        await call.wait(300)
        assert watcher.ended is EndReason.SERVER_DIED
        assert call.plane.beat.failures == 0

    assert bystander.run_beside(others) == UNDISTURBED


def test_a_beat_that_fails_for_all_is_told_and_over_once_it_works_again() -> None:
    call = Beside()

    async def others(call: Call) -> None:
        assert not call.plane.beat.failing
        [ears] = call.plane._ears.values()  # type: ignore[attr-defined]
        broken, ears.beat = ears.beat, None
        await call.wait(100)
        assert call.plane.beat.failing and call.plane.beat.failures >= 4
        ears.beat = broken
        await call.wait(2100)
        assert not call.plane.beat.failing

    call.run_beside(others)
