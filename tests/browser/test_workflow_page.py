"""A workflow in the browser: edited as a graph and in forms, checked, tried before it is saved, and lit where a live call stands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.test_console import Visit, console
from tests.serving import line, place_call, running_server, settings_for

from antiphon.calls.stores import DEFAULT_ORG, Resource

pytestmark = pytest.mark.asyncio(loop_scope="module")
FLOW: dict[str, Any] = {
    "nodes": [
        {"type": "conversation", "name": "welcome", "isStart": True, "messagePlan": {"firstMessage": "Jam or honey?"}},
        {"type": "conversation", "name": "jam", "messagePlan": {"firstMessage": "Jam is two crowns."}},
        {"type": "hangup", "name": "bye"},
    ],
    "edges": [
        {"from": "welcome", "to": "jam", "condition": {"type": "examples", "phrases": ["jam", "jam please"]}},
        {"from": "jam", "to": "bye", "condition": {"type": "examples", "intent": "done"}},
    ],
}
NODES = "() => [...document.querySelectorAll('.graph .node .named')].map((text) => text.textContent)"
LIVE_FLOW = """
name: Jam by telephone
firstMessage: Jam or honey?
transcriber: {{ provider: scripted, options: {{ transcripts: [jam please] }} }}
model: {{ provider: workflow, workflow: {workflow} }}
voice: {{ provider: scripted, options: {{ ms_per_character: 40, first_chunk_ms: 20 }} }}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def visit(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Visit]:
    async with console(tmp_path_factory.mktemp("workflow")) as opened:
        yield opened


async def begin(visit: Visit, name: str, **flow: Any) -> str:
    """The id of a stored assistant, at whose workflow one is."""
    assert visit.antiphon.api is not None
    body = {"name": name, "model": {"provider": "workflow", "workflow": {**FLOW, **flow}}}
    made = (await visit.antiphon.api.documents.assistants.create(DEFAULT_ORG, body)).id
    await visit.enter()
    await visit.go(f"#/assistants/{made}/workflow")
    await visit.title(f"{name} · Workflow")
    return made


async def stored(visit: Visit, id: str) -> Resource:
    assert visit.antiphon.api is not None
    return await visit.antiphon.api.documents.assistants.get(DEFAULT_ORG, id)


async def set_field(visit: Visit, selector: str, value: str) -> None:
    """A choice, or a text that counts once it has been left."""
    tell = "field.value = value; for (const name of ['input', 'change']) field.dispatchEvent(new Event(name));"
    script = f"([selector, value]) => {{ const field = document.querySelector(selector); {tell} }}"
    await visit.page.evaluate(script, [selector, value])


async def warned(visit: Visit, text: str) -> None:
    """Said at once to whoever cannot see the page."""
    alerts = "[...document.querySelectorAll('main [role=alert]')]"
    await visit.until(f"{alerts}.some((each) => !each.hidden && each.textContent.includes({json.dumps(text)}))")


async def choose(visit: Visit, text: str) -> None:
    """In the list beside the drawing."""
    buttons = "[...document.querySelectorAll('.outline button')]"
    await visit.page.evaluate(f"(text) => {buttons}.find((each) => each.textContent.startsWith(text)).click()", text)


async def say(visit: Visit, text: str, answer: str) -> None:
    await visit.page.fill("#chat", text)
    await visit.page.press("Enter")
    await visit.until(
        f"[...document.querySelectorAll('.said .agent')].at(-1)?.textContent.includes({json.dumps(answer)})"
    )


