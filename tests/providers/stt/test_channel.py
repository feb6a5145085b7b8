"""The channel's mean: an utterance's own frames, averaged with what was known before."""

from __future__ import annotations

import pytest

from antiphon.providers.stt.channel import PRIOR_FRAMES, TYPICAL, ChannelMean


def engine_average(prior: ChannelMean, frames: int, heard: float) -> ChannelMean:
    """What the engine says after ``frames`` frames that were all ``heard``."""
    return ChannelMean(tuple((500 * value + frames * heard) / (500 + frames) for value in prior.coefficients))


def test_an_utterance_as_long_as_the_prior_counts_half() -> None:
    prior = ChannelMean((40.0, 0.0))
    learned = prior.learned(engine_average(prior, PRIOR_FRAMES, 20.0), PRIOR_FRAMES)
    assert learned.coefficients == pytest.approx((30.0, 10.0))


def test_nothing_heard_nothing_learned() -> None:
    prior = TYPICAL[8000]
    assert prior.learned(prior, 0).coefficients == pytest.approx(prior.coefficients)


def test_after_three_seconds_the_engine_is_believed() -> None:
    prior, engine = ChannelMean((40.0,)), ChannelMean((20.0,))
    assert prior.learned(engine, 300) == ChannelMean(engine.coefficients, 300)


def test_a_channel_settles_after_three_seconds_of_its_own() -> None:
    channel = TYPICAL[8000]
    for settled in (False, False, True):
        channel = channel.learned(channel, 120)
        assert channel.settled is settled


def test_the_engines_notation() -> None:
    assert ChannelMean.parse(str(TYPICAL[16000])) == TYPICAL[16000]
