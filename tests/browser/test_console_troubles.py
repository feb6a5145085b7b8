"""The console when things go wrong: a session that ends while somebody types, a server that goes and comes back, two who edit the same,
what is not saved, and names that no table was made for.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.chromium import browser_page
from tests.browser.test_console import PASSWORD, Visit, console
from tests.serving import free_port, line, place_call, running_server, settings_for

from antiphon.calls.people import User
from antiphon.calls.stores import DEFAULT_ORG, Listing, Resource
from antiphon.vocabulary import EndReason

pytestmark = pytest.mark.asyncio(loop_scope="module")
DESK: dict[str, Any] = {
    "name": "Desk",
    "firstMessage": "Good day.",
    "model": {"provider": "scripted", "options": {"replies": ["Yes."]}},
    "voice": {"provider": "scripted"},
    "transcriber": {"provider": "scripted"},
}
LONG = "The unabbreviated appointments desk of Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch " + "9" * 80
SCRIPT = "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'>"
RTL = "مكتب الاستقبال في المستشفى (24/7)"
STATUS = "document.querySelector('main [role=status]').textContent"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    async with console(tmp_path_factory.mktemp("troubles")) as opened:
        yield opened
        opened.page.program.told.clear()  # what is refused here, browsers note


async def keep(visit: Visit, kind: str, id: str, body: dict[str, Any]) -> None:
    """A document, as if it had been kept a while ago."""
    assert visit.antiphon.api is not None
    await visit.antiphon.api.resources.add(Resource(kind, id, DEFAULT_ORG, body, 1000, 1000))


async def end_sessions(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    people = visit.antiphon.door.people
    ada = await people.find("ada")
    assert ada is not None
    assert await people.change(ada.id, password_hash=ada.password_hash)


async def edited(visit: Visit, id: str) -> None:
    """An assistant's page, with something typed and not saved."""
    await visit.enter()
    await visit.go(f"#/assistants/{id}")
    await visit.until(f"document.querySelector('#field-name')?.value === {json.dumps(DESK['name'])}")
    await visit.page.fill("#field-firstMessage", "Good evening.")
    await visit.until(f"{STATUS} === 'Not saved yet.'")


async def test_a_session_that_ends_while_somebody_types_costs_them_a_password_and_nothing_else(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "assistant", "expiring", DESK)
    await edited(visit, "expiring")
    await end_sessions(visit)
    await page.click("#save")
    await page.wait_for("dialog[open]")
    await visit.look("come-back")
    await page.fill("dialog [name=password]", "not the password")
    await page.press("Enter")
    await page.wait_for("dialog .notice")
    assert await page.text("dialog .notice") == "Name or password is wrong"
    await page.fill("dialog [name=password]", PASSWORD)
    await page.press("Enter")
    await visit.until(f"{STATUS} === 'Saved as v2.'")
    assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good evening."

    await end_sessions(visit)
    await page.fill("#field-firstMessage", "Good night.")
    await page.wait_for("dialog[open]")  # by the check that follows what is typed
    await page.press("Escape")
    await page.wait_for("dialog", state="detached")
    assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good night."
    await page.click("#save")
    await page.fill("dialog [name=password]", PASSWORD)
    await page.press("Enter")
    await visit.until(f"{STATUS} === 'Saved as v3.'")


async def test_who_has_signed_in_anew_in_another_tab_goes_on(visit: Visit) -> None:
    await keep(visit, "assistant", "tabs", DESK)
    await edited(visit, "tabs")
    body = json.dumps({"name": "ada", "password": PASSWORD})
    other = "fetch('console/api/sign-in', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })"
    assert await visit.page.evaluate(f"(body) => {other}.then(({{ status }}) => status)", body) == 204
    await visit.page.click("#save")
    await visit.until(f"{STATUS} === 'Saved as v2.'")


