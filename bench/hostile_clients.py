"""Clients that mean harm, or do it without meaning to: what ``hostile_soak.py`` runs beside telephone calls, in a process of its own.

    python bench/hostile_clients.py --port 8080 --seconds 600 --key sk-… --revoked sk-… --udp 42000 42099

Each kind goes on for the whole time, beginning again whenever it is refused or thrown out. What each has done is written as one JSON
object: ``{kind: {"acts": …, "refused": …}}``. A kind without an act has attacked nobody, and the soak says so.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
from aiortc import RTCPeerConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

PAUSE_S = 0.2
"""Before a kind that was thrown out begins again."""
RATE_HZ = 24_000
IDLE_CONNECTIONS = 300
ALERT = struct.pack("!BHHHIH", 21, 0xFEFD, 0, 0, 9, 2) + b"\x02\x28"
"""A DTLS alert in the clear, fatal."""


@dataclass(slots=True)
class Deeds:
    """What one kind has done."""

    acts: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Server:
    """Who is attacked, and what the attackers hold."""

    port: int
    key: str
    revoked: str
    udp_ports: range

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def secret(self, client: httpx.AsyncClient) -> str:
        """What a web page's visitor is given."""
        headers = {"Authorization": f"Bearer {self.key}"}
        body = {"session": {"type": "realtime", "model": "assistant:bench"}}
        answer = await client.post(f"{self.http}/v1/realtime/client_secrets", headers=headers, json=body)
        answer.raise_for_status()
        return str(answer.json()["value"])

    def session(self, token: str, model: str = "assistant:bench") -> connect:
        url = f"ws://127.0.0.1:{self.port}/v1/realtime?model={model}"
        return connect(url, additional_headers={"Authorization": f"Bearer {token}"}, max_size=None)


Attack = Callable[[Server, Deeds], Awaitable[None]]


def speech(duration_s: float) -> str:
    """Noise as loud as speech, as an append carries it."""
    return base64.b64encode(os.urandom(int(duration_s * RATE_HZ) * 2)).decode()


async def send(session: ClientConnection, deeds: Deeds, kind: str, **fields: object) -> None:
    await session.send(json.dumps({"type": kind, **fields}))
    deeds.acts += 1


async def listen(session: ClientConnection) -> None:
    async for _ in session:
        pass


async def _as_visitor(server: Server, act: Callable[[ClientConnection], Awaitable[None]]) -> None:
    async with httpx.AsyncClient(timeout=30.0) as client:
        token = await server.secret(client)
    async with server.session(token) as session, asyncio.TaskGroup() as group:
        reading = group.create_task(listen(session))
        while not reading.done():
            await act(session)


# ---------------------------------------------------------------------------------------------- strangers


async def heads_without_end(server: Server, deeds: Deeds) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(b"GET / HTTP/1.1\r\n")
        while not reader.at_eof():
            writer.write(b"a:b\r\n" * 10_000)
            deeds.acts += 1
            await writer.drain()
            await asyncio.sleep(0.01)
    finally:
        writer.close()


async def idle_connections(server: Server, deeds: Deeds) -> None:
    """Each promises a body, and sends one byte of it."""
    writers = []
    try:
        for _ in range(IDLE_CONNECTIONS):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writers.append(writer)
            writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx")
            deeds.acts += 1
        await asyncio.sleep(5)
    finally:
        for writer in writers:
            writer.close()


async def forged_webhooks(server: Server, deeds: Deeds) -> None:
    form = urlencode({f"field{number}": "x" * 100 for number in range(400)})
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": "forged"}
    async with httpx.AsyncClient(timeout=30.0) as client:
        for _ in range(100):
            answer = await client.post(f"{server.http}/twilio/voice", content=form, headers=headers)
            deeds.acts += 1
            deeds.refused += answer.status_code >= 400
            await asyncio.sleep(0.01)


async def udp_spray(server: Server, deeds: Deeds) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        while True:
            for port in server.udp_ports:
                with suppress(OSError):
                    sender.sendto(ALERT, ("127.0.0.1", port))
                    deeds.acts += 1
            await asyncio.sleep(0.1)


# ---------------------------------------------------------------------------------------------- visitors


async def clips_and_commits(server: Server, deeds: Deeds) -> None:
    clip = speech(2.0)

    async def act(session: ClientConnection) -> None:
        await send(session, deeds, "input_audio_buffer.append", audio=clip)
        await send(session, deeds, "input_audio_buffer.commit")
        await asyncio.sleep(0.3)

    await _as_visitor(server, act)


