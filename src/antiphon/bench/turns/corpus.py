"""A folder of recordings with a ``manifest.json``, and the trials that are made of it.

The manifest is a list of objects. Read of each: ``file`` (a WAV in the folder), ``kind`` (turn, digit, word, interrupt, backchannel,
sound), ``segs`` (the stretches of speech, in ms), and where they are given ``style``, ``speaker``, ``words`` and ``complete``.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import orjson
from numpy.typing import NDArray

from antiphon.audio.wav import read_wav
from antiphon.caller.clips import RATE_HZ, Pcm, telephone_pcm
from antiphon.errors import ConfigurationError, MalformedMessage

Suite = Literal["pause", "over", "short", "soft", "noise"]
SUITES: tuple[str, ...] = get_args(Suite)
SHORTEST_PAUSE_MS = 200
GROUP_GAPS_MS = (300, 500, 700, 1000)
_TELEPHONE_NUMBERS = ("555 014 2397", "202 867 5309")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_BETWEEN_DIGITS_MS = 40
_SHORT_MS = (80, 700)
_SPEECH_DBFS, _SOFT_DBFS, _NOISE_DBFS = -20.0, (-40.0, -50.0), (-40.0, -30.0)
_OVER_KINDS = ("sound", "backchannel", "interrupt", "word")


@dataclass(frozen=True, slots=True)
class Trial:
    """One call's sound, and where its speech lies."""

    name: str
    group: str
    """What it is counted under."""
    pcm: Pcm
    segments: tuple[tuple[float, float], ...]
    """Stretches of speech in ms; between them are the pauses."""
    over: bool = False
    """It is said while the agent speaks."""
    noise_dbfs: float = -55.0

    @property
    def start_ms(self) -> float:
        return self.segments[0][0]

    @property
    def end_ms(self) -> float:
        return self.segments[-1][1]


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """Raises ConfigurationError where there is none, or it is no list of recordings."""
    path = folder / "manifest.json"
    try:
        entries = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigurationError("corpus", f"{path} cannot be read as a manifest ({error})") from error
    known = isinstance(entries, list) and all(
        isinstance(entry, dict) and {"file", "kind"} <= entry.keys() for entry in entries
    )
    if not known:
        raise ConfigurationError("corpus", f"{path} must be a list of objects with file and kind")
    return list(entries)


def trials(folder: Path, suite: Suite, seed: int = 0) -> list[Trial]:
    """The trials of a suite, in an order that ``seed`` decides. Raises ConfigurationError where a recording cannot be read."""
    entries = [entry for entry in read_manifest(folder) if entry.get("segs")]
    made = list(_TRIALS[suite](folder, entries))
    random.Random(seed).shuffle(made)
    return made


def _turns(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if entry["kind"] == "turn" and entry.get("complete", True)]


def _pause(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    for entry in _turns(entries):
        yield _trial(folder, entry, _style(entry))
    yield from _numbers(folder, entries)


def _over(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    for entry in entries:
        if entry["kind"] in _OVER_KINDS:
            group = "interruption" if entry["kind"] in ("interrupt", "word") else entry["kind"]
            yield _trial(folder, entry, group, over=True)


def _short(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    for entry in entries:
        lasts_ms = entry["segs"][-1][1] - entry["segs"][0][0]
        if entry["kind"] in ("digit", "word", "interrupt") and _SHORT_MS[0] <= lasts_ms <= _SHORT_MS[1]:
            yield _trial(folder, entry, "short")


def _soft(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    for entry in _turns(entries):
        for level in _SOFT_DBFS:
            yield _trial(folder, entry, f"speech at {level:.0f} dBFS", gain_db=level - _SPEECH_DBFS)


def _noise(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    for entry in _turns(entries):
        for level in _NOISE_DBFS:
            yield _trial(folder, entry, f"hiss at {level:.0f} dBFS", noise_dbfs=level)


_TRIALS = {"pause": _pause, "over": _over, "short": _short, "soft": _soft, "noise": _noise}


def _style(entry: Mapping[str, Any]) -> str:
    style = str(entry.get("style") or "other")
    return "spontaneous" if style.startswith("spontaneous") else style


def _trial(
    folder: Path,
    entry: Mapping[str, Any],
    group: str,
    *,
    over: bool = False,
    gain_db: float = 0.0,
    noise_dbfs: float = -55.0,
) -> Trial:
    pcm = _read(folder, str(entry["file"]))
    if gain_db:
        pcm = np.rint(pcm * 10 ** (gain_db / 20)).astype(np.int16)
    segments = tuple((float(start), float(end)) for start, end in entry["segs"])
    return Trial(str(entry["file"]), group, pcm, segments, over, noise_dbfs)


def _read(folder: Path, name: str) -> Pcm:
    path = folder / name
    try:
        samples, rate_hz = read_wav(path)
    except (OSError, MalformedMessage) as error:
        raise ConfigurationError("corpus", f"{path} cannot be read as a WAV file ({error})") from error
    return telephone_pcm(samples, rate_hz)


def _numbers(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Iterable[Trial]:
    """Telephone numbers of single digits of one speaker, in groups with pauses of a known length between them."""
    speakers: dict[str, dict[str, Mapping[str, Any]]] = {}
    for entry in entries:
        if entry["kind"] == "digit":
            speakers.setdefault(str(entry.get("speaker")), {})[str(entry.get("words"))] = entry
    for speaker, digits in sorted(speakers.items()):
        for number in _TELEPHONE_NUMBERS:
            needed = [_WORDS[int(digit)] for digit in number if digit != " "]
            if all(word in digits for word in needed):
                for gap_ms in GROUP_GAPS_MS:
                    groups = [[digits[_WORDS[int(digit)]] for digit in group] for group in number.split()]
                    yield _joined(folder, groups, gap_ms, f"{speaker} {number} {gap_ms}")


def _joined(folder: Path, groups: Sequence[Sequence[Mapping[str, Any]]], gap_ms: int, name: str) -> Trial:
    pieces: list[NDArray[np.int16]] = [np.zeros(int(0.1 * RATE_HZ), dtype=np.int16)]
    segments: list[tuple[float, float]] = []

    def now_ms() -> float:
        return sum(map(len, pieces)) * 1000 / RATE_HZ

    for group in groups:
        if segments:
            pieces.append(_silence(gap_ms))
        began_ms = now_ms()
        for at, digit in enumerate(group):
            if at:
                pieces.append(_silence(_BETWEEN_DIGITS_MS))
            start, end = digit["segs"][0][0], digit["segs"][-1][1]
            pieces.append(_read(folder, str(digit["file"]))[int(start * RATE_HZ / 1000) : int(end * RATE_HZ / 1000)])
        segments.append((began_ms, now_ms()))
    pieces.append(_silence(200))
    return Trial(name, f"number, {gap_ms} ms between groups", np.concatenate(pieces), tuple(segments))


def _silence(duration_ms: int) -> NDArray[np.int16]:
    return np.zeros(duration_ms * RATE_HZ // 1000, dtype=np.int16)
