"""A session of openai-python, driven and listened to."""

from __future__ import annotations

import asyncio
import base64
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection
from tests.conformance.realtime.server import MODEL

APPEND_MS = 100
PCM_BYTES_PER_MS = 48


class Talk:
    """Events are the SDK's own objects, in the order they came."""

    def __init__(self, connection: AsyncRealtimeConnection) -> None:
        self.connection = connection
        self.events: list[Any] = []
        self._by_kind: defaultdict[str, list[Any]] = defaultdict(list)
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="talk")

    def of(self, kind: str) -> list[Any]:
        """Everything of one type so far."""
        return self._by_kind[kind]

    async def until(self, kind: str, count: int = 1, within_s: float = 60.0, **fields: Any) -> Any:
        """The ``count``th event of this type (with these values of its attributes); waits for it."""

        def found() -> list[Any]:
            if not fields:
                return self.of(kind)
            return [e for e in self.of(kind) if all(getattr(e, name) == value for name, value in fields.items())]

        await self.until_true(lambda: len(found()) >= count, f"{count} {kind} {fields}", within_s)
        return found()[count - 1]

    async def until_true(self, condition: Callable[[], Any], what: str = "", within_s: float = 60.0) -> None:
        """Wait until ``condition`` holds; it is looked at after every event."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    assert not self._reader.done(), f"the session is over before {what}"
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            kinds = [event.type for event in self.events]
            raise AssertionError(f"not in {within_s} s: {what}; came: {kinds[-25:]}") from None

    async def settled(self) -> None:
        """Until the server has answered everything sent before (it answers in order): an update that changes nothing."""
        seen = len(self.of("session.updated"))
        await self.update()
        await self.until("session.updated", seen + 1)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.connection.send({"type": kind, **fields})  # type: ignore[misc, arg-type]

    async def update(self, **session: Any) -> None:
        """``session.update``."""
        await self.send("session.update", session={"type": "realtime", **session})

    async def type(self, text: str, **fields: Any) -> None:
        """A written message of the user's."""
        content = [{"type": "input_text", "text": text}]
        await self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields
        )

    async def respond(self, event_id: str | None = None, **response: Any) -> None:
        """``response.create``."""
        fields = {} if event_id is None else {"event_id": event_id}
        await self.send("response.create", **fields, **({"response": response} if response else {}))

    async def answer(self, number: int = 1, **response: Any) -> Any:
        """The ``number``th finished response of the session, after asking for it."""
        await self.respond(**response)
        return (await self.until("response.done", number)).response

    async def error(self, event_id: str) -> Any:
        """The error that one of our events got."""

        def found() -> list[Any]:
            return [event.error for event in self.of("error") if event.error.event_id == event_id]

        await self.until_true(found, f"an error for {event_id}")
        return found()[0]

    async def append(self, audio: bytes) -> None:
        """One append."""
        await self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    async def speak(self, audio: bytes, *, pace: float = 0.0, bytes_per_ms: int = PCM_BYTES_PER_MS) -> None:
        """Appends of 100 ms; ``pace`` 1 is as fast as it is spoken, 0 as fast as it can be sent."""
        size = APPEND_MS * bytes_per_ms
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number, start in enumerate(range(0, len(audio), size)):
            if pace:
                await asyncio.sleep(max(0.0, began_s + number * APPEND_MS * pace / 1000 - loop.time()))
            await self.append(audio[start : start + size])

    def text(self, response_id: str) -> str:
        """What a response has written so far."""
        return "".join(e.delta for e in self.of("response.output_text.delta") if e.response_id == response_id)

    def transcript(self, response_id: str) -> str:
        """What a response has said so far, in words."""
        deltas = self.of("response.output_audio_transcript.delta")
        return "".join(e.delta for e in deltas if e.response_id == response_id)

    def audio(self, response_id: str) -> bytes:
        """What a response has said so far."""
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(e.delta) for e in deltas if e.response_id == response_id)

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for event in self.connection:
                self.events.append(event)
                self._by_kind[event.type].append(event)
                self._news.set()
        finally:
            self._news.set()


@asynccontextmanager
async def talking(client: AsyncOpenAI, model: str = MODEL, **connecting: Any) -> AsyncIterator[Talk]:
    """A session that has begun."""
    given = {"model": model, **connecting}
    async with client.realtime.connect(**given) as connection:
        talk = Talk(connection)
        try:
            await talk.until("session.created")
            yield talk
        finally:
            await talk.close()
