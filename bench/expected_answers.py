"""How often the embedded recogniser hears the answers that the product expects, and takes other words for one.

    python bench/expected_answers.py [--voices joe,joe+3] [--foreign-step 4]

Nine sets of answers: the six questions of the front desk, cards, digits and a handful of phrases. Each is spoken by Piper as 8 kHz µ-law
over line noise of −55 dBFS. *Right*: told as the answer said ("double two" is "two two"). *Taken*: an utterance that is no answer of
the set (an answer to another question, a sentence about nothing, people's recordings) told as one that is. Every one that is not right
is listed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from embedded_engines import CARDS, PATIENCE_S, SPEECH, telephone
from numpy.typing import NDArray

from antiphon.assistants.loader import load, package_library
from antiphon.audio.wav import read_wav
from antiphon.providers.base import ExpectedAnswers, SpeechRequest, Transcribed, TranscriptionEvent
from antiphon.providers.stt.jsgf import automaton_of_jsgf
from antiphon.providers.stt.moonshine import MoonshineSpeechToText
from antiphon.providers.stt.phrases import grammar_of_phrases
from antiphon.providers.stt.spelling import Spelling
from antiphon.providers.tts.piper import PiperTextToSpeech
from antiphon.vocabulary import TELEPHONE, AudioFormat, CallContext, Encoding, Message
from antiphon.workflow.engine import Engine

WIDE = AudioFormat(Encoding.PCM16, 16000)
CONTEXT = CallContext("bench", wall_ms=1_778_580_000_000)
QUESTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "welcome": ((), (
        "book an appointment", "i would like an appointment", "i need to see a doctor", "the reception", "can i book an appointment",
        "operator", "make an appointment please", "tomorrow at ten", "speak to the reception", "yes",
    )),
    "day": (("book an appointment",), (
        "wednesday", "on friday please", "tomorrow", "next monday", "the third of may", "wednesday the thirteenth", "june twenty first",
        "the day after tomorrow", "thursday", "tuesday at three p.m.", "monday", "the eighth", "today", "how about friday",
        "december second",
    )),
    "hour": (("book an appointment", "wednesday"), (
        "three p.m.", "half past ten", "nine a.m.", "a quarter to four", "noon", "ten thirty", "two o'clock", "eleven fifteen",
        "at four in the afternoon", "midday", "ten past nine", "one thirty", "three", "four p.m.", "ten", "twelve o'clock", "two",
    )),
    "person": (("book an appointment", "wednesday", "three pm"), (
        "john smith", "my name is mary jones", "linda williams", "david lee", "susan baker please", "sarah", "michael young", "alice white",
        "this is james brown", "it's karen hill", "robert clark", "emily king",
    )),
    "check": (("book an appointment", "wednesday", "three pm", "john smith"), (
        "yes", "no", "yes please", "that's right", "no thank you", "correct", "change the day", "make it friday instead",
        "no i said two p.m.", "perfect", "sounds good", "book it", "wrong", "yeah", "nope", "that's wrong", "the time is wrong", "go ahead",
    )),
    "more": (("book an appointment", "wednesday", "three pm", "john smith", "yes"), (
        "no thank you", "yes please", "change my appointment", "nothing", "no", "goodbye", "thank you", "make it thursday",
    )),
}  # fmt: skip
OTHERS: tuple[tuple[str, ExpectedAnswers, tuple[str, ...]], ...] = (
    ("cards", ExpectedAnswers(grammar=CARDS), (
        "ace of spades", "ten of clubs", "queen of hearts", "five of diamonds", "king", "seven of clubs two of hearts", "jack", "eight",
    )),
    ("digits", ExpectedAnswers(grammar="#JSGF V1.0; grammar d; public <d> = ( [ double ] <digit> )+; "
     "<digit> = zero | oh | one | two | three | four | five | six | seven | eight | nine;"), (
        "four one five", "double two seven", "zero zero nine", "one two three four", "nine eight oh", "seven", "six six one",
    )),
    ("phrases", ExpectedAnswers(phrases=("stop", "turn left", "go back", "faster", "slower", "again")), (
        "stop", "turn left", "go back", "faster", "slower", "again",
    )),
)  # fmt: skip
ABOUT_NOTHING = (
    "my dog keeps barking at the neighbours", "we are out of milk", "she painted the fence white", "the movie was far too long",
    "i left my umbrella on the bus", "what is the capital of france", "it is raining outside", "the soup needs more salt",
    "then he went to work", "i knew it", "clue", "when will that be done", "go forward ten meters", "people", "snow", "this", "hmm okay so",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AnswerSet:
    name: str
    expected: ExpectedAnswers
    answers: tuple[str, ...]
    spelling: Spelling

    def holds(self, text: str) -> bool:
        return self.spelling.read(text) is not None


def answer_sets() -> list[AnswerSet]:
    """The nine."""
    spec = load(package_library() / "front-desk.yaml")
    assert spec.model is not None and spec.model.workflow is not None
    desk = Engine(spec.model.workflow)
    found = []
    for name, (before, answers) in QUESTIONS.items():
        messages = _booked(desk, before)
        found.append((name, desk.expected(desk.state(messages, CONTEXT, ("book_appointment",))), answers))
    return [AnswerSet(name, expected, answers, _spelling(expected)) for name, expected, answers in (*found, *OTHERS)]


def _booked(desk: Engine, said: Sequence[str]) -> list[Message]:
    """A conversation in which so much was said, the calendar's answer included."""
    messages: list[Message] = []
    for line in said:
        messages.append(Message("user", line))
        while True:
            reply = desk.reply(desk.state(messages, CONTEXT, ("book_appointment",)))
            messages.append(Message("assistant", reply.text, (reply.call,) if reply.call else ()))
            if reply.call is None:
                break
            messages.append(Message("tool", '{"booked": true, "reference": "7"}', tool_call_id=reply.call.id))
    return messages