async def test_a_node_is_added_connected_tried_unsaved_and_saved_as_a_version(visit: Visit) -> None:
    page = visit.page
    id = await begin(visit, "Jam flow")
    assert await page.evaluate(NODES) == ["welcome", "jam", "bye"]
    assert await page.evaluate("() => document.querySelectorAll('.graph .edge').length") == 2
    await page.click("#add-conversation")
    await page.fill("[data-path=name]", "honey")
    await page.press("Tab")
    await visit.until("document.querySelector('.element h3').textContent === 'Node: honey'")
    await page.fill('[data-path="messagePlan.firstMessage"]', "Honey is three crowns.")
    await visit.until("document.querySelector('#findings').textContent.includes('nothing leads here')")
    await visit.until("document.querySelector('.graph .node.doubtful .named')?.textContent === 'honey'")
    await choose(visit, "welcome")
    await visit.choose("connect-to", "3")
    await page.click("#connect")
    await visit.until("document.querySelector('.element h3').textContent === 'Edge: welcome → honey'")
    await set_field(visit, "[data-path=condition]", "examples")
    await page.fill('[data-path="condition.phrases"]', "honey\nhoney please")
    await visit.until("!document.querySelector('#findings').textContent")
    assert await page.text("#state") == "Not saved yet."
    await say(visit, "honey please", "Honey is three crowns.")
    await visit.until("document.querySelector('.graph .here .named').textContent === 'honey'")
    assert (await stored(visit, id)).version == 1, "only tried so far"
    await visit.look("workflow")
    await page.click("#save")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v2.'")
    kept = (await stored(visit, id)).body["model"]["workflow"]
    assert kept["nodes"][3] == {
        "type": "conversation",
        "name": "honey",
        "messagePlan": {"firstMessage": "Honey is three crowns."},
    }
    condition = {"type": "examples", "phrases": ["honey", "honey please"]}
    assert kept["edges"][2] == {"from": "welcome", "to": "honey", "condition": condition}


async def test_every_change_is_undone_and_done_again(visit: Visit) -> None:
    page = visit.page
    id = await begin(visit, "Undo flow")
    await choose(visit, "jam")
    await page.fill("[data-path=name]", "jelly")
    await page.press("Tab")
    await visit.until("document.querySelector('.outline').textContent.includes('→ jelly')")
    await page.fill('[data-path="messagePlan.firstMessage"]', "Jelly.")
    await page.press("End")
    await page.press("!")
    await page.click("#remove-node")
    assert await page.evaluate(NODES) == ["welcome", "bye"]
    assert await page.evaluate("() => document.querySelectorAll('.graph .edge').length") == 0
    await page.click("#undo")
    assert await page.evaluate(NODES) == ["welcome", "jelly", "bye"]
    await page.click("#undo")
    assert (
        await page.evaluate("() => document.querySelector('[data-path=\"messagePlan.firstMessage\"]').value")
        == "Jam is two crowns."
    )
    await page.click("#undo")
    assert await page.evaluate(NODES) == ["welcome", "jam", "bye"]
    assert await page.evaluate(
        "() => [document.querySelector('#undo').disabled, document.querySelector('#state').textContent]"
    ) == [True, ""]
    await page.evaluate("() => document.querySelector('main h1').focus() ?? document.activeElement.blur()")
    for _ in range(3):
        await page.press("Control+y")
    assert await page.evaluate(NODES) == ["welcome", "bye"]
    await page.press("Control+z")
    assert await page.evaluate(NODES) == ["welcome", "jelly", "bye"]
    await page.click("#save")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v2.'")
    kept = (await stored(visit, id)).body["model"]["workflow"]
    assert [edge["to"] for edge in kept["edges"]] == ["jelly", "bye"]
    assert kept["nodes"][1]["messagePlan"]["firstMessage"] == "Jelly.!"


