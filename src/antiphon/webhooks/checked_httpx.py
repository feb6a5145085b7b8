"""An httpx2 client for packages that bring their own protocol: every connection goes to a checked address, and to no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from antiphon.errors import RequestFailed
from antiphon.webhooks.egress import Egress

MAX_CONNECTIONS = 16
MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""Of one response, a stream of events too."""
_MOST_ADDRESSES = 4
_NEVER_GIVEN = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def checked_client(egress: Egress, headers: Mapping[str, str], timeout_s: float, read_s: float) -> Any:
    """``httpx2.AsyncClient``; the extra ``api`` brings it. Redirects are its user's to follow, and are checked like everything; no proxy of
    the environment is asked, which would connect to anywhere."""
    import httpx2

    class BoundedStream(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for part in self._stream:
                size += len(part)
                if size > MAX_ANSWER_BYTES:
                    raise httpx2.ReadError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    class CheckedTransport(httpx2.AsyncHTTPTransport):
        """Connects to the address that was checked; TLS verifies the name."""

        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            egress.check_url(str(request.url))
            host = request.url.host
            port = request.url.port or (443 if request.url.scheme == "https" else 80)
            failure: Exception = httpx2.ConnectError("no address")
            for address in (await egress.addresses(host, port))[:_MOST_ADDRESSES]:
                pinned = httpx2.Request(
                    request.method,
                    request.url.copy_with(host=address),
                    headers=request.headers,  # among them Host, which names the server
                    stream=request.stream,
                    extensions={**request.extensions, "sni_hostname": host},
                )
                try:
                    answer = await super().handle_async_request(pinned)
                except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                    failure = error
                    continue
                assert isinstance(answer.stream, httpx2.AsyncByteStream)
                return httpx2.Response(
                    answer.status_code,
                    headers=answer.headers,
                    stream=BoundedStream(answer.stream),
                    extensions=answer.extensions,
                )
            raise failure

    given = {name: value for name, value in headers.items() if name.lower() not in _NEVER_GIVEN}
    if any("\r" in value or "\n" in value for value in given.values()):
        raise RequestFailed("protocol", "a header holds a line break")
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS)
    return httpx2.AsyncClient(
        transport=CheckedTransport(limits=limits, trust_env=False),
        headers=given,
        timeout=httpx2.Timeout(timeout_s, read=read_s),
        trust_env=False,
    )
