"""A browser's offer, read (RFC 8866, 8829, 8843). PURE.

Taken of an offer: the first audio section that has Opus, its telephone events, and one data section, on one transport (BUNDLE, and RTP
and RTCP on one port). More sound and pictures on that transport are accepted as inactive: nothing flows, and clients that know no refused
section (aiortc) do not wait for it to connect. Every other section is answered as refused. Trickled candidates are not awaited: the
client reaches us by those in the answer.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from antiphon.transports.webrtc.base import InvalidOffer

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
Setup = Literal["actpass", "active", "passive"]

MAX_OFFER_BYTES = 64 * 1024
MAX_SECTIONS = 64
"""Each is answered, and with more than it says."""
MAX_CANDIDATES = 8
"""Addresses of the client that are checked. A browser has two to six; each is somebody else's until it has answered."""
_MAX_CANDIDATE_LINES = 64
_LOWEST_PORT = 1024
"""Below it are other services' ports, and no browser's: libwebrtc does not check them either (80 and 443 excepted, for relays)."""
_RELAY_PORTS = (80, 443)
OUR_MAX_MESSAGE_BYTES = 262_144
_THEIR_MAX_MESSAGE_BYTES = 65_536
"""Where the offer does not say (RFC 8841 §6.1)."""
_DIGESTS = ("sha-256", "sha-384", "sha-512")
_MEDIA = re.compile(r"(\S+) (\d{1,5})(?:/\d+)? (\S+) (.+)")
_RTPMAP = re.compile(r"(\d{1,3}) ([^/\s]+)/(\d{1,6})(?:/(\d+))?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]{1,64}")
_PARAMETERS = re.compile(r"[ -~]{0,256}")
_HELPER_CODECS = ("rtx", "red", "ulpfec", "flexfec-03")
_MOST_IDLE_CODECS = 16
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_DIRECTIONS: tuple[Direction, ...] = ("sendrecv", "sendonly", "recvonly", "inactive")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The digest of a DTLS certificate, ``value`` in hexadecimal pairs with colons."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class RemoteCandidate:
    """Where the client says it can be reached: UDP, a numeric address."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: str


@dataclass(frozen=True, slots=True)
class AudioOffer:
    opus: int
    """Opus's payload type."""
    telephone_event: tuple[int, int] | None
    """Payload type and clock of RFC 4733 events."""
    direction: Direction
    """As the client says it."""


@dataclass(frozen=True, slots=True)
class DataOffer:
    port: int
    max_message_bytes: int