async def test_what_is_wrong_is_shown_at_its_node_and_edge_and_is_not_saved(visit: Visit) -> None:
    page = visit.page
    id = await begin(visit, "Wrong flow")
    await choose(visit, "jam")
    await page.fill("[data-path=name]", "bye")
    await page.press("Tab")
    await visit.until("document.querySelector('.element label .note').textContent.includes('Another node')")
    assert await page.evaluate(NODES) == ["welcome", "jam", "bye"]
    await page.click("#add-transfer")
    await visit.until("document.querySelector('[data-path=destination]').getAttribute('aria-invalid') === 'true'")
    assert await page.evaluate("() => document.querySelector('.graph .wrong .named').textContent") == "transfer"
    await choose(visit, "→ bye")
    await set_field(visit, "[data-path=condition]", "logic")
    await page.fill('[data-path="condition.liquid"]', "a = b")
    await visit.until(
        "document.querySelector('[data-path=\"condition.liquid\"]').getAttribute('aria-invalid') === 'true'"
    )
    await visit.look("workflow-wrong")
    await page.fill("#chat", "jam")
    await page.press("Enter")
    await warned(visit, "cannot be tried")
    await page.click("#save")
    await warned(visit, "Not saved")
    assert (await stored(visit, id)).version == 1
    await page.press("Enter")
    await visit.until("document.querySelector('.element h3').textContent === 'Node: transfer'")


async def test_it_is_edited_by_keyboard_alone_and_nodes_are_moved(visit: Visit) -> None:
    page = visit.page
    id = await begin(visit, "Keys flow")
    focused = "document.activeElement?.closest('.node')?.querySelector('.named')?.textContent"
    await page.evaluate("() => document.querySelector('.graph .node').focus()")
    await page.press("Tab")
    await visit.until(f"{focused} === 'jam'")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        await page.press(key)
        await visit.until(f"{focused} === 'jam'")
    await page.press("Enter")
    await visit.until("document.activeElement.textContent === 'Node: jam'")
    await page.press("Tab")
    await visit.until("document.activeElement.dataset.path === 'name'")
    before = await page.evaluate("() => document.querySelector('[data-node=\"2\"] rect').getAttribute('y')")
    await page.drag('[data-node="2"]', 0, 60)
    await visit.until(
        f"Number(document.querySelector('[data-node=\"2\"] rect').getAttribute('y')) > {float(before) + 40}"
    )
    await page.press("Control+s")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v2.'")
    nodes = (await stored(visit, id)).body["model"]["workflow"]["nodes"]
    first, second, third = [node["metadata"]["position"] for node in nodes]
    assert (second["x"] - first["x"], second["y"] - first["y"]) == (40, 120)
    assert third["y"] > 240
    await page.click("#undo")
    await page.click("#undo")
    assert await page.evaluate("() => document.querySelector('#undo').disabled"), "a row of arrow keys is one step"
    await page.click("#redo")
    await page.click("#tidy")
    await page.evaluate("() => document.querySelector('[data-node=\"1\"]').focus()")
    await page.press("Delete")
    assert await page.evaluate(NODES) == ["welcome", "bye"]


async def test_a_node_that_is_held_stays_held_while_the_drawing_changes(visit: Visit) -> None:
    """As it does when a check's answer or a live call's light comes: its place jumped back, and was lost as it was let go."""
    page = visit.page
    await begin(visit, "Held flow")
    await choose(visit, "jam")
    await page.fill("[data-path=name]", "marmalade")
    place = "Number(document.querySelector('[data-node=\"2\"] rect').getAttribute('y'))"
    before = float(await page.evaluate(f"() => {place}"))
    await page.drag('[data-node="2"]', 0, 60, press="Control+z")
    assert await page.evaluate(NODES) == ["welcome", "jam", "bye"]
    assert await page.evaluate(f"() => {place}") > before + 40


