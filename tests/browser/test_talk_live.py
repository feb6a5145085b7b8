"""The talk page in a real browser on a real call: WebRTC to a server with scripted engines, people's speech for a microphone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.browser.chromium import browser_page
from tests.browser.fake_call import FLOORS, TalkPage
from tests.conformance.realtime import speech
from tests.conformance.realtime.speech import RATE_HZ, Said, silence
from tests.serving import running_server, settings_for, write_assistant

from antiphon.audio.wav import write_wav
from antiphon.composition.process import Antiphon
from antiphon.vocabulary import EndReason

GREETING = "Good day, this is the front desk of a rather large house, and what may we do for you?"
SPOKEN = pytest.mark.timed
"""A browser with its microphone, and a server, that get no time for a moment hear a pause where nobody made one."""
QUESTION, ANSWER = "what is the price of marmalade", "It costs eleven crowns."
"""What the engines of ``tests.serving`` hear and say."""


def microphone(path: Path, *sounds: Said | int) -> Path:
    """A WAV file of people's words and of silences in ms; nothing is said after them."""
    pieces = [silence(sound) if isinstance(sound, int) else sound.pcm for sound in (*sounds, 30_000)]
    write_wav(path, np.concatenate(pieces), RATE_HZ)
    return path.with_name(f"{path.name}%noloop")


@pytest.fixture(scope="module")
def card() -> Said:
    """ "Ten of clubs", by a person where there is a recording. Not made within a test: a voice runs on a loop of its own."""
    return (speech.recordings() or speech.synthetic())["cards-001"]


@asynccontextmanager
async def live(
    folder: Path, *sounds: Said | int, before: str = "", hears: str = ""
) -> AsyncIterator[tuple[TalkPage, Antiphon]]:
    """The page, open, and the server behind it. Nobody may have complained at the end, and no call may be left. ``before`` is run
    before the page's own scripts. ``hears``: what the recogniser makes of what is said, if not ``QUESTION``."""
    file = write_assistant(folder / "assistants", GREETING, ms_per_character=60) / "scripted.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(QUESTION, hears or QUESTION), encoding="utf-8")
    mic = microphone(folder / "microphone.wav", *sounds)
    async with running_server(settings_for(folder)) as (antiphon, _), browser_page(microphone=mic) as page:
        talk = TalkPage(page, antiphon.settings.base_url)
        await page.initially(FLOORS + before)
        await page.goto(antiphon.talk_address)
        await talk.phase("idle")
        yield talk, antiphon
        assert talk.problems == []
        await until_empty(antiphon)


async def until_empty(antiphon: Antiphon) -> None:
    """A connection that never came about is given up by the server, too, after 15 s."""
    for _ in range(2500):
        if not (antiphon.manager.live or len(antiphon.realtime) or antiphon.webrtc.legs):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("a call was left behind")


@SPOKEN
async def test_an_interruption_a_spoken_turn_and_a_typed_one(tmp_path: Path, card: Said) -> None:
    async with live(tmp_path, 2000, card) as (talk, antiphon):
        await talk.talk()
        await talk.floor_was("agent")
        await talk.until_lines(f"Scripted: {GREETING}")
        await talk.floor_was("you")
        await talk.floor_was("agent")
        [greeting, question, answer] = await talk.lines()
        assert "— interrupted" in greeting
        said, unsaid = await talk.page.text(".agent .said"), await talk.page.text(".agent del")
        assert f"{said}{unsaid}" == GREETING, "what was heard, and what was not"
        assert (question, answer) == (f"You: {QUESTION}", f"Scripted: {ANSWER}")
        held, times = await talk.marks()
        assert re.fullmatch(r"Interrupted after \d\.\d s of the answer", held), (
            "told by the server, over the data channel"
        )
        assert re.fullmatch(r"Answered after \d+ ms: deciding \d+ ms, model \d+ ms, voice \d+ ms", times)
        await talk.floor("nobody")

        await talk.page.fill("#text", "And of plums?")
        await talk.page.press("Enter")
        await talk.floor_was("agent")
        assert (await talk.lines())[3:] == ["You: And of plums?", f"Scripted: {ANSWER}"]
        assert await talk.page.evaluate("() => document.getElementById('voice').srcObject.getAudioTracks().length") == 1
        await talk.page.viewport(390, 600)
        await talk.until("paper.scrollHeight - paper.scrollTop - paper.clientHeight < 2")
        await talk.page.click("#talk")
        await talk.phase("idle")
        assert (await talk.page.text("#floor")).startswith("Call ended after 0:")
        await until_empty(antiphon)


NO_UDP = """
  const Real = RTCPeerConnection;
  window.RTCPeerConnection = class extends Real { constructor() { super({ iceTransportPolicy: 'relay' }); } };
  const wait = window.setTimeout;
  window.setTimeout = (act, ms, ...rest) => wait(act, ms === 8000 ? 500 : ms, ...rest);
"""
"""A browser that may send through relays alone, and has none. The page gives up on that sooner than it would."""


