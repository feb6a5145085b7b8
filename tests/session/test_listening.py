"""The caller's audio on its way to the recogniser: numbered utterances, pre-roll first, in a format the engine takes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from antiphon.audio import codec
from antiphon.conversation import events as ev
from antiphon.media.line import CallerLine
from antiphon.providers.base import (
    EXPECTED_ANSWER_COMPLETE,
    ExpectedAnswers,
    OnTranscription,
    StreamInterrupted,
    StreamRestored,
    Transcribed,
    TranscriptionFailed,
    TurnSignal,
)
from antiphon.session.listening import Listening
from antiphon.vocabulary import TELEPHONE, AudioFormat, Encoding

PCM8, PCM16 = AudioFormat(Encoding.PCM16, 8000), AudioFormat(Encoding.PCM16, 16000)
PREROLL_MS = 100


class Recogniser:
    """Keeps what it is told. Both the engine and the stream of its one call."""

    name = "notes"

    def __init__(self, *formats: AudioFormat, continuous: bool = False, pieces_ms: tuple[int, int] = (0, 0)) -> None:
        self.formats = formats or (TELEPHONE,)
        self.pieces_ms = pieces_ms
        self.continuous = continuous
        self.partials = "reliable"
        self.punctuation = 0.8
        self.told: list[tuple[str, object]] = []
        self.opened: AudioFormat | None = None

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> Stream:
        self.opened = audio
        self.say = on_event
        return Stream(self.told)

    def heard(self, utterance: int) -> bytes:
        """What was pushed between ``begin`` and ``finish`` of an utterance."""
        at = self.told.index(("begin", utterance)) + 1
        audio = b""
        while at < len(self.told) and self.told[at][0] == "push":
            audio += self.told[at][1]  # type: ignore[operator]
            at += 1
        return audio


class Stream:
    behind = False

    def __init__(self, told: list[tuple[str, object]]) -> None:
        self.told = told

    def begin(self, utterance: int) -> None:
        self.told.append(("begin", utterance))

    def push(self, audio: bytes) -> None:
        self.told.append(("push", audio))

    def finish(self, utterance: int) -> None:
        self.told.append(("finish", utterance))

    def expect(self, answers: ExpectedAnswers) -> None:
        self.told.append(("expect", answers))

    def close(self) -> None:
        self.told.append(("close", None))


class Ears(Listening):
    """With the line that a call's port would carry the audio on."""

    def __init__(self, recogniser: Recogniser, audio: AudioFormat, feed: Callable[[ev.Event], object]) -> None:
        self.line = CallerLine(audio)
        super().__init__(recogniser, audio, self.line, PREROLL_MS, feed)

    def hear(self, audio: bytes, media_ms: int) -> None:
        self.line.append(audio)
        if self.line.end >= self.wants_from:
            super().hear(audio, media_ms)


def listening(recogniser: Recogniser, audio: AudioFormat = TELEPHONE) -> tuple[Ears, list[ev.Event]]:
    fed: list[ev.Event] = []
    return Ears(recogniser, audio, fed.append), fed


def frame(number: int) -> bytes:
    return bytes([number]) * 160


def test_the_preroll_goes_first_and_no_sample_is_lost_or_doubled() -> None:
    recogniser = Recogniser()
    ears, _ = listening(recogniser)
    for number in range(20):
        ears.hear(frame(number), number * 20)
    assert recogniser.told == [], "nothing is pushed before speech"
    ears.begin()
    ears.hear(frame(20), 400)
    ears.finish()
    assert recogniser.heard(1) == b"".join(map(frame, range(15, 21)))
    assert recogniser.told[-1] == ("finish", 1)


def test_between_utterances_the_preroll_gathers_anew() -> None:
    recogniser = Recogniser()
    ears, _ = listening(recogniser)
    ears.begin()
    ears.hear(frame(1), 0)
    ears.finish()
    ears.hear(frame(2), 20)
    ears.begin()
    assert recogniser.heard(1) == frame(1)
    assert recogniser.heard(2) == frame(2)


def test_utterances_are_numbered_and_a_short_pause_makes_no_new_one() -> None:
    recogniser = Recogniser()
    ears, _ = listening(recogniser)
    assert (ears.begin(), ears.begin()) == (1, 1)
    ears.finish()
    ears.finish()
    assert ears.begin() == 2
    assert [told for told in recogniser.told if told[0] != "push"] == [("begin", 1), ("finish", 1), ("begin", 2)]


