from __future__ import annotations

import json

import pytest

from antiphon.cli.demo import _for_synthetic_callers


@pytest.mark.parametrize(
    ("own", "variables"),
    [
        ("", {"MIN_CONFIDENCE": "0.1"}),
        ('{"RECEPTION_NUMBER": "+15550100"}', {"MIN_CONFIDENCE": "0.1", "RECEPTION_NUMBER": "+15550100"}),
        ('{"MIN_CONFIDENCE": "0.3"}', {"MIN_CONFIDENCE": "0.3"}),
    ],
)
def test_the_demo_sets_the_threshold_for_its_synthetic_caller_and_keeps_the_operators(
    own: str, variables: dict[str, str]
) -> None:
    assert json.loads(_for_synthetic_callers(own)) == variables


def test_what_is_no_json_is_left_for_the_server_to_complain_about() -> None:
    assert _for_synthetic_callers("{oops") == "{oops"