HEARD = """
  window.heard = { flushes: 0, playedMs: 0, marks: [], told: [] };
  const Plain = WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (typeof data !== "string") heard.playedMs += data.byteLength / 48;
        else if (JSON.parse(data).type === "antiphon.flush") heard.flushes++;
        else this.note(data, heard.marks);
      });
    }
    send(data) {
      if (typeof data === "string") this.note(data, heard.told);
      super.send(data);
    }
    note(data, list) {
      const { type, mark } = JSON.parse(data);
      if (type === "antiphon.mark") list.push({ mark, at: performance.now() });
    }
  };
"""
"""Counts what comes of the agent's sound over the WebSocket, and the marks that come and go back."""


def part(said: Said, duration_ms: int) -> Said:
    """Its beginning."""
    return Said("", said.pcm[: RATE_HZ * duration_ms // 1000])


@SPOKEN
async def test_without_udp_it_is_all_the_same_over_the_websocket(tmp_path: Path, card: Said) -> None:
    """The greeting is cut by speech, what was said is answered, and the marks are there."""
    async with live(tmp_path, 3500, card, before=NO_UDP) as (talk, _):
        await talk.talk()
        assert "over the WebSocket" in (await talk.marks())[0]
        await talk.until_lines(f"Scripted: {GREETING}")
        await talk.until("document.querySelectorAll('.line').length === 3")
        await talk.floor_was("agent")
        [greeting, question, answer] = await talk.lines()
        assert "— interrupted" in greeting
        said, unsaid = await talk.page.text(".agent .said"), await talk.page.text(".agent del")
        assert f"{said}{unsaid}" == GREETING, "what was heard, and what was not"
        assert (question, answer) == (f"You: {QUESTION}", f"Scripted: {ANSWER}")
        await talk.floor("nobody")
        kinds = "[...document.querySelectorAll('.mark')].map((mark) => mark.classList[1]).join()"
        assert await talk.page.evaluate(f"() => {kinds}") == "socket,hold,times"
        await talk.page.click("#talk")


async def test_without_udp_a_sound_that_is_no_interruption_holds_the_agent_and_it_goes_on(
    tmp_path: Path, card: Said
) -> None:
    """An acknowledgement: the agent is silent for it, and then says the rest of what it was saying, as over WebRTC."""
    async with live(tmp_path, 3500, part(card, 400), before=NO_UDP + HEARD, hears="mhm") as (talk, _):
        await talk.talk()
        await talk.page.wait_for(".mark.hold", within_s=60)
        await talk.floor_was("agent")
        await talk.floor("nobody")
        assert await talk.lines() == [f"Scripted: {GREETING}", "You: mhm"]
        [_, mark] = await talk.marks()
        assert re.fullmatch(r"The agent paused for \d+ ms and went on", mark), mark
        flushes, played_ms = await talk.page.evaluate("() => [heard.flushes, heard.playedMs]")
        assert flushes >= 1
        again_ms = played_ms - len(GREETING) * 60
        assert -20 <= again_ms < 700 * flushes, "what was thrown away was sent again, and nothing else"
        await talk.until("heard.told.length === heard.marks.length")
        marks, told = await talk.page.evaluate("() => [heard.marks, heard.told]")
        assert [each["mark"] for each in told] == [each["mark"] for each in marks]
        assert len(marks) > len(GREETING) * 60 / 600, "about every half second"
        waits = sorted(back["at"] - came["at"] for came, back in zip(marks, told, strict=True))
        assert waits[len(waits) // 2] > 40, "they go back when the sound has been played, not when they come"
        await talk.page.click("#talk")


async def test_who_only_types_is_answered_aloud(tmp_path: Path) -> None:
    async with live(tmp_path) as (talk, _):
        await talk.page.fill("#text", "How much is marmalade?")
        await talk.page.press("Enter")
        await talk.phase("live")
        await talk.until(
            f"[...document.querySelectorAll('.agent .words')].some((line) => line.textContent === '{ANSWER}')"
        )
        await talk.floor_was("agent")
        assert not await talk.page.visible("#problem")
        await talk.page.click("#talk")


async def test_the_server_hangs_up(tmp_path: Path) -> None:
    async with live(tmp_path) as (talk, antiphon):
        await talk.talk()
        await talk.floor_was("agent")
        antiphon.manager.sessions()[0].drop(EndReason.ASSISTANT_ENDED)
        await talk.phase("idle")
        assert (await talk.page.text("#floor")).startswith("Call ended after")
        assert not await talk.page.visible("#problem")

        await talk.talk()
        await talk.floor_was("agent")
        antiphon.manager.sessions()[0].drop(EndReason.EXCEEDED_MAX_DURATION)
        await talk.phase("idle")
        assert await talk.page.text("#problem-title") == "The call reached its longest time"

        antiphon.manager.drain()
        await talk.page.click("#talk")
        await talk.page.wait_for("#problem")
        assert await talk.page.text("#problem-title") == "The server is about to restart"
        talk.page.program.told.clear()  # the browser notes the 503
