"""The checksum of what a model was shown, without reading all of it again for each reply."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from antiphon.vocabulary import Message

_encode = msgspec.json.Encoder().encode
_BEGINNING = zlib.crc32(b"[")


class MessageChecksums:
    """CRC-32 of messages written as one JSON array. Of one call: a history grows at its end, so that what was shown before is not written
    again. A client may fill its session with megabytes, and every other call would wait for each of its replies."""

    __slots__ = ("_checksums", "_messages")

    def __init__(self) -> None:
        self._messages: Sequence[Message] = ()
        """Those of the last time."""
        self._checksums: list[int] = []
        """After each of them."""

    def of(self, messages: Sequence[Message]) -> int:
        """As ``zlib.crc32`` of the whole array."""
        known = self._known(messages)
        checksums = self._checksums
        del checksums[known:]
        self._messages = messages[:known]  # one of the others may be impossible to write
        checksum = checksums[-1] if checksums else _BEGINNING
        for number in range(known, len(messages)):
            if number:
                checksum = zlib.crc32(b",", checksum)
            checksum = zlib.crc32(_encode(messages[number]), checksum)
            checksums.append(checksum)
        self._messages = messages
        return zlib.crc32(b"]", checksum)

    def _known(self, messages: Sequence[Message]) -> int:
        """How many of them, from the first on, are those of the last time."""
        pairs = enumerate(zip(self._messages, messages, strict=False))
        fewer = min(len(self._messages), len(messages))
        return next((number for number, (before, now) in pairs if before is not now and before != now), fewer)