async def test_nobody_leaves_what_is_not_saved_without_being_asked(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "assistant", "unsaved", DESK)
    await edited(visit, "unsaved")
    asked = "window.asked = []; window.confirm = (text) => { asked.push(text); return answer; };"
    await page.evaluate(f"(answer) => {{ {asked} }}", False)
    await page.click("#nav a[href='#/calls']")
    await visit.until("asked.length === 1 && location.hash === '#/assistants/unsaved'")
    await visit.choose("language", "ko")
    await page.click("#sign-out")
    await visit.until("asked.length === 3")
    assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good evening."
    assert await page.evaluate("() => document.getElementById('language').value") == "en"
    await page.evaluate(f"(answer) => {{ {asked} }}", True)
    await page.click("#nav a[href='#/calls']")
    await visit.title("Calls")
    await visit.go("#/live")
    await visit.title("Live")
    assert await page.evaluate("() => asked.length") == 1, "and what is left is not asked about again"


async def save_first(visit: Visit, kind: str, id: str, by: str, **changes: Any) -> Resource:
    """As if somebody else had saved the document this moment."""
    assert visit.antiphon.api is not None
    there = await visit.antiphon.api.resources.find(kind, DEFAULT_ORG, id)
    assert there is not None
    newer = replace(there, body={**there.body, **changes}, version=there.version + 1, changed_by=by)
    assert await visit.antiphon.api.resources.replace(newer)
    return newer


async def kept_now(visit: Visit, kind: str, id: str) -> Resource | None:
    assert visit.antiphon.api is not None
    return await visit.antiphon.api.resources.find(kind, DEFAULT_ORG, id)


CLASH = "document.querySelector('.clash:not([hidden])')"


async def test_of_two_who_edit_an_assistant_the_second_is_told_who_was_first_and_loses_nothing(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "assistant", "both", DESK)
    await edited(visit, "both")
    newer = await save_first(visit, "assistant", "both", "grace", name="Theirs")
    await page.click("#save")
    await visit.until(f"{CLASH}?.textContent.startsWith('grace saved this first: v2, ')")
    assert await kept_now(visit, "assistant", "both") == newer
    assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good evening."
    await page.click("#see-difference")
    await page.wait_for(".clash .diff")
    lines = "[...document.querySelectorAll('.clash .diff > :is(.added, .removed)')]"
    words = "(line) => line.className + line.lastChild.textContent.trim()"
    assert set(await page.evaluate(f"() => {lines}.map({words})")) == {
        'removed"name": "Theirs",', 'added"name": "Desk",', 'removed"firstMessage": "Good day.",', 'added"firstMessage": "Good evening.",',
    }  # fmt: skip
    await visit.look("clash")
    await save_first(visit, "assistant", "both", "", name="A third")
    await page.click("#all-the-same")
    await visit.until(f"{CLASH}?.textContent.startsWith('A program with an API key saved this first: v3, ')")
    await page.click("#all-the-same")
    await visit.until(f"{STATUS} === 'Saved as v4.' && !{CLASH}")
    kept = await kept_now(visit, "assistant", "both")
    assert kept is not None
    assert (kept.body["name"], kept.body["firstMessage"], kept.changed_by) == ("Desk", "Good evening.", "ada")


async def test_who_was_second_can_take_what_the_first_saved(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "tool", "shared", {"type": "endCall", "function": {"name": "hang_up"}})
    await visit.enter()
    await visit.go("#/kept/tool/shared")
    await page.wait_for("#field-function-name")
    await page.fill("#field-function-description", "Mine")
    newer = await save_first(visit, "tool", "shared", "grace", function={"name": "hang_up", "description": "Theirs"})
    await page.click("#save")
    await visit.until(f"{CLASH}?.textContent.startsWith('grace saved')")
    take = ".clash .danger"
    await page.click(take)
    assert await page.evaluate("() => document.querySelector('#field-function-description').value") == "Mine"
    await page.click(take)
    await visit.until("document.querySelector('#field-function-description').value === 'Theirs'")
    assert await kept_now(visit, "tool", "shared") == newer
    await page.fill("#field-function-description", "Both")
    await page.click("#save")
    await visit.until(f"{STATUS} === 'Saved.'")


