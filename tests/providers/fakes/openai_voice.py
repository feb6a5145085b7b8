"""OpenAI's ``/v1/audio/speech``, by its documentation: platform.openai.com/docs/api-reference/audio/createSpeech (the answer is the audio,
streamed; ``pcm`` is 24 kHz, 16 bits, little-endian: platform.openai.com/docs/guides/text-to-speech)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from http import HTTPStatus
from typing import Any, Self

import trustme
from tests.providers.fakes.voice_server import KEY, Fault, speech

from antiphon.vocabulary import AudioFormat, Encoding

NATIVE = AudioFormat(Encoding.PCM16, 24000)
CHARACTERS_A_CHUNK = 7


class FakeOpenAI:
    """HTTP/1.1 with chunked answers, over TLS."""

    path = "/v1/audio/speech"

    def admits(self, headers: dict[str, str]) -> bool:
        return headers.get("authorization") == f"Bearer {KEY}"

    def wanted(self, request: dict[str, Any]) -> tuple[str, AudioFormat, float]:
        """What to say, in which format, how quickly."""
        assert request["response_format"] == "pcm"
        return request["input"], NATIVE, request.get("speed", 1.0)

    def __init__(self, certificate: trustme.LeafCert) -> None:
        self.fault: Fault = ""
        self.retry_after = ""
        self.received: list[dict[str, Any]] = []
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"localhost:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while await self._request(reader, writer):
                    pass
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rows = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        fault = self.fault if self.fault in ("401", "404", "429", "503") else ""
        if not self.admits(headers):
            fault = "401"
        if fault:
            extra = f"Retry-After: {self.retry_after}\r\n" if self.retry_after else ""
            self._answer(writer, HTTPStatus(int(fault)), b'{"error":{"message":"\xe2\x80\xa6","code":"x"}}', extra)
        elif line.startswith("GET /v1/models "):
            self._answer(writer, HTTPStatus.OK, b'{"object":"list","data":[]}')
        elif not line.startswith(f"POST {self.path} "):
            self._answer(writer, HTTPStatus.NOT_FOUND, b"{}")
        else:
            request = json.loads(body)
            self.received.append(request)
            await self._speak(writer, request)
        await writer.drain()
        return True

    @staticmethod
    def _answer(writer: asyncio.StreamWriter, status: HTTPStatus, body: bytes, extra: str = "") -> None:
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n{extra}"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _speak(self, writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        if self.fault in ("garbage", "error"):
            self._answer(writer, HTTPStatus.OK, b'{"error":{"message":"no audio"}}')
            return
        text, native, speed = self.wanted(request)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        audio = speech(text, native, speed, silent=self.fault == "silence")
        # An odd number of bytes: samples are cut in two.
        size = len(audio) * CHARACTERS_A_CHUNK // max(len(text), 1) | 1
        for number, at in enumerate(range(0, len(audio), size)):
            if self.fault == "stall" or (self.fault == "stall midway" and number >= 2):
                await writer.drain()
                await asyncio.Event().wait()
            if self.fault == "cut" and number >= 2:
                await writer.drain()
                raise ConnectionError
            part = audio[at : at + size]
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
