"""The twilio SDK's HTTP client, over httpx: one pool, one deadline, another base URL where a test wants one."""

from __future__ import annotations

import logging
from typing import Any

import httpx
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

API_HOST = "https://api.twilio.com"


class HttpxClient(AsyncHttpClient):  # type: ignore[misc]  # the SDK is not typed
    """Given to ``twilio.rest.Client``. Raises httpx.TransportError where no answer came.

    The SDK's own asynchronous client would bring a second HTTP stack and log request parameters, telephone numbers
    among them.
    """

    def __init__(self, base_url: str, timeout_ms: int) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True, timeout=timeout_ms / 1000)
        self._base_url = base_url.rstrip("/")
        # Made when first needed: reading the certificate store takes 60 ms, and many servers never dial.
        self._client: httpx.AsyncClient | None = None

    async def request(
        self,
        method: str,
        url: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """One request, not retried here: only the caller knows what may be repeated."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self.timeout)
        answer = await self._client.request(
            method,
            self._base_url + url.removeprefix(API_HOST),
            params=params,
            data=data,
            headers=headers,
            auth=auth or httpx.USE_CLIENT_DEFAULT,
            timeout=timeout or httpx.USE_CLIENT_DEFAULT,
        )
        # Twilio writes JSON in UTF-8 (RFC 8259 §8.1); httpx would take the answer's own word for a codec, whichever it names.
        return Response(answer.status_code, answer.content.decode("utf-8", "replace"), answer.headers)

    async def close(self) -> None:
        """Close the pool. Safe to call twice."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None
