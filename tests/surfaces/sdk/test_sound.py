"""The SDK's resampler and jitter buffer, measured."""

from __future__ import annotations

import json
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from tests.programs import node

SDK = Path(str(files("antiphon.surfaces.sdk").joinpath("page")))


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    script = str(Path(__file__).with_name("sound.mjs"))
    found: dict[str, Any] = json.loads(subprocess.check_output([node(), script, str(SDK)], timeout=60))
    return found


@pytest.mark.parametrize("rates", ["48000-16000", "44100-16000", "16000-48000", "16000-44100", "16000-16000"])
def test_a_tone_comes_through_every_rate_of_browsers_as_it_was(measured: dict[str, Any], rates: str) -> None:
    result = measured["rates"][rates]
    assert abs(result["tone_db"]) < 0.1
    assert result["rest_db"] < -60
    assert 0 <= int(rates.split("-")[1]) - result["samples"] < 100, (
        "none is lost, but for those that wait for what follows"
    )


def test_what_is_too_high_for_the_wire_does_not_fold_back(measured: dict[str, Any]) -> None:
    assert measured["folded"]["all_db"] < -60


def test_audio_waits_a_little_and_is_then_played_in_order(measured: dict[str, Any]) -> None:
    jitter = measured["jitter"]
    assert jitter["waits"] == [0] * 20
    assert jitter["plays"] == list(range(1, 81))


def test_what_is_shorter_than_the_wait_is_played_too(measured: dict[str, Any]) -> None:
    played = measured["jitter"]["alone"]
    assert [sample for sample in played if sample] == list(range(1, 21))
    assert played.index(1) == 56, "the first block of 4 ms within which it has waited for 60"


def test_a_hiccup_makes_it_wait_longer(measured: dict[str, Any]) -> None:
    assert (measured["jitter"]["hiccups"], measured["jitter"]["target"]) == (1, 80)


def test_what_was_interrupted_fades_within_five_milliseconds(measured: dict[str, Any]) -> None:
    after = measured["jitter"]["afterwards"]
    assert after[:5] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert after[5:] == [0] * 35


def test_it_holds_three_seconds_at_most(measured: dict[str, Any]) -> None:
    assert (measured["jitter"]["held"], measured["jitter"]["dropped"]) == (3000, 5000)
