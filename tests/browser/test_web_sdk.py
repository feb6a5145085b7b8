"""The web SDK in a real browser on real calls: the unmodified ``@vapi-ai/web`` over our ``daily.js``, and our own ``web.js``, each from a
page of another origin under a strict policy, with a person's speech for a microphone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.browser.sdk_pages import GREETING, Client, calling, vapi_bundle
from tests.browser.test_console import AXE, axe
from tests.browser.test_talk_live import ANSWER, QUESTION, card, microphone
from tests.conformance.realtime.speech import Said
from tests.conformance.slow_network import FAR, slow_network

from antiphon.vocabulary import EndReason

__all__ = ["card"]
KINDS = ("vapi", "web")
QUIET_MS = 400
"""An interrupted agent is silent so soon after the page was told; volume is measured every 50 to 100 ms."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return vapi_bundle(tmp_path_factory.mktemp("bundle"))


async def record_of(client: Client, call_id: str) -> dict[str, Any]:
    """The call's record, when the call is over and its log has been read."""
    headers = {"Authorization": f"Bearer {client.private_key()}"}
    async with httpx.AsyncClient(base_url=client.antiphon.settings.base_url, headers=headers, timeout=60) as api:
        for _ in range(200):
            record: dict[str, Any] = (await api.get(f"/call/{call_id}")).json()
            if record.get("status") == "ended" and "messages" in record:
                return record
            await asyncio.sleep(0.02)
    raise AssertionError("the call did not end, or left no words")


def final(role: str, text: str | None = None) -> Any:
    return lambda value: (
        value["type"] == "transcript"
        and (value["role"], value["transcriptType"]) == (role, "final")
        and text in (None, value["transcript"])
    )


@pytest.mark.timed
@pytest.mark.parametrize("kind", KINDS)
async def test_speech_both_ways_an_interruption_and_the_end(
    tmp_path: Path, kind: str, bundle: bytes, card: Said
) -> None:
    # The microphone is open before the line is: on a slow machine by two seconds and more, and the greeting lasts five.
    mic = microphone(tmp_path / "microphone.wav", 3500, card)
    async with calling(tmp_path, kind, mic, bundle) as client:
        await client.make(client.public_key(origins=(client.origin,), assistants=("scripted",)))
        call_id = await client.start()
        assert call_id
        await client.until("call-start")
        greeting = await client.until("speech-start")
        assert (await client.until("volume-level", lambda volume: volume > 0.1))["at_ms"] >= greeting["at_ms"] - 200

        told = await client.message(lambda value: value["type"] == "user-interrupted")
        assert 500 < told["at_ms"] - greeting["at_ms"] < 4500, "while the greeting was spoken"
        await client.until("volume-level", lambda volume: volume < 0.02, told["at_ms"])
        silent = next(
            each for each in client.events("volume-level") if each["at_ms"] > told["at_ms"] and each["value"] < 0.02
        )
        assert silent["at_ms"] - told["at_ms"] < QUIET_MS

        assert (await client.message(final("user")))["value"]["transcript"] == QUESTION
        cut = (await client.message(final("assistant")))["value"]["transcript"]
        assert cut != GREETING and GREETING.startswith(cut.rstrip(" .…—-"))
        answered = await client.message(final("assistant", ANSWER))
        assert [each for each in client.events("speech-start") if told["at_ms"] < each["at_ms"] <= answered["at_ms"]]

        await client.do("client.stop()")
        await client.until("call-end")
        record = await record_of(client, call_id)
        assert (record["type"], record["endedReason"]) == ("webCall", "customer-ended-call")
        said = [(each["role"], each["message"]) for each in record["messages"] if each["role"] in ("user", "bot")]
        assert said[1:] == [("user", QUESTION), ("bot", ANSWER)]
        assert (len(client.events("call-start")), len(client.events("call-end"))) == (1, 1)
        assert client.events("error") == []
        ended = [each for each in client.events("message") if each["value"].get("status") == "ended"]
        assert [each["value"]["type"] for each in ended] == ["status-update"]


