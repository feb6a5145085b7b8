"""JSGF grammars become automata over words."""

from __future__ import annotations

import pytest

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.jsgf import WordAutomaton, automaton_of_jsgf


def takes(automaton: WordAutomaton, sentence: str) -> bool:
    position = automaton.start()
    for word in sentence.split():
        following = automaton.following(position)
        if word not in following:
            return False
        position = following[word]
    return automaton.may_end(position)


@pytest.mark.parametrize(
    ("body", "inside", "outside"),
    [
        ("yes | no", ["yes", "no"], ["", "yes no", "maybe"]),
        ("[ please ] stop", ["stop", "please stop"], ["please", "stop please"]),
        ("( a | b ) c", ["a c", "b c"], ["a b c", "c"]),
        ("a+", ["a", "a a a"], ["", "b"]),
        ("x a* y", ["x y", "x a y", "x a a y"], ["x", "a y"]),
        ("( a b )+ c", ["a b c", "a b a b c"], ["a c", "a b a c"]),
        ("<other> | <other> then <other>", ["one", "one then two"], ["one two"]),
        ("/0.5/ yes {affirm} | /2/ no", ["yes", "no"], ["affirm"]),
        ('"thank you" | bye', ["thank you", "bye"], ["thank"]),
        ("a <NULL> b", ["a b"], ["a"]),
        ("[ [ a ] b ] c", ["c", "b c", "a b c"], ["a c"]),
    ],
)
def test_what_a_grammar_holds(body: str, inside: list[str], outside: list[str]) -> None:
    automaton = automaton_of_jsgf(f"#JSGF V1.0 UTF-8 en;\ngrammar g;\npublic <g> = {body};\n<other> = one | two;\n")
    assert [sentence for sentence in inside if not takes(automaton, sentence)] == []
    assert [sentence for sentence in outside if takes(automaton, sentence)] == []


def test_comments_are_no_rules_and_several_public_rules_are_alternatives() -> None:
    automaton = automaton_of_jsgf("/* a; */ public <a> = yes; // no;\n public <b> = no;")
    assert takes(automaton, "yes")
    assert takes(automaton, "no")


@pytest.mark.parametrize(
    ("grammar", "problem"),
    [
        ("no grammar at all", "syntax"),
        ("", "syntax"),
        ("<a> = yes;", "syntax"),
        ("public <a> = yes | ;", "syntax"),
        ("public <a> = ( yes;", "syntax"),
        ("public <a> = yes );", "syntax"),
        ("public <a> = [ yes );", "syntax"),
        ("public <a> = + yes;", "syntax"),
        ("public <a> = yes++;", "syntax"),
        ("public <a> yes;", "syntax"),
        ("public <a> = yes", "syntax"),
        ("public <a> = < > yes;", "syntax"),
        ("public a = yes;", "syntax"),
        ("public <a> = <b>;", "no rule <b>"),
        ("public <a> = yes <a>;", "itself"),
        ("public <a> = <b>; <b> = x | <a>;", "itself"),
        ("import <x.y>; public <a> = yes;", "import"),
    ],
)
def test_what_is_no_grammar(grammar: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        automaton_of_jsgf(grammar)


def test_a_short_grammar_that_grows_large_is_refused() -> None:
    rules = "".join(f"<r{n}> = <r{n + 1}> <r{n + 1}>;" for n in range(30))
    with pytest.raises(ConfigurationError, match="too large"):
        automaton_of_jsgf(f"public <a> = <r0>; {rules} <r30> = x;")