def _spelling(expected: ExpectedAnswers) -> Spelling:
    grammar = expected.grammar or grammar_of_phrases(expected.phrases, lambda word: True).jsgf
    return Spelling(automaton_of_jsgf(grammar))


async def spoken(voice: PiperTextToSpeech, text: str, name: str) -> NDArray[np.int16]:
    """Samples at 16 kHz."""
    audio = b"".join([chunk.audio async for chunk in voice.synthesize(SpeechRequest(text, WIDE, name))])
    return np.frombuffer(audio, dtype="<i2")


def alike(one: str, other: str) -> bool:
    """Whether two texts say the same words."""
    return _plain(one) == _plain(other)


def _plain(text: str) -> str:
    return re.sub(r"double (\w+)", r"\1 \1", text.replace("good bye", "goodbye"))


class Listener:
    """One call that is told whole utterances at once."""

    def __init__(self, engine: MoonshineSpeechToText) -> None:
        self._stream = engine.open(TELEPHONE, ExpectedAnswers(), self._hear)
        self._answered = asyncio.Event()
        self._final: Transcribed | None = None
        self._said = 0
        self._random = np.random.default_rng(7)

    def _hear(self, event: TranscriptionEvent) -> None:
        if isinstance(event, Transcribed) and event.final:
            self._final = event
            self._answered.set()

    async def hears(self, samples: NDArray[np.int16], expected: ExpectedAnswers) -> Transcribed:
        self._stream.expect(expected)
        self._said += 1
        self._answered.clear()
        self._stream.begin(self._said)
        self._stream.push(telephone(samples, self._random))
        self._stream.finish(self._said)
        async with asyncio.timeout(PATIENCE_S):
            await self._answered.wait()
        assert self._final is not None
        return self._final


async def measure(voices: Sequence[str], foreign_step: int) -> None:
    sets = answer_sets()
    voice, engine = PiperTextToSpeech(), MoonshineSpeechToText(final_timeout_ms=60_000)
    await voice.start()
    await engine.start()
    right = asked = taken = foreign = 0
    try:
        listener = Listener(engine)
        for each in sets:
            for name in voices:
                for answer in each.answers:
                    heard = await listener.hears(await spoken(voice, answer, name), each.expected)
                    asked += 1
                    right += alike(heard.text, answer)
                    if not alike(heard.text, answer):
                        told = "taken for" if heard.expected else "told as"
                        print(f"- {each.name}: {answer!r} ({name}) {told} {heard.text!r}")
        clips = {path.stem: read_wav(path)[0].reshape(-1) for path in sorted(SPEECH.glob("*.wav"))}
        people_said = dict(line.split(": ") for line in (SPEECH / "words.txt").read_text().splitlines())
        for at, each in enumerate(sets):
            others = [text for other in sets if other is not each for text in other.answers]
            texts = [
                text for text in (*others[at % foreign_step :: foreign_step], *ABOUT_NOTHING) if not each.holds(text)
            ]
            said = {text: await spoken(voice, text, voices[number % len(voices)]) for number, text in enumerate(texts)}
            said |= {name: samples for name, samples in clips.items() if not each.holds(people_said[name])}
            for text, samples in said.items():
                heard = await listener.hears(samples, each.expected)
                foreign += 1
                taken += bool(heard.expected)
                if heard.expected:
                    print(f"- {each.name}: foreign {text!r} taken for {heard.text!r}")
    finally:
        await engine.close()
        await voice.close()
    print(
        f"answers right: {right} of {asked} ({right / asked:.1%}); foreign taken: {taken} of {foreign} ({taken / foreign:.1%})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices", default="joe,joe+3", help="Piper's, perhaps moved by semitones")
    parser.add_argument(
        "--foreign-step", type=int, default=4, help="every so many answers to other questions are tried"
    )
    wanted = parser.parse_args()
    asyncio.run(measure(wanted.voices.split(","), wanted.foreign_step))


if __name__ == "__main__":
    main()
