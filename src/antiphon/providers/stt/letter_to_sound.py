"""Words on standard input, one a line; espeak-ng's US English phonemes on standard output, one word a line.

A program of its own, ``python -m antiphon.providers.stt.letter_to_sound``: see ``pronunciation``.
"""

from __future__ import annotations

import sys

from antiphon.providers.espeak_library import EspeakLibrary


def main() -> int:
    espeak = EspeakLibrary()
    espeak.set_voice("en-us")
    lines = [espeak.phonemes(word.strip()) for word in sys.stdin]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