def test_an_engine_that_wants_everything_gets_everything_once() -> None:
    recogniser = Recogniser(continuous=True)
    ears, _ = listening(recogniser)
    for number in range(4):
        if number == 2:
            ears.begin()
        ears.hear(frame(number), number * 20)
    assert b"".join(audio for kind, audio in recogniser.told if kind == "push") == b"".join(map(frame, range(4)))  # type: ignore[misc]


def test_an_engine_that_wants_pieces_gets_everything_once_and_all_of_it_before_an_utterance_begins_or_ends() -> None:
    recogniser = Recogniser(continuous=True, pieces_ms=(80, 240))
    ears, _ = listening(recogniser)
    for number in range(35):
        if number == 17:
            ears.begin()
        if number == 26:
            ears.finish()
        ears.hear(frame(number), number * 20)
    told = [len(audio) // 8 if kind == "push" else kind for kind, audio in recogniser.told]  # type: ignore[arg-type]
    assert told == [240, 100, "begin", 80, 80, 20, "finish", 80, 80]
    recogniser.say(Transcribed(1, "Yes.", True))
    for number in range(35, 50):
        ears.hear(frame(number), number * 20)
    pushed = [audio for kind, audio in recogniser.told if kind == "push"]
    assert [len(audio) // 8 for audio in pushed[-2:]] == [80, 240], "nobody waits for words any more"  # type: ignore[arg-type]
    assert b"".join(pushed) == b"".join(map(frame, range(50)))  # type: ignore[arg-type]


def test_an_engine_that_wants_pieces_and_speech_only_gets_its_preroll_and_then_pieces() -> None:
    recogniser = Recogniser(pieces_ms=(80, 240))
    ears, _ = listening(recogniser)
    for number in range(30):
        if number == 10:
            ears.begin()
        if number == 17:
            ears.finish()
        ears.hear(frame(number), number * 20)
    assert recogniser.heard(1) == b"".join(map(frame, range(5, 17)))
    assert len(recogniser.told) == 5, "the preroll, a piece and the rest between begin and finish, and nothing after it"


def test_a_recognisers_opinion_of_the_turn_is_handed_on_and_a_broken_connection_is_counted() -> None:
    recogniser, told = Recogniser(), list[tuple[str, str]]()
    fed: list[ev.Event] = []
    line = CallerLine(TELEPHONE)
    ears = Listening(recogniser, TELEPHONE, line, PREROLL_MS, fed.append, lambda name, why: told.append((name, why)))
    ears.begin()
    recogniser.say(TurnSignal(1, "eager_end", 0.4))
    recogniser.say(StreamInterrupted("the connection was lost"))
    recogniser.say(StreamRestored(400))
    assert fed == [ev.VendorTurnSignal(1, "eager_end", 0.4)]
    assert told == [("notes", "the connection was lost")]


def test_a_format_the_engine_takes_is_passed_on_untouched() -> None:
    recogniser = Recogniser(PCM16, TELEPHONE)
    ears, _ = listening(recogniser)
    ears.begin()
    ears.hear(frame(7), 0)
    assert recogniser.opened == TELEPHONE
    assert recogniser.heard(1) == frame(7)


def test_another_encoding_is_converted_sample_for_sample() -> None:
    recogniser = Recogniser(PCM8)
    ears, _ = listening(recogniser)
    ears.begin()
    said = bytes(range(256))
    ears.hear(said, 0)
    assert recogniser.heard(1) == codec.encode(codec.decode(said, Encoding.MULAW), Encoding.PCM16)


def test_another_rate_is_resampled_and_keeps_its_length_and_loudness() -> None:
    recogniser = Recogniser(PCM16)
    ears, _ = listening(recogniser, PCM8)
    ears.begin()
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.int16)
    for start in range(0, 8000, 160):
        ears.hear(tone[start : start + 160].tobytes(), start // 8)
    heard = np.frombuffer(recogniser.heard(1), dtype=np.int16).astype(float)
    assert abs(len(heard) - 16000) <= 16000 * 0.02, "a delay of a few ms is all that is missing"
    assert abs(heard[2000:14000].std() / tone.astype(float).std() - 1) < 0.02


def test_linear_audio_goes_to_the_engine_s_best_linear_format() -> None:
    recogniser = Recogniser(TELEPHONE, PCM16, PCM8)
    listening(recogniser, AudioFormat(Encoding.PCM16, 24000))
    assert recogniser.opened == PCM16


def test_a_recogniser_of_telephones_hears_a_browser() -> None:
    recogniser = Recogniser(TELEPHONE)
    ears, _ = listening(recogniser, PCM16)
    ears.begin()
    ears.hear(b"\x00\x10" * 16000, 0)
    assert recogniser.opened == TELEPHONE
    assert len(recogniser.heard(1)) == pytest.approx(8000, abs=40)


def test_words_come_back_as_events() -> None:
    recogniser = Recogniser()
    ears, fed = listening(recogniser)
    ears.begin()
    recogniser.say(Transcribed(1, "hel", final=False))
    recogniser.say(Transcribed(1, "hello", final=True))
    recogniser.say(TranscriptionFailed(2, "the engine is gone"))
    assert fed == [ev.TranscriptChanged(1, "hel"), ev.TranscriptFinal(1, "hello"), ev.TranscriptFailed(2)]


def test_a_failure_is_counted_under_the_recogniser_it_happened_in() -> None:
    recogniser, other, counted = Recogniser(), Recogniser(), []
    other.name = "other"
    line = CallerLine(TELEPHONE, PREROLL_MS)
    ears = Listening(recogniser, TELEPHONE, line, PREROLL_MS, [].append, lambda *label: counted.append(label))
    recogniser.say(TranscriptionFailed(1, "gone"))
    ears.replace(other)
    other.say(TranscriptionFailed(2, "gone"))
    assert counted == [("notes", "gone"), ("other", "gone")]


@pytest.mark.parametrize(
    ("answers", "text", "complete"),
    [
        (ExpectedAnswers(("yes", "no")), "yes", EXPECTED_ANSWER_COMPLETE),
        (ExpectedAnswers(grammar="#JSGF V1.0;"), "yes", EXPECTED_ANSWER_COMPLETE),
        (ExpectedAnswers(("yes", "no")), "", None),
        (ExpectedAnswers(), "yes", None),
    ],
)
def test_an_expected_answer_counts_as_complete(answers: ExpectedAnswers, text: str, complete: float | None) -> None:
    recogniser = Recogniser()
    ears, fed = listening(recogniser)
    ears.expect(answers)
    recogniser.say(Transcribed(1, text, final=True))
    assert fed == [ev.TranscriptFinal(1, text, complete)]
    assert recogniser.told == [("expect", answers)]


def test_a_recogniser_that_fails_is_told_with_its_name() -> None:
    told: list[tuple[str, str]] = []
    recogniser, line = Recogniser(), CallerLine(TELEPHONE, PREROLL_MS)
    listening = Listening(
        recogniser, TELEPHONE, line, PREROLL_MS, lambda event: None, lambda *failure: told.append(failure)
    )
    listening.begin()
    recogniser.say(TranscriptionFailed(1, "its worker process died"))
    assert told == [("notes", "its worker process died")]


def test_a_number_said_in_groups_is_incomplete_until_it_has_all_its_digits() -> None:
    recogniser = Recogniser()
    ears, fed = listening(recogniser)
    ears.expect(ExpectedAnswers(("goodbye",), digits=10))
    groups = ("four one five", "five double five", "two six seven one")
    for utterance, text in enumerate(groups, 1):
        recogniser.say(Transcribed(utterance, text, final=True))
    assert [event.complete for event in fed if isinstance(event, ev.TranscriptFinal)] == [
        0.0,
        0.0,
        EXPECTED_ANSWER_COMPLETE,
    ]
    ears.expect(ExpectedAnswers(("goodbye",), digits=10))
    recogniser.say(Transcribed(4, "goodbye", final=True))
    assert fed[-1] == ev.TranscriptFinal(4, "goodbye", EXPECTED_ANSWER_COMPLETE)


def test_it_is_busy_from_the_end_of_an_utterance_to_its_last_word() -> None:
    recogniser = Recogniser()
    ears, _ = listening(recogniser)
    assert not ears.busy
    ears.begin()
    recogniser.say(Transcribed(1, "hel", final=False))
    assert not ears.busy
    ears.finish()
    assert ears.busy
    recogniser.say(Transcribed(1, "hello", final=False))
    assert ears.busy
    recogniser.say(Transcribed(1, "hello", final=True))
    assert not ears.busy
    ears.begin()
    ears.finish()
    recogniser.say(TranscriptionFailed(2, "gone"))
    assert not ears.busy, "nothing more will come of it"
    ears.begin()
    ears.finish()
    ears.close()
    assert not ears.busy
