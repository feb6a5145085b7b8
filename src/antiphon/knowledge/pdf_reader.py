"""The far side of ``pdf``: a process that reads one PDF and writes its text, page after page, within limits of its own.

It has no socket, no setting and no secret of the server's. Run as ``python -m antiphon.knowledge.pdf_reader PATH``.
"""

from __future__ import annotations

import sys

from antiphon.confined import MISSING, UNREADABLE, confine

MAX_TEXT_BYTES = 2 * 1024 * 1024
"""What ``query`` looks at of a file."""
MAX_PAGES = 2000
_CPU_S = 25
_MEMORY_BYTES = 1024 * 1024 * 1024


def main(path: str) -> int:
    """Its exit status."""
    confine(_CPU_S, _MEMORY_BYTES)
    try:
        from pypdf import PdfReader
    except ModuleNotFoundError:
        return MISSING
    left = MAX_TEXT_BYTES
    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            return UNREADABLE
        for number, page in enumerate(reader.pages):
            if number >= MAX_PAGES or left <= 0:
                break
            text = (page.extract_text() + "\n\n").encode("utf-8", "ignore")[:left]
            left -= len(text)
            sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except Exception:  # whatever a file makes of its reader, it is that file's
        return UNREADABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
