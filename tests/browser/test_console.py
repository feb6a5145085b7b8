"""The console in a real browser on a real server: who comes in, what calls that live and calls that are over show, and for whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from tests.browser.axe import AXE, LOOKS, SHOTS, axe
from tests.browser.chromium import Page, browser_page
from tests.serving import line, place_call, running_server, settings_for, write_assistant

from antiphon.calls.people import AuditEntry
from antiphon.calls.stores import DEFAULT_ORG, CallRecord, Resource
from antiphon.composition.process import Antiphon
from antiphon.storage.deliveries import StoredDeliveries
from antiphon.webhooks.deliveries import Attempt, Delivery, Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASSWORD = "correct horse battery"
GREETING = "Good day, this is the front desk of a rather large house, and what may we do for you?"
QUESTION, ANSWER = "what is the price of marmalade", "It costs eleven crowns."
"""What the engines of ``tests.serving`` hear and say."""


@dataclass
class Visit:
    page: Page
    antiphon: Antiphon
    call: str

    async def go(self, hash: str) -> None:
        await self.page.evaluate("(hash) => { location.hash = hash; }", hash)

    async def until(self, expression: str) -> None:
        """(Playwright's own waiting would evaluate it in the page, which its policy forbids.)"""
        await self.page.until(expression)

    async def title(self, text: str) -> None:
        await self.until(f"document.querySelector('main h1')?.textContent === {json.dumps(text)}")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.antiphon.settings.port}/"

    async def enter(self) -> None:
        """Be the admin, at the overview: made by the printed link where there is none yet."""
        assert self.antiphon.door is not None
        if not self.antiphon.door.setup_token:
            await self.page.goto(self.url)
            await self.until("document.querySelector('main h1')")
            return await self.title("Overview") if await self.page.visible("#sign-out") else await self.sign_in("ada")
        await self.page.goto(self.antiphon.console_address)
        await self.title("Make the first account")
        await self.page.fill("input[name=name]", "Ada")
        await self.page.fill("input[name=password]", PASSWORD)
        await self.page.press("Enter")
        return await self.title("Overview")

    async def sign_in(self, name: str) -> None:
        await self.page.goto(self.url)
        await self.title("Sign in")
        await self.page.fill("input[name=name]", name)
        await self.page.fill("input[name=password]", PASSWORD)
        await self.page.press("Enter")
        await self.title("Overview")

    async def choose(self, id: str, value: str) -> None:
        """Set a slider or a choice, as a hand would."""
        tell = "for (const name of ['input', 'change']) field.dispatchEvent(new Event(name));"
        set_ = f"const field = document.getElementById(id); field.value = value; {tell}"
        await self.page.evaluate(f"([id, value]) => {{ {set_} }}", [id, value])

    async def sign_out(self) -> None:
        await self.page.click("#sign-out")
        await self.title("Sign in")

    async def look(self, name: str, *, passing: bool = False) -> None:
        """Pictures, and what axe finds wrong for people who read otherwise. ``passing``: what is looked at will be over soon, so that
        it is looked at once, unless pictures are wanted."""
        if passing and not SHOTS:
            assert await axe(self.page) == [], name
            return
        for width, schemes in LOOKS.items():
            await self.page.viewport(width, 850)
            assert await self.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (name, width)
            for scheme in schemes:
                await self.page.media(colorScheme=scheme, reducedMotion="reduce")
                if SHOTS:
                    await self.page.screenshot(Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)
                assert await axe(self.page) == [], (name, width, scheme)
        await self.page.viewport(1280, 850)
        await self.page.media(colorScheme="light")


@asynccontextmanager
async def console(folder: Path) -> AsyncIterator[Visit]:
    write_assistant(folder / "assistants", GREETING, ms_per_character=60)
    async with running_server(settings_for(folder)) as (antiphon, _), browser_page() as page:
        report = await place_call(antiphon.settings.base_url, line(barge_in_ms=1500))
        assert not report.failed, report.record.problem
        [log] = (folder / "data" / "calls").glob("*.jsonl")
        await page.initially(AXE)
        assert antiphon.door is not None
        yield Visit(page, antiphon, log.stem)
        left = "ERR_ABORTED"  # whoever leaves a live call's page lets go of its news
        assert [told for told in page.problems if left not in str(told)] == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    async with console(tmp_path_factory.mktemp("console")) as opened:
        yield opened


