"""Which sessions try a stored assistant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.clock import ManualClock
from antiphon.surfaces.realtime.secrets import ClientSecrets
from antiphon.workers.trials import name_of_trial, trial_of


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[ClientSecrets]:
    made = ClientSecrets(tmp_path / "secrets.sqlite3")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("model", "trial"),
    [("assistant:0b0e", name_of_trial("0b0e")), ("assistant:front-desk", ""), ("gpt-realtime", "")],
)
def test_it_is_what_their_client_secret_was_made_for(secrets: ClientSecrets, model: str, trial: str) -> None:
    clock = ManualClock()
    find = trial_of(secrets, clock, lambda name: name == "front-desk")
    _, key = secrets.create({"type": "realtime", "model": model}, 60, clock.wall_ms())
    assert find({"authorization": f"Bearer {key}"}) == trial
    assert find({"sec-websocket-protocol": f"realtime, openai-insecure-api-key.{key}"}) == trial
    clock.advance(60_000)
    assert find({"authorization": f"Bearer {key}"}) == ""


def test_others_try_nothing(secrets: ClientSecrets) -> None:
    find = trial_of(secrets, ManualClock(), lambda name: False)
    assert find({}) == find({"authorization": "Bearer sk_antiphon_x"}) == find({"authorization": "Bearer ek_x"}) == ""