@pytest.mark.parametrize("kind", KINDS)
async def test_say_mute_and_the_server_s_end(tmp_path: Path, kind: str, bundle: bytes) -> None:
    async with calling(tmp_path, kind, microphone(tmp_path / "microphone.wav"), bundle) as client:
        await client.make(client.public_key())
        call_id = await client.start()
        await client.until("speech-start")
        assert await client.do("client.isMuted()") is False
        await client.do("client.setMuted(true)")
        assert await client.do("client.isMuted()") is True
        assert await client.do("client.getLocalAudioLevel()") == 0

        await client.do("client.say('Please hold on.', false, true, true)")
        told = await client.message(final("assistant", "Please hold on."))
        await client.do("client.send({ type: 'add-message', message: { role: 'user', content: 'How much is it?' } })")
        await client.message(final("assistant", ANSWER), told["at_ms"])
        await client.do("client.send({ type: 'dance' })")
        refused = await client.message(lambda value: value["type"] == "error")
        assert "type must be one of" in refused["value"]["message"]

        client.antiphon.manager.sessions()[0].drop(EndReason.ASSISTANT_ENDED)
        await client.until("call-end")
        [ended] = [each["value"] for each in client.events("message") if each["value"].get("status") == "ended"]
        assert ended["endedReason"] == "assistant-ended-call"
        assert (await record_of(client, call_id))["endedReason"] == "assistant-ended-call"
        types = [each["value"]["type"] for each in client.events("error")]
        assert types == ([] if kind == "vapi" else ["message-refused"])

        assert await client.start(), "and another call"
        await client.do("client.stop()")
        await client.page.program.until("event", lambda _: len(client.events("call-end")) == 2)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_public_key_may_not_is_told(tmp_path: Path, kind: str, bundle: bytes) -> None:
    async with calling(tmp_path, kind, microphone(tmp_path / "microphone.wav"), bundle) as client:
        cases: list[tuple[str, Any, int, str]] = [
            (client.public_key(origins=("https://elsewhere.test",)), "scripted", 403, "origin"),
            (client.public_key(assistants=("another",)), "scripted", 403, "may not use this assistant"),
            (client.public_key(transient=False), {"firstMessage": "Hello"}, 403, "transient"),
            (client.public_key(), "nobody", 400, "Couldn't find assistant"),
            ("pk_antiphon_unknown", "scripted", 401, "Invalid Key"),
        ]
        for key, assistant, status, words in cases:
            await client.make(key)
            count = len(client.events("error"))
            assert await client.start(assistant) is None
            error = client.events("error")[count]["value"]
            assert words in str(error), key
            if kind == "web":
                assert (error["type"], error["error"]["statusCode"]) == ("web-call-error", status)
            else:
                assert str(status) in str(error)
        assert client.events("call-start") == []
        refusals = [told["text"] for told in client.page.problems]
        assert len(refusals) == len(cases) and all("status of 40" in text for text in refusals)
        client.page.program.told.clear()


@pytest.mark.parametrize("kind", KINDS)
async def test_why_there_is_no_microphone_is_told(tmp_path: Path, kind: str, bundle: bytes) -> None:
    async with calling(tmp_path, kind, None, bundle, permissions=()) as client:
        await client.make(client.public_key())
        await no_call_for(client, kind, "permissions", "The microphone is not allowed")
        # The browser of the tests always has a device.
        none = "async () => { throw new DOMException('Requested device not found', 'NotFoundError'); }"
        await client.page.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = {none}; }}")
        await no_call_for(client, kind, "not-found", "No microphone was found")
        assert client.events("call-start") == client.events("call-end") == []
        assert client.antiphon.manager.live == 0


async def no_call_for(client: Client, kind: str, code: str, words: str) -> None:
    """A call does not begin, and this is told."""
    earlier = len(client.events("error"))
    assert await client.start() is None
    errors = [each["value"] for each in client.events("error")[earlier:]]
    if kind == "web":
        [error] = errors
        assert (error["type"], error["error"]["code"]) == ("microphone-error", code)
    else:
        camera = client.events("camera-error")[-1]["value"]
        assert (camera["error"]["error"]["type"], camera["error"]["error"]["msg"]) == (code, camera["error"]["message"])
        assert errors[0]["type"] == "daily-call-join-error"
    assert errors[0]["error"]["message"].startswith(words)


async def test_a_call_stopped_while_it_begins_is_no_error(tmp_path: Path) -> None:
    async with calling(tmp_path, "web", microphone(tmp_path / "microphone.wav")) as client:
        await client.make(client.public_key())
        script = "() => { const began = client.start('scripted'); client.stop(); return began; }"
        assert await client.page.evaluate(script) is None
        assert client.events("error") == client.events("call-start") == client.events("call-end") == []
        assert await client.start()
        await client.until("speech-start")
        assert client.antiphon.manager.live == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_far_away_it_is_heard_and_a_lost_connection_is_told(tmp_path: Path, kind: str, bundle: bytes) -> None:
    async with slow_network(FAR) as network:
        far = f"http://127.0.0.1:{network.port}"
        mic = microphone(tmp_path / "microphone.wav")
        async with calling(tmp_path, kind, mic, bundle, public_url=far) as client:
            network.target_port = client.antiphon.settings.port
            await client.make(client.public_key())
            assert await client.start()
            began = await client.until("speech-start")
            await client.until("volume-level", lambda volume: volume > 0.1, began["at_ms"] + 1000)
            early = [each for each in client.events("speech-end") if each["at_ms"] < began["at_ms"] + 1000]
            assert early == [], "the jitter is not heard as pauses"
            await network.close()
            await client.until("call-end")
            error = (await client.until("error"))["value"]
            assert error["type"] == ("daily-error" if kind == "vapi" else "connection-error")
            assert error["error"]["message"] == "The connection was lost."
            client.page.program.told.clear()