async def test_values_that_a_node_asks_for_are_edited(visit: Visit) -> None:
    page = visit.page
    id = await begin(visit, "Slots flow")
    await choose(visit, "jam")
    for _ in range(2):
        await page.click("#add-slot")
    await set_field(visit, ".slot select", "number")
    await set_field(visit, ".slot input", "glasses")
    await page.fill('[data-path="variableExtractionPlan.schema.properties.glasses.x-slot.ask"]', "How many glasses?")
    await page.evaluate(
        "() => [...document.querySelectorAll('.slot button')].find((each) => each.textContent === 'Later').click()"
    )
    await page.click("#save")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v2.'")
    schema = (await stored(visit, id)).body["model"]["workflow"]["nodes"][1]["variableExtractionPlan"]["schema"]
    assert list(schema["properties"]) == ["value2", "glasses"]
    assert schema["properties"]["glasses"]["x-slot"] == {"type": "number", "ask": "How many glasses?"}
    await visit.look("workflow-slots")


async def test_an_assistant_without_a_workflow_begins_one(visit: Visit) -> None:
    page = visit.page
    assert visit.antiphon.api is not None
    body = {"name": "Model desk", "model": {"provider": "openai", "model": "gpt-4.1", "toolIds": []}}
    id = (await visit.antiphon.api.documents.assistants.create(DEFAULT_ORG, body)).id
    await visit.enter()
    await visit.go(f"#/assistants/{id}")
    await page.click("main a[href$=workflow]")
    await visit.title("Model desk · Workflow")
    await page.click("#begin")
    await visit.until("document.querySelectorAll('.graph .node').length === 1")
    await page.click("#save")
    await visit.until("document.querySelector('#state').textContent === 'Saved as v2.'")
    model = (await stored(visit, id)).body["model"]
    assert (model["provider"], [node["name"] for node in model["workflow"]["nodes"]]) == ("workflow", ["start"])


async def test_a_file_is_read_tried_and_duplicated_to_be_edited(visit: Visit) -> None:
    page = visit.page
    await visit.enter()
    await visit.go("#/assistants/front-desk/workflow")
    await visit.title("Front desk · Workflow")
    assert "file of the server" in await page.text("main .notice")
    assert not await page.visible("#save")
    await choose(visit, "day")
    assert await page.evaluate("() => document.querySelector('[data-path=name]').matches(':disabled')")
    await say(visit, "an appointment please", "Which day")
    await visit.until("document.querySelector('.graph .here .named').textContent === 'day'")
    await visit.look("workflow-file")
    await page.click("#copy")
    await visit.title("Front desk (copy) · Workflow")
    await page.wait_for("#save")


async def test_a_live_call_lights_the_node_where_it_stands(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "assistants").mkdir()
    flow = json.loads(json.dumps(FLOW))
    flow["nodes"][1]["messagePlan"]["firstMessage"] = "Jam is two crowns. " * 80  # a minute, for whoever looks on
    text = LIVE_FLOW.format(workflow=json.dumps(flow))
    (tmp_path / "assistants" / "jam.yaml").write_text(text, encoding="utf-8")
    async with running_server(settings_for(tmp_path, assistant="jam")) as (antiphon, _):
        new = Visit(visit.page, antiphon, "")
        await new.enter()
        await new.go("#/live")
        await new.title("Live")
        lines = line(), line(barge_in_ms=60_000)
        call = asyncio.create_task(place_call(antiphon.settings.base_url, *lines))
        await new.page.wait_for("main td a")
        await new.page.click("main td a")
        await new.title("Call · jam")
        await new.until("document.querySelector('#node')?.textContent === 'Stands at: jam'")
        assert await new.page.evaluate("() => document.querySelector('.graph .lit .named').textContent") == "jam"
        await new.look("live-workflow", passing=True)
        await new.go("#/assistants/jam/workflow")
        await new.title("Jam by telephone · Workflow")
        await new.until("document.querySelector('#light').textContent === 'Live calls: jam 1'")
        assert await new.page.evaluate("() => document.querySelector('.graph .lit .named').textContent") == "jam"
        for session in antiphon.manager.sessions():
            await new.go(f"#/live/{session.call.call_id}")
        await new.page.click("button.danger")
        await new.page.click("button.danger")
        await new.until("document.querySelector('#floor').textContent.startsWith('The call is over')")
        await call