async def test_what_somebody_else_has_changed_is_not_removed_unseen(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "credential", "old", {"provider": "openai", "name": "Old"})
    await visit.enter()
    await visit.go("#/kept/credential/old")
    await page.wait_for("#field-name")
    await save_first(visit, "credential", "old", "grace", name="In use")
    for _ in range(2):
        await page.click("main > div > .row .danger")
    await visit.until(f"{CLASH}?.textContent.startsWith('grace saved')")
    assert await kept_now(visit, "credential", "old") is not None
    await page.click("#all-the-same")
    await visit.until("location.hash === '#/kept/credential'")
    assert await kept_now(visit, "credential", "old") is None


async def test_of_two_who_edit_a_workflow_the_second_keeps_theirs(visit: Visit) -> None:
    page = visit.page
    node = {"type": "conversation", "name": "hello", "isStart": True, "messagePlan": {"firstMessage": "And?"}}
    model = {"provider": "workflow", "workflow": {"nodes": [node], "edges": []}}
    await keep(visit, "assistant", "drawn", {**DESK, "model": model})
    await visit.enter()
    await visit.go("#/assistants/drawn/workflow")
    await page.click("#add-end")
    await save_first(visit, "assistant", "drawn", "grace", name="Theirs")
    await page.click("#save")
    await visit.until(f"{CLASH}?.textContent.startsWith('grace saved')")
    assert await page.evaluate("() => document.querySelectorAll('.graph .node').length") == 2
    await page.click("#all-the-same")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v3.'")
    kept = await kept_now(visit, "assistant", "drawn")
    assert kept is not None
    assert (len(kept.body["model"]["workflow"]["nodes"]), kept.body["name"]) == (2, "Desk")


async def test_an_older_version_is_not_restored_over_one_that_nobody_saw(visit: Visit) -> None:
    await keep(visit, "assistant", "restored", DESK)
    await save_first(visit, "assistant", "restored", "ada", firstMessage="Hello.")
    await visit.enter()
    await visit.go("#/assistants/restored/versions")
    await visit.page.wait_for("main td .danger")
    newer = await save_first(visit, "assistant", "restored", "grace", firstMessage="Hi.")
    for _ in range(2):
        await visit.page.click("main td .danger")
    await visit.until(
        "document.querySelector('main .notice:not([hidden])')?.textContent.startsWith('Not restored: grace')"
    )
    assert await visit.page.evaluate("() => document.querySelector('main td').textContent") == "v3"
    assert await kept_now(visit, "assistant", "restored") == newer


async def test_of_two_admins_who_change_one_person_the_second_is_told(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    people = visit.antiphon.door.people
    await visit.enter()
    await people.add(User("u-bob", "bob", "viewer", "no hash", 1000))
    await visit.go("#/people")
    bobs = "[...document.querySelectorAll('main tr')].find((row) => row.textContent.startsWith('bob')).querySelector('select')"
    await visit.until("document.querySelector('main h1')?.textContent === 'People'")
    assert await people.change("u-bob", role="admin", by="grace")
    choose = "field.value = 'builder'; field.dispatchEvent(new Event('change'));"
    await visit.page.evaluate(f"() => {{ const field = {bobs}; {choose} }}")
    told = "Not done: grace changed bob first, whose role is now: admin."
    await visit.until(f"document.querySelector('main .notice:not([hidden])')?.textContent === {json.dumps(told)}")
    assert await visit.page.evaluate(f"() => {bobs}.value") == "admin"
    await people.delete("u-bob")


async def test_names_of_every_kind_stay_in_their_place_and_run_nothing(visit: Visit) -> None:
    await visit.enter()
    for id, name in (("long", LONG), ("script", SCRIPT), ("rtl", RTL)):
        await keep(visit, "assistant", id, {**DESK, "name": name})
        await keep(visit, "eval", id, {"type": "chat.mockConversation", "name": name, "messages": []})
        await keep(visit, "credential", id, {"provider": "openai", "name": name})
    for hash in (
        "assistants", "assistants/long", "assistants/script", "assistants/rtl", "assistants/long/versions", "assistants/rtl/workflow",
        "kept/eval", "kept/eval/long", "kept/eval/script", "kept/credential", "kept/credential/rtl",
    ):  # fmt: skip
        await visit.go(f"#/{hash}")
        await visit.until(f"location.hash === '#/{hash}' && document.querySelector('main h1')")
        if hash.startswith("kept/eval/"):
            await visit.page.wait_for("#target")
        for width in (1280, 640, 390, 320):
            await visit.page.viewport(width, 850)
            assert await visit.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), (hash, width)
        assert await visit.page.evaluate("() => window.ran") is None, hash
    await visit.page.viewport(390, 850)
    await visit.go("#/assistants")
    await visit.title("Assistants")
    inside = (
        "(cell) => { const { left, right } = cell.getBoundingClientRect(); return left >= 0 && right <= innerWidth; }"
    )
    assert await visit.page.evaluate(f"() => [...document.querySelectorAll('main td a')].every({inside})")
    await visit.page.viewport(1280, 850)


