"""The caller's open turn: its utterances and their words."""

from __future__ import annotations

from dataclasses import dataclass, field

from antiphon.conversation.words import common_beginning


@dataclass(slots=True)
class Utterance:
    """One stretch of speech. ``final`` when the recogniser has said its last word on it."""

    text: str = ""
    settled: str = ""
    """The beginning that its last two texts have in common: a recogniser that takes words back hardly takes back these."""
    final: bool = False
    failed: bool = False
    """The recogniser has given up on it."""
    complete: float | None = None
    voiced: bool = False
    """Whether the ears heard it (and not only its words came, as with push-to-talk)."""
    began_media_ms: int = 0
    """Where its speech began, in audio time."""
    confidence: float | None = None
    """How sure the recogniser is of its last words; None where it does not tell."""
    ended_ms: int | None = None
    """Session clock at the end of its speech; None while it goes on."""
    near: bool = False
    """Whether any of it was loud enough to be the caller's."""
    speech_share: float | None = None
    """How much of its voice was surely speech, of the stretch where most was; None before the first has ended."""

    def tell(self, text: str) -> None:
        """What the recogniser makes of it now."""
        self.settled = " ".join(common_beginning(self.text, text))
        self.text = text.strip()


@dataclass(slots=True)
class Turn:
    """From the first sound of speech until the machine closes or drops it."""

    number: int
    interrupting: bool = False
    """It began by silencing the agent."""
    answers: bool = False
    """It answers the question that was being asked, over its end."""
    given_up: bool = False
    """Somebody who was not near spoke on and on: the agent has gone on all the same."""
    carried: str = ""
    """Words of the turn before, when the caller went on before anything was answered."""
    utterances: dict[int, Utterance] = field(default_factory=dict)
    detector: float | None = None
    """The mean of a turn detector's scores for exactly these words in this silence."""
    scores: int = 0
    detector_asked_at_ms: int | None = None
    """Silence at which it was last asked about exactly these words."""
    detector_busy: bool = False
    """It has been asked and has not answered."""
    told_wait_ms: int | None = None
    """How long to wait after exactly these words, as who was asked says."""
    vendor_ended: bool = False
    """A recogniser that listens for turns has said that this one is over, and speech has not gone on since."""
    may_speculate: bool = False
    """A recogniser thinks that the turn is probably over: a reply may be prepared before silence says as much."""
    speculations: int = 0
    silence_began_ms: int = 0
    """Session clock at the moment the present silence began."""
    silence_ms: int = 0
    """Silence known so far, in audio time."""
    voice_ms: int = 0
    """Voice in the present utterance."""
    longest_voice_ms: int = 0
    """The longest stretch of voice in the turn."""
    waiting_for_final_since_ms: int | None = None

    @property
    def text(self) -> str:
        parts = [self.carried, *(utterance.text for utterance in self.utterances.values())]
        return " ".join(part for part in parts if part)

    @property
    def settled(self) -> str:
        """The words that are final, or were told twice in a row."""
        told = (each.text if each.final else each.settled for each in self.utterances.values())
        return " ".join(part for part in (self.carried, *told) if part)

    @property
    def final(self) -> bool:
        """Whether every utterance has its final words."""
        return all(utterance.final for utterance in self.utterances.values())

    @property
    def confidence(self) -> float | None:
        """How sure the recogniser is of the words it is least sure of."""
        told = [each.confidence for each in self.utterances.values() if each.text and each.confidence is not None]
        return min(told, default=None)

    @property
    def speech_share(self) -> float | None:
        """How much of its voice was surely speech, in the utterance where most was; None where the ears have told of none."""
        told = [each.speech_share for each in self.utterances.values() if each.speech_share is not None]
        return max(told, default=None)

    @property
    def near(self) -> bool:
        """Whether any of it was loud enough to be the caller's, as far as the ears have heard it."""
        return any(utterance.near or not utterance.voiced for utterance in self.utterances.values())

    @property
    def far(self) -> bool:
        """Whether all that has been told of it was too soft to be the caller's; of a first stretch nothing is, until it is near or over."""
        return not self.near and any(each.ended_ms is not None for each in self.utterances.values())

    @property
    def unheard(self) -> bool:
        """Whether the recogniser failed on it, or has not said its last word in the time it was given."""
        return any(utterance.failed or not utterance.final for utterance in self.utterances.values())

    @property
    def known(self) -> float | None:
        """How sure a grammar of expected answers is that the words are a whole one, where it knows."""
        last = next(reversed(self.utterances.values()), None)
        return last.complete if last is not None and last.final else None

    def speech_goes_on(self) -> None:
        """What was said of its end does not hold."""
        self.vendor_ended = self.may_speculate = False

    def words_changed(self) -> None:
        """What was said of the words before does not hold for these."""
        self.detector = self.detector_asked_at_ms = self.told_wait_ms = None
        self.scores = 0
        self.detector_busy = False

    def heard_ending(self, probability: float) -> None:
        """A score for these words. The sound of one silence is judged a little otherwise each time: what counts is the mean."""
        self.scores += 1
        before = probability if self.detector is None else self.detector
        self.detector = before + (probability - before) / self.scores

    def hear(self, utterance: int) -> Utterance:
        """The utterance of this number, new if need be."""
        return self.utterances.setdefault(utterance, Utterance())
