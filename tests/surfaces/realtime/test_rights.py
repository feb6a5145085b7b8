"""What a visitor (client secret) and an app (private key) may do and take: a real server with scripted engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.serving import running_server, settings_for, write_assistant
from tests.surfaces.realtime.test_calls import CALLS, Caller, Place
from tests.surfaces.realtime.test_listener import receive, send
from tests.transports.webrtc_peer import only_loopback
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from antiphon.composition.process import Antiphon
from antiphon.config import Realtime, Twilio, WebRtc
from antiphon.surfaces.keys import ApiKeys

SHOES = "You may only sell shoes."
INTERNAL = "INTERNAL PROMPT: the safe code is 4711"


class House(Place):
    """A server with a public and an internal assistant."""

    def socket(
        self, key: str, query: str = "model=assistant:internal", path: str = "/v1/realtime", **options: Any
    ) -> connect:
        options.setdefault("additional_headers", {"Authorization": f"Bearer {key}"})
        url = self.antiphon.settings.base_url.replace("http", "ws")
        return connect(f"{url}{path}?{query}", compression=None, max_size=None, **options)

    async def grant(self, session: Any = None, path: str = "client_secrets", key: str = "", **body: Any) -> str:
        """A client secret."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        body = session if path != "client_secrets" else {"session": session, **body}
        made = await self.http.post(f"/v1/realtime/{path}", json=body, headers=headers)
        assert made.status_code == 200, made.text
        answer = made.json()
        value: str = answer["value"] if "value" in answer else answer["client_secret"]["value"]
        return value

    def revoke(self, key_id: str) -> None:
        """As ``antiphon keys revoke`` does: in another process, which shares the file alone."""
        assert ApiKeys(self.antiphon.settings.data_dir / "keys.json").revoke(key_id)


@asynccontextmanager
async def served(folder: Path, max_calls: int = 400, **realtime: Any) -> AsyncIterator[House]:
    write_assistant(folder / "assistants")
    public = (folder / "assistants" / "scripted.yaml").read_text()
    model = "model: { provider: scripted, "
    assert model in public
    (folder / "assistants" / "internal.yaml").write_text(public.replace(model, f'{model}systemPrompt: "{INTERNAL}", '))
    settings = settings_for(
        folder,
        max_calls=max_calls,
        realtime=Realtime(debug_order=True, **realtime),
        webrtc=WebRtc(addresses=["127.0.0.1"]),
    )
    with only_loopback():
        async with running_server(settings) as (antiphon, http):
            house = House(antiphon, http, antiphon.keys.create("test", 0)[1])
            yield house
            await house.until_empty()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with served(tmp_path) as place:
        yield place


async def refused(opening: connect) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error:
        await opening
    response = error.value.response
    assert response.body is not None
    return response.status_code, orjson.loads(response.body)["error"]["code"]


async def until_closed(socket: ClientConnection) -> tuple[int, list[dict[str, Any]]]:
    """The close code, and the errors before it."""
    async with asyncio.timeout(60):  # a second is promised, on a machine that is not busy
        told = [orjson.loads(event) async for event in until_ended(socket)]
    assert socket.close_code is not None
    return socket.close_code, [event["error"] for event in told if event["type"] == "error"]