async def test_what_is_wrong_with_a_broken_document_is_said_by_its_name(visit: Visit) -> None:
    await keep(visit, "assistant", "broken", {"name": "Broken", "model": "gpt", "voice": 7, "transcriber": None})
    await visit.enter()
    await visit.go("#/assistants/broken")
    await visit.title("Broken")
    await visit.until("document.querySelector('#field-model-provider-note').textContent === 'model must be an object'")
    await visit.look("assistant-broken")


async def test_a_large_workflow_opens_at_its_start(visit: Visit) -> None:
    say = {"firstMessage": "And then?"}
    nodes = [{"type": "conversation", "name": f"n{at}", "messagePlan": say} for at in range(60)]
    nodes[0]["isStart"] = True
    edges = [
        {"from": f"n{at}", "to": f"n{to}", "condition": {"type": "examples", "phrases": [f"go {to}"]}}
        for at in range(60)
        for to in (2 * at + 1, 2 * at + 2)
        if to < 60
    ]
    model = {"provider": "workflow", "workflow": {"nodes": nodes, "edges": edges}}
    await keep(visit, "assistant", "sixty", {**DESK, "model": model})
    await visit.enter()
    await visit.go("#/assistants/sixty/workflow")
    within = """(() => {
      const box = document.querySelector('.graph .start')?.getBoundingClientRect();
      const frame = document.querySelector('.lanes:has(.graph)')?.getBoundingClientRect();
      return box && box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom;
    })()"""
    await visit.until(within)
    await visit.look("workflow-sixty")


async def test_a_call_in_which_nothing_was_said_says_so(visit: Visit) -> None:
    calls = visit.antiphon.settings.data_dir / "calls"
    [log] = calls.glob("*.jsonl")
    head, *_, end = log.read_text(encoding="utf-8").splitlines()
    header = json.loads(head) | {"call_id": "silent"}
    (calls / "silent.jsonl").write_text(f"{json.dumps(header)}\n{end}\n", encoding="utf-8")
    await visit.enter()
    await visit.go("#/calls/silent")
    await visit.title("Call · scripted")
    sections = "[...document.querySelectorAll('.columns > section')].map((each) => each.textContent)"
    assert await visit.page.evaluate(f"() => {sections}") == [
        "What was saidNone.",
        "Turn by turnNone.Sounds over the agentNone.",
    ]
    assert not await visit.page.visible("main form"), "there is nothing to run again"
    assert not await visit.page.visible("#as-test")
    (calls / "silent.jsonl").unlink()


