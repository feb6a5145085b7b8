"""Every number of a policy has a range, and every default lies in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from antiphon.conversation.policy import Policy
from antiphon.conversation.ranges import RANGES, check_ranges
from antiphon.errors import ConfigurationError


def numbers(value: Any, path: str = "") -> Iterator[str]:
    for field in dataclasses.fields(value):
        inner, name = getattr(value, field.name), f"{path}{field.name}"
        if dataclasses.is_dataclass(inner):
            yield from numbers(inner, f"{name}.")
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            yield name


def test_every_number_has_a_range_and_every_range_a_number() -> None:
    assert sorted(numbers(Policy())) == sorted(RANGES)


def test_the_defaults_are_allowed() -> None:
    check_ranges(Policy())


@pytest.mark.parametrize("path", sorted(RANGES))
def test_what_is_beyond_a_range_is_refused_and_its_ends_are_not(path: str) -> None:
    lowest, highest = RANGES[path]
    for value in (lowest, highest):
        check_ranges(changed(path, value))
    for value in (lowest - 1, highest + 1, 10**9, -(10**9)):
        with pytest.raises(
            ConfigurationError, match=rf"^policy\.{path}: must be from {lowest} to {highest}, and is {value}$"
        ):
            check_ranges(changed(path, value))


def changed(path: str, value: int) -> Policy:
    part, _, name = path.rpartition(".")
    policy = Policy()
    return replace(policy, **({part: replace(getattr(policy, part), **{name: value})} if part else {name: value}))
