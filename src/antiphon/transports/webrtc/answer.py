"""Our answer to a browser's offer, written (RFC 8866, 8829, 8843). PURE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from antiphon.transports.webrtc.sdp import (
    OUR_MAX_MESSAGE_BYTES,
    AudioOffer,
    Direction,
    Fingerprint,
    Offer,
    Section,
    Setup,
)

_MIRRORED: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What our side of the answer says."""

    session_id: int
    ssrc: int
    cname: str
    ice_username: str
    ice_password: str = field(repr=False)
    fingerprint: Fingerprint
    setup: Setup
    candidates: tuple[str, ...]
    """As after ``a=candidate:``; the first one also stands in ``c=``."""
    rate_in_hz: int
    rate_out_hz: int
    bitrate_bps: int
    """Of what the client is asked to send."""
    sctp_port: int


def write_answer(offer: Offer, answer: Answer) -> str:
    """The answer to ``offer``, with all our candidates."""
    ours = [section.mid for section in offer.sections if section.audio or section.data]
    # The first of the group is whose transport counts: the one that we have read.
    taken = ours + [section.mid for section in offer.sections if section.idle]
    lines = [
        "v=0",
        f"o=- {answer.session_id} 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(taken)}",
        "a=msid-semantic: WMS antiphon",
    ]
    for section in offer.sections:
        if section.audio is not None:
            lines += _audio_lines(section, section.audio, answer)
        elif section.data is not None:
            lines += _data_lines(section, answer)
        elif section.idle:
            lines += _idle_lines(section, answer)
        else:
            lines += _refused_lines(section, answer)
    return "\r\n".join(lines) + "\r\n"


def _audio_lines(section: Section, audio: AudioOffer, answer: Answer) -> Iterable[str]:
    formats = f"{audio.opus}"
    if audio.telephone_event is not None:
        formats += f" {audio.telephone_event[0]}"
    yield f"m=audio {_port(answer)} {section.protocol} {formats}"
    yield from _transport_lines(section, answer)
    yield f"a={_MIRRORED[audio.direction]}"
    yield "a=rtcp-mux"
    yield f"a=rtpmap:{audio.opus} opus/48000/2"
    # What we shall hear at: the client's encoder need not spend bits on more. Redundancy in the stream (FEC) would not be used.
    yield (
        f"a=fmtp:{audio.opus} minptime=10;useinbandfec=0;maxplaybackrate={answer.rate_in_hz};"
        f"maxaveragebitrate={answer.bitrate_bps};sprop-maxcapturerate={answer.rate_out_hz}"
    )
    if audio.telephone_event is not None:
        payload_type, clock_hz = audio.telephone_event
        yield f"a=rtpmap:{payload_type} telephone-event/{clock_hz}"
        yield f"a=fmtp:{payload_type} 0-15"
    yield "a=ptime:20"
    yield "a=msid:antiphon agent"
    yield f"a=ssrc:{answer.ssrc} cname:{answer.cname}"
    yield f"a=ssrc:{answer.ssrc} msid:antiphon agent"


def _data_lines(section: Section, answer: Answer) -> Iterable[str]:
    yield f"m=application {_port(answer)} {section.protocol} {section.formats}"
    yield from _transport_lines(section, answer)
    yield f"a=sctp-port:{answer.sctp_port}"
    yield f"a=max-message-size:{OUR_MAX_MESSAGE_BYTES}"


def _idle_lines(section: Section, answer: Answer) -> Iterable[str]:
    formats = " ".join(str(codec.payload_type) for codec in section.codecs)
    yield f"m={section.kind} {_port(answer)} {section.protocol} {formats}"
    yield from _transport_lines(section, answer)
    yield "a=inactive"
    yield "a=rtcp-mux"
    for codec in section.codecs:
        yield f"a=rtpmap:{codec.payload_type} {codec.name}"
        if codec.parameters:
            yield f"a=fmtp:{codec.payload_type} {codec.parameters}"


def _refused_lines(section: Section, answer: Answer) -> Iterable[str]:
    """By the standard the port alone says it (RFC 3264 §6). aiortc, as the client, takes no answer in which a refused section lacks the
    credentials and the DTLS role."""
    yield f"m={section.kind} 0 {section.protocol} {section.formats}"
    yield "c=IN IP4 0.0.0.0"
    if section.mid:
        yield f"a=mid:{section.mid}"
    yield "a=inactive"
    yield from _credential_lines(answer)
    if section.rtcp_mux:
        yield "a=rtcp-mux"
    for codec in section.codecs:
        yield f"a=rtpmap:{codec.payload_type} {codec.name}"


def _transport_lines(section: Section, answer: Answer) -> Iterable[str]:
    host = answer.candidates[0].split()[4]
    yield f"c=IN {'IP6' if ':' in host else 'IP4'} {host}"
    if section.mid:
        yield f"a=mid:{section.mid}"
    for candidate in answer.candidates:
        yield f"a=candidate:{candidate}"
    yield "a=end-of-candidates"
    yield from _credential_lines(answer)


def _credential_lines(answer: Answer) -> Iterable[str]:
    yield f"a=ice-ufrag:{answer.ice_username}"
    yield f"a=ice-pwd:{answer.ice_password}"
    yield f"a=fingerprint:{answer.fingerprint.algorithm} {answer.fingerprint.value}"
    yield f"a=setup:{answer.setup}"


def _port(answer: Answer) -> str:
    return answer.candidates[0].split()[5]
