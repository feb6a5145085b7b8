"""The body of an HTTP request, read whole within bounds of size and time."""

from __future__ import annotations

import asyncio

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

BODY_TIMEOUT_S = 5.0
"""Bodies here are small. A sender that needs longer holds a connection that others want."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises HTTPException: 413 beyond ``max_bytes``, 408 where it does not come within ``BODY_TIMEOUT_S``."""
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                received += chunk
                if len(received) > max_bytes:
                    raise HTTPException(413, f"The body may have {max_bytes} bytes at most.")
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, "The body did not arrive in time.") from None
    return bytes(received)
