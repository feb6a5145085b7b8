"""Calls of the hosted service, made over HTTP: each is an address for one WebSocket."""

from __future__ import annotations

import asyncio
import ssl

import httpx

from antiphon.errors import MalformedMessage, ProviderTimeout, ProviderUnavailable
from antiphon.providers.speech_to_speech import vapi_wire as wire
from antiphon.providers.websocket import Failure, Refused, refusal

_MOST_BYTES = 512 * 1024
"""A call's description repeats its assistant: some tens of KB."""


class CallMaker:
    """One account. Each call is one request, on a connection of its own: calls are too rare for one to be kept."""

    def __init__(self, provider: str, base_url: str, api_key: str) -> None:
        self._provider, self._base_url, self._key = provider, base_url, api_key

    async def make(self, body: bytes, tls: ssl.SSLContext, timeout_s: float) -> str:
        """The address of a new call's socket. Raises Refused."""
        try:
            async with (
                asyncio.timeout(timeout_s),
                httpx.AsyncClient(verify=tls, follow_redirects=False, timeout=timeout_s) as client,
            ):
                status, answer = await self._post(client, body)
        except (TimeoutError, httpx.TimeoutException):
            problem = f"no call could be made within {timeout_s:g} s: check the option base_url"
            raise Refused(Failure(ProviderTimeout(self._provider, problem))) from None
        except httpx.HTTPError as error:
            problem = f"cannot be reached ({type(error).__name__}): check the option base_url"
            raise Refused(Failure(ProviderUnavailable(self._provider, problem))) from None
        if status >= 300:
            said = answer[:2000].decode("utf-8", "replace")
            raise Refused(refusal(self._provider, status, said, secret=self._key), status)
        try:
            return wire.url_of(answer, secure=self._base_url.startswith("https:"))
        except MalformedMessage as error:
            problem = f"the answer to a new call cannot be used ({error}): check the option base_url"
            raise Refused(Failure(ProviderUnavailable(self._provider, problem))) from None

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self._key}", "content-type": "application/json", "user-agent": "antiphon"}
        answer = b""
        async with client.stream("POST", f"{self._base_url}/call", content=body, headers=headers) as response:
            async for piece in response.aiter_bytes():
                answer += piece
                if len(answer) > _MOST_BYTES:
                    break
            return response.status_code, answer
