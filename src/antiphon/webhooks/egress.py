"""Where requests to applications may go: a tenant's URL must not reach what only this machine or its network can reach.

The check is made on the *address* that a name stands for, and the connection goes to that very address: a name that answers otherwise
the second time (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

import httpcore

from antiphon.errors import RequestFailed

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_URL = 8192


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


METADATA = _networks(
    "169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "168.63.129.16/32", "fd00:ec2::254/128"
)
"""Where clouds tell a machine its own credentials: never, whatever is set."""
LOOPBACK = _networks("127.0.0.0/8", "::1/128")
PRIVATE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
NEVER = _networks(
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "3fff::/20",
)  # fmt: skip
"""Link-local, multicast, reserved, documentation (IANA's special-purpose registries)."""
_PUBLIC_6 = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")


class Egress:
    """``allow_private`` opens private ranges and loopback, ``allow_loopback`` loopback alone (a server that only this machine reaches)."""

    def __init__(
        self, *, allow_private: bool = False, allow_loopback: bool = False, resolve: Resolve | None = None
    ) -> None:
        self._allowed: tuple[Network, ...] = (
            *(PRIVATE if allow_private else ()),
            *(LOOPBACK if allow_private or allow_loopback else ()),
        )
        self._resolve = resolve or resolved

    def permits(self, address: Address) -> bool:
        """An address inside another one (mapped, 6to4, NAT64) is judged by what it stands for."""
        inner = _embedded(address)
        if inner is not None:
            return self.permits(inner)
        if _in(address, METADATA):
            return False
        if _in(address, self._allowed):
            return True
        if address.version == 6 and address not in _PUBLIC_6:
            return False
        return not _in(address, (*NEVER, *LOOPBACK, *PRIVATE))

    def check_url(self, url: str) -> None:
        """What can be known without asking anybody. Raises RequestFailed (``refused``)."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise RequestFailed("refused", "it is no URL") from None
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise RequestFailed("refused", "it is no URL")
        if parts.scheme not in ("http", "https") or not host:
            raise RequestFailed("refused", "a URL begins with https:// or http://")
        if parts.username is not None or parts.password is not None:
            raise RequestFailed("refused", "a URL holds no password")
        try:
            literal = ip_address(host)
        except ValueError:
            return
        if not self.permits(literal):
            raise RequestFailed("refused", "the address is not a public one")

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of ``host`` that may be called. Raises RequestFailed: ``refused`` where none of them may, ``connection`` where
        there are none."""
        try:
            found = await self._resolve(host, port)
        except OSError:
            raise RequestFailed("connection", "the name is not known") from None
        allowed = [text for text in found if self.permits(ip_address(text.partition("%")[0]))]
        if found and not allowed:
            raise RequestFailed("refused", "the address is not a public one")
        return allowed


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses, and to nothing else. TLS still verifies the name."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in (await self._egress.addresses(host, port))[:4]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise RequestFailed("refused", "files are not called")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def resolved(host: str, port: int) -> list[str]:
    """What the system says a name stands for. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _embedded(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)