async def test_the_printed_link_makes_the_first_admin_and_then_nobody(visit: Visit, tmp_path: Path) -> None:
    async with running_server(settings_for(tmp_path)) as (antiphon, _):
        new = Visit(visit.page, antiphon, "")
        link = antiphon.console_address
        assert "#/setup/" in link
        await new.page.goto(new.url)
        await new.title("Sign in")
        assert "Open the address" in await new.page.text("main .notice")
        await new.page.goto(link)
        await new.title("Make the first account")
        await new.look("setup")
        await new.enter()
        assert antiphon.console_address == new.url
        kept = "() => JSON.stringify([{...localStorage}, location.href, document.cookie])"
        assert PASSWORD not in await new.page.evaluate(kept)
        assert await new.page.evaluate("() => document.cookie") == "", "scripts do not see it"


async def test_roles_see_what_they_may(visit: Visit) -> None:
    await visit.enter()
    await visit.go("#/people")
    await visit.title("People")
    for role in ("builder", "viewer"):
        await visit.page.fill("form input[name=name]", role)
        await visit.page.fill("form input[name=password]", PASSWORD)
        await visit.page.evaluate("(role) => { document.querySelector('form select').value = role; }", role)
        await visit.page.click("form button")
        await visit.until(f"[...document.querySelectorAll('td')].some((cell) => cell.textContent === '{role}')")
    await visit.look("people")
    await visit.sign_out()
    for role in ("viewer", "builder"):
        await visit.sign_in(role)
        links = await visit.page.evaluate(
            "() => [...document.querySelectorAll('nav a')].map((link) => link.textContent)"
        )
        assert links == ["Overview", "Talk", "Assistants", "Calls", "Live", "Tools & more"]
        await visit.go("#/people")
        await visit.title("There is no such page")
        await visit.sign_out()
    await visit.look("sign-in")


async def test_the_overview_tells_what_calls_did(visit: Visit) -> None:
    await visit.enter()
    read = "(each) => [each.children[0].textContent, each.children[1].firstChild.textContent]"
    figures = dict(await visit.page.evaluate(f"() => [...document.querySelectorAll('.figures div')].map({read})"))
    assert int(figures["Calls taken"]) >= 1
    assert int(figures["Turns"]) >= 1
    assert figures["Response"].endswith(" ms")
    await visit.until("document.querySelector('main').textContent.includes('Day by day')")
    await visit.look("overview")


async def test_a_call_that_is_over_is_read_seen_heard_and_tried_again(visit: Visit) -> None:
    await visit.enter()
    await visit.go("#/calls")
    await visit.title("Calls")
    await visit.look("calls")
    await visit.go("#/calls/logs")
    await visit.title("All event logs")
    await visit.page.wait_for("main td a")
    await visit.go("#/calls/find/status%3Dended")
    await visit.title("Calls")
    await visit.page.click("main td a")
    await visit.title("Call · scripted")
    said = await visit.page.evaluate("() => [...document.querySelectorAll('.said p')].map((line) => line.textContent)")
    assert f"Caller{QUESTION}" in said
    assert any(line.startswith("Agent, interrupted") for line in said)
    assert await visit.page.evaluate("() => document.querySelectorAll('.wave-you, .wave-agent').length") == 2
    assert "Interruption" in await visit.page.text("main .columns")
    await visit.page.click(".said button")
    await visit.until("document.querySelector('audio').currentTime > 0.2")
    await visit.page.evaluate("() => document.querySelector('audio').pause()")
    for field in ("wait_ms", "max_wait_ms"):
        await visit.choose(f"what-if-{field}", "2500")
    await visit.page.click("main form button.main")
    await visit.page.wait_for(".turn.differs", within_s=30)
    assert "1 of 1 turns" in await visit.page.text("main form [role=status]")
    assert await visit.page.evaluate("() => document.querySelectorAll('.lanes .would').length") == 1
    await visit.look("call")
    await visit.page.click("main form button[type=button]")
    await visit.page.wait_for(".turn.differs", state="detached")


