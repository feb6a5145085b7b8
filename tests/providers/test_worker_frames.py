"""Frames survive whatever the socket does to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import MalformedMessage
from antiphon.providers.worker_frames import MAX_FRAME_BYTES, Frame, FrameReader, encode

frames = st.builds(
    Frame,
    stream=st.integers(0, 2**31),
    kind=st.text(max_size=10),
    fields=st.dictionaries(
        st.text(max_size=5), st.one_of(st.integers(-(2**53), 2**53), st.text(max_size=10), st.booleans())
    ),
    payload=st.binary(max_size=200),
)


@given(st.lists(frames, max_size=5), st.integers(1, 50))
def test_frames_cut_anywhere_come_out_whole(sent: list[Frame], piece_bytes: int) -> None:
    wire = b"".join(map(encode, sent))
    reader = FrameReader()
    received = [
        frame for start in range(0, len(wire), piece_bytes) for frame in reader.feed(wire[start : start + piece_bytes])
    ]
    assert received == sent


def test_a_frame_that_would_not_end_is_refused() -> None:
    length = (MAX_FRAME_BYTES).to_bytes(4, "little")
    with pytest.raises(MalformedMessage, match="at most"):
        list(FrameReader().feed(length + length))


@pytest.mark.parametrize("header", [b"not json", b"[1, 2]", b"17"])
def test_an_unreadable_header_is_refused(header: bytes) -> None:
    wire = len(header).to_bytes(4, "little") + bytes(4) + header
    with pytest.raises(MalformedMessage, match="unreadable"):
        list(FrameReader().feed(wire))