async def test_a_session_that_ends_while_a_call_is_watched_does_not_end_the_watching(visit: Visit) -> None:
    page = visit.page
    await visit.enter()
    await visit.go("#/live")
    call = asyncio.create_task(place_call(visit.antiphon.settings.base_url, line(barge_in_ms=30_000)))
    await page.wait_for("main td a")
    await page.click("main td a")
    await visit.title("Call · scripted")
    watched = visit.antiphon.live_calls.find(visit.antiphon.manager.sessions()[0].call.call_id)
    assert watched is not None
    async with asyncio.timeout(60):
        while not watched.watchers:  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.02)
    await end_sessions(visit)
    # As where a proxy cuts what is long: the browser connects anew, and is refused.
    for queue in watched.watchers:
        queue.put_nowait(None)
    await page.wait_for("dialog[open]")
    await page.fill("dialog [name=password]", PASSWORD)
    await page.press("Enter")
    await page.wait_for("dialog", state="detached")
    await visit.until("document.querySelector('main > div > .notice').hidden")
    assert "over" not in await page.text("#floor")
    visit.antiphon.manager.sessions()[0].drop(EndReason.CANCELLED)
    await visit.until("document.querySelector('#floor').textContent.startsWith('The call is over')")
    await call


async def test_who_presses_twice_means_it_once(visit: Visit) -> None:
    page = visit.page
    assert visit.antiphon.api is not None
    resources = visit.antiphon.api.resources
    await visit.enter()
    await visit.go("#/assistants/new")
    await page.wait_for("#as-json")
    await page.click("#as-json")
    await page.fill("#json", json.dumps({**DESK, "name": "Twice"}))
    double = """(selector) => { for (const detail of [1, 2])
      document.querySelector(selector).dispatchEvent(new MouseEvent('click', { bubbles: true, detail })); }"""
    await page.evaluate(double, "#save")
    await visit.title("Twice")
    await page.click("#save")  # whatever went before it has been answered
    await visit.until(f"{STATUS} === 'Saved as v2.'")
    only = Listing(equal={"name": "Twice"})
    assert await resources.count("assistant", DEFAULT_ORG, only) == 1
    gone = "main button.danger"
    told = await page.evaluate(
        f"(selector) => {{ ({double})(selector); return document.querySelector(selector).textContent; }}", gone
    )
    await page.click(gone)  # at once: what it asks is forgotten after some seconds
    assert told == "Press again to remove"
    await visit.title("Assistants")
    assert await resources.count("assistant", DEFAULT_ORG, only) == 0


async def test_who_goes_by_keys_goes_on_from_the_page_that_was_opened(visit: Visit) -> None:
    await visit.enter()
    for title in ("Assistants", "Calls"):
        await visit.page.evaluate(
            "(words) => [...document.querySelectorAll('#nav a')].find((link) => link.textContent === words).focus()",
            title,
        )
        await visit.page.press("Enter")
        await visit.title(title)
        await visit.until("document.activeElement?.id === 'main'")
    await visit.page.press("Tab")
    assert await visit.page.evaluate("() => document.getElementById('main').contains(document.activeElement)")


async def test_a_server_that_is_restarted_under_a_form_takes_what_was_typed_when_it_is_back(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, port=free_port())
    async with browser_page() as page:
        async with running_server(settings) as (antiphon, _):
            visit = Visit(page, antiphon, "")
            await visit.enter()
            await visit.go("#/assistants/new")
            await page.wait_for("#as-json")
            await page.click("#as-json")
            await page.fill("#json", json.dumps({**DESK, "name": "Survivor"}))
        await page.click("#save")
        await visit.until("document.querySelector('main .notice:not([hidden])')?.textContent.startsWith('The server')")
        assert "Survivor" in await page.evaluate("() => document.querySelector('#json').value")
        async with running_server(settings):
            await page.click("#save")
            await visit.title("Survivor")
            assert not await page.visible("#unreachable")


async def test_a_server_that_goes_is_said_and_the_page_goes_on_when_it_is_back(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, port=free_port())
    async with browser_page() as page:
        async with running_server(settings) as (antiphon, _):
            visit = Visit(page, antiphon, "")
            await visit.enter()
            await visit.go("#/live")
            await visit.title("Live")
            assert not await page.visible("#unreachable")
        await page.wait_for("#unreachable")
        assert "What you see here is from before" in await page.text("#unreachable")
        async with running_server(settings):
            await page.wait_for("#unreachable", state="hidden", within_s=60)
            await visit.title("Live")


