"""The rule of ``conversation.endpointing`` on a corpus, without a server: what it cuts, how long it waits, how its numbers were chosen.

For every pause of 200 ms and more inside a turn and for every end, the words until there and Smart Turn's scores of the sound (from 200 ms
of silence on, every 200 ms) are put to the rule. Reference boundaries stand in for the voice-activity model, and 120 ms for the time that a
score takes.

    python bench/turn_rule.py CORPUS [SCORES.json]         what the rule as it stands does
    python bench/turn_rule.py CORPUS SCORES.json --fit     choose numbers with one turn left out at a time, and judge that turn

The corpus is as for ``antiphon bench turns``; its turns need ``wl``, the words as [start, plain, end, written]. Scores are kept in
SCORES.json.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.bench.turns.outcome import wilson
from antiphon.caller.clips import telephone_pcm
from antiphon.conversation.endpointing import Evidence, required_silence_ms
from antiphon.conversation.policy import Endpointing

SHORTEST_MS, SCORE_MS, LAST_SCORE_MS, ANSWER_MS = 200, 200, 1200, 120
MARKS = (("marks of a Whisper", 0.2), ("no marks", 0.0))
GRID = {"on_no_punctuation_ms": (600, 700, 760, 850), "max_wait_ms": (1500, 1800, 2400)}
LONGEST_MEAN_MS = 750


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence of a turn: a pause, or (``lasts_ms`` None) its end."""

    turn: str
    spontaneous: bool
    lasts_ms: float | None
    plain: str
    written: str
    scores: tuple[float, ...]


def silences(corpus: Path, kept: Path | None) -> list[Silence]:
    """Of all English turns that are complete. Scores are taken from ``kept`` where it is there, and left in it."""
    scores: dict[str, list[float]] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    known, found = dict(scores), []
    for entry in json.loads((corpus / "manifest.json").read_text()):
        if entry["kind"] == "turn" and entry.get("lang") == "en" and entry.get("complete", True):
            for at, (_, end_ms) in enumerate(entry["segs"]):
                lasts_ms = entry["segs"][at + 1][0] - end_ms if at + 1 < len(entry["segs"]) else None
                if lasts_ms is None or lasts_ms >= SHORTEST_MS:
                    key = f"{entry['file']}@{end_ms}"
                    if key not in known:
                        known[key] = scored(corpus / entry["file"], end_ms, lasts_ms)
                    found.append(silence(entry, end_ms, lasts_ms, tuple(known[key])))
    if kept is not None and known != scores:
        kept.write_text(json.dumps(known))
    return found


def silence(entry: dict[str, Any], end_ms: float, lasts_ms: float | None, scores: tuple[float, ...]) -> Silence:
    words = [word for word in entry["wl"] if (word[0] + word[2]) / 2 <= end_ms + 150]
    plain = " ".join(word[1] for word in words)
    written = " ".join(word[3] for word in words).rstrip(".,?!;:…- ")
    # What Whisper wrote when it had heard only so much; a full stop where nobody asked it.
    mark = entry.get("seg", {}).get(str(len(words) - 1), ".")
    style = str(entry.get("style"))
    return Silence(entry["file"], style.startswith("spontaneous"), lasts_ms, plain, written + mark, scores)


def scored(path: Path, end_ms: float, lasts_ms: float | None) -> list[float]:
    pcm = telephone_pcm(*read_wav(path))
    rest = np.zeros(8 * LAST_SCORE_MS, dtype=np.int16)
    hiss = np.random.default_rng(1).normal(0, 58, len(pcm) + len(rest))  # -55 dBFS
    line = (np.concatenate([pcm, rest]) + hiss).astype(np.int16)
    until = min(lasts_ms or LAST_SCORE_MS, LAST_SCORE_MS)
    return [judge(line[: int(8 * (end_ms + at))]) for at in range(SCORE_MS, int(until) + 1, SCORE_MS)]


