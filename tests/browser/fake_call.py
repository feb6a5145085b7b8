"""The talk page in a browser, with a stand-in for the server's end of the call: a test says what arrives and sees what was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.chromium import Page
from tests.serving import running_server, settings_for, write_assistant

FAKE = Path(__file__).with_name("fake_call.js")
FLOORS = """
  window.floors = { seen: [], from: 0 };
  new MutationObserver(() => {
    const floor = document.body?.dataset.floor;
    if (floor && floor !== floors.seen.at(-1)) floors.seen.push(floor);
  }).observe(document, { attributeFilter: ["data-floor"], subtree: true });
"""
"""Notes in a page whose the floor was, one after the other: on a busy machine it has changed before a test looks."""


class TalkPage:
    """The page, and both ends of its calls."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self._base_url = base_url
        self._problems_before = 0

    @property
    def problems(self) -> list[Any]:
        """What the browser complained about since the page was opened."""
        return self.page.problems[self._problems_before :]

    async def open(self, **fake: Any) -> None:
        """The page anew; ``fake`` says what is to be other than usual (``fake_call.js``)."""
        await self.page.viewport(1280, 800)
        await self.page.media(colorScheme="light", reducedMotion="no-preference")
        await self.page.goto(f"{self._base_url}/talk/icon.svg")
        keep = "(fake) => { localStorage.clear(); sessionStorage.setItem('fake', JSON.stringify(fake)); }"
        await self.page.evaluate(keep, fake)
        self._problems_before = len(self.page.problems)
        await self.page.goto(self.url)

    @property
    def url(self) -> str:
        return f"{self._base_url}/talk"

    async def talk(self) -> None:
        """Press the button, and be connected."""
        await self.page.click("#talk")
        await self.phase("live")

    async def phase(self, name: str) -> None:
        await self.page.wait_for(f'body[data-phase="{name}"]')

    async def floor(self, name: str) -> None:
        """Until it is theirs, now."""
        await self.page.wait_for(f'body[data-floor="{name}"]')
        await self.page.evaluate("() => { if (window.floors) floors.from = floors.seen.length; }")

    async def floor_was(self, name: str) -> None:
        """Until it is theirs, or was since a test last asked, where a page notes it (``FLOORS``)."""
        await self.until(f"floors.seen.indexOf('{name}', floors.from) >= 0")
        await self.page.evaluate("(name) => { floors.from = floors.seen.indexOf(name, floors.from) + 1; }", name)

    async def lines(self) -> list[str]:
        """The transcript, as it is read."""
        read = "(line) => [...line.children].map((part) => part.textContent).join(': ')"
        return await self.page.evaluate(f"() => [...document.querySelectorAll('.line')].map({read})")

    async def until_lines(self, *lines: str) -> None:
        async with asyncio.timeout(60):
            while (seen := await self.lines()) != list(lines):
                assert len(seen) <= len(lines) + 5
                await asyncio.sleep(0.02)

    async def until(self, expression: str) -> None:
        """Until this JavaScript expression is true. (Playwright's own waiting would evaluate it in the page, which its policy forbids.)"""
        await self.page.until(expression)

    async def sent(self) -> list[dict[str, Any]]:
        """What the page sent so far; forgotten by that."""
        return await self.page.evaluate("() => fake.sent.splice(0)")

    # ---------------------------------------------------------------------------------- what the server says

    async def say(self, type: str, **fields: Any) -> None:
        await self.page.evaluate("(event) => fake.say(event)", {"type": type, **fields})

    async def user_speaks(self, item: str) -> None:
        await self.say("input_audio_buffer.speech_started", item_id=item, audio_start_ms=0)

    async def user_stops(self, item: str, transcript: str, previous: str | None = None) -> None:
        await self.say("input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=900)
        await self.say("input_audio_buffer.committed", item_id=item, previous_item_id=previous)
        unheard = _message(item, "user", {"type": "input_audio", "transcript": None})
        await self.say("conversation.item.added", previous_item_id=previous, item=unheard)
        transcribed = "conversation.item.input_audio_transcription.completed"
        await self.say(transcribed, item_id=item, content_index=0, transcript=transcript)

    async def agent_begins(self, response: str, item: str, text: str, previous: str | None = None) -> None:
        """The response is there, and sounds."""
        await self.say("response.created", response={"id": response, "status": "in_progress", "output": []})
        await self.say("conversation.item.added", previous_item_id=previous, item=_message(item, "assistant"))
        await self.say("response.output_audio_transcript.delta", response_id=response, item_id=item, delta=text)
        await self.say("output_audio_buffer.started", response_id=response)

    async def agent_done(self, response: str, item: str, text: str, status: str = "completed") -> None:
        """The response is made; its sound may go on."""
        done = _message(item, "assistant", {"type": "output_audio", "transcript": text})
        done["status"] = "completed" if status == "completed" else "incomplete"
        await self.say("conversation.item.done", item=done)
        await self.say("response.done", response={"id": response, "status": status, "output": [done]})

    async def turn(self, at_ms: int, *steps_ms: int) -> None:
        """Where the time of a turn went so far: silent, closed, the model's first word, the first sound."""
        names = ("stopped_ms", "closed_ms", "token_ms", "heard_ms")
        reached = dict(zip(names, steps_ms, strict=False))
        await self.say("talk.turn", at_ms=at_ms, **{name: reached.get(name) for name in names})

    async def speak_language(self, language: str) -> None:
        """As a hand would, with the switch."""
        choose = "const field = document.getElementById('language'); field.value = language; field.dispatchEvent(new Event('change'));"
        await self.page.evaluate(f"(language) => {{ {choose} }}", language)

    async def marks(self) -> list[str]:
        """What stands between the lines."""
        return await self.page.evaluate(
            "() => [...document.querySelectorAll('.mark')].map((mark) => mark.textContent.trim())"
        )

    async def agent_heard(self, item: str, text: str) -> None:
        """The server cuts the item to what was heard, and shows it when it is asked."""
        await self.say("conversation.item.truncated", item_id=item, content_index=0, audio_end_ms=1000)
        heard = _message(item, "assistant", {"type": "output_audio", "transcript": text})
        await self.say("conversation.item.retrieved", item=heard)


def _message(item: str, role: str, *content: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item,
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": role,
        "content": list(content),
    }


@asynccontextmanager
async def served_to(page: Page, folder: Path, **realtime: Any) -> AsyncIterator[TalkPage]:
    """A real server for a browser's page, which is not open yet. The page runs ``FAKE`` before its own scripts."""
    # Who comes in by the printed address is for tests of the door; here it stands open.
    write_assistant(folder / "assistants", ms_per_character=150)  # slow enough to be cut
    async with running_server(settings_for(folder, realtime={"talk_page": "open"} | realtime)) as (antiphon, _):
        yield TalkPage(page, antiphon.settings.base_url)