SLOW = """(given) => {
  const plain = window.plain ??= window.fetch;
  window.fetch = (url, options = {}) => {
    const asked = `${options.method ?? "GET"} ${url}`;
    if (!new RegExp(given.of).test(asked)) return plain(url, options);
    if (given.status === 0) return Promise.reject(new TypeError("Failed to fetch"));
    if (given.status) return Promise.resolve(new Response('{"detail": "It is broken"}', { status: given.status }));
    return new Promise((done) => (window.arrive = done)).then(() => plain(url, options));
  };
}"""
"""What is asked and fits ``of`` waits for ``arrive()``, is answered with ``status``, or not at all (0)."""
PAGES = {
    "#/overview": "Overview", "#/assistants": "Assistants", "#/assistants/failing": "Desk",
    "#/assistants/failing/versions": "Desk · Versions",
    "#/assistants/failing/workflow": "Desk · Workflow", "#/calls": "Calls", "#/calls/logs": "All event logs", "#/live": "Live",
    "#/kept/tool": "Tools & more", "#/kept/tool/failing": "Tools · hang_up", "#/people": "People", "#/people/audit": "Who did what",
}  # fmt: skip


async def hinder(visit: Visit, of: str, status: int | None = None) -> None:
    await visit.page.evaluate(SLOW, {"of": of, "status": status})


async def test_a_page_whose_request_fails_says_so_and_can_be_asked_for_again(visit: Visit) -> None:
    await keep(visit, "assistant", "failing", DESK)
    await keep(visit, "tool", "failing", {"type": "endCall", "function": {"name": "hang_up"}})
    await visit.enter()
    for hash, title in PAGES.items():
        await visit.go("#/nothing")
        await visit.title("There is no such page")
        await hinder(visit, "api/(?!me)", 500)
        await visit.go(hash)
        await visit.title("That did not work")
        assert await visit.page.text("main .notice") == "It is broken", hash
        await hinder(visit, "^never")
        await visit.page.click("#again")
        await visit.title(title)
    await visit.go("#/nothing")
    await visit.title("There is no such page")
    await hinder(visit, "api/", 0)
    await visit.go("#/calls")
    await visit.title("That did not work")
    await hinder(visit, "^never")
    await visit.title("Calls")  # by itself, as soon as the server is back


async def test_a_slow_page_says_that_it_is_on_its_way_and_nothing_is_typed_into_the_one_that_goes(visit: Visit) -> None:
    await visit.enter()
    await visit.go("#/people")
    await visit.title("People")
    await hinder(visit, "api/records")
    await visit.go("#/calls")
    await visit.title("Loading")
    assert await visit.page.evaluate("() => document.getElementById('main').inert")
    await visit.page.evaluate("() => arrive()")
    await visit.title("Calls")
    assert not await visit.page.evaluate("() => document.getElementById('main').inert")


async def test_a_save_on_a_slow_network_says_so_and_one_that_fails_keeps_what_was_typed(visit: Visit) -> None:
    page = visit.page
    await keep(visit, "assistant", "slow", DESK)
    await edited(visit, "slow")
    await page.fill("#field-name", "Night desk")
    await hinder(visit, "PUT")
    await page.click("#save")
    await visit.until(f"{STATUS} === 'Saving …'")
    await page.fill("#field-firstMessage", "Good night.")
    await page.evaluate("() => arrive()")
    await visit.title("Night desk")  # it has arrived
    assert await page.evaluate(f"() => {STATUS}") == "Not saved yet.", "what was typed since is not"
    for status, told in ((500, "It is broken"), (0, "The server does not answer. Check your connection.")):
        await hinder(visit, "PUT", status)
        await page.click("#save")
        await visit.until(f"document.querySelector('main .notice:not([hidden])')?.textContent === {json.dumps(told)}")
        assert await page.evaluate(f"() => {STATUS}") == "Not saved yet."
        assert await page.evaluate("() => document.querySelector('#field-firstMessage').value") == "Good night."
    await hinder(visit, "^never")
    await page.click("#save")
    await visit.until(f"{STATUS} === 'Saved as v3.'")
    kept = await kept_now(visit, "assistant", "slow")
    assert kept is not None and kept.body["firstMessage"] == "Good night."


