"""ICE by aioice, with what a server needs besides: a range of ports, chosen addresses, an address outside a NAT, and bounds.

aioice's own sockets look for STUN in every datagram and put the rest into a queue that a task reads. Here media, which is nearly all that
comes, is told by its first byte (RFC 7983) and handed on at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import aioice
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate

from antiphon.transports.webrtc.sdp import RemoteCandidate
from antiphon.transports.webrtc.settings import IceSettings

_COMPONENT = 1  # RTP and RTCP share it
_LONGEST_DATAGRAM = 1500
_MAX_WAITING = 256
"""Datagrams that wait for DTLS. A handshake takes some ten; while nobody reads, more is somebody else's."""
_RECEIVE_BUFFER_BYTES = 256 * 1024


class _Socket(StunProtocol):
    """One of our UDP ports. What arrives may be anybody's and anything: nothing of it raises."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection)
        self._connection = connection

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        assert isinstance(data, bytes), "UDP carries bytes"
        if not data or len(data) > _LONGEST_DATAGRAM:
            self._connection.anomalies["datagram_size"] += 1
        elif data[0] < 4:
            try:
                super().datagram_received(data, addr)
            except Exception:  # aioice's reader of STUN is written for well-formed messages
                self._connection.anomalies["malformed_stun"] += 1
        else:
            self._connection.data_received(data, _COMPONENT)


class _Connection(aioice.Connection):
    """aioice's agent on our sockets."""

    def __init__(self, settings: IceSettings, on_media: Callable[[bytes], None]) -> None:
        turn = settings.turn
        super().__init__(
            ice_controlling=False,
            stun_server=settings.stun,
            turn_server=(turn.host, turn.port) if turn else None,
            turn_username=turn.username if turn else None,
            turn_password=turn.credential if turn else None,
            turn_ssl=turn.tls if turn else False,
            turn_transport=turn.transport if turn else "udp",
        )
        self.anomalies: Counter[str] = Counter()
        self.checks = 0
        """Connectivity checks of the client's, which only it can make."""
        self._settings = settings
        self._on_media = on_media

    def data_received(self, data: bytes, component: int) -> None:
        """What is not STUN: media (128 … 191), DTLS (20 … 63), or nothing of ours (RFC 7983 §7)."""
        first = data[0] if data else 0
        if 128 <= first <= 191:
            self._on_media(data)
        elif 20 <= first <= 63 and self._queue.qsize() < _MAX_WAITING:
            super().data_received(data, component)
        else:
            self.anomalies["foreign_datagram"] += 1

    def check_incoming(self, message: Any, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check that was signed with our password."""
        self.checks += 1
        super().check_incoming(message, addr, protocol)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        """All that can be gathered until ``IceLink.gather`` gives up waiting: what a server has not told by then is left out."""
        sockets = []
        for host in self._settings.addresses or addresses or ["127.0.0.1"]:
            opened = await self._listen(host)
            if opened is not None:
                sockets.append(opened)
        self._protocols += sockets
        return [opened.local_candidate for opened in sockets]

    async def gather_from_servers(self) -> None:
        """Ask the STUN and TURN servers, all at once; who does not answer is left out."""
        async with asyncio.TaskGroup() as group:
            if self.stun_server is not None:
                for opened in self._protocols:
                    if ipaddress.ip_address(opened.local_candidate.host).version == 4:
                        group.create_task(self._ask(server_reflexive_candidate(opened, self.stun_server)))
            if self.turn_server is not None:
                group.create_task(self._ask(self._relayed(self.turn_server)))

    async def _ask(self, question: Coroutine[Any, Any, tuple[aioice.Candidate, StunProtocol | None]]) -> None:
        try:
            candidate, relay = await question
        except Exception as error:  # whatever a server or the resolver did: there are other ways to reach us
            self.anomalies[f"gathering_{type(error).__name__}"] += 1
            return
        self._local_candidates.append(candidate)
        if relay is not None:
            self._protocols.append(relay)

    async def _relayed(self, server: tuple[str, int]) -> tuple[aioice.Candidate, StunProtocol]:
        return await relayed_candidate(
            component=_COMPONENT,
            hide_related_address=False,
            protocol_factory=lambda: _Socket(self),
            turn_server=server,
            turn_username=self.turn_username,
            turn_password=self.turn_password,
            turn_ssl=self.turn_ssl,
            turn_transport=self.turn_transport,
        )

    async def _listen(self, host: str) -> _Socket | None:
        """A port of ``host``; None where there is none left, or no such address."""
        loop = asyncio.get_running_loop()
        for port in _some_order(self._settings.ports):
            try:
                transport, opened = await loop.create_datagram_endpoint(lambda: _Socket(self), local_addr=(host, port))
            except OSError:
                continue
            plain = transport.get_extra_info("socket")
            if plain is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            address, bound = transport.get_extra_info("sockname")[:2]
            opened.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", address),
                component=_COMPONENT,
                transport="udp",
                priority=candidate_priority(_COMPONENT, "host"),
                host=address,
                port=bound,
                type="host",
            )
            return opened
        self.anomalies["port_unavailable"] += 1
        return None


def _some_order(ports: tuple[int, int] | None) -> Iterable[int]:
    """The ports to try, beginning anywhere, so that the first of them are not tried again and again."""
    if ports is None:
        return (0,)
    first, last = ports
    count = last - first + 1
    start = random.randrange(count)
    return (first + (start + step) % count for step in range(count))


class IceLink:
    """The datagram pipe of one leg, as aiortc's DTLS transport wants its ICE transport (``role``, ``_recv``, ``_send``)."""

    role = "controlled"

    def __init__(self, settings: IceSettings, on_media: Callable[[bytes], None]) -> None:
        """``on_media`` gets SRTP and SRTCP as they arrive."""
        self._connection = _Connection(settings, on_media)
        self._public_address = settings.public_address
        self._recv = self._connection.recv
        self._send = self._connection.send
        self.anomalies = self._connection.anomalies

    @property
    def username(self) -> str:
        return self._connection.local_username

    @property
    def password(self) -> str:
        return self._connection.local_password

    @property
    def checks(self) -> int:
        """Connectivity checks of the client's, so far. Nobody else can make them."""
        return self._connection.checks

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, by ``close`` or because the client's consent ran out (RFC 7675)."""
        return self._connection._closing

    async def gather(self, timeout_ms: int) -> tuple[str, ...]:
        """Open the ports and ask the servers. Returns our candidates as SDP writes them; none where no port could be opened."""
        await self._connection.gather_candidates()
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._connection.gather_from_servers()
        except TimeoutError:
            self.anomalies["gathering_timed_out"] += 1
        return tuple(self._told(candidate) for candidate in self._connection.local_candidates)

    def _told(self, candidate: aioice.Candidate) -> str:
        """As clients are told it: the public address in place of ours."""
        words = candidate.to_sdp().split()
        if self._public_address and candidate.type == "host" and ":" not in candidate.host:
            words[4] = self._public_address
        return " ".join(words)

    async def connect(self, username: str, password: str, lite: bool, candidates: Iterable[RemoteCandidate]) -> None:
        """Find a way to the client, who may also find one to us. Goes on until it is found or cancelled."""
        connection = self._connection
        connection.remote_username, connection.remote_password = username, password
        connection.remote_is_lite = lite
        connection.ice_controlling = lite
        for remote in candidates:
            await connection.add_remote_candidate(
                aioice.Candidate(
                    foundation=remote.foundation,
                    component=_COMPONENT,
                    transport="udp",
                    priority=remote.priority,
                    host=remote.host,
                    port=remote.port,
                    type=remote.kind,
                )
            )
        # That no more will come is not said: aioice would give up when it knows of no way, and a client may still find one.
        await connection.connect()

    def send(self, data: bytes) -> None:
        """One datagram to the client; dropped where there is no way to it."""
        pair = self._connection._nominated.get(_COMPONENT)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    async def close(self) -> None:
        await self._connection.close()
