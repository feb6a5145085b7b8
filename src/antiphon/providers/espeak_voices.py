"""Which voices the installed espeak-ng has. Read from the names of its data files: the library itself is loaded in processes of its
own only, and takes wrong names without a word (an unknown variant) or refuses names that it lists (``en-gb``)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from antiphon.errors import ConfigurationError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SHOWN = ("en-us", "en", "en-gb-x-rp", "en-gb-scotland", "de", "es", "fr", "it", "nl", "pt", "pl", "cmn")


@cache
def voices() -> frozenset[str]:
    """Lower-case names of languages and voices; empty where the package is not installed."""
    data = _data()
    if data is None:
        return frozenset()
    files = (path for path in (data / "lang").rglob("*") if path.is_file())
    return frozenset(path.name.lower() for path in files if _has_dictionary(data, path))


@cache
def variants() -> frozenset[str]:
    """What may stand behind a ``+``, as it is written: ``f3``, ``croak``."""
    data = _data()
    if data is None:
        return frozenset()
    return frozenset(path.name for path in (data / "voices" / "!v").glob("*") if _NAME.fullmatch(path.name))


def check_voice(name: str, field: str = "voice") -> None:
    """Raises ConfigurationError naming ``field`` and what there is, where there is no such voice."""
    known = voices()
    if not known:  # the engine's start says what is missing
        return
    voice, plus, variant = name.partition("+")
    if voice.lower() not in known:
        near = sorted(each for each in known if each.split("-")[0] == voice.lower().split("-")[0].split("/")[0])
        shown = near or [each for each in _SHOWN if each in known]
        raise ConfigurationError(
            field,
            f"unknown voice {voice[:64]!r}; espeak has {', '.join(shown)} and {len(known) - len(shown)} more",
        )
    if plus and variant not in variants():
        raise ConfigurationError(
            field, f"unknown variant {variant[:64]!r} of a voice; espeak has {', '.join(sorted(variants()))}"
        )


def _data() -> Path | None:
    try:
        import espeakng_loader

        return Path(espeakng_loader.get_data_path())
    except (ImportError, OSError, RuntimeError):
        return None


def _has_dictionary(data: Path, voice: Path) -> bool:
    """Whether the language's dictionary is there; without one, the voice says nothing."""
    language = voice.name.lower().split("-")[0]
    for line in voice.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("dictionary "):
            language = line.split()[1]
    return (data / f"{language}_dict").is_file()
