"""Which addresses are called: a table of those that must not be, and of the ways to write them."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from antiphon.errors import RequestFailed
from antiphon.webhooks.egress import Egress

PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "172.32.0.1",
    "192.0.1.1",
    "2606:2800:220:1::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "fd12::1",
    "::ffff:10.0.0.1",
    "2002:a00:1::1",
]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
]
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1",
    "203.0.113.5", "::", "fe80::1", "ff02::1", "2001:db8::1", "2001::1", "::7f00:1", "fec0::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_called(address: str) -> None:
    for egress in (Egress(), Egress(allow_loopback=True), Egress(allow_private=True)):
        assert egress.permits(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_ones_only_where_that_is_allowed(address: str) -> None:
    assert [Egress().permits(ip_address(address)), Egress(allow_loopback=True).permits(ip_address(address))] == [
        False
    ] * 2
    assert Egress(allow_private=True).permits(ip_address(address))


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_in_development(address: str) -> None:
    assert not Egress().permits(ip_address(address))
    assert Egress(allow_loopback=True).permits(ip_address(address))


@pytest.mark.parametrize("address", METADATA + NEVER)
def test_these_never(address: str) -> None:
    for egress in (Egress(), Egress(allow_loopback=True), Egress(allow_private=True)):
        assert not egress.permits(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.test/", "file:///etc/passwd", "//example.test", "example.test", "https://", "https://user:pw@example.test/",
        "http://[::1", "http://a b.test/", "http://a.test/\r\nX: y", "https://10.0.0.1/", "http://[::1]/", "http://[fe80::1%25eth0]/",
        "https://a.test/" + "x" * 9000, "https://a.test:99999/", "gopher://a.test", "http://пример.test/",
    ],
)  # fmt: skip
def test_urls_that_are_refused_before_anybody_is_asked(url: str) -> None:
    with pytest.raises(RequestFailed, match="refused"):
        Egress().check_url(url)


def test_a_plain_url_is_not() -> None:
    Egress().check_url("https://hooks.example.test:8443/a?b=c")


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "localhost", "127.1"])
async def test_other_ways_to_write_loopback_are_judged_by_their_address(host: str) -> None:
    with pytest.raises(RequestFailed) as refused:
        await Egress().addresses(host, 80)
    assert refused.value.reason in (
        "refused",
        "connection",
    )  # where the system does not know the spelling, it calls nobody


async def test_of_several_addresses_only_allowed_ones_are_called() -> None:
    async def mixed(host: str, port: int) -> list[str]:
        return ["10.0.0.1", "8.8.8.8", "fe80::1%eth0"]

    assert await Egress(resolve=mixed).addresses("a.test", 443) == ["8.8.8.8"]