async def test_an_address_that_is_no_call_s_is_refused(tmp_path: Path) -> None:
    async with calling(tmp_path, "web", microphone(tmp_path / "microphone.wav")) as client:
        base = client.antiphon.settings.base_url
        script = """async ([base, url]) => {
          const { default: Daily } = await import(`${base}/sdk/daily.js`);
          const call = Daily.createCallObject({ audioSource: true });
          const problem = await call.join({ url }).then(() => '', (error) => error.message);
          const state = call.meetingState();
          await call.destroy();
          return [problem, state];
        }"""
        [no_call, wrong] = [
            await client.page.evaluate(script, [base, url], within_s=60)
            for url in ("https://example.daily.co/room", f"{base}/web-call/abc?token=1.x")
        ]
        assert no_call[0] == "The url is no webCallUrl of an Antiphon server."
        assert wrong[0].startswith("The call's connection could not be made") and wrong[1] == "error"
        client.page.program.told.clear()  # the browser notes the 403


# ------------------------------------------------------------------------------------------------ the widget


async def test_the_widget_talks_in_the_page_s_language(tmp_path: Path, card: Said) -> None:
    mic = microphone(tmp_path / "microphone.wav", 2500, card)
    async with calling(tmp_path, "widget", mic) as client:
        put = """([src, key, lang]) => new Promise((resolve) => {
          document.documentElement.lang = lang;
          const script = Object.assign(document.createElement('script'), { src });
          Object.assign(script.dataset, { assistant: 'scripted', key });
          script.onload = resolve;
          document.head.append(script);
        })"""
        key = client.public_key(assistants=("scripted",))
        await client.page.evaluate(put, [f"{client.antiphon.settings.base_url}/sdk/widget.js", key, "ko-KR"])
        await client.page.wait_for("antiphon-widget button.talk")
        assert await client.page.text("antiphon-widget button.talk") == "음성 상담"
        await client.page.click("antiphon-widget button.talk")
        await client.page.wait_for("antiphon-widget .state:text('말하고 있어요')")
        await client.page.wait_for(f"antiphon-widget .words:text('나: {QUESTION}')")
        await client.page.wait_for(f"antiphon-widget .words:text('상담원: {ANSWER}')")
        await client.page.click("antiphon-widget button:text('마이크 끄기')")
        await client.page.wait_for("antiphon-widget .state:text('마이크가 꺼져 있어요')")
        await client.page.click("antiphon-widget button:text('통화 종료')")
        await client.page.wait_for("antiphon-widget .state:text('통화가 끝났어요')")
        focused = "() => document.querySelector('antiphon-widget').shadowRoot.activeElement.className"
        assert await client.page.evaluate(focused) == "talk", "a keyboard user is not sent to the top of the page"


async def test_the_widget_is_accessible_and_says_what_is_wrong(tmp_path: Path) -> None:
    async with calling(tmp_path, "widget", None, permissions=()) as client:
        await client.page.viewport(320, 568)
        base = client.antiphon.settings.base_url
        show = "async ([base, given]) => void (await import(`${base}/sdk/widget-view.js`)).showWidget(given)"
        await client.page.evaluate(show, [base, {"assistant": "scripted", "key": client.public_key()}])
        await client.page.click("antiphon-widget button.talk")
        await client.page.wait_for("antiphon-widget .problem:text('The microphone is not allowed')")
        await client.page.evaluate(f"() => {{ {AXE} }}")
        for scheme in ("light", "dark"):
            await client.page.media(colorScheme=scheme)
            assert await axe(client.page) == [], scheme
        box = "document.querySelector('antiphon-widget').getBoundingClientRect()"
        assert await client.page.evaluate(f"() => {box}.left >= 0 && {box}.right <= innerWidth")
        client.page.program.told.clear()  # the widget notes it in the console, too
