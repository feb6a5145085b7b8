"""TURN servers: whether one lets us in, and how what it opened is closed. aioice is imported only where there is one."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from antiphon.transports.webrtc.settings import TurnServer

RelayState = Literal["none", "good", "refused", "unreachable"]
"""There is no TURN server; it relays for us; it does not take our credentials; it does not answer."""
_ANSWERS_WITHIN_S = 5.0
_CREDENTIALS = (401, 403, 441)
"""Unauthorized, forbidden, wrong credentials (RFC 8656 §19)."""


async def check_relay(server: TurnServer, within_s: float = _ANSWERS_WITHIN_S) -> RelayState:
    """Ask it for a relay, which is given back at once. Never raises: what goes wrong is the answer."""
    try:
        from aioice import stun, turn
    except ImportError:
        return "unreachable"  # nothing of WebRTC is installed: nobody is relayed
    try:
        async with asyncio.timeout(within_s):
            transport, _ = await turn.create_turn_endpoint(
                asyncio.DatagramProtocol, (server.host, server.port), server.username, server.credential,
                ssl=server.tls, transport=server.transport,
            )  # fmt: skip
    except stun.TransactionFailed as error:
        return "refused" if _code(error.response) in _CREDENTIALS else "unreachable"
    except Exception:  # a name that is none, a port that is shut, an answer that is no STUN
        return "unreachable"
    shut(transport)
    return "good"


def _code(response: Any) -> int:
    code = response.attributes.get("ERROR-CODE")
    return int(code[0]) if code else 0


def shut(transport: Any) -> None:
    """Close a socket, or a relay's, now. aioice's transport of a relay first asks the relay to forget us, for as long as 40 s, and keeps
    its socket open meanwhile; what of it there is to close has no public name."""
    transport.close()
    inner = getattr(transport, "_TurnTransport__inner_protocol", None)
    farewell = getattr(transport, "_TurnTransport__close_task", None)
    if inner is not None and farewell is not None and not farewell.done():
        farewell.cancel()
        inner.transport.close()
