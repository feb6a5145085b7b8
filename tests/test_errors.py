"""The one exception tree: a stable code on each leaf."""

from __future__ import annotations

import inspect

from antiphon import errors


def test_every_error_is_of_the_tree_with_a_code_of_its_own() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert all(issubclass(kind, errors.AntiphonError) for kind in kinds)
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    for kind in kinds:
        assert kind.__name__ in (errors.__doc__ or ""), "the tree in the module's docstring is whole"


def test_an_error_says_whose_it_is() -> None:
    assert str(errors.ConfigurationError("twilio.auth_token", "is needed")) == "twilio.auth_token: is needed"
    assert str(errors.ProviderTimeout("espeak", "too slow")) == "espeak: too slow"
    assert str(errors.MalformedMessage("json")) == "json"
    assert str(errors.MalformedMessage("json", "line 3")) == "json: line 3"
    assert errors.ProtocolViolation(1008, "second start").close_code == 1008
    assert errors.CapacityError("full").reason == "full"