async def test_what_applications_were_told_stands_on_the_call_s_page(visit: Visit) -> None:
    assert visit.antiphon.api is not None
    store, far_ms = StoredDeliveries(visit.antiphon.api.database), 9_000_000_000_000
    target = {"url": "https://app.example/hooks?key=hidden"}
    for id, type_ in (("told-1", "end-of-call-report"), ("told-2", "transfer-update")):
        await store.add(Delivery(id, DEFAULT_ORG, type_, target, "{}", 1000, far_ms, visit.call))
    leased = {each.id: each for each in await store.claim(far_ms, 10, "mine", 0)}["told-1"]
    await store.settle(
        [Outcome(leased, Attempt(1_800_000_000_000, 250, 503), acknowledged=False, retry_wall_ms=far_ms)]
    )
    await visit.enter()
    await visit.go("#/calls/" + visit.call)
    await visit.page.wait_for("#webhooks")
    told = await visit.page.text("#webhooks")
    assert all(
        each in told
        for each in (
            "Report after the call end-of-call-report",
            "https://app.example/hooks",
            "503 · 250 ms",
            "Next try",
            "None yet.",
        )
    )
    assert "hidden" not in told
    await visit.look("call-webhooks")


async def test_a_table_of_many_has_pages(visit: Visit) -> None:
    assert visit.antiphon.api is not None
    for number in range(120):
        body = {"type": "endCall", "function": {"name": f"look_up_{number}"}}
        await visit.antiphon.api.resources.add(Resource("tool", f"t{number}", DEFAULT_ORG, body, number, number))
    await visit.enter()
    await visit.go("#/kept/tool")
    await visit.until("document.querySelector('main td a')?.textContent === 'look_up_119'")
    for first in ("look_up_69", "look_up_19"):
        await visit.page.click("main .pages a:last-child")
        await visit.until(f"document.querySelector('main td a').textContent === '{first}'")
    assert "101–120 of 120" in await visit.page.text("main .pages")
    await visit.look("tools")


