"""ICE by aioice, with what a server needs besides: a range of ports, chosen addresses, an address outside a NAT, and bounds.

aioice's own sockets look for STUN in every datagram and put the rest into a queue that a task reads. Here media, which is nearly all that
comes, is told by its first byte (RFC 7983) and handed on at once.

A port is open to everybody, and its number may be known. So whatever is no STUN is read only from addresses that have shown the call's
password, and STUN without it is not answered. What we send to an address that has shown nothing is bounded, because an offer or a forged
sender may name somebody else's.
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
from aioice.ice import CandidatePair, StunProtocol, relayed_candidate, server_reflexive_candidate

from antiphon.transports.webrtc.relay import shut
from antiphon.transports.webrtc.sdp import RemoteCandidate
from antiphon.transports.webrtc.settings import IceSettings

_COMPONENT = 1  # RTP and RTCP share it
_LONGEST_DATAGRAM = 1500
_MAX_WAITING = 256
"""Datagrams that wait for DTLS. A handshake takes some ten; while nobody reads, more is somebody else's."""
_RECEIVE_BUFFER_BYTES = 256 * 1024
_BINDING_REQUEST = b"\x00\x01"
_MAX_SOURCES = 16
"""Addresses that one client may speak from: its networks, and what its NATs make of them in the course of a call. When there are more, the
one that was heard first is forgotten."""
_MAX_CHECKED_SOURCES = 32
"""Addresses that are checked in answer to checks with the right password, in all: whoever has the password may forge the sender."""
_UNHEARD_RESENDS = 0
"""A candidate that nothing was heard from gets one check. The client's own checks make up for a lost one, and begin ours anew."""
_LITE_RESENDS = 6
"""aioice's own number, for a client that only answers (ICE lite): nothing would make up for a lost check."""
_HEARD_RESENDS = 3
"""To an address with the password, which may still be forged: within 3.5 s, and begun anew by each of the client's own."""

Address = tuple[str, int]


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
            self._stun_received(data, addr)
        elif (addr[0], addr[1]) in self._connection.sources:
            self._connection.data_received(data, _COMPONENT)
        else:
            self._connection.anomalies["stranger"] += 1

    def _stun_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if data.startswith(_BINDING_REQUEST) and self._connection.username_sign not in data:
            # Not for this call. Found before it is read: a flood of these costs a hundredth.
            self._connection.anomalies["stun_of_strangers"] += 1
            return
        try:
            super().datagram_received(data, addr)
        except Exception:  # aioice's reader of STUN is written for well-formed messages
            self._connection.anomalies["malformed_stun"] += 1

    async def request(
        self, request: Any, addr: Address, integrity_key: bytes | None = None, retransmissions: int | None = None
    ) -> tuple[Any, Address]:
        if integrity_key is not None and retransmissions is None:  # a check, and not a question to a STUN server
            retransmissions = self._connection.resends_to(addr)
        return await super().request(request, addr, integrity_key, retransmissions)


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
        self.sources: dict[Address, None] = {}
        """Addresses that have shown the call's password, the one heard first first."""
        self.username_sign = f"{self.local_username}:".encode()
        """What every request of the client's contains."""
        self._checked_sources = 0
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

    def respond_error(self, request: Any, addr: Address, protocol: StunProtocol, error_code: tuple[int, str]) -> None:
        """Only whoever has the password is told what was wrong. To all others the port is closed."""
        if error_code[0] in (400, 401):
            self.anomalies["stun_of_strangers"] += 1
        else:
            super().respond_error(request, addr, protocol, error_code)

    def check_incoming(self, message: Any, addr: Address, protocol: StunProtocol) -> None:
        """A check that was signed with our password."""
        self.checks += 1
        if addr not in self.sources:
            if self._checked_sources >= _MAX_CHECKED_SOURCES:
                self.anomalies["too_many_sources"] += 1
                return
            self._checked_sources += 1
            self._admit(addr)
            self._check_anew(addr, protocol)
        super().check_incoming(message, addr, protocol)

    def _admit(self, addr: Address) -> None:
        """From now on this address is listened to."""
        self.sources[addr] = None
        if len(self.sources) > _MAX_SOURCES:
            in_use = {pair.remote_addr for pair in self._nominated.values()}
            del self.sources[next(source for source in self.sources if source not in in_use)]

    def _check_anew(self, addr: Address, protocol: StunProtocol) -> None:
        """Our one check of this candidate may be lost: a NAT drops it until the client's own has opened the way. So it begins anew, with
        the patience that an address with the password is given. Not where the client only answers: there is no other way to it."""
        if self.ice_controlling:
            return
        for pair in self._check_list:
            if pair.protocol is protocol and pair.remote_addr == addr and pair.state is CandidatePair.State.IN_PROGRESS:
                if pair.task is not None:
                    pair.task.cancel()
                    pair.task = None
                self.check_state(pair, CandidatePair.State.FAILED)

    def check_complete(self, pair: CandidatePair) -> None:
        """A check of ours has been answered, or not. Whoever answers knows the password, too."""
        if pair.state is CandidatePair.State.SUCCEEDED and pair.remote_addr not in self.sources:
            self._admit(pair.remote_addr)
        super().check_complete(pair)

    def resends_to(self, addr: Address) -> int:
        """How often a check of this address is sent again while it is not answered."""
        if addr in self.sources:
            return _HEARD_RESENDS
        return _LITE_RESENDS if self.remote_is_lite else _UNHEARD_RESENDS

    @property
    def opened(self) -> tuple[StunProtocol, ...]:
        """Our sockets, and the relay's."""
        return tuple(self._protocols)

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[aioice.Candidate]:
        """All that can be gathered until ``IceLink.gather`` gives up waiting: what a server has not told by then is left out."""
        candidates = []
        for host in self._settings.addresses or addresses or ["127.0.0.1"]:
            opened = await self._listen(host)
            if opened is not None:
                # At once, so that ``close`` finds it whatever happens to us before the last one is open.
                self._protocols.append(opened)
                candidates.append(opened.local_candidate)
        return candidates

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
        if self._closing:  # meanwhile: nobody would close it later
            if relay is not None:
                relay.transport.close()
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
            if self._closing:  # meanwhile: nobody would close it later
                transport.close()
                return None
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
        for remote in filter(self.worth_checking, candidates):
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

    def worth_checking(self, remote: RemoteCandidate) -> bool:
        """Not this machine's own services, where clients are elsewhere."""
        if not ipaddress.ip_address(remote.host).is_loopback:
            return True
        ours = (each.host for each in self._connection.local_candidates if each.type == "host")
        return any(ipaddress.ip_address(host).is_loopback for host in ours)

    def send(self, data: bytes) -> None:
        """One datagram to the client; dropped where there is no way to it."""
        pair = self._connection._nominated.get(_COMPONENT)
        if pair is not None:
            pair.protocol.transport.sendto(data, pair.remote_addr)

    async def close(self) -> None:
        """Free everything, also where this is cancelled: a relay that does not answer is not waited for longer than our owner does."""
        opened = self._connection.opened
        try:
            await self._connection.close()
        finally:
            for each in opened:
                shut(each.transport)
