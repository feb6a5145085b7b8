"""Many speeches on one Piper process: none waits for another's sentence, and one that is closed costs nothing more."""

from __future__ import annotations

from typing import Any, cast

import pytest

from antiphon.errors import ProviderError
from antiphon.providers.tts.piper_worker import PiperEngine, split_voice
from antiphon.providers.worker_frames import Frame
from antiphon.providers.worker_process import Link

LONG = "This is a long sentence that takes a good while to say, and then it goes on and on. " * 3


class Written:
    """The link's end in the engine's process."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> None:
        self.frames.append(frame)

    def of(self, stream: int) -> list[str]:
        return [frame.kind for frame in self.frames if frame.stream == stream]


@pytest.fixture(scope="module")
def engine() -> PiperEngine:
    made = PiperEngine({})
    made.warm()
    return made


def ask(engine: PiperEngine, link: Written, stream: int, text: str, **other: Any) -> None:
    fields = {"text": text, "voice": "", "speed": 1.0, "encoding": "mulaw", "rate_hz": 8000, **other}
    engine.handle(Frame(stream, "speak", fields), cast(Link, link))


def work(engine: PiperEngine, link: Written, slices: int = 1000) -> int:
    done = 0
    while done < slices and engine.work(cast(Link, link)):
        done += 1
    return done


def test_a_new_speech_does_not_wait_for_the_end_of_another(engine: PiperEngine) -> None:
    link = Written()
    ask(engine, link, 1, LONG)
    work(engine, link, 2)
    ask(engine, link, 2, "Sure.")
    work(engine, link, 1)
    assert link.frames[-1].stream == 2
    assert "done" not in link.of(1)
    work(engine, link)
    assert link.of(1)[-1] == link.of(2)[-1] == "done"


def test_a_speech_that_is_closed_makes_no_more_work(engine: PiperEngine) -> None:
    link = Written()
    ask(engine, link, 1, LONG)
    work(engine, link, 1)
    engine.handle(Frame(1, "close"), cast(Link, link))
    assert work(engine, link) == 0
    assert link.of(1) == ["audio"]


def test_one_that_cannot_be_made_ends_alone(engine: PiperEngine) -> None:
    link = Written()
    with pytest.raises(ProviderError, match="unknown voice"):
        ask(engine, link, 1, "hello", voice="nobody")
    ask(engine, link, 2, "hello", speed=float("inf"))
    ask(engine, link, 3, "hello")
    work(engine, link)
    assert link.of(3)[-1] == "done"


def test_the_first_slice_is_short_and_the_later_ones_grow(engine: PiperEngine) -> None:
    link = Written()
    ask(engine, link, 1, LONG)
    work(engine, link)
    sizes_ms = [len(frame.payload) / 8 for frame in link.frames if frame.kind == "audio"]
    assert 250 < sizes_ms[0] < 300
    assert sizes_ms[0] < sizes_ms[1] < sizes_ms[2] < 1200


def test_words_come_with_the_audio_they_start_in(engine: PiperEngine) -> None:
    link = Written()
    ask(engine, link, 1, LONG, voice="joe+3", rate_hz=8000)
    work(engine, link)
    end_ms = 0.0
    told = []
    for frame in link.frames:
        if frame.kind == "audio":
            end_ms += len(frame.payload) / 8
            assert all(start <= end_ms + 1 for _, start, _ in frame.fields["words"])
            told += [word for word, _, _ in frame.fields["words"]]
    assert told == LONG.split()


@pytest.mark.parametrize(
    ("voice", "split"),
    [("", ("", 0)), ("joe", ("joe", 0)), ("joe+3", ("joe", 3)), ("a-b-2", ("a-b", -2)), ("-4", ("", -4))],
)
def test_a_voice_and_its_semitones(voice: str, split: tuple[str, int]) -> None:
    assert split_voice(voice) == split