async def test_the_audit_log_has_pages_and_every_list_says_how_many_there_are(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    people, page = visit.antiphon.door.people, visit.page
    await visit.enter()
    for number in range(60):
        await people.note(AuditEntry(1_800_000_000_000 + number, "ada", "call.read", f"call-{number}"))
    entries, known = await people.count_audit(), await people.count()
    await visit.go("#/people")
    await visit.title("People")
    assert await page.text("main .pages") == f"1–{known} of {known}"
    await page.click("main a[href='#/people/audit']")
    await visit.title("Who did what")
    assert await page.text("main .pages") == f"1–50 of {entries}Older ones"
    assert await page.text("main tbody td.words") == "call-59"
    await visit.look("audit")
    await page.click("main .pages a")
    await visit.until("document.querySelector('main tbody td.words')?.textContent === 'call-9'")
    assert await page.text("main .pages") == f"Newer ones51–{entries} of {entries}"
    await visit.go("#/people/audit/100000")
    await visit.until("document.querySelector('main .pages')?.textContent.includes('0 of')")
    await page.click("main .pages a")
    await visit.until("document.querySelector('main tbody td.words')?.textContent === 'call-9'")


async def test_the_audit_log_is_filtered_and_the_address_says_by_what(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    people, page = visit.antiphon.door.people, visit.page
    await visit.enter()
    offset_ms = await page.evaluate("() => new Date(2026, 2, 8).getTime()")
    for number, (who, action) in enumerate(
        [("grace", "tool.removed"), ("grace", "call.listened"), ("linus", "tool.removed")]
    ):
        await people.note(AuditEntry(offset_ms + number * 86_399_999, who, action, f"object-{number}"))
    rows = "[...document.querySelectorAll('main tbody td.words')].map((cell) => cell.textContent).join()"
    await visit.go("#/people/audit")
    await page.wait_for("main .filters select[name=who]")
    await page.evaluate("() => { document.querySelector('select[name=who]').value = 'grace'; }")
    await page.click("main .filters button")
    await visit.until(f"{rows} === 'object-1,object-0'")
    assert await page.evaluate("() => location.hash") == "#/people/audit/who%3Dgrace"
    await page.click("main tbody tr:first-child td:nth-child(3) a")
    await visit.until(f"{rows} === 'object-1'")
    assert await page.text("main tbody td:nth-child(3)") == "recording heard"
    await visit.look("audit-filtered")
    await page.fill("main input[name=day]", "2026-03-09")
    await page.evaluate("() => { for (const each of document.querySelectorAll('.filters select')) each.value = ''; }")
    await page.click("main .filters button")
    await visit.until(f"{rows} === 'object-2'")
    assert await page.evaluate("() => location.hash") == "#/people/audit/day%3D2026-03-09"
    await page.fill("main input[name=day]", "2026-03-08")
    await page.press("Enter")
    await visit.until(f"{rows} === 'object-1,object-0'")
    await page.evaluate("() => history.back()")
    await visit.until(f"{rows} === 'object-2' && document.querySelector('input[name=day]').value === '2026-03-09'")
    await visit.go("#/people/audit/" + "subject%3Dcall-1%26offset%3D5")
    await visit.until(f"{rows} === 'call-14,call-13,call-12,call-11,call-10,call-1'")
    assert await page.evaluate("() => document.querySelector('input[name=subject]').value") == "call-1"
    await visit.go("#/people/audit/who%3Dnobody%26day%3Dnever")
    await visit.until("document.querySelector('main .faint')?.textContent === 'Nothing is like that.'")


async def test_a_live_call_is_watched_spoken_in_and_ended(visit: Visit) -> None:
    await visit.enter()
    await visit.go("#/live")
    await visit.title("Live")
    call = asyncio.create_task(place_call(visit.antiphon.settings.base_url, line(), line(barge_in_ms=30_000)))
    await visit.page.wait_for("main td a")
    await visit.until("document.querySelector('td.words').textContent.startsWith('Good day')")
    await visit.until("/^\\$0\\.00\\d\\d$/.test(document.querySelector('main td:nth-child(4)').textContent)")
    await visit.look("live", passing=True)
    await visit.page.click("main td a")
    await visit.title("Call · scripted")
    await visit.until(
        f"[...document.querySelectorAll('.said p')].some((line) => line.textContent === 'Caller{QUESTION}')"
    )
    await visit.page.click("#listen")
    await visit.until("document.querySelector('#listen').getAttribute('aria-pressed') === 'true'")
    await visit.page.click("#mute_caller")
    await visit.until("document.querySelector('#mute_caller').getAttribute('aria-pressed') === 'true'")
    await visit.page.fill("#say", "A moment, please.")
    await visit.page.press("Enter")
    await visit.until(
        "[...document.querySelectorAll('.said p')].some((line) => line.textContent === 'AgentA moment, please.')"
    )
    times = await visit.page.evaluate("() => [...document.querySelectorAll('.said .at')].map((at) => at.textContent)")
    assert times == sorted(times), "what was said first stands first"
    await visit.until("/ · \\+15557771234 · \\$0\\.00\\d\\d$/.test(document.querySelector('#figures').textContent)")
    await visit.look("live-call", passing=True)
    await visit.page.click("button.danger")
    await visit.page.click("button.danger")
    await visit.until(
        "document.querySelector('#floor').textContent === 'The call is over: Ended by an operator or a program'"
    )
    await call
    await visit.page.click("main a")
    await visit.title("Call · scripted")


async def test_the_talk_page_is_one_of_its_pages(visit: Visit) -> None:
    await visit.enter()
    await visit.page.click("nav a[href=talk]")
    await visit.page.wait_for('body[data-phase="idle"]')
    await visit.page.fill("#text", "How much is marmalade?")
    await visit.page.press("Enter")
    await visit.page.wait_for('body[data-floor="agent"]')
    await visit.until(f"document.querySelector('#lines').textContent.includes('{ANSWER}')")
    await visit.page.wait_for("#latency .voice:not(.growing)")
    await visit.look("talk")
    await visit.page.click("#talk")
    await visit.page.wait_for('body[data-phase="idle"]')
    await visit.page.click("#console a[href='./#/live']")
    await visit.title("Live")


async def test_an_assistant_is_made_corrected_tried_and_restored(visit: Visit) -> None:
    page = visit.page
    await visit.enter()
    await visit.go("#/assistants")
    await visit.title("Assistants")
    await page.click("main a.button.main")
    await visit.title("New assistant")
    for field, value in (
        ("name", "Jam desk"), ("firstMessage", "Good day."), ("prompt", "Sell jam."), ("model-provider", "nobody"),
        ("model-model", "x"), ("voice-provider", "openai"), ("voice-voiceId", "alloy"), ("transcriber-provider", "deepgram"),
    ):  # fmt: skip
        await page.fill(f"#field-{field}", value)
    await visit.until("document.querySelector('#field-model-provider').getAttribute('aria-invalid') === 'true'")
    assert "must be one of" in await page.text("#field-model-provider-note")
    await visit.look("assistant-wrong")
    await page.click("#save")
    await visit.until("document.activeElement.id === 'field-model-provider'")
    assert "Not saved" in await page.text("main .notice:not([hidden])")
    scripted = {
        "name": "Jam desk", "firstMessage": "Good day.",
        "transcriber": {"provider": "scripted", "options": {"transcripts": ["jam"]}},
        "model": {"provider": "scripted", "options": {"replies": ["Two crowns a glass."]}},
        "voice": {"provider": "scripted", "options": {"ms_per_character": 30}}, "firstMesage": "Oops",
    }  # fmt: skip
    await page.click("#as-json")
    await page.fill("#json", json.dumps(scripted))
    await visit.until("document.querySelector('.notes').textContent.includes('firstMesage')")
    await page.click("#save")
    await visit.title("Jam desk")
    await visit.until("document.querySelector('.notes').textContent.includes('firstMesage')")
    await page.fill("#field-firstMessage", "Hello.")
    await page.click("#save")
    await visit.until("document.querySelector('main [role=status]').textContent === 'Saved as v2.'")
    await visit.look("assistant")
    await page.click("main a[href$=versions]")
    await visit.title("Jam desk · Versions")
    changed = "[...document.querySelectorAll('.diff .added, .diff .removed')].map((line) => line.querySelector('code').textContent.trim())"
    assert await page.evaluate(f"() => {changed}") == ['"firstMessage": "Good day.",', '"firstMessage": "Hello.",']
    await visit.look("versions")
    await page.click("main button.danger")
    await page.click("main button.danger")
    await visit.until("document.querySelector('main td').textContent === 'v3'")
    await page.click("main p a")
    await visit.until("document.querySelector('#field-firstMessage')?.value === 'Good day.'")
    await page.click("#copy")
    await visit.title("Jam desk (copy)")
    assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good day."
    await page.evaluate("() => history.back()")
    await visit.title("Jam desk")
    await page.click("main a[href^=talk]")
    await page.wait_for('body[data-phase="idle"]')
    assert await page.text("#agent-name") == "Jam desk"
    await page.fill("#text", "How much is it?")
    await page.press("Enter")
    await visit.until("document.querySelector('#lines').textContent.includes('Two crowns a glass.')")
    await page.click("#talk")
    await page.wait_for('body[data-phase="idle"]')


async def test_a_call_becomes_a_test_and_is_run(visit: Visit) -> None:
    page = visit.page
    await visit.enter()
    await visit.go("#/calls/" + visit.call)
    await page.wait_for("#as-test")
    await page.click("#as-test")
    await visit.until("document.querySelector('main h1').textContent.startsWith('Evals · scripted')")
    await visit.until("document.querySelector('#target')")
    await visit.choose("target", "scripted")
    await page.click("#run")
    await visit.until("/passed|failed/.test(document.querySelector('.run h3')?.textContent)")
    assert (await page.text(".run h3")).startswith("passed"), await page.text(".run")
    await visit.look("eval")


async def test_a_credential_is_kept_and_its_secret_never_shown(visit: Visit) -> None:
    page = visit.page
    await visit.enter()
    await visit.go("#/kept/credential/new")
    await page.wait_for("#field-apiKey")
    await page.fill("#field-name", "Main account")
    await page.fill("#field-apiKey", "sk-very-secret-value")
    await page.click("#save")
    await visit.title("Credentials · Main account")
    assert await page.evaluate("() => document.querySelector('#field-apiKey').value") == ""
    await page.click("#as-json")
    assert "secret" not in await page.evaluate("() => document.querySelector('#json').value")
    await page.click("#as-form")
    await page.fill("#field-name", "Other account")
    await page.click("#save")
    await visit.until("document.querySelector('main [role=status]').textContent === 'Saved.'")
    await visit.look("credential")
    await visit.go("#/kept/credential")
    await visit.until("document.querySelector('main td a')?.textContent === 'Other account'")
    await visit.look("credentials")


@pytest.mark.parametrize(
    ("hash", "shown", "title"),
    [
        ("assistants", "main a[href='#/assistants/new']", "Assistants"),
        ("calls/logs", "main td a", "All event logs"),
        ("kept/phone-number", "main .faint", "Tools & more"),
        ("kept/phone-number/new", "#field-number", "New number"),
        ("kept/tool/new", "#as-json", "New tool"),
        ("kept/eval", "main h1", "Tools & more"),
        ("assistants/front-desk/workflow", ".graph .node", "Front desk · Workflow"),
    ],
)
async def test_a_page_that_no_other_test_comes_by_is_looked_at_too(
    visit: Visit, hash: str, shown: str, title: str
) -> None:
    await visit.enter()
    await visit.go(f"#/{hash}")
    await visit.title(title)
    await visit.page.wait_for(shown)
    await visit.look(f"page-{hash.replace('/', '-')}")


async def test_addresses_that_lead_nowhere_say_so(visit: Visit) -> None:
    await visit.enter()
    for hash in ("constructor", "toString/x", "none"):
        await visit.go(f"#/{hash}")
        await visit.title("There is no such page")
        await visit.go("#/overview")
        await visit.title("Overview")
    await visit.go("#/kept/constructor")
    await visit.title("That did not work")
    assert "There is no such page" in await visit.page.text("main")
    await visit.go("#/kept/tool/from/100000")
    await visit.until("document.querySelector('main').textContent.includes('Newer ones')")


async def test_it_speaks_korean(visit: Visit) -> None:
    await visit.enter()
    await visit.choose("language", "ko")
    await visit.title("개요")
    assert await visit.page.evaluate("() => document.documentElement.lang") == "ko"
    await visit.look("korean")
    await visit.go("#/assistants/front-desk/workflow")
    await visit.until("document.querySelectorAll('.graph .node').length > 3")
    await visit.look("korean-workflow")
    await visit.go("#/assistants/new")
    await visit.title("새 어시스턴트")
    await visit.look("korean-assistant")
    await visit.go("#/overview")
    await visit.choose("language", "en")
    await visit.title("Overview")


ENDED = {"en": "The customer hung up", "ko": "고객이 끊음"}
SAID: dict[str, list[str]] = {
    "en": [
        "An answering machine voicemail", "Summary: the call was too short", "Structured output o1: there were fewer than 4 messages",
        "artifactPlan.recordingFormat recordings are WAV", "model.odd as it came", "Report after the call end-of-call-report",
        "no answer · 250 ms · no connection",
    ],
    "ko": [
        "자동 응답기가 받음 voicemail", "요약: 통화가 너무 짧았습니다", "구조화 출력 o1: 메시지가 4개보다 적었습니다",
        "artifactPlan.recordingFormat 녹음은 WAV입니다", "model.odd as it came", "통화 종료 보고서 end-of-call-report",
        "응답 없음 · 250 ms · 연결되지 않음",
    ],
}  # fmt: skip
WRONG = {
    "en": ["must be one of the following values", "no field of an assistant"],
    "ko": ["다음 중 하나여야 합니다", "어시스턴트에 없는 필드입니다. firstMessage을(를) 뜻했나요?"],
}
NO_JSON = {"en": "This is no JSON: ", "ko": "JSON이 아닙니다: "}
REFUSED = {"en": "Name or password is wrong", "ko": "이름이나 비밀번호가 틀렸습니다"}


async def a_call_that_came_to_nothing(antiphon: Antiphon) -> str:
    """The id of a call of which there is a record, with much that an operator is told."""
    assert antiphon.api is not None
    body = {
        "warnings": [
            {"field": "artifactPlan.recordingFormat", "reason": "recordings are WAV"},
            {"field": "model.odd", "reason": "as it came"},
        ],
        "analysisSkipped": {
            "summary": "the call was too short",
            "structuredOutput:o1": "there were fewer than 4 messages",
        },
    }
    times, far_ms = (1_800_000_000_000, 1_800_000_001_000), 9_000_000_000_000
    record = CallRecord(
        "came-to-nothing",
        DEFAULT_ORG,
        "outboundPhoneCall",
        "ended",
        *times,
        *times,
        "voicemail",
        assistant_id="scripted",
        body=body,
    )
    if await antiphon.api.calls.add(record):
        store = StoredDeliveries(antiphon.api.database)
        url = {"url": "https://app.example/hooks"}
        await store.add(Delivery("nobody", DEFAULT_ORG, "end-of-call-report", url, "{}", 1000, far_ms, record.id))
        leased = {each.id: each for each in await store.claim(far_ms, 10, "mine", 0)}["nobody"]
        attempt = Attempt(times[0], 250, None, "connection")
        await store.settle([Outcome(leased, attempt, acknowledged=False, retry_wall_ms=far_ms)])
    return record.id


@pytest.mark.parametrize("language", ["en", "ko"])
async def test_the_server_s_words_are_said_in_the_page_s_language(visit: Visit, language: str) -> None:
    """What is known of them, with the API's own word beside; what is not, as it came."""
    page, ended = visit.page, ENDED[language]
    await visit.enter()
    await visit.choose("language", language)
    await visit.until(
        f"[...document.querySelectorAll('main td')].some((cell) => cell.textContent === '{ended} customer-ended-call')"
    )
    await visit.look(f"words-overview-{language}")
    await visit.go("#/calls")
    await visit.until(f"[...document.querySelectorAll('main td span')].some((cell) => cell.textContent === '{ended}')")
    offered = f"document.querySelector('#reasons option[value=customer-ended-call]').textContent === '{ended}'"
    assert await page.evaluate(f"() => {offered} && document.querySelector('[name=reason]').list.id === 'reasons'")
    await visit.look(f"words-calls-{language}")
    await visit.go(f"#/calls/{visit.call}")
    await visit.until(f"document.querySelector('main .faint')?.textContent.includes('{ended} customer-ended-call')")
    await visit.look(f"words-call-{language}")
    nothing = await a_call_that_came_to_nothing(visit.antiphon)
    await visit.go(f"#/calls/{nothing}")
    await visit.until(f"document.querySelector('main p > code')?.textContent === {json.dumps(nothing)}")
    told = " ".join((await page.evaluate("() => document.querySelector('main').innerText")).split())
    assert [each for each in SAID[language] if each not in told] == [], told
    await visit.look(f"words-record-{language}")
    await visit.go("#/assistants/new")
    await page.wait_for("#as-json")
    await page.click("#as-json")
    for given, words in (
        ({"model": {"provider": "nobody"}}, WRONG[language][0]),
        ({"firstMesage": "x"}, WRONG[language][1]),
    ):
        await page.fill("#json", json.dumps(given))
        await page.click("#as-form")
        await visit.until(f"document.querySelector('main').textContent.includes({json.dumps(words)})")
        await visit.look(f"words-wrong-{language}-{len(words)}")
        await page.click("#as-json")
    await page.fill("#json", "{")
    await visit.until(
        f"document.querySelector('#json').previousSibling.textContent.startsWith({json.dumps(NO_JSON[language])})"
    )
    await page.goto(f"{visit.url}?{language}")
    await page.wait_for("main h1")
    await page.click("#sign-out")
    await page.wait_for("input[name=password]")
    await page.fill("input[name=name]", "ada")
    await page.fill("input[name=password]", "not the right one")
    await page.press("Enter")
    await visit.until(f"document.querySelector('main .notice')?.textContent === {json.dumps(REFUSED[language])}")
    await page.fill("input[name=password]", PASSWORD)
    await page.press("Enter")
    await page.wait_for(".figures")
    await visit.choose("language", "en")
    await visit.title("Overview")
    expected = (
        "404 (Not Found)",
        "401 (Unauthorized)",
    )  # a call without a log, and the wrong password: the browser notes both
    page.program.told[:] = [told for told in page.program.told if not any(each in str(told) for each in expected)]


async def test_a_first_visit_is_small(visit: Visit) -> None:
    """Of a browser that has seen nothing of it: what comes over the wire, headers and all. (How soon it paints: ``bench/console.py``.)"""
    fetched = "['resource', 'navigation'].flatMap((type) => performance.getEntriesByType(type))"
    async with browser_page() as newcomer:
        await newcomer.goto(visit.url)
        await newcomer.wait_for("input[name=password]")
        sizes = await newcomer.evaluate(f"() => {fetched}.map((each) => [each.transferSize, each.encodedBodySize])")
    assert all(transferred > body for transferred, body in sizes), "nothing was there already"
    assert 20_000 < sum(transferred for transferred, _ in sizes) < 100_000
