"""The numbers of WebRTC legs, with their reasons."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from antiphon.errors import ConfigurationError

_STUN_URL = re.compile(r"stun:(?P<host>[^:?\s]+)(:(?P<port>\d{1,5}))?")
_TURN_URL = re.compile(
    r"(?P<scheme>turns?):(?P<host>[^:?\s]+)(:(?P<port>\d{1,5}))?(\?transport=(?P<transport>udp|tcp))?"
)
_PORT, _TLS_PORT = 3478, 5349


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A relay to be reached through (RFC 8656). It lets nobody in whose address we have not named, so the offer must carry candidates."""

    host: str
    port: int
    username: str
    credential: str = field(repr=False)
    transport: str = "udp"
    """How we reach it: ``udp`` or ``tcp``."""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class IceSettings:
    """Where we can be reached."""

    stun: tuple[str, int] | None = None
    """Host and port of a server that tells our address outside a NAT."""
    turn: TurnServer | None = None
    addresses: tuple[str, ...] = ()
    """Addresses of this machine to listen on. Empty: all but loopback, or loopback where there is no other."""
    public_address: str = ""
    """The IPv4 address that clients are told instead of ours: for a machine or a container behind a one-to-one NAT."""
    ports: tuple[int, int] | None = None
    """First and last UDP port. None lets the system choose. A leg takes one port for each address."""


@dataclass(frozen=True, slots=True)
class WebRtcSettings:
    """What legs are like and what one may cost us."""

    ice: IceSettings = IceSettings()
    max_legs: int = 64
    rate_in_hz: int = 16_000
    """What the session hears: the voice-activity model's and the recognisers' own rate."""
    rate_out_hz: int = 24_000
    """What the session speaks: the best that voices offer; Opus takes it as it is."""
    bitrate_bps: int = 40_000
    """Of what we send. At 40 kbit/s, Opus's MDCT mode is nearer to the voice than its speech mode, at a third of the CPU: measured on human
    speech, 3.3 against 4.0 dB of log-spectral distance, 47 against 158 µs a frame."""
    client_bitrate_bps: int = 32_000
    """Of what we ask the client to send: plenty for the 8 kHz of bandwidth that are heard."""
    complexity: int = 3
    """Opus's effort, 0 to 10. In the mode above, 5 costs a third more and its distance is the same to 0.02 dB."""
    gather_timeout_ms: int = 3000
    """How long STUN and TURN servers may take. The client waits for the answer meanwhile."""
    connect_timeout_ms: int = 15_000
    silence_timeout_ms: int = 15_000
    """Nothing at all has arrived for so long: the client is gone. While it is muted, it still sends connectivity checks: browsers every
    2.5 s, others every 4 to 6 s (RFC 7675)."""
    reorder_wait_ms: int = 60
    """How long a packet waits for one that was sent before it. Only holes cost this time."""
    max_backlog_ms: int = 1000
    """Agent's audio held for one leg. The mouth leads by 200 ms, so more than this is stale, and the oldest is dropped."""
    max_unsent_event_bytes: int = 1024 * 1024
    max_early_events: int = 256
    """Events kept until the client has opened its channel."""
    linger_ms: int = 400
    """On ``close``, how long the last events are given to be taken."""


def ice_settings(
    *,
    addresses: Sequence[str] = (),
    public_address: str = "",
    port_min: int = 0,
    port_max: int = 0,
    stun_url: str = "",
    turn_url: str = "",
    turn_username: str = "",
    turn_credential: str = "",
) -> IceSettings:
    """As a person writes them. Raises ConfigurationError naming the field."""
    for address in addresses:
        _check_address("webrtc.addresses", address, (4, 6))
    if public_address:
        _check_address("webrtc.public_address", public_address, (4,))
    return IceSettings(
        stun=_stun_server(stun_url),
        turn=_turn_server(turn_url, turn_username, turn_credential),
        addresses=tuple(addresses),
        public_address=public_address,
        ports=(port_min, port_max) if port_min else None,
    )


def _check_address(field: str, text: str, versions: tuple[int, ...]) -> None:
    try:
        version = ipaddress.ip_address(text).version
    except ValueError:
        raise ConfigurationError(field, "must be an IP address, not a name") from None
    if version not in versions:
        raise ConfigurationError(field, "must be an IPv4 address")


def _stun_server(url: str) -> tuple[str, int] | None:
    """``stun:host[:port]`` (RFC 7064); empty for none."""
    if not url:
        return None
    match = _STUN_URL.fullmatch(url)
    if match is None:
        raise ConfigurationError("webrtc.stun_url", "must be stun:host or stun:host:port")
    return match["host"], int(match["port"] or _PORT)


def _turn_server(url: str, username: str, credential: str) -> TurnServer | None:
    """``turn:host[:port][?transport=udp|tcp]`` or ``turns:…`` (RFC 7065); empty for none."""
    if not url:
        return None
    match = _TURN_URL.fullmatch(url)
    if match is None:
        raise ConfigurationError("webrtc.turn_url", "must be turn:host, turn:host:port?transport=tcp or turns:host")
    tls = match["scheme"] == "turns"
    if tls and match["transport"] == "udp":
        raise ConfigurationError("webrtc.turn_url", "turns: goes over tcp")
    transport = match["transport"] or ("tcp" if tls else "udp")
    port = int(match["port"] or (_TLS_PORT if tls else _PORT))
    return TurnServer(match["host"], port, username, credential, transport, tls)
