"""The talk page for everybody: by keyboard and screen reader, on every screen, light and dark, in English and Korean."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.browser.axe import LOOKS, SHOTS, axe
from tests.browser.fake_call import TalkPage
from tests.browser.talk_states import FAIL, GOOD, GREETING, checked, notice, relay

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_can_be_used_by_keyboard_and_screen_reader(talk: TalkPage) -> None:
    await talk.phase("idle")
    reached = []
    for _ in range(6):
        await talk.page.press("Tab")
        reached.append(await talk.page.evaluate("() => document.activeElement.id"))
    assert reached == ["assistant", "language", "talk", "paper", "text", "send"]
    await talk.page.evaluate("() => document.getElementById('talk').focus()")
    await talk.page.press("Enter")
    await talk.phase("live")
    assert await talk.page.text("#said-aloud") == "Connected to Scripted"
    await talk.agent_begins("r1", "a1", GREETING)
    busy = "() => document.querySelector('.line').ariaBusy"
    assert await talk.page.evaluate(busy) == "true"
    await talk.agent_done("r1", "a1", GREETING)
    assert await talk.page.evaluate(busy) == "false"
    unnamed = """() => [...document.querySelectorAll('button, input, select, [role]')].filter((element) =>
      !element.hidden && !element.ariaLabel && !element.textContent.trim() && !element.labels?.length
      && !['status', 'alert'].includes(element.role)).map((element) => element.outerHTML)"""
    assert await talk.page.evaluate(unnamed) == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 568), (844, 390)])
async def test_it_fits_the_screen(talk: TalkPage, width: int, height: int) -> None:
    await talk.page.viewport(width, height)
    await talk.talk()
    await talk.agent_begins("r1", "a1", "word " * 300 + "x" * 200)
    await talk.page.evaluate(FAIL)
    await notice(talk)
    outside = """() => [...document.querySelectorAll('button, input, select, #floor, .words')]
      .filter((element) => element.checkVisibility() && !element.closest('#paper'))
      .map((element) => [element.id, element.getBoundingClientRect()])
      .filter(([, box]) => box.left < 0 || box.right > innerWidth || box.top < 0 || box.bottom > innerHeight)"""
    assert await talk.page.evaluate(outside) == []
    assert await talk.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    end = "() => { const paper = document.getElementById('paper'); return paper.scrollHeight - paper.scrollTop - paper.clientHeight; }"
    assert await talk.page.evaluate(end) < 80, "the newest words are in sight"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(talk: TalkPage, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    contrast = """() => {
      const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgb = (colour) => { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1); return [...paint.getImageData(0, 0, 1, 1).data]; };
      const light = (colour) => rgb(colour).slice(0, 3).map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
      const ground = (element) => { for (; element; element = element.parentElement) {
        const { backgroundColor } = getComputedStyle(element); if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor; } };
      return [...document.querySelectorAll('.who, .words *, .side, .clock, .faint, button, h1, h2, #floor, #problem p, .choice span')]
        .filter((element) => element.checkVisibility() && element.textContent.trim() && !element.disabled)
        .map((element) => { const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((x, y) => y - x);
          return [element.className || element.id || element.tagName, (a + 0.05) / (b + 0.05)]; })
        .filter(([, ratio]) => ratio < 4.5);
    }"""
    await talk.page.media(colorScheme=scheme, reducedMotion="reduce")
    await talk.talk()
    await talk.agent_begins("r1", "a1", "One two three four five six seven eight nine ten.")
    await talk.agent_done("r1", "a1", "One two three four five six seven eight nine ten.", "cancelled")
    await talk.agent_heard("a1", "One two")
    await talk.user_speaks("u1")
    assert await talk.page.evaluate(contrast) == []
    await talk.user_stops("u1", "Stop.", "a1")
    await talk.agent_begins("r2", "a2", "Yes, and then some more words.")
    assert await talk.page.evaluate(contrast) == []
    await talk.page.evaluate(FAIL)
    await notice(talk)
    assert await talk.page.evaluate(contrast) == []


async def test_every_word_is_there_in_every_language(talk: TalkPage) -> None:
    words = "async () => (await import('./talk/words.js')).WORDS"
    languages = await talk.page.evaluate(words)
    names = "{(.+?)}"
    assert set(languages["ko"]) == set(languages["en"])
    for key, text in languages["ko"].items():
        assert sorted(re.findall(names, text)) == sorted(re.findall(names, languages["en"][key])), key


async def test_the_page_speaks_korean_to_whose_browser_does_and_to_who_chooses_it(browser: TalkPage) -> None:
    await browser.open()
    await browser.phase("idle")
    await browser.talk()
    await browser.agent_begins("r1", "a1", GREETING)
    await browser.say("talk.held", reply=1, at_ms=900)
    await browser.user_speaks("u1")
    await browser.floor("you")
    await browser.speak_language("ko")
    assert await browser.page.evaluate("() => [document.documentElement.lang, document.title]") == [
        "ko",
        "대화하기 · Antiphon",
    ]
    assert await browser.page.text("#floor") == "말씀하시는 중"
    assert await browser.page.text("#talk") == "끊기"
    assert await browser.marks() == ["에이전트가 멈추고 듣습니다"]
    assert await browser.lines() == [f"Scripted: {GREETING}", "나: …"], "what was said stays as it was said"
    await browser.page.evaluate(FAIL)
    assert await notice(browser) == "서버가 통화를 거절했습니다"
    left = """() => [...document.querySelectorAll('body *')]
      .filter((element) => element.checkVisibility() && !element.closest('#lines, select, h1'))
      .flatMap((element) => [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ textContent }) => textContent)
        .concat(element.placeholder ?? '', element.ariaLabel ?? ''))
      .filter((text) => /[A-Za-z]{3}/.test(text.replace(/Antiphon|Scripted/g, '')))"""
    assert await browser.page.evaluate(left) == []
    await browser.page.goto(browser.url)
    await browser.phase("idle")
    assert await browser.page.text("#floor") == "준비되었습니다", "it is remembered"
    await browser.page.evaluate("() => localStorage.clear()")
    await browser.page.evaluate("() => sessionStorage.setItem('fake', JSON.stringify({ language: 'ko-KR' }))")
    await browser.page.goto(browser.url)
    await browser.phase("idle")
    assert await browser.page.text("#talk") == "대화하기"
    assert browser.problems == []


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_page_is_readable_in_all_its_states_and_light(talk: TalkPage, language: str) -> None:
    await talk.speak_language(language)
    await look(talk, f"talk-idle-{language}")
    await talk.talk()
    await talk.agent_begins("r1", "a1", GREETING)
    await talk.agent_done("r1", "a1", GREETING)
    await talk.say("talk.held", reply=1, at_ms=900)
    await talk.say("talk.resumed", reply=1, at_ms=1320, held_ms=420)
    await talk.say("output_audio_buffer.stopped", response_id="r1")
    await talk.user_speaks("u1")
    await talk.user_stops("u1", "What is the price of plums, and have you any?", "a1")
    await talk.say("talk.tool", id="t1", at_ms=10, name="look_up", arguments='{"what":"plums"}')
    await talk.say("talk.tool_done", id="t1", at_ms=350, lasted_ms=340, outcome="answered")
    await talk.agent_begins("r2", "a2", "We have apples and pears and plums and quinces.", "u1")
    await talk.turn(4100, 3000, 3400, 3950, 4100)
    await talk.say("talk.held", reply=2, at_ms=5000)
    await look(talk, f"talk-held-{language}")
    await talk.say("talk.interrupted", reply=2, at_ms=5100, heard_ms=1200)
    await talk.user_speaks("u2")
    await talk.agent_done("r2", "a2", "We have apples and pears and plums and quinces.", "cancelled")
    await talk.say("output_audio_buffer.cleared", response_id="r2")
    await talk.agent_heard("a2", "We have apples")
    await talk.say("talk.partial", utterance=2, text="plums will do")
    await talk.turn(5900, 5700)
    await look(talk, f"talk-live-{language}")
    await talk.page.evaluate("() => fake.state('failed')")
    await talk.page.wait_for(".mark.back")
    await look(talk, f"talk-back-{language}")
    await talk.page.evaluate(FAIL)
    await notice(talk)
    await look(talk, f"talk-refused-{language}")
    transferred = "() => performance.getEntries().reduce((sum, { transferSize = 0 }) => sum + transferSize, 0)"
    assert await talk.page.evaluate(transferred) < 100_000
    await checked(talk, reaches=False, probe=GOOD, connection=relay("refused"), microphone="NotReadableError")
    await talk.speak_language(language)
    await look(talk, f"talk-checked-{language}")
    assert [told for told in talk.problems if "status of" not in str(told)] == []


async def look(talk: TalkPage, name: str) -> None:
    """Pictures (where ``CONSOLE_SHOTS`` names a folder), and what axe finds wrong for people who read otherwise."""
    for width, schemes in LOOKS.items():
        await talk.page.viewport(width, 850 if width > 400 else 844)
        assert await talk.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (name, width)
        for scheme in schemes:
            await talk.page.media(colorScheme=scheme, reducedMotion="reduce")
            if SHOTS:
                await talk.page.screenshot(Path(SHOTS) / f"{name}-{width}-{scheme}.png")
            assert await axe(talk.page) == [], (name, width, scheme)
    await talk.page.viewport(1280, 800)
    await talk.page.media(colorScheme="light", reducedMotion="no-preference")
