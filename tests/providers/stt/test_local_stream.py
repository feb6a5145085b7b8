"""What a call's recogniser in a worker process is sent, and when it answers: with a pool that keeps what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from antiphon.providers.base import ExpectedAnswers, Transcribed, TranscriptionEvent, TranscriptionFailed
from antiphon.providers.stt.local_stream import LocalStream
from antiphon.providers.worker_frames import Frame
from antiphon.vocabulary import TELEPHONE


class Process:
    """A worker process, and the pool that has it."""

    behind = False

    def __init__(self) -> None:
        self.sent: list[Any] = []
        """``("begin", number)``, ``("finish", number)``, and bytes of audio in a row."""

    def open(self, on_frame: Callable[[Frame], None], on_lost: Callable[[str], None]) -> Process:
        self.tell, self.die = on_frame, on_lost
        return self

    def send(self, kind: str, fields: dict[str, Any], payload: bytes = b"") -> bool:
        if kind in ("begin", "finish"):
            self.sent.append((kind, fields["utterance"]))
        elif kind == "audio":
            self.sent[-1:] = [self.sent[-1] + payload] if isinstance(self.sent[-1], bytes) else [self.sent[-1], payload]
        return True

    def queue(self, kind: str, fields: dict[str, Any], payload: bytes = b"", on_sent: Any = None) -> bool:
        return self.send(kind, fields, payload)

    def close(self) -> None: ...

    def say(self, utterance: int, text: str) -> None:
        fields = {"utterance": utterance, "text": text, "final": True, "confidence": 0.9}
        self.tell(Frame(1, "text", fields))


def call(process: Process) -> tuple[LocalStream, list[TranscriptionEvent]]:
    told: list[TranscriptionEvent] = []
    stream = LocalStream("ears", process, TELEPHONE, ExpectedAnswers(), told.append, 30_000, 5_000, None)  # type: ignore[arg-type]
    return stream, told


def speak(stream: LocalStream, utterance: int, ms: int, *, finish: bool = True) -> bytes:
    stream.begin(utterance)
    audio = bytes([utterance]) * TELEPHONE.bytes_for_ms(ms)
    for at in range(0, len(audio), 160):
        stream.push(audio[at : at + 160])
    if finish:
        stream.finish(utterance)
    return audio


async def test_who_speaks_again_before_the_last_word_is_there_loses_none() -> None:
    process = Process()
    stream, told = call(process)
    first, second, third = (speak(stream, number, 200 * number, finish=number < 3) for number in (1, 2, 3))
    assert process.sent == [("begin", 1), first, ("finish", 1)], "one at a time"
    process.say(1, "First.")
    assert process.sent[3:] == [("begin", 2), second, ("finish", 2)]
    process.say(2, "Second.")
    stream.push(b"\x09" * 480)
    stream.finish(3)
    assert process.sent[6:] == [("begin", 3), third + b"\x09" * 480, ("finish", 3)]
    process.say(3, "Third.")
    assert [(event.utterance, event.text) for event in told if isinstance(event, Transcribed)] == [
        (1, "First."), (2, "Second."), (3, "Third."),
    ]  # fmt: skip
    assert len(told) == 3
    stream.close()


async def test_one_that_waits_is_heard_by_another_process_where_the_first_dies() -> None:
    process = Process()
    stream, told = call(process)
    speak(stream, 1, 200)
    second = speak(stream, 2, 200)
    process.sent.clear()
    process.sent.append("died")
    process.die("it crashed")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert process.sent == ["died", ("begin", 2), second, ("finish", 2)]
    assert told == [TranscriptionFailed(1, "it crashed")]
    process.say(2, "Second.")
    assert isinstance(told[-1], Transcribed) and told[-1].utterance == 2
    stream.close()


async def test_one_that_was_never_finished_fails_when_the_next_begins_and_each_is_answered_once() -> None:
    process = Process()
    stream, told = call(process)
    speak(stream, 1, 200)
    speak(stream, 2, 200, finish=False)
    speak(stream, 3, 200)
    await asyncio.sleep(0)
    assert [event.utterance for event in told if isinstance(event, TranscriptionFailed)] == [2, 1]
    process.say(1, "too late")
    process.say(3, "Third.")
    assert [event.utterance for event in told if isinstance(event, Transcribed)] == [3]
    stream.close()


async def test_what_waits_is_bounded_and_is_gone_with_the_call() -> None:
    process = Process()
    stream, told = call(process)
    for number in range(1, 9):
        speak(stream, number, 100)
    await asyncio.sleep(0)
    failed = [event.utterance for event in told if isinstance(event, TranscriptionFailed)]
    assert sorted(failed) == [1, 2, 3, 4, 5], "those that waited behind an answer that never came"
    stream.close()
    process.sent.clear()
    process.say(6, "Nobody is there any more.")
    assert process.sent == [] and len(told) == len(failed)
