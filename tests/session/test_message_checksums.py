"""The checksum of what a model was shown."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.session import message_checksums
from antiphon.session.event_log import encode
from antiphon.session.message_checksums import MessageChecksums
from antiphon.vocabulary import Message

messages = st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text(max_size=5))


@given(st.lists(st.lists(messages, max_size=6), max_size=8))
def test_it_is_that_of_the_whole_whatever_was_shown_before(histories: list[list[Message]]) -> None:
    checksums = MessageChecksums()
    for history in histories:
        assert checksums.of(tuple(history)) == zlib.crc32(encode(tuple(history)))


def test_what_was_shown_before_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def count(message: Message) -> bytes:
        written.append(message.content)
        return encode(message)

    monkeypatch.setattr(message_checksums, "_encode", count)
    checksums = MessageChecksums()
    history = [Message("user", str(number)) for number in range(1000)]
    checksums.of((*history, Message("user", "a guess")))
    written.clear()
    checksums.of((*history, Message("user", "what was meant"), Message("assistant", "yes")))
    assert written == ["what was meant", "yes"]
    written.clear()
    checksums.of(tuple(history))
    assert written == []
