"""The mean spectrum of a call's line and speaker: what a decoder subtracts before it compares sounds.

A decoder that starts from a typical mean hears a word that is not there ("two seven of clubs" for "seven of clubs", a breath
in front of "ten" as "five"). Estimating the mean from the utterance alone is no better where it is short or half silence.
So the utterance's own frames are averaged with a prior, worth ``PRIOR_FRAMES`` of them: what the call has taught so far.
"""

from __future__ import annotations

from dataclasses import dataclass

PRIOR_FRAMES = 120
"""1.2 s. Of 60, 120 and 200 the best on the human clips, together with hearing the first 1.5 s again."""

SETTLED_FRAMES = 300

_ENGINE_PRIOR_FRAMES = 500
"""What the engine itself takes a mean it is given to be worth (CMN_WIN)."""
_ENGINE_WINDOW_FRAMES = 800
"""From here on the engine forgets (CMN_WIN_HWM): its mean is then a good one as it is."""


@dataclass(frozen=True, slots=True)
class ChannelMean:
    """Mean of each cepstral coefficient, in the engine's units."""

    coefficients: tuple[float, ...]
    heard_frames: int = 0
    """How much of this call it was learned from."""

    @property
    def settled(self) -> bool:
        """Whether it is the call's own by now, not a typical one."""
        return self.heard_frames >= SETTLED_FRAMES

    @classmethod
    def parse(cls, text: str) -> ChannelMean:
        """From the engine's notation: numbers with commas between."""
        return cls(tuple(map(float, text.split(","))))

    def __str__(self) -> str:
        return ",".join(f"{value:.4f}" for value in self.coefficients)

    def learned(self, engine_mean: ChannelMean, frames: int) -> ChannelMean:
        """This prior and an utterance of ``frames`` frames together.

        ``engine_mean`` is the engine's own average after those frames, having started from this prior. It gives the prior
        too much weight for one short utterance; the frames' sum is recovered from it and weighed anew.
        """
        engine_frames = _ENGINE_PRIOR_FRAMES + frames
        heard_frames = self.heard_frames + frames
        if engine_frames >= _ENGINE_WINDOW_FRAMES:
            return ChannelMean(engine_mean.coefficients, heard_frames)
        total_frames = PRIOR_FRAMES + frames
        return ChannelMean(
            tuple(
                (PRIOR_FRAMES * prior + mean * engine_frames - prior * _ENGINE_PRIOR_FRAMES) / total_frames
                for prior, mean in zip(self.coefficients, engine_mean.coefficients, strict=True)
            ),
            heard_frames,
        )


TYPICAL = {
    # By the call's rate, averaged over the human clips: where a call starts before it has taught us its own channel. Worth
    # 12 points of word error in the first utterance of a telephone call.
    8000: ChannelMean.parse("49,9.5,-11,13,-3,-9,12,-17,6,2,-8,9,-4"),
    16000: ChannelMean.parse("50,-2,1,1,-6,3,-4,-0.5,-4,0,0,0,1"),
}
