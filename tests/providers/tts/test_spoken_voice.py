"""A voice is given what people say; what it tells of its words is told of the written ones."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
from tests.providers.contract import TextToSpeechContract, speak

from antiphon.conversation.playback import PlaybackLedger
from antiphon.providers.base import SpeechChunk, SpeechRequest
from antiphon.providers.tts.espeak import EspeakTextToSpeech
from antiphon.providers.tts.spoken_voice import SpokenVoice, language_of
from antiphon.vocabulary import TELEPHONE, WordTiming


class EveryWord:
    """A voice that says a word each 100 ms, and remembers what it was asked to say."""

    name = "every-word"
    formats = (TELEPHONE,)

    def __init__(self, told: bool = True) -> None:
        self.texts: list[str] = []
        self._told = told

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[SpeechChunk]:
        self.texts.append(request.text)
        for at, word in enumerate(request.text.split()):
            words = (WordTiming(word, 100 * at, 100 * at + 100),) if self._told else ()
            yield SpeechChunk(b"\xff" * 800, words)


async def told(text: str, **how: object) -> list[WordTiming]:
    voice = SpokenVoice(EveryWord(), **how)  # type: ignore[arg-type]
    return [word for chunk in await speak(voice, SpeechRequest(text, TELEPHONE)) for word in chunk.words]


async def test_the_voice_says_it_the_words_are_the_written_ones() -> None:
    voice = EveryWord()
    chunks = await speak(SpokenVoice(voice), SpeechRequest("It is $5, Ann.", TELEPHONE))
    assert voice.texts == ["It is five dollars, Ann."]
    assert [word for chunk in chunks for word in chunk.words] == [
        WordTiming("It", 0, 100),
        WordTiming("is", 100, 200),
        WordTiming("$5,", 200, 400),
        WordTiming("Ann.", 400, 500),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Call +14155552671 or 555-0100 now.",
        "**Done** ✅ 😀 today - yes!",
        "✅ Done on 2026-05-12 at 9:30 AM.",
        "[our site](https://example.com/x) is up",
        "- milk\n- eggs\n- 3 kg of flour",
        "It costs $1,250.50 & 10%",
        "😀 😀 ok",
    ],
)
async def test_every_written_word_is_told_once_in_order(text: str) -> None:
    words = await told(text)
    assert [word.text for word in words] == text.split()
    assert all(word.start_ms < word.end_ms for word in words)
    assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(words))


async def test_what_was_heard_is_in_written_words() -> None:
    text = "Your total is $1,250.50, due 2026-05-12 at noon."
    words = await told(text)
    ledger = PlaybackLedger()
    ledger.ask(text, 0)
    ledger.synthesized(0, words[-1].end_ms, tuple(words), True)
    amount = words[3]
    assert ledger.heard_text(amount.start_ms) == "Your total is"
    assert ledger.heard_text(amount.end_ms) == "Your total is $1,250.50,"


async def test_a_voice_without_timings_stays_one() -> None:
    voice = SpokenVoice(EveryWord(told=False))
    chunks = await speak(voice, SpeechRequest("It is $5", TELEPHONE))
    assert not any(chunk.words for chunk in chunks)


async def test_text_that_nobody_says_is_not_sent() -> None:
    voice = EveryWord()
    assert await speak(SpokenVoice(voice), SpeechRequest("✅ **", TELEPHONE)) == []
    assert voice.texts == []


async def test_pronunciations_are_the_assistants_own() -> None:
    voice = EveryWord()
    own = {"Nguyen": "win", "SQL": "sequel", "los angeles": "L A", "ab": "a b"}
    await speak(SpokenVoice(voice, "en", own), SpeechRequest("Ms. Nguyen's SQL in Los Angeles, Ab and sql.", TELEPHONE))
    assert voice.texts == ["Miz win's sequel in L A, a b and sql."]


@pytest.mark.parametrize(
    ("hints", "language"),
    [
        (("", "joe"), "en"),
        (("ko",), "ko"),
        (("", "en-gb+f3"), "en"),
        (("", "de"), "de"),
        (("pt-BR", "en"), "pt"),
        (("",), "en"),
    ],
)
def test_the_language(hints: tuple[str, ...], language: str) -> None:
    assert language_of(*hints) == language


class TestContract(TextToSpeechContract):
    @pytest.fixture
    async def tts(self) -> AsyncIterator[SpokenVoice]:
        engine = SpokenVoice(EspeakTextToSpeech())
        await engine.start()
        yield engine
        await engine.close()