async def test_who_adds_a_person_loses_nothing_to_what_happens_meanwhile(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    page = visit.page
    await visit.enter()
    await visit.antiphon.door.people.add(User("u-eve", "eve", "viewer", "no hash", 1000))
    await visit.go("#/people")
    await visit.title("People")
    await page.fill("main [name=name]", "mallory")
    await page.fill("main [name=password]", PASSWORD)
    typed = "document.querySelector('main [name=name]').value"
    eves = "[...document.querySelectorAll('main tr')].find((row) => row.textContent.startsWith('eve')).querySelector('select')"
    await page.evaluate(f"() => {{ const f = {eves}; f.value = 'builder'; f.dispatchEvent(new Event('change')); }}")
    await visit.until(f"!document.contains(window.old ??= {eves}) && {eves}.value === 'builder'")
    assert await page.evaluate(f"() => {typed}") == "mallory", "the table was drawn anew, the form was not"
    await end_sessions(visit)
    await page.click("main form button")
    await page.wait_for("dialog[open]")
    await page.fill("dialog [name=password]", PASSWORD)
    await page.press("Enter")
    await visit.until("[...document.querySelectorAll('main td')].some((cell) => cell.textContent === 'mallory')")
    assert await page.evaluate(f"() => {typed}") == ""
    role = "document.querySelector('main form [name=role]').value"
    assert await page.evaluate(f"() => {role}") == "viewer", "nobody is made an admin by what the form forgot"
    for name in ("eve", "mallory"):
        person = await visit.antiphon.door.people.find(name)
        assert person is not None and await visit.antiphon.door.people.delete(person.id)


async def test_what_asks_by_itself_asks_once_to_sign_in(visit: Visit) -> None:
    await visit.enter()
    await visit.go("#/live")
    await visit.title("Live")
    await end_sessions(visit)
    await visit.page.wait_for("dialog[open]")
    await visit.page.evaluate(
        "() => { const plain = window.fetch; window.asked = 0; window.fetch = (...given) => { asked++; return plain(...given); }; }"
    )
    await visit.page.press("Escape")
    await visit.until("asked >= 2")
    assert not await visit.page.visible("dialog[open]")
    await visit.go("#/calls")
    await visit.page.fill("dialog [name=password]", PASSWORD)
    await visit.page.press("Enter")
    await visit.title("Calls")


async def test_no_table_is_cut_on_a_telephone(visit: Visit) -> None:
    assert visit.antiphon.door is not None
    await keep(visit, "assistant", "table", DESK)
    await keep(visit, "eval", "table", {"type": "chat.mockConversation", "name": "Prices", "messages": []})
    await visit.enter()
    await visit.page.viewport(390, 850)
    boxes = "[...document.querySelectorAll('.scroll:has(table)')]"
    cut = (
        f"{boxes}.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => [box.ariaLabel, box.scrollWidth])"
    )
    for language in ("en", "ko"):
        await visit.choose("language", language)
        for hash in ("calls", "calls/logs", "people", "people/audit", "assistants", "kept/eval", f"calls/{visit.call}"):
            await visit.go("#/nothing")
            await visit.until("document.querySelector('main h1') && !document.querySelector('main table')")
            await visit.go(f"#/{hash}")
            await visit.until("document.querySelector('main table')")
            assert await visit.page.evaluate(f"() => {cut}") == [], (language, hash)
    await visit.choose("language", "en")
    await visit.page.viewport(1280, 850)
