"""Offers as browsers write them, and answers that they can read."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from antiphon.transports.webrtc.answer import Answer, write_answer
from antiphon.transports.webrtc.base import InvalidOffer
from antiphon.transports.webrtc.sdp import MAX_CANDIDATES, MAX_SECTIONS, Fingerprint, parse_offer

DIGEST = ":".join(["0A"] * 32)
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:Fu41
a=ice-pwd:bCN5WGh/xzcWFQbc3pm3NJum
a=ice-options:trickle
a=fingerprint:sha-256 {DIGEST}
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=sendrecv
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:2807530124 cname:name
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
a=ice-ufrag:Fu41
a=ice-pwd:bCN5WGh/xzcWFQbc3pm3NJum
a=ice-options:trickle
a=fingerprint:sha-256 {DIGEST}
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")
VIDEO = (
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n"
    "a=sendrecv\r\n"
)
ANSWER = Answer(
    session_id=7,
    ssrc=1234,
    cname="us",
    ice_username="abcd",
    ice_password="p" * 22,
    fingerprint=Fingerprint("sha-256", DIGEST),
    setup="active",
    candidates=("f 1 udp 2130706431 192.0.2.7 50000 typ host", "g 1 udp 1694498815 203.0.113.1 50000 typ srflx"),
    rate_in_hz=16_000,
    rate_out_hz=24_000,
    bitrate_bps=32_000,
    sctp_port=5000,
)


def test_chromiums_offer_is_understood() -> None:
    offer = parse_offer(CHROMIUM)
    assert (offer.audio.opus, offer.audio.telephone_event, offer.audio.direction) == (111, (110, 48_000), "sendrecv")
    assert offer.data is not None
    assert (offer.data.port, offer.data.max_message_bytes) == (5000, 262_144)
    assert (offer.ice_username, offer.ice_password) == ("Fu41", "bCN5WGh/xzcWFQbc3pm3NJum")
    assert (offer.setup, offer.ice_lite, offer.candidates) == ("actpass", False, ())
    assert offer.fingerprints == (Fingerprint("sha-256", DIGEST),)
    assert "bCN5" not in repr(offer), "a password may be printed nowhere"


def test_the_answer_is_read_by_another_reader_as_it_was_meant() -> None:
    text = write_answer(parse_offer(CHROMIUM), ANSWER)
    read = SessionDescription.parse(text)
    audio, data = read.media
    assert [str(group) for group in read.group] == ["BUNDLE 0 1"]
    assert [(codec.payloadType, str(codec)) for codec in audio.rtp.codecs] == [
        (111, "opus/48000/2"),
        (110, "telephone-event/48000"),
    ]
    assert audio.rtp.codecs[0].parameters["maxplaybackrate"] == 16_000
    assert (audio.direction, audio.rtcp_mux, audio.port, audio.host) == ("sendrecv", True, 50_000, "192.0.2.7")
    assert [ssrc.ssrc for ssrc in audio.ssrc] == [1234]
    assert (data.sctp_port, data.sctpCapabilities and data.sctpCapabilities.maxMessageSize) == (5000, 262_144)
    for section in read.media:
        assert section.ice is not None
        assert section.dtls is not None
        assert (section.ice.usernameFragment, section.ice.password) == ("abcd", "p" * 22)
        assert (section.dtls.role, section.dtls.fingerprints[0].value) == ("client", DIGEST)
        assert [candidate.type for candidate in section.ice_candidates] == ["host", "srflx"]
        assert section.ice_candidates_complete
    assert text.endswith("\r\n")
    assert "\n\n" not in text.replace("\r", "")


def test_what_shares_our_transport_is_accepted_and_nothing_flows_on_it() -> None:
    with_video = CHROMIUM.replace("BUNDLE 0 1", "BUNDLE v 0 1").replace("m=audio", VIDEO + "m=audio")
    text = write_answer(parse_offer(with_video), ANSWER)
    assert re.findall(r"m=(\w+) (\d+)", text) == [("video", "50000"), ("audio", "50000"), ("application", "50000")]
    assert "a=group:BUNDLE 0 1 v\r\n" in text, "the first is the transport whose credentials we have read"
    video = SessionDescription.parse(text).media[0]
    assert (video.direction, video.rtcp_mux, [str(codec) for codec in video.rtp.codecs]) == (
        "inactive",
        True,
        ["VP8/90000"],
    )


def test_a_second_microphone_is_accepted_and_not_heard() -> None:
    more = CHROMIUM[CHROMIUM.index("m=audio") : CHROMIUM.index("m=application")].replace("a=mid:0", "a=mid:2")
    offer = parse_offer(CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0 1 2") + more)
    read = SessionDescription.parse(write_answer(offer, ANSWER))
    assert [media.direction for media in read.media] == ["sendrecv", None, "inactive"]
    assert [str(codec) for codec in read.media[2].rtp.codecs][:1] == ["opus/48000/2"]
    assert "red/48000/2" not in [str(codec) for codec in read.media[2].rtp.codecs]


@pytest.mark.parametrize(
    "section",
    [
        VIDEO,
        VIDEO.replace("m=video 9", "m=video 0"),
        "m=text 9 UDP/TLS/RTP/SAVPF 98\r\na=mid:v\r\na=rtpmap:98 t140/1000\r\na=rtcp-mux\r\n",
        "m=video 9 RTP/AVP 96\r\na=mid:v\r\na=rtpmap:96 VP8/90000\r\na=rtcp-mux\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:v\r\na=sctp-port:5001\r\n",
        "m=image 9 udptl t38\r\na=mid:v\r\n",
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtpmap:96 rtx/90000\r\na=rtcp-mux\r\n",
        VIDEO.replace("a=rtcp-mux\r\n", ""),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_other_sections_are_refused_in_their_places(section: str, first: bool) -> None:
    """On a transport of their own, switched off, or nothing that we know: with the credentials, which aiortc wants to see all the same."""
    offer = (
        section + CHROMIUM[CHROMIUM.index("m=audio") :] if first else CHROMIUM[CHROMIUM.index("m=audio") :] + section
    )
    text = write_answer(parse_offer(CHROMIUM[: CHROMIUM.index("m=audio")] + offer), ANSWER)
    refused = [("audio", "50000"), ("application", "50000")]
    refused.insert(0 if first else 2, (re.findall(r"m=(\w+)", section)[0], "0"))
    assert re.findall(r"m=(\w+) (\d+)", text) == refused
    assert "a=group:BUNDLE 0 1\r\n" in text
    assert "a=mid:v\r\na=inactive\r\na=ice-ufrag:abcd\r\n" in text
    assert text.count("a=setup:active\r\n") == 3


def test_a_codecs_parameters_are_told_back_and_nothing_else_of_the_offer() -> None:
    odd = VIDEO.replace(
        "a=rtcp-mux", "a=fmtp:96 profile-level-id=42e01f\r\na=fmtp:97 x\r\na=rtpmap:97 \u00fc/90000\r\na=rtcp-mux"
    ).replace("SAVPF 96", "SAVPF 96 97 98")
    offer = parse_offer(CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0 1 v") + odd)
    lines = write_answer(offer, ANSWER).split("\r\n")
    assert [line for line in lines if line.startswith(("a=fmtp:9", "a=rtpmap:9"))] == [
        "a=rtpmap:96 VP8/90000",
        "a=fmtp:96 profile-level-id=42e01f",
    ]
    assert "m=video 50000 UDP/TLS/RTP/SAVPF 96" in lines


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_the_direction_is_mirrored(theirs: str, ours: str) -> None:
    text = write_answer(parse_offer(CHROMIUM.replace("a=sendrecv", f"a={theirs}")), ANSWER)
    assert f"a={ours}\r\n" in text


def test_without_a_data_section_there_is_audio_only() -> None:
    alone = CHROMIUM[: CHROMIUM.index("m=application")].replace("a=group:BUNDLE 0 1\r\n", "")
    offer = parse_offer(alone)
    assert offer.data is None
    assert "application" not in write_answer(offer, ANSWER)


def test_what_stands_in_the_sessions_part_counts_for_its_sections() -> None:
    transport = re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n", CHROMIUM)[:4]
    bare = re.sub(r"a=(?:ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n", "", CHROMIUM)
    offer = parse_offer(bare.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n" + "".join(transport)))
    assert (offer.ice_username, offer.setup, offer.ice_lite) == ("Fu41", "actpass", True)


def test_only_candidates_that_can_be_tried_are_kept() -> None:
    lines = [
        "a=candidate:1 1 udp 2113937151 0a1b2c3d.local 51000 typ host",
        "a=candidate:2 1 UDP 2113937151 192.0.2.9 51001 typ host generation 0",
        "a=candidate:3 1 udp 1677729535 2001:db8::1 51002 typ srflx raddr 10.0.0.1 rport 51002",
        "a=candidate:4 1 tcp 1518280447 192.0.2.9 9 typ host tcptype active",
        "a=candidate:5 2 udp 2113937150 192.0.2.9 51003 typ host",
        "a=candidate:6 1 udp 2113937151 224.0.0.1 51004 typ host",
        "a=candidate:7 1 udp x 192.0.2.9 51004 typ host",
        "a=candidate:8 1 udp 5 192.0.2.9 0 typ host",
        "a=candidate:9",
        "a=candidate:10 1 udp 2113937151 192.0.2.9 53 typ host",
        "a=candidate:11 1 udp 2113937151 255.255.255.255 51004 typ host",
        "a=candidate:12 1 udp 2113937151 192.0.2.9 51001 typ srflx",
    ]
    offer = parse_offer(CHROMIUM.replace("a=sendrecv\r\n", "a=sendrecv\r\n" + "\r\n".join(lines) + "\r\n"))
    assert [(each.host, each.port, each.kind) for each in offer.candidates] == [
        ("192.0.2.9", 51_001, "host"),
        ("2001:db8::1", 51_002, "srflx"),
    ]


def test_no_more_addresses_are_kept_than_a_client_has() -> None:
    lines = [f"a=candidate:{n} 1 udp {n + 1} 192.0.2.9 {51_000 + n} typ host" for n in range(40)]
    offer = parse_offer(CHROMIUM.replace("a=sendrecv\r\n", "a=sendrecv\r\n" + "\r\n".join(lines) + "\r\n"))
    assert [each.port for each in offer.candidates] == [51_039 - n for n in range(MAX_CANDIDATES)], "the best of them"


@pytest.mark.parametrize(
    ("said", "taken"), [("max-message-size:65536", 65_536), ("max-message-size:0", 262_144), ("x", 65_536)]
)
def test_the_size_of_messages_is_the_browsers_to_say(said: str, taken: int) -> None:
    offer = parse_offer(CHROMIUM.replace("max-message-size:262144", said))
    assert offer.data is not None
    assert offer.data.max_message_bytes == taken


@pytest.mark.parametrize(
    ("pattern", "replacement", "problem"),
    [
        (r"^v=0", "v=1", "session description"),
        (r"a=rtpmap:111.*", "", "no audio section with Opus"),
        (r"a=rtcp-mux\b", "", "rtcp-mux"),
        (r"a=ice-pwd:\S+", "a=ice-pwd:short", "ICE credentials"),
        (r"a=ice-ufrag:\S+", "", "ICE credentials"),
        (r"a=setup:actpass", "a=setup:holdconn", "setup"),
        (r"sha-256", "md5", "fingerprint"),
        (r"a=group.*", "", "BUNDLE"),
        (r"a=mid:1", "a=mid:0", "media ids"),
        (r"a=mid:1", "a=mid:one two", "media id"),
        (r"a=sctp-port:5000", "a=sctp-port:70000", "data section"),
        (r"a=max-message-size:\d+", "a=max-message-size:many", "data section"),
        (r"m=audio 9", "m=audio 0", "no audio section"),
        (r"m=audio", "m=audio\r\nm=audio", "media line"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_with_the_reason(
    pattern: str, replacement: str, problem: str
) -> None:
    with pytest.raises(InvalidOffer, match=problem):
        parse_offer(re.sub(pattern, replacement, CHROMIUM))


def test_an_offer_of_very_many_sections_is_refused() -> None:
    with pytest.raises(InvalidOffer, match="more than 64"):
        parse_offer(CHROMIUM + VIDEO * (MAX_SECTIONS - 1))


def test_a_huge_offer_is_not_read() -> None:
    with pytest.raises(InvalidOffer, match="64 KiB"):
        parse_offer(CHROMIUM + "a=x\r\n" * 20_000)


@given(st.text())
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with pytest.raises(InvalidOffer):
        parse_offer(text)


@given(
    st.integers(0, len(CHROMIUM.splitlines()) - 1),
    st.text(alphabet=st.characters(exclude_characters="\r\n"), max_size=40),
)
def test_no_line_does_worse_than_be_refused(number: int, text: str) -> None:
    lines = CHROMIUM.splitlines()
    lines[number] = lines[number][: len(text) % 9] + text
    try:
        offer = parse_offer("\r\n".join(lines))
    except InvalidOffer:
        return
    assert write_answer(offer, replace(ANSWER, setup="passive")).count("\r\nm=") == len(offer.sections)
