"""What one message of a client may cost before it is read: bounds on its size and on how many values it holds, and a way to read a
message of megabytes of audio in pieces.

Reading JSON makes an object of every value. A MiB of ``[],[],[],…`` is 350,000 lists, and 20 MiB of audio in one piece is a tenth of a
second: so values are counted while the message is still bytes, and long texts are cut out of it and never made into one.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterator

import orjson

from antiphon.surfaces.realtime.protocol.errors import bad_audio, message_too_large, not_json, too_many_values

MAX_MESSAGE_BYTES = 1024 * 1024
"""Of a message that is read in one go: five times the longest session or item there may be."""
MAX_VALUES = 32_768
"""Of one message: 128 tools with schemas of 250 values each. Reading so many takes a few milliseconds."""
MAX_AUDIO_BYTES = 15 * 1024 * 1024
"""Of one append or one item, decoded (§1.1)."""
UNCOUNTED_BYTES = 16 * 1024
"""A shorter message cannot hold enough values to matter, and nearly all are shorter."""
_LONG_TEXT_BYTES = 64 * 1024
_MOST_QUOTES = 4096
_MOST_BACKSLASHES = 64
_MARK = "a long text "
"""Stands for a text that was cut out, with its number. A client that writes it itself has its own text put there, and nothing else."""
_PIECE_BYTES = 192 * 1024
"""Base64 decoded at a time: a millisecond."""
_LONGEST_ESCAPE = 6  # ``\\u002B``


def check_bounds(payload: bytes) -> None:
    """Whether this may be read in one go. Raises ClientError."""
    size = len(payload)
    if size <= UNCOUNTED_BYTES:
        return
    if size > MAX_MESSAGE_BYTES:
        raise message_too_large(MAX_MESSAGE_BYTES)
    if _values(payload) > MAX_VALUES and _values(_without_texts(payload)) > MAX_VALUES:
        raise too_many_values(MAX_VALUES)


def _values(payload: bytes) -> int:
    """Each value but the first follows a comma or opens something. Within texts there may be more of these marks."""
    return payload.count(b",") + payload.count(b"[") + payload.count(b"{")


def _without_texts(payload: bytes) -> bytes:
    """What stands outside of the message's texts. Where it is no JSON, what stands before the fault. Raises ClientError."""
    plain = payload.replace(b"\\\\", b"").replace(b'\\"', b"")
    pieces = plain.split(b'"', 2 * MAX_VALUES)
    if len(pieces) > 2 * MAX_VALUES:
        raise too_many_values(MAX_VALUES)
    return b"".join(pieces[::2])


def cut_long_texts(payload: bytes) -> tuple[bytes, dict[str, memoryview]]:
    """The message with a mark in place of each long text, short enough to be read; and those texts by their marks, as JSON writes them.

    Takes a few milliseconds for 20 MiB. Raises ClientError where too much is left.
    """
    view = memoryview(payload)
    kept: list[bytes | memoryview] = []
    cut: dict[str, memoryview] = {}
    kept_from = at = quotes = 0
    while (opens := payload.find(b'"', at)) >= 0:
        closes = opens
        while True:
            closes = payload.find(b'"', closes + 1)
            quotes += 1
            if closes < 0:
                raise not_json()
            if quotes > _MOST_QUOTES:
                raise message_too_large(MAX_MESSAGE_BYTES)
            if not _is_escaped(payload, opens, closes):
                break
        if closes - opens > _LONG_TEXT_BYTES:
            mark = f"{_MARK}{len(cut)}"
            cut[mark] = view[opens + 1 : closes]
            kept += (view[kept_from : opens + 1], mark.encode())
            kept_from = closes
        at = closes + 1
    kept.append(view[kept_from:])
    if sum(map(len, kept)) > MAX_MESSAGE_BYTES:
        raise message_too_large(MAX_MESSAGE_BYTES)
    return b"".join(kept), cut


def _is_escaped(payload: bytes, opens: int, at: int) -> bool:
    """Whether the quote at ``at`` belongs to the text that ``opens``."""
    before = payload[max(opens + 1, at - _MOST_BACKSLASHES) : at]
    backslashes = len(before) - len(before.rstrip(b"\\"))
    if backslashes == _MOST_BACKSLASHES:
        raise message_too_large(MAX_MESSAGE_BYTES)  # looking further back would take as long as somebody likes
    return backslashes % 2 == 1


def decode_in_pieces(text: memoryview, param: str) -> Iterator[bytes]:
    """The bytes of a base64 text as JSON writes it, about 140 KiB at a time. Raises ClientError, which names ``param``."""
    waiting, total = b"", 0
    for piece, last in _unescaped(text, param):
        waiting += piece
        whole = len(waiting) if last else max(len(waiting) - 4, 0) & ~3  # padding is at the end alone
        quads, waiting = waiting[:whole], waiting[whole:]
        try:
            if not last and b"=" in quads:
                raise ValueError("padding inside")
            audio = a2b_base64(quads, strict_mode=True)
        except ValueError:
            raise bad_audio(param, "an invalid value") from None
        total += len(audio)
        if total > MAX_AUDIO_BYTES:
            raise bad_audio(param, f"more than {MAX_AUDIO_BYTES} bytes")
        yield audio


def _unescaped(text: memoryview, param: str) -> Iterator[tuple[bytes, bool]]:
    """Pieces of the text, and whether each is the last. Some writers escape the slash, .NET's the plus."""
    at = 0
    while True:
        piece = bytes(text[at : at + _PIECE_BYTES])
        last = at + len(piece) >= len(text)
        if b"\\" in piece:
            begun = piece.rfind(b"\\", -_LONGEST_ESCAPE) if not last else -1
            if begun > 0:
                piece = piece[:begun]  # the next piece begins with it
            at += len(piece)
            try:
                piece = orjson.loads(b'"' + piece + b'"').encode("ascii")
            except ValueError:
                raise bad_audio(param, "an invalid value") from None
        else:
            at += len(piece)
        yield piece, last
        if last:
            return