def judge(line: np.ndarray) -> float:
    import onnxruntime

    from antiphon.providers.turn.smart_turn_features import log_mel
    from antiphon.providers.turn.smart_turn_worker import FILE

    global _SESSION
    if _SESSION is None:
        package = find_spec("pipecat")
        assert package is not None and package.submodule_search_locations, "the model is not installed"
        _SESSION = onnxruntime.InferenceSession(str(Path(package.submodule_search_locations[0]) / FILE))
    wide = resample(line[-64_000:], 8000, 16_000).astype(np.float32) / 32768
    return float(_SESSION.run(None, {"input_features": log_mel(wide)[np.newaxis]})[0].ravel()[0])


_SESSION: Any = None


def waited_ms(each: Silence, policy: Endpointing, *, hears: bool) -> float:
    """Silence at which the rule closes the turn here."""
    text = each.written if policy.punctuation else each.plain
    heard, since_ms = None, 0.0
    for at in range(len(each.scores) + 1 if hears else 1):
        until_ms = (at + 1) * SCORE_MS + ANSWER_MS if hears and at < len(each.scores) else float("inf")
        wait_ms = required_silence_ms(policy, Evidence(text, heard)) or 0
        if wait_ms < until_ms:
            return max(wait_ms, since_ms)
        since_ms, heard = until_ms, mean(each.scores[: at + 1])
    return since_ms


def told(chosen: list[Silence], policy: Endpointing, *, hears: bool) -> str:
    lines = []
    for name, kind in (("spontaneous", True), ("read", False)):
        pauses = [each for each in chosen if each.spontaneous is kind and each.lasts_ms is not None]
        ends = [
            waited_ms(each, policy, hears=hears)
            for each in chosen
            if each.spontaneous is kind and each.lasts_ms is None
        ]
        cut = sum(waited_ms(each, policy, hears=hears) < (each.lasts_ms or 0) for each in pauses)
        low, high = wilson(cut, len(pauses))
        share = 100 * cut / max(len(pauses), 1)
        lines.append(
            f"{name}: {cut} of {len(pauses)} pauses cut, {share:.1f} % ({100 * low:.0f}-{100 * high:.0f}), "
            f"wait {mean(ends):.0f} ms in the mean of {len(ends)} ends"
        )
    return "; ".join(lines)


def fitted(chosen: list[Silence], policy: Endpointing) -> Endpointing:
    """Of the grid, what cuts least among those that wait no longer than 750 ms in the mean: spontaneous pauses count ten times."""

    def cost(candidate: Endpointing) -> tuple[bool, float, float]:
        wait = mean(waited_ms(each, candidate, hears=True) for each in chosen if each.lasts_ms is None)
        cut = sum(
            10.0 if each.spontaneous else 1.0
            for each in chosen
            if each.lasts_ms is not None and waited_ms(each, candidate, hears=True) < each.lasts_ms
        )
        return wait > LONGEST_MEAN_MS, cut, wait

    settings = [dict(zip(GRID, values, strict=True)) for values in itertools.product(*GRID.values())]
    return min((replace(policy, **setting) for setting in settings), key=cost)


def main(corpus: Path, kept: Path | None, *, fit: bool) -> None:
    found = silences(corpus, kept)
    for name, worth in MARKS:
        policy = Endpointing(punctuation=worth)
        print(f"{name}, with the model: {told(found, policy, hears=True)}")
        print(f"{name}, words alone:    {told(found, policy, hears=False)}")
        if fit:
            cut = of = 0
            for turn in sorted({each.turn for each in found}):
                best = fitted([each for each in found if each.turn != turn], policy)
                for each in found:
                    if each.turn == turn and each.spontaneous and each.lasts_ms is not None:
                        of += 1
                        cut += waited_ms(each, best, hears=True) < each.lasts_ms
            whole = fitted(found, policy)
            print(f"{name}, one turn left out: {cut} of {of} spontaneous pauses cut; all turns choose", end=" ")
            print(", ".join(f"{key} {getattr(whole, key)}" for key in GRID))


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--fit"]
    if not given:
        sys.exit(__doc__)
    main(Path(given[0]), Path(given[1]) if len(given) > 1 else None, fit="--fit" in sys.argv)
