"""Text messages over a real connection: whole, in pieces, and after the end."""

import asyncio
from typing import Any

import pytest
from tests.listening import listening

from antiphon.caller import socket as module
from antiphon.caller.socket import MediaSocket, open_media_socket
from antiphon.caller.webhook import CallFailed


class Ear:
    """Collects what a socket hands over."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.reasons: list[str] = []
        self.closed = asyncio.Event()
        self.socket = MediaSocket(self.texts.append, self._on_closed)

    def _on_closed(self, reason: str) -> None:
        self.reasons.append(reason)
        self.closed.set()

    async def end(self) -> None:
        await asyncio.wait_for(self.closed.wait(), 5)


async def test_fragments_are_joined_and_too_long_ones_counted(
    media_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGE_BYTES", 10)

    async def talk(connection: Any) -> None:
        await connection.send(["ab", "cd", "ef"])
        await connection.send(["0123456", "789abc", "d"])
        await connection.ping()
        await connection.send(["gh", "ij"])

    ear = Ear()
    async with media_server(talk) as url:
        await open_media_socket(url, {}, ear.socket)
        await ear.end()
    assert ear.texts == [b"abcdef", b"ghij"]
    assert ear.socket.faults == {"too_long": 1}
    assert ear.reasons == ["close code 1000"]


async def test_after_the_end_sending_and_closing_do_nothing(media_server: Any) -> None:
    async def close(connection: Any) -> None:
        await connection.pong()
        await connection.close(4001, "private")

    ear = Ear()
    async with media_server(close) as url:
        await open_media_socket(url, {}, ear.socket)
        await ear.end()
        ear.socket.send(b"late")
        ear.socket.close()
        ear.socket.abort()
    assert ear.reasons == ["close code 4001"]


async def test_an_aborted_connection_is_lost(media_server: Any) -> None:
    ear = Ear()
    async with media_server(lambda connection: connection.wait_closed()) as url:
        await open_media_socket(url, {}, ear.socket)
        ear.socket.abort()
        await ear.end()
    assert ear.reasons == ["the connection was lost"]


async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 0.05)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(mute) as port:
        url = f"ws://127.0.0.1:{port}/"
        with pytest.raises(CallFailed, match="did not open within"):
            await open_media_socket(url, {}, Ear().socket)


async def test_an_answer_that_is_not_http_is_told() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HELLO\r\n\r\n")
        await writer.drain()
        await reader.read()

    async with listening(babble) as port:
        url = f"ws://127.0.0.1:{port}/"
        with pytest.raises(CallFailed, match="not a WebSocket's"):
            await open_media_socket(url, {}, Ear().socket)


async def test_a_server_that_hangs_up_on_the_handshake_is_told() -> None:
    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with listening(slam) as port:
        url = f"ws://127.0.0.1:{port}/"
        with pytest.raises(CallFailed, match="hung up instead of opening"):
            await open_media_socket(url, {}, Ear().socket)
