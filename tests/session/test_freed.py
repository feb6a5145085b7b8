"""A call that is over is freed at once: nothing in it waits for the garbage collector."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

from tests.calls.rig import Call

from antiphon.vocabulary import CallContext, EndReason, ToolCall, ToolSpec


class Clock:
    """A tool of ours."""

    def specs(self) -> list[ToolSpec]:
        return [ToolSpec("time", "What time it is.")]

    async def run(self, call: ToolCall, context: CallContext) -> str:
        return "noon"


async def whole_call(call: Call) -> None:
    """Turns, an interruption, a key, and an end in the middle of a reply."""
    await call.sound(600)
    await call.until_replies(1)
    await call.sound(600)
    await call.wait(900)
    await call.sound(800)
    call.session.dtmf("5")
    await call.wait(600)
    call.session.drop(EndReason.CUSTOMER_ENDED)
    await call.wait(200)


def test_a_session_and_all_its_parts(tmp_path: Path) -> None:
    call = Call(
        hears=["hello", "what", "stop it"],
        answers=["Hello there, my friend. How are you today?", "I am well, and so is everybody else in here."],
        tools=Clock(),
        folder=tmp_path,
    )
    parts: dict[str, weakref.ref[object]] = {}

    async def talk(call: Call) -> None:
        session = call.session
        owned = {**vars(session), "session": session, "mouth": session.port.mouth, "situation": session.conversation._s}
        parts.update({name: weakref.ref(part) for name, part in owned.items() if name in PARTS})
        del session, owned
        await whole_call(call)

    gc.disable()
    try:
        watcher = call.run(talk)
        assert watcher.ended is EndReason.CUSTOMER_ENDED
        # The rig's own.
        call.phone.connect(Call.__new__(Call))  # type: ignore[arg-type]
        del call.session
        assert parts.keys() == PARTS
        assert [name for name, part in parts.items() if part() is not None] == []
    finally:
        gc.enable()


PARTS = {
    "session", "conversation", "situation", "port", "mouth", "_pump", "_listening", "_thinking", "_speaking", "_tools", "_tasks",
}  # fmt: skip