@dataclass(frozen=True, slots=True)
class Codec:
    """As the client names it: the values of ``rtpmap`` and ``fmtp`` without the payload type."""

    payload_type: int
    name: str
    parameters: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One ``m=`` line. With neither ``audio`` nor ``data`` it is one we refuse."""

    kind: str
    protocol: str
    formats: str
    mid: str
    audio: AudioOffer | None = None
    data: DataOffer | None = None
    codecs: tuple[Codec, ...] = ()
    """Some that it names, for one that we do not take."""
    idle: bool = False
    """It shares our transport, and nothing will ever flow on it."""
    rtcp_mux: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    sections: tuple[Section, ...]
    audio: AudioOffer
    data: DataOffer | None
    ice_username: str
    ice_password: str = field(repr=False)
    ice_lite: bool
    setup: Setup
    fingerprints: tuple[Fingerprint, ...]
    candidates: tuple[RemoteCandidate, ...]


@dataclass(slots=True)
class _Block:
    """The lines of the session or of one section: its ``m=`` value and its attributes, several of a name in order."""

    media: str = ""
    attributes: dict[str, list[str]] = field(default_factory=dict)

    def first(self, name: str) -> str | None:
        values = self.attributes.get(name)
        return values[0] if values else None


def parse_offer(text: str) -> Offer:
    """Raises InvalidOffer, and nothing else whatever the text."""
    if len(text) > MAX_OFFER_BYTES:
        raise InvalidOffer("the offer is longer than 64 KiB")
    session, blocks = _blocks(text)
    if len(blocks) > MAX_SECTIONS:
        raise InvalidOffer(f"there are more than {MAX_SECTIONS} media sections")
    sections = [_section(block) for block in blocks]
    chosen = _chosen(session, sections)
    audio = next((section.audio for section in chosen if section.audio is not None), None)
    if audio is None:
        raise InvalidOffer("there is no audio section with Opus")
    transport = blocks[sections.index(chosen[0])]
    return Offer(
        sections=tuple(
            section if section in chosen else _not_taken(section, chosen[0], session) for section in sections
        ),
        audio=audio,
        data=next((section.data for section in chosen if section.data is not None), None),
        ice_username=_ice_secret(session, transport, "ice-ufrag", 4),
        ice_password=_ice_secret(session, transport, "ice-pwd", 22),
        ice_lite="ice-lite" in session.attributes,
        setup=_setup(session, transport),
        fingerprints=_fingerprints(session, transport),
        candidates=_candidates(transport),
    )


def _blocks(text: str) -> tuple[_Block, list[_Block]]:
    lines = [line.rstrip() for line in text.splitlines()]
    if not lines or lines[0] != "v=0":
        raise InvalidOffer("it does not begin like a session description")
    session = block = _Block()
    blocks: list[_Block] = []
    for line in lines[1:]:
        if line.startswith("m="):
            block = _Block(line[2:])
            blocks.append(block)
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            block.attributes.setdefault(name, []).append(value)
    return session, blocks


def _section(block: _Block) -> Section:
    match = _MEDIA.fullmatch(block.media)
    if match is None:
        raise InvalidOffer("a media line cannot be read")
    kind, port, protocol, formats = match.groups()
    mid = block.first("mid") or ""
    if mid and not _TOKEN.fullmatch(mid):
        raise InvalidOffer("a media id is no token")
    refused = Section(kind, protocol, formats, mid)
    if port == "0" and "bundle-only" not in block.attributes:
        return refused
    if kind == "audio" and protocol == "UDP/TLS/RTP/SAVPF":
        audio = _audio(block, formats.split())
        return replace(refused, audio=audio, codecs=_codecs(block, formats), rtcp_mux=_rtcp_mux(block))
    if kind == "application" and protocol == "UDP/DTLS/SCTP" and formats == "webrtc-datachannel":
        return replace(refused, data=_data(block))
    if kind == "video" and protocol == "UDP/TLS/RTP/SAVPF":
        return replace(refused, codecs=_codecs(block, formats), rtcp_mux=_rtcp_mux(block))
    return refused


def _rtcp_mux(block: _Block) -> bool:
    return "rtcp-mux" in block.attributes


def _codecs(block: _Block, formats: str) -> tuple[Codec, ...]:
    """Those that stand for themselves, and not only protect or repeat another."""
    wanted = formats.split()
    parameters = dict(value.partition(" ")[::2] for value in reversed(block.attributes.get("fmtp", ())))
    found: dict[str, Codec] = {}
    for value in block.attributes.get("rtpmap", ()):
        match = _RTPMAP.fullmatch(value)
        if match is None or match[1] not in wanted or int(match[1]) > 127 or not _TOKEN.fullmatch(match[2]):
            continue
        if match[2].lower() not in _HELPER_CODECS and len(found) < _MOST_IDLE_CODECS:
            told = parameters.get(match[1], "")
            name = value.partition(" ")[2]
            found.setdefault(match[1], Codec(int(match[1]), name, told if _PARAMETERS.fullmatch(told) else ""))
    return tuple(found.values())


def _audio(block: _Block, formats: list[str]) -> AudioOffer | None:
    """None where there is no Opus."""
    opus: int | None = None
    events: dict[int, int] = {}
    for value in block.attributes.get("rtpmap", ()):
        match = _RTPMAP.fullmatch(value)
        if match is None or match[1] not in formats or int(match[1]) > 127:
            continue
        payload_type, name, clock_hz = int(match[1]), match[2].lower(), int(match[3])
        if name == "opus" and clock_hz == 48_000 and opus is None:
            opus = payload_type
        elif name == "telephone-event" and clock_hz in (8000, 48_000):
            events.setdefault(clock_hz, payload_type)
    if opus is None:
        return None
    if not _rtcp_mux(block):
        raise InvalidOffer("RTP and RTCP must share a port (rtcp-mux)")
    # A browser sends keys on the clock of its audio, and other clients on the telephone's.
    event_clock_hz = next((clock for clock in (48_000, 8000) if clock in events), None)
    event = None if event_clock_hz is None else (events[event_clock_hz], event_clock_hz)
    direction = next((name for name in _DIRECTIONS if name in block.attributes), _DIRECTIONS[0])
    return AudioOffer(opus, event, direction)


def _data(block: _Block) -> DataOffer:
    port = _number(block.first("sctp-port"), 5000, 65_535)
    size = _number(block.first("max-message-size"), _THEIR_MAX_MESSAGE_BYTES, 2**63)
    # Zero means any size; ours is bound all the same.
    return DataOffer(port, min(size or OUR_MAX_MESSAGE_BYTES, OUR_MAX_MESSAGE_BYTES))


def _number(text: str | None, default: int, largest: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > largest:
        raise InvalidOffer("a number of the data section cannot be read")
    return int(text)


def _chosen(session: _Block, sections: list[Section]) -> list[Section]:
    """The sections we take: the first audio and the first data section, when they share a transport."""
    audio = next((section for section in sections if section.audio is not None), None)
    if audio is None:
        raise InvalidOffer("there is no audio section with Opus")
    if len({section.mid for section in sections}) < len(sections):
        raise InvalidOffer("media ids are missing or not unique")
    data = [section for section in sections if section.data is not None]
    beside = next((section for section in data if _bundled(session, audio, section)), None)
    if data and beside is None:
        raise InvalidOffer("audio and data must share a transport (BUNDLE)")
    return [audio] if beside is None else [audio, beside]


def _bundled(session: _Block, one: Section, other: Section) -> bool:
    """Whether they share a transport."""
    bundles = [value.split()[1:] for value in session.attributes.get("group", ()) if value.split()[:1] == ["BUNDLE"]]
    return any(one.mid in bundle and other.mid in bundle for bundle in bundles)


def _not_taken(section: Section, audio: Section, session: _Block) -> Section:
    idle = bool(section.codecs) and section.rtcp_mux and _bundled(session, audio, section)
    return replace(section, audio=None, data=None, idle=idle)


def _ice_secret(session: _Block, block: _Block, name: str, shortest: int) -> str:
    value = block.first(name) or session.first(name) or ""
    if not shortest <= len(value) <= 256 or not value.isascii() or not value.isprintable() or " " in value:
        raise InvalidOffer("ICE credentials are missing")
    return value


def _setup(session: _Block, block: _Block) -> Setup:
    match block.first("setup") or session.first("setup"):
        case "actpass":
            return "actpass"
        case "active":
            return "active"
        case "passive":
            return "passive"
        case _:
            raise InvalidOffer("the DTLS role is missing (setup)")


def _fingerprints(session: _Block, block: _Block) -> tuple[Fingerprint, ...]:
    found = block.attributes.get("fingerprint") or session.attributes.get("fingerprint", [])
    known = []
    for value in found[:8]:
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() in _DIGESTS and re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31,63}", digest):
            known.append(Fingerprint(algorithm.lower(), digest.upper()))
    if not known:
        raise InvalidOffer("there is no DTLS fingerprint of a known kind")
    return tuple(known)


def _candidates(block: _Block) -> tuple[RemoteCandidate, ...]:
    """Those that we may send checks to, the best ``MAX_CANDIDATES``. Names (mDNS) are left out: the client's own checks reach us without
    them."""
    taken: dict[tuple[str, int], RemoteCandidate] = {}
    for value in block.attributes.get("candidate", ())[:_MAX_CANDIDATE_LINES]:
        words = value.split()
        if len(words) < 8 or words[1] != "1" or words[2].lower() != "udp" or words[7] not in ("host", "srflx", "relay"):
            continue
        if not (words[3].isascii() and words[3].isdigit() and words[5].isascii() and words[5].isdigit()):
            continue
        try:
            address = ipaddress.ip_address(words[4])
        except ValueError:
            continue
        port = int(words[5][:6])
        if address.is_multicast or address.is_unspecified or address == _BROADCAST or not _may_be_a_clients(port):
            continue
        candidate = RemoteCandidate(words[0][:32], int(words[3][:10]), str(address), port, words[7])
        taken.setdefault((candidate.host, port), candidate)
    best = sorted(taken.values(), key=lambda candidate: candidate.priority, reverse=True)
    return tuple(best[:MAX_CANDIDATES])


def _may_be_a_clients(port: int) -> bool:
    return _LOWEST_PORT <= port < 65_536 or port in _RELAY_PORTS
