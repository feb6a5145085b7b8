"""What the recognisers that need no account are worth, and what they cost.

    python bench/embedded_engines.py [--calls 1,2,8] [--engine NAME]...

People's recordings (tests/data/speech) are said at the pace of speech, as 8 kHz µ-law over line noise of −55 dBFS, in so many calls at
once, on two worker processes. Told are wrong words of free dictation, expected answers that were right, other people's words that were
taken for one, CPU seconds of the workers per second of speech, and the time from the end of an utterance (400 ms after the last sound) to
its final. The table is Markdown, for docs/benchmarks.md. Times are upper bounds where the machine has other work; CPU is not.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.audio import g711
from antiphon.audio.resample import resample
from antiphon.audio.wav import read_wav
from antiphon.providers import registry
from antiphon.providers.base import ExpectedAnswers, SpeechToText, Transcribed, TranscriptionEvent
from antiphon.providers.stt.spelling import number_words
from antiphon.vocabulary import TELEPHONE

SPEECH = Path(__file__).resolve().parents[1] / "tests" / "data" / "speech"
NOISE_DBFS = -55.0
PRE_ROLL_MS, TAIL_MS, PIECE_MS = 400, 400, 60
PATIENCE_S = 60.0
CARDS = """#JSGF V1.0; grammar cards; public <cards> = <card>+; <card> = <rank> [ of <suit> ];
<rank> = ace | two | three | four | five | six | seven | eight | nine | ten | jack | queen | king;
<suit> = clubs | hearts | spades | diamonds;"""
FOREIGN = (
    ExpectedAnswers(phrases=("yes", "no", "half past three", "tomorrow", "cancel my appointment")),
    ExpectedAnswers(phrases=("stop", "turn left", "go back", "faster", "slower", "again")),
    ExpectedAnswers(phrases=("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")),
)


@dataclass(slots=True)
class Figures:
    """Of one engine with so many calls at once."""

    wrong: int = 0
    words: int = 0
    answers: int = 0
    right: int = 0
    foreign: int = 0
    taken: int = 0
    speech_s: float = 0.0
    cpu_s: float = 0.0
    final_ms: list[float] = field(default_factory=list)


def normal(text: str) -> list[str]:
    """Words as one compares them: numbers in letters, no marks, no capitals."""
    found = re.findall(r"[a-z']+|\d+", text.lower().replace("mr.", "mister").replace("-", " "))
    return [word for each in found for word in (number_words(int(each)).split() if each.isdigit() else [each])]


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    row = list(range(len(other) + 1))
    for at, word in enumerate(one, start=1):
        diagonal, row[0] = row[0], at
        for column, match in enumerate(other, start=1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != match))
    return row[-1]


def children_cpu_s() -> float:
    """CPU seconds of this process's children, the workers."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            try:
                fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def telephone(samples: NDArray[np.int16], random: np.random.Generator) -> bytes:
    """With the pre-roll and the tail a call would bring."""
    narrow = resample(samples, 16000, 8000)
    padded = np.concatenate((np.zeros(8 * PRE_ROLL_MS), narrow, np.zeros(8 * TAIL_MS)))
    noisy = padded + random.standard_normal(padded.size) * 32768 * 10 ** (NOISE_DBFS / 20)
    return g711.mulaw_encode(np.clip(noisy, -32768, 32767).astype(np.int16)).tobytes()


class Caller:
    """One call: says clips at the pace of speech and waits for each final."""

    def __init__(self, engine: SpeechToText, figures: Figures) -> None:
        self._answered = asyncio.Event()
        self._final = ""
        self._stream = engine.open(TELEPHONE, ExpectedAnswers(), self._hear)
        self._figures = figures
        self._said = 0

    def _hear(self, event: TranscriptionEvent) -> None:
        if isinstance(event, Transcribed) and not event.final:
            return
        self._final = event.text if isinstance(event, Transcribed) else "(failed)"
        self._answered.set()

    async def says(self, speech: bytes, answers: ExpectedAnswers) -> str:
        self._stream.expect(answers)
        self._said += 1
        self._answered.clear()
        self._stream.begin(self._said)
        began_s, piece = time.monotonic(), TELEPHONE.bytes_for_ms(PIECE_MS)
        self._stream.push(speech[: TELEPHONE.bytes_for_ms(PRE_ROLL_MS)])
        for start in range(TELEPHONE.bytes_for_ms(PRE_ROLL_MS), len(speech), piece):
            due_s = (TELEPHONE.ms_of(start) - PRE_ROLL_MS) / 1000
            await asyncio.sleep(max(0.0, began_s + due_s - time.monotonic()))
            self._stream.push(speech[start : start + piece])
        finished_s = time.monotonic()
        self._stream.finish(self._said)
        async with asyncio.timeout(PATIENCE_S):
            await self._answered.wait()
        self._figures.final_ms.append((time.monotonic() - finished_s) * 1000)
        self._figures.speech_s += TELEPHONE.ms_of(len(speech)) / 1000
        return self._final

    def close(self) -> None:
        self._stream.close()


async def one_call(engine: SpeechToText, figures: Figures, clips: dict[str, NDArray[np.int16]], seed: int) -> None:
    random = np.random.default_rng(seed)
    said = dict(line.split(": ") for line in (SPEECH / "words.txt").read_text().splitlines())
    caller = Caller(engine, figures)
    await asyncio.sleep(float(random.uniform(0, 1)))
    for name, samples in clips.items():
        words = normal(said[name])
        heard = normal(await caller.says(telephone(samples, random), ExpectedAnswers()))
        figures.wrong += edits(words, heard)
        figures.words += len(words)
        if name.startswith("cards"):
            answer = await caller.says(telephone(samples, random), ExpectedAnswers(grammar=CARDS))
            figures.answers += 1
            figures.right += answer == said[name]
        for answers in FOREIGN:
            figures.foreign += 1
            figures.taken += await caller.says(telephone(samples, random), answers) in answers.phrases
    caller.close()


async def measure(name: str, calls: int) -> Figures:
    figures = Figures()
    clips = {path.stem: read_wav(path)[0].reshape(-1) for path in sorted(SPEECH.glob("*.wav"))}
    options = {"dictation_decoders": 4} if name == "pocketsphinx" else {}
    engine: SpeechToText = registry.create("stt", name, {"workers": 2, "final_timeout_ms": 30_000, **options})
    await engine.start()
    try:
        before_s = children_cpu_s()
        await asyncio.gather(*(one_call(engine, figures, clips, seed) for seed in range(calls)))
        figures.cpu_s = children_cpu_s() - before_s
    finally:
        await engine.close()
    return figures


def row(name: str, calls: int, figures: Figures) -> str:
    p50, p95 = np.percentile(figures.final_ms, [50, 95])
    return (
        f"| {name} | {calls} | {100 * figures.wrong / figures.words:.1f} % of {figures.words} | {figures.right} of {figures.answers} | "
        f"{figures.taken} of {figures.foreign} | {figures.cpu_s / figures.speech_s:.3f} | {p50:.0f} / {p95:.0f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", default="1,2,8", help="numbers of calls at once")
    parser.add_argument(
        "--engine", action="append", choices=["moonshine", "pocketsphinx"], help="repeat; both by default"
    )
    wanted = parser.parse_args()
    print(
        "| recogniser | calls | words wrong | answers right | foreign taken | CPU s per s of speech | final, p50 / p95 |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    for name in wanted.engine or ["moonshine", "pocketsphinx"]:
        for calls in map(int, wanted.calls.split(",")):
            print(row(name, calls, asyncio.run(measure(name, calls))), flush=True)


if __name__ == "__main__":
    main()