async def until_ended(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        while True:
            yield await socket.recv()


# ------------------------------------------------------------------------------------------------ S3: what was granted


OPEN_ENDED: list[Any] = [
    None,
    {},
    {"model": None},
    {"type": "realtime", "instructions": SHOES},
    {"type": "realtime", "model": "gpt-realtime"},
]
ADDRESSES = ["model=assistant:internal", "model=assistant:internal&intent=transcription", "intent=transcription", ""]


@pytest.mark.parametrize("session", OPEN_ENDED)
async def test_no_address_opens_what_a_secret_does_not_name(house: House, session: Any) -> None:
    secret = await house.grant(session)
    for query in ADDRESSES:
        async with house.socket(secret, query) as socket:
            shown = (await receive(socket, "session.created"))["session"]
            assert (shown["type"], shown["model"]) == ("realtime", "gpt-realtime"), query
            assert INTERNAL not in shown["instructions"]
            await send(socket, "session.update", session={"type": "realtime", "model": "assistant:internal"})
            shown = (await receive(socket, "session.updated"))["session"]
            assert (shown["model"], INTERNAL in shown["instructions"]) == ("gpt-realtime", False)


async def test_nor_does_any_other_way_of_opening(house: House) -> None:
    secret, query = await house.grant({"instructions": SHOES}), "model=assistant:internal"
    beta = await house.grant({"instructions": SHOES}, "sessions")
    for key in (secret, beta):
        subprotocols = ["realtime", f"openai-insecure-api-key.{key}"]
        older = {"Authorization": f"Bearer {key}", "OpenAI-Beta": "realtime=v1"}
        for opening in (
            house.socket(key, query, additional_headers={}, subprotocols=subprotocols),
            house.socket(key, query, additional_headers={}, subprotocols=[*subprotocols, "openai-beta.realtime-v1"]),
            house.socket(key, query, additional_headers=older),
            house.socket(
                key, "deployment=assistant:internal", "/openai/v1/realtime", additional_headers={"api-key": key}
            ),
        ):
            async with opening as socket:
                shown = (await receive(socket, "session.created"))["session"]
                assert (shown["model"], shown["instructions"]) == ("gpt-realtime", SHOES)


async def test_nor_does_a_call(house: House) -> None:
    headers = {"Authorization": f"Bearer {await house.grant({'instructions': SHOES})}"}

    async def plain(offer: str) -> Any:
        return await house.post(offer, f"{CALLS}?model=assistant:internal&intent=transcription", **headers)

    async def form(offer: str) -> Any:
        session = orjson.dumps({"model": "assistant:internal", "audio": {"output": {"voice": "ash"}}}).decode()
        return await house.http.post(f"{CALLS}?model=assistant:internal", data={"sdp": offer, "session": session}, headers=headers,
                                     files={"nothing": b""})  # fmt: skip

    for post in (plain, form):
        async with house.call(post) as caller:
            shown = (await caller.sent("session.created"))["session"]
            assert (shown["type"], shown["model"], shown["instructions"]) == ("realtime", "gpt-realtime", SHOES)
    other = {"sdp": "x", "session": '{"type": "transcription"}'}
    answer = await house.http.post(CALLS, data=other, headers=headers, files={"nothing": b""})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "session.type")


async def test_a_transcription_secret_stays_one(house: House) -> None:
    for secret in (await house.grant({"type": "transcription"}), await house.grant({}, "transcription_sessions")):
        async with house.socket(secret) as socket:
            assert (await receive(socket, "session.created"))["session"]["type"] == "transcription"


# ------------------------------------------------------------------------------------------------ S12: what a revoked key leaves


async def test_revoking_a_key_ends_all_that_came_of_it_and_nothing_else(house: House) -> None:
    record, stolen = house.antiphon.keys.create("stolen", 0)
    secret = await house.grant({"model": "assistant:scripted"}, key=stolen)
    assert (
        await house.http.get(house.antiphon.talk_address.replace("localhost", "127.0.0.1"), follow_redirects=True)
    ).status_code == 200
    page = (await house.http.post("/talk/key/scripted")).json()["value"]
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(house.socket(stolen, "model=assistant:scripted"))
        visitor = await stack.enter_async_context(house.socket(secret))
        bystander = await stack.enter_async_context(house.socket(house.key, "model=assistant:scripted"))
        talker = await stack.enter_async_context(house.socket(page))
        call_id = (await receive(bystander, "session.created"))["session"]["id"]
        spy = await stack.enter_async_context(house.socket(stolen, f"call_id={call_id}"))
        await receive(spy, "session.created")
        house.revoke(record.id)
        for socket in (own, visitor, spy):
            code, errors = await until_closed(socket)
            assert (code, [error["code"] for error in errors]) == (1008, ["invalid_api_key"])
        for socket in (bystander, talker):
            await send(socket, "session.update", session={"type": "realtime", "instructions": "Go on."})
            assert (await receive(socket, "session.updated"))["session"]["instructions"] == "Go on."
        for key in (stolen, secret):
            assert await refused(house.socket(key)) == (401, "invalid_api_key")
        assert await refused(house.socket(stolen, f"call_id={call_id}")) == (401, "invalid_api_key")
        assert (await house.post("v=0", Authorization=f"Bearer {secret}")).status_code == 401
    database = house.antiphon.client_secrets
    assert database.find(secret, house.antiphon.clock.wall_ms()) is None, "its row is gone, too"
    assert database.find(page, house.antiphon.clock.wall_ms()) is not None