async def long_appends(server: Server, deeds: Deeds) -> None:
    recording = speech(120.0)

    async def act(session: ClientConnection) -> None:
        await send(session, deeds, "input_audio_buffer.append", audio=recording)
        await asyncio.sleep(3)

    await _as_visitor(server, act)


async def pictures(server: Server, deeds: Deeds) -> None:
    url = "data:image/png;base64," + "A" * (4 * 1024 * 1024)
    item = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": url}]}

    async def act(session: ClientConnection) -> None:
        await send(session, deeds, "conversation.item.create", item=item)
        await asyncio.sleep(1)

    await _as_visitor(server, act)


async def item_storms(server: Server, deeds: Deeds) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "and another thing"}]}

    async def act(session: ClientConnection) -> None:
        for _ in range(1500):
            await send(session, deeds, "conversation.item.create", item=item)
        await asyncio.sleep(5)

    await _as_visitor(server, act)


async def offers_that_never_connect(server: Server, deeds: Deeds) -> None:
    peer = RTCPeerConnection()
    try:
        peer.createDataChannel("oai-events")
        peer.addTransceiver("audio")
        offer = (await peer.createOffer()).sdp
    finally:
        await peer.close()
    async with httpx.AsyncClient(timeout=30.0) as client:
        token = await server.secret(client)
        headers = {"Authorization": f"Bearer {token}", "content-type": "application/sdp"}
        for _ in range(40):
            answer = await client.post(f"{server.http}/v1/realtime/calls", content=offer, headers=headers)
            deeds.acts += 1
            deeds.refused += answer.status_code >= 400
            await asyncio.sleep(0.2)


# ---------------------------------------------------------------------------------------------- apps


async def revoked_key(server: Server, deeds: Deeds) -> None:
    try:
        async with server.session(server.revoked) as session:
            await listen(session)
    except WebSocketException:
        deeds.refused += 1
    finally:
        deeds.acts += 1


async def item_hog(server: Server, deeds: Deeds) -> None:
    """A key's own session: long items as fast as they are taken."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 200_000}]}
    async with server.session(server.key) as session, asyncio.TaskGroup() as group:
        reading = group.create_task(listen(session))
        while not reading.done():
            await send(session, deeds, "conversation.item.create", item=item)
            await asyncio.sleep(0.1)


async def broken_engine(server: Server, deeds: Deeds) -> None:
    """Speaks to an assistant whose recogniser's process the soak kills again and again."""
    sound = speech(0.1)
    async with server.session(server.key, "assistant:broken") as session, asyncio.TaskGroup() as group:
        reading = group.create_task(listen(session))
        while not reading.done():
            await send(session, deeds, "input_audio_buffer.append", audio=sound)
            await asyncio.sleep(0.1)


KINDS: dict[str, Attack] = {
    "stranger: heads without end": heads_without_end,
    "stranger: idle connections": idle_connections,
    "stranger: forged webhooks": forged_webhooks,
    "stranger: UDP spray": udp_spray,
    "visitor: clips and commits": clips_and_commits,
    "visitor: two minutes in one append": long_appends,
    "visitor: pictures": pictures,
    "visitor: storms of items": item_storms,
    "visitor: offers that never connect": offers_that_never_connect,
    "app: revoked key": revoked_key,
    "app: long items": item_hog,
    "app: broken engine": broken_engine,
}


async def _go_on(attack: Attack, server: Server, deeds: Deeds) -> None:
    while True:
        try:
            await attack(server, deeds)
        except* (OSError, httpx.HTTPError, WebSocketException):
            deeds.refused += 1
        await asyncio.sleep(PAUSE_S)


async def attack_all(server: Server, seconds: float) -> dict[str, Deeds]:
    """One client of each kind, for so long."""
    deeds = {kind: Deeds() for kind in KINDS}
    attacks = [asyncio.create_task(_go_on(attack, server, deeds[kind])) for kind, attack in KINDS.items()]
    await asyncio.wait(attacks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    faults = [attack.exception() for attack in attacks if attack.done()]
    for attack in attacks:
        attack.cancel()
    await asyncio.gather(*attacks, return_exceptions=True)
    if faults:
        raise RuntimeError("an attack has a fault of its own") from faults[0]
    return deeds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--revoked", required=True)
    parser.add_argument("--udp", type=int, nargs=2, required=True)
    given = parser.parse_args()
    os.nice(10)
    server = Server(given.port, given.key, given.revoked, range(given.udp[0], given.udp[1] + 1))
    deeds = asyncio.run(attack_all(server, given.seconds))
    print(json.dumps({kind: {"acts": each.acts, "refused": each.refused} for kind, each in deeds.items()}))


if __name__ == "__main__":
    main()
