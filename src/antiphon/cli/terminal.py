"""Terminals that are not UTF-8: what a command says is shown on all of them."""

from __future__ import annotations

import codecs
import io
import sys
import unicodedata

from rich.console import Console
from rich.markup import escape

_ERRORS = "antiphon-plain"
_PLAIN = {
    "…": "...", "–": "-", "—": "-", "−": "-", "→": "->", "←": "<-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "·": ".",
    "•": "*", "×": "x", "▶": ">", "●": "o", "✗": "x", "✓": "v", "µ": "u", "≤": "<=", "≥": ">=", "°": " deg", "█": "#",
}  # fmt: skip


def use_any_encoding() -> None:
    """Standard output and error show what their encoding has, and something like it for the rest: never a traceback."""
    codecs.register_error(_ERRORS, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().replace("-", "").startswith("utf"):
            stream.reconfigure(errors=_ERRORS)


def show_error(error: Exception) -> None:
    """What was wrong, in one line on standard error that no terminal's width breaks."""
    Console(stderr=True).print(f"[bold red]Error:[/] {escape(_said(error))}", soft_wrap=True)


def _said(error: Exception) -> str:
    """Of the system's errors the words, without their number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """An error handler of ``codecs``: typographic signs as they were typed before there were any, letters without their accents, and
    whatever else there is by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = "".join(_plain_sign(sign) for sign in error.object[error.start : error.end])
    return plain, error.end


def _plain_sign(sign: str) -> str:
    for candidate in (_PLAIN.get(sign, ""), unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()):
        if candidate:
            return candidate
    return sign.encode("ascii", "backslashreplace").decode()