async def test_revoking_a_key_ends_calls_that_are_not_connected_yet(house: House) -> None:
    record, stolen = house.antiphon.keys.create("stolen", 0)
    headers = {"Authorization": f"Bearer {await house.grant({}, key=stolen)}"}

    async def post(offer: str) -> Any:
        answer = await house.post(offer, CALLS, **headers)
        house.revoke(record.id)
        return answer

    async with house.call(post):
        await house.until_empty()


async def test_a_key_that_is_revoked_while_the_answer_is_made_gets_none(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = house.antiphon.webrtc
    answer = engine.answer
    _, stolen = house.antiphon.keys.create("stolen", 0)

    async def slow(offer: str, listener: Any) -> Any:
        made = await answer(offer, listener)
        house.revoke(house.antiphon.keys.records()[-1].id)
        house.antiphon.realtime.look()
        return made

    monkeypatch.setattr(engine, "answer", slow)
    async with silent_caller() as caller:
        answer = await house.post(await caller.offer(), Authorization=f"Bearer {stolen}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "call_ended")
    await house.until_empty()


async def test_keys_that_cannot_be_read_revoke_nobody(house: House) -> None:
    path = house.antiphon.settings.data_dir / "keys.json"
    async with house.socket(house.key, "model=assistant:scripted") as socket:
        await receive(socket, "session.created")
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        house.antiphon.realtime.look()
        assert (await refused(house.socket(house.key)))[0] == 503
        path.write_bytes(whole + b" ")
        await send(socket, "session.update", session={"type": "realtime"})
        await receive(socket, "session.updated")


# ------------------------------------------------------------------------------------------------ S8: shares


async def test_a_secret_has_so_many_live_sessions_and_no_more(house: House) -> None:
    secret, larger = await house.grant({}), await house.grant({}, max_sessions=5)
    for key, most in ((secret, 4), (larger, 5)):
        async with AsyncExitStack() as stack:
            for _ in range(most):
                socket = await stack.enter_async_context(house.socket(key))
            assert await refused(house.socket(key)) == (429, "rate_limit_exceeded")
            answer = await house.post("x", Authorization=f"Bearer {key}")
            assert answer.status_code == 429
            await stack.enter_async_context(house.socket(house.key))
            await socket.close()
            for _ in range(200):
                if sum(session.owner.secret_id != "" for session in house.antiphon.realtime._live.values()) < most:
                    break
                await asyncio.sleep(0.01)
            await stack.enter_async_context(house.socket(key))
        await house.until_empty()


async def test_all_at_once_they_are_no_more(house: House) -> None:
    """Each was let in before the others had come."""
    secret = await house.grant({})
    async with AsyncExitStack() as stack:

        async def come() -> ClientConnection | None:
            try:
                return await stack.enter_async_context(house.socket(secret))
            except InvalidStatus as error:
                statuses.add(error.response.status_code)
                return None

        statuses: set[int] = set()
        sockets = [socket for socket in await asyncio.gather(*(come() for _ in range(12))) if socket is not None]
        assert statuses <= {429}
        live = 0
        for socket in sockets:
            event = orjson.loads(await socket.recv())
            live += event["type"] == "session.created"
            if event["type"] == "error":
                assert event["error"]["code"] == "rate_limit_exceeded"
                assert (await until_closed(socket))[0] == 1013
        assert live == len(house.antiphon.realtime) == 4


async def test_a_key_has_a_share_too_and_its_secrets_are_part_of_it(tmp_path: Path) -> None:
    async with served(tmp_path, key_max_sessions=3) as house:
        _, other = house.antiphon.keys.create("other", 0)
        async with AsyncExitStack() as stack:
            for key in (house.key, await house.grant({}), await house.grant({})):
                await stack.enter_async_context(house.socket(key))
            for key in (house.key, await house.grant({})):
                assert await refused(house.socket(key)) == (429, "rate_limit_exceeded")
            await stack.enter_async_context(house.socket(other))


async def test_places_are_left_for_the_telephone(tmp_path: Path) -> None:
    async with served(tmp_path, share_of_calls=0.5, max_calls=4) as house, AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(house.socket(house.key))
        assert await refused(house.socket(house.key)) == (503, "server_full")
        assert (await house.post("x")).status_code == 503
        assert (await house.http.get("/readyz")).status_code == 200


async def test_without_a_telephone_all_places_are_the_api_s(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, twilio=Twilio(), max_calls=4, realtime=Realtime(share_of_calls=0.5))
    assert Antiphon(settings).realtime.settings.max_sessions == 4


async def test_calls_that_never_connect_are_bounded_for_each_secret(tmp_path: Path) -> None:
    async with served(tmp_path, secret_max_connecting=2) as house:
        headers = {"Authorization": f"Bearer {await house.grant({}, max_sessions=100)}"}
        async with AsyncExitStack() as stack:
            offers = [await (await stack.enter_async_context(silent_caller())).offer() for _ in range(3)]
            statuses = [(await house.post(offer, **headers)).status_code for offer in offers]
            assert statuses == [201, 201, 429]
            for session in tuple(house.antiphon.realtime._live.values()):
                assert (await house.hang_up(session.call_id)).status_code == 200
            assert (await house.post(offers[2], **headers)).status_code == 201
            for session in tuple(house.antiphon.realtime._live.values()):
                await house.hang_up(session.call_id)


@asynccontextmanager
async def silent_caller() -> AsyncIterator[Caller]:
    """A browser that makes an offer and takes no answer."""
    caller = Caller(None)
    try:
        yield caller
    finally:
        await caller.close()


# ------------------------------------------------------------------------------------------------ S14: requests that fail


async def test_a_request_that_fails_is_not_reckoned_as_a_call_to_come(house: House) -> None:
    admission, now_ms = house.antiphon.manager.admission, house.antiphon.clock.now_ms
    idle = admission.expected(now_ms())
    secret = await house.grant({})
    for _ in range(30):
        assert (await house.post("x")).status_code == 400
        assert (await house.post("v=0\r\n", Authorization=f"Bearer {secret}")).status_code == 400
        assert (await house.http.post(CALLS, content=b"x", headers=house.headers)).status_code == 415
        assert (await house.post("x", f"{CALLS}?model=assistant:nobody")).status_code == 404
        assert (await refused(house.socket(house.key, "model=assistant:nobody")))[0] == 404
    assert len(admission._let_in_ms) == 0
    assert admission.expected(now_ms()) <= idle + admission.busy


async def test_an_engine_that_fails_gives_the_place_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(offer: str, listener: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(house.antiphon.webrtc, "answer", broken)
    assert (await house.post("x")).status_code == 500
    assert len(house.antiphon.manager.admission._let_in_ms) == 0
    assert len(house.antiphon.realtime) == 0


# ------------------------------------------------------------------------------------------------ F4: engines by name


async def test_a_client_may_not_name_a_test_double_nor_an_alias(house: House) -> None:
    room = house.antiphon.engines
    before = room.health()
    for name in ("scripted", "vapi", "custom-transcriber", "whisper-1", "", "pocketsphinx "):
        assert room.recogniser(name) is None, name
    async with house.socket(house.key, "model=gpt-realtime") as socket:
        audio = {"input": {"transcription": {"model": "scripted"}}}
        await send(socket, "session.update", session={"type": "realtime", "audio": audio})
        await receive(socket, "session.updated")
    assert room.health() == before, "no engine was made for it"
