"""The decoders of one worker process: built when first needed, kept for the next call, capped.

A decoder hears one utterance at a time. Measured: a grammar decoder takes 3 MB and 12 ms to build (it gets a dictionary of
its grammar's words only); the first dictation decoder takes about 90 MB and half a second, each further one 45 MB (they
share the 27 MB language model and a dictionary cut to that model's words).
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pocketsphinx
from pocketsphinx import Decoder, NGramModel

from antiphon.errors import ProviderError
from antiphon.providers.stt.channel import TYPICAL, ChannelMean
from antiphon.providers.stt.phrases import Grammar
from antiphon.providers.stt.pronunciation import Pronunciations
from antiphon.providers.stt.rejection import RATE_HZ, HeardWord

_NAME = "pocketsphinx"
REHEAR_MS = 1500

_SEARCH = "answers"
_SCORE_UNIT = 1024.0
"""The engine keeps acoustic scores shifted right by 10 bits (SENSCR_SHIFT)."""
_NO_SUCH_WORD = -500_000_000
"""The language model's log probability of a word it does not know is below this."""

_COMMON = {
    # No dither: its random state runs on from call to call, and the same words would not always be heard the same.
    "dither": False,
    "loglevel": "FATAL",
}
_GRAMMAR = {
    # Every word costs, or breath before the answer becomes a short word; noise fillers cost less than a word.
    "wip": 1e-2,
    "fillprob": 1e-3,
    # The second pass over the lattice takes 10–150 ms after the speech and changes nothing in a grammar.
    "bestpath": False,
}
_DICTATION = {
    # One pass: the flat second one costs 150 ms after the speech and lost words here. The caps double the speed again.
    "fwdflat": False,
    "maxhmmpf": 2000,
    "maxwpf": 10,
    # Looking phones ahead over 100 ms prunes early, and loses no words. Best path over the lattice: nothing gained either.
    "pl_window": 10,
    "bestpath": False,
}


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a decoder makes of the utterance so far."""

    text: str
    words: tuple[HeardWord, ...]


class Recogniser:
    """One decoder, ready for one kind of answer (``grammar`` None: dictation).

    Until a call's channel is known, the first ``REHEAR_MS`` of an utterance in a grammar (all of a shorter one) are heard twice,
    the second time with what the first has taught: 50 of 50 variants of the card clips right instead of 45. Dictation
    gains nothing by it.
    """

    def __init__(self, decoder: Decoder, grammar: Grammar | None) -> None:
        self.grammar = grammar
        self.channel = TYPICAL[RATE_HZ]
        """After ``end``: what the utterance has taught about the channel."""
        self._decoder = decoder
        self._learned = False
        self._opening: bytearray | None = None  # the utterance so far, until it has been heard again

    def begin(self, channel: ChannelMean) -> None:
        self.channel = channel
        self._opening = bytearray() if self.grammar is not None and not channel.settled else None
        self._learned = False
        self._start()

    def hear(self, pcm: bytes) -> None:
        """16-bit PCM at 16 kHz."""
        self._decoder.process_raw(pcm, False, False)
        if self._opening is not None:
            self._opening += pcm
            if len(self._opening) >= REHEAR_MS * RATE_HZ // 1000 * 2:
                self._hear_again()

    def end(self) -> None:
        if self._opening:
            self._hear_again()
        elif not self._learned:
            self._learn_channel()
        self._opening = None
        self._decoder.end_utt()

    def abandon(self) -> None:
        """End an utterance whose words nobody wants."""
        self._opening = None
        self._decoder.end_utt()

    def _start(self) -> None:
        self._decoder.set_cmn(str(self.channel))
        self._decoder.start_utt()

    def _hear_again(self) -> None:
        opening, self._opening = self._opening, None
        self._learn_channel()
        self._decoder.end_utt()
        self._start()
        self._decoder.process_raw(bytes(opening or b""), False, False)

    def _learn_channel(self) -> None:
        self._learned = True
        frames = self._decoder.n_frames()
        self.channel = self.channel.learned(ChannelMean.parse(self._decoder.get_cmn(True)), frames)

    def hypothesis(self) -> Hypothesis:
        best = self._decoder.hyp()
        if best is None or not best.hypstr:
            return Hypothesis("", ())
        words = tuple(
            HeardWord(segment.word, segment.start_frame, segment.end_frame, math.log(segment.ascore) * _SCORE_UNIT)
            for segment in self._decoder.seg() or ()
            # Not words: fillers (<sil>, [NOISE]) and the grammar's empty arcs. A score may underflow to nothing.
            if segment.word[0] not in "<[(" and segment.ascore > 0.0
        )
        return Hypothesis(best.hypstr, words)


class RecogniserPool:
    """Hands recognisers out and takes them back."""

    def __init__(self, *, dictation_decoders: int, grammar_decoders: int) -> None:
        """The caps count those in use and those kept."""
        self._caps = {True: dictation_decoders, False: grammar_decoders}
        self._taken = {True: 0, False: 0}
        self._idle: list[Recogniser] = []  # the longest unused first
        self._pronunciations = Pronunciations(_model("en-us/cmudict-en-us.dict"))

    def take(self, grammar: Grammar | None) -> Recogniser:
        """Raises ProviderError when all are in use or the grammar cannot be compiled."""
        dictation = grammar is None
        found = next((kept for kept in reversed(self._idle) if kept.grammar == grammar), None)
        if found is not None:
            self._idle.remove(found)
        else:
            self._make_room(dictation)
            found = self._build_dictation() if grammar is None else self._build_grammar(grammar)
        self._taken[dictation] += 1
        return found

    def give_back(self, recogniser: Recogniser, *, broken: bool = False) -> None:
        """After ``end``. A broken one (it raised) is not used again."""
        self._taken[recogniser.grammar is None] -= 1
        if not broken:
            self._idle.append(recogniser)

    def knows(self, word: str) -> bool:
        """Whether the word can be pronounced."""
        return bool(self._pronunciations.of(word))

    @property
    def pronunciations(self) -> Pronunciations:
        return self._pronunciations

    def _make_room(self, dictation: bool) -> None:
        same = [kept for kept in self._idle if (kept.grammar is None) is dictation]
        if self._taken[dictation] + len(same) < self._caps[dictation]:
            return
        if not same:
            kind = "dictation" if dictation else "grammar"
            raise ProviderError(_NAME, f"all {self._caps[dictation]} {kind} decoders of this process are in use")
        self._idle.remove(same[0])

    def _build_grammar(self, grammar: Grammar) -> Recogniser:
        decoder = Decoder(lm=None, dict=None, **_COMMON, **_GRAMMAR)
        missing = 0
        for word in grammar.words:
            variants = self._pronunciations.of(word)
            missing += not variants
            for number, phones in enumerate(variants, start=1):
                decoder.add_word(word if number == 1 else f"{word}({number})", phones, False)
        try:
            decoder.add_jsgf_string(_SEARCH, grammar.jsgf)
            decoder.activate_search(_SEARCH)
        except (ValueError, RuntimeError, KeyError) as refused:
            reason = f"{missing} of its words cannot be pronounced" if missing else "its syntax is wrong"
            raise ProviderError(_NAME, f"the grammar cannot be compiled: {reason}") from refused
        return Recogniser(decoder, grammar)

    def _build_dictation(self) -> Recogniser:
        model, dictionary = self._language
        with tempfile.NamedTemporaryFile(suffix=".dict") as file:
            file.write(dictionary)
            file.flush()
            decoder = Decoder(lm=None, dict=file.name, **_COMMON, **_DICTATION)
        decoder.add_lm(_SEARCH, model)
        decoder.activate_search(_SEARCH)
        return Recogniser(decoder, None)

    @cached_property
    def _language(self) -> tuple[NGramModel, bytes]:
        """The language model, and the dictionary's lines for the words it knows (79,000 of 134,000)."""
        base = Decoder(lm=None, dict=None, **_COMMON)
        model = NGramModel(base.config, base.logmath, str(_model("en-us/en-us.lm.bin")))
        lines = _model("en-us/cmudict-en-us.dict").read_text(encoding="utf-8").splitlines(keepends=True)
        known = (line for line in lines if model.prob([line.split("(", 1)[0].split()[0]]) > _NO_SUCH_WORD)
        return model, "".join(known).encode()


def _model(path: str) -> Path:
    return Path(pocketsphinx.get_model_path(path))
