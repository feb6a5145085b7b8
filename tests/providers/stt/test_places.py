"""Who comes first is served first, and nobody twice."""

from __future__ import annotations

from antiphon.providers.stt.places import Places


def test_so_many_at_once_and_the_others_in_order() -> None:
    places, served = Places(2), []
    for name in "abcd":
        places.ask(name, lambda name=name: served.append(name))  # type: ignore[misc]
    assert served == ["a", "b"]
    places.give_back("b")
    places.give_back("b")
    assert served == ["a", "b", "c"]
    places.give_back("d")  # has given up waiting
    places.give_back("a")
    places.give_back("nobody")
    assert served == ["a", "b", "c"]
    places.ask("e", lambda: served.append("e"))
    assert served[-1] == "e"
