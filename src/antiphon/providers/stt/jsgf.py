"""JSGF grammars as automata over words, for recognisers that have no reader of their own. Pure.

Read are rules, references, sequences, ``|``, ``( )``, ``[ ]``, ``*``, ``+`` and quoted words; weights and tags are skipped. A rule that
refers to itself is refused: nothing an assistant expects to hear needs one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from antiphon.errors import ConfigurationError
from antiphon.providers.stt.phrases import grammar_of_jsgf

MAX_STATES = 50_000
"""Rules are copied wherever they are named, so a short text can grow large: "a b" of ten levels is a thousand words."""

_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_HEADER = re.compile(r"\s*(?:#JSGF[^;]*;)?\s*(?:grammar\s[^;]*;)?", re.IGNORECASE)
_TOKEN = re.compile(r'\s*(<[^<>\s]+>|\{[^}]*\}|/\s*[\d.]+\s*/|[()\[\]|*+=;]|"[^"]*"|[^\s()\[\]|*+=;<>{}"/]+|\S)')
_SYNTAX = "the grammar has an error of syntax"

States = frozenset[int]


@dataclass(frozen=True, slots=True)
class WordAutomaton:
    """Which word may follow which. A position is a set of states: all places in the grammar where one may be."""

    arcs: tuple[tuple[tuple[str, int], ...], ...]
    """By state: words that lead on, and where to."""
    free: tuple[tuple[int, ...], ...]
    """By state: where one may be without a word."""
    last: int

    def start(self) -> States:
        return self._closed((0,))

    def following(self, position: States) -> dict[str, States]:
        """Every word that may come next, and the position after it."""
        targets: dict[str, list[int]] = {}
        for state in position:
            for word, target in self.arcs[state]:
                targets.setdefault(word, []).append(target)
        return {word: self._closed(each) for word, each in targets.items()}

    def may_end(self, position: States) -> bool:
        return self.last in position

    def _closed(self, states: Iterable[int]) -> States:
        reached, waiting = set(states), list(states)
        while waiting:
            for target in self.free[waiting.pop()]:
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        return frozenset(reached)


def automaton_of_jsgf(jsgf: str) -> WordAutomaton:
    """Raises ConfigurationError("answers.grammar") for a text that is no grammar, imports others, refers to itself or grows too large."""
    grammar_of_jsgf(jsgf)
    rules, public = _rules(_COMMENT.sub(" ", jsgf))
    building = _Building(rules)
    start, last = building.state(), building.state()  # 0 is where a position begins
    for name in public:
        first, end = building.rule(name)
        building.free[start].append(first)
        building.free[end].append(last)
    return WordAutomaton(tuple(map(tuple, building.arcs)), tuple(map(tuple, building.free)), last)


def _rules(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """Rule bodies as tokens, and the names of the public ones."""
    text = text[_HEADER.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
    rules: dict[str, list[str]] = {}
    public: list[str] = []
    statement: list[str] = []
    for token in _TOKEN.findall(text):
        if token != ";":
            statement.append(token)
            continue
        is_public = statement[:1] == ["public"]
        name, equals, *body = [*statement[is_public:], "", ""][: max(2, len(statement) - is_public)]
        if not name.startswith("<") or equals != "=" or not body:
            raise _wrong(_SYNTAX)
        rules[name] = body
        if is_public:
            public.append(name)
        statement = []
    if statement or not public:
        raise _wrong(_SYNTAX)
    return rules, public


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError("answers.grammar", problem)


class _Building:
    def __init__(self, rules: dict[str, list[str]]) -> None:
        self._rules = rules
        self._open: list[str] = []
        self.arcs: list[list[tuple[str, int]]] = []
        self.free: list[list[int]] = []

    def state(self) -> int:
        if len(self.arcs) >= MAX_STATES:
            raise _wrong(f"the grammar is too large (more than {MAX_STATES} places)")
        self.arcs.append([])
        self.free.append([])
        return len(self.arcs) - 1

    def rule(self, name: str) -> tuple[int, int]:
        """A copy of a rule: its first and its last state."""
        if name == "<NULL>":
            state = self.state()
            return state, state
        if name not in self._rules:
            raise _wrong(f"the grammar has no rule {name}")
        if name in self._open:
            raise _wrong(f"the rule {name} refers to itself")
        self._open.append(name)
        tokens = iter([*self._rules[name], ";"])
        first, last = self._alternatives(tokens, ";")
        if next(tokens, None) is not None:
            raise _wrong(_SYNTAX)
        self._open.pop()
        return first, last

    def _alternatives(self, tokens: Iterator[str], closing: str) -> tuple[int, int]:
        """Up to and with ``closing``."""
        first, last = self.state(), self.state()
        while True:
            begin, end, stopped_by = self._sequence(tokens)
            self.free[first].append(begin)
            self.free[end].append(last)
            if stopped_by == closing:
                return first, last
            if stopped_by != "|":
                raise _wrong(_SYNTAX)

    def _sequence(self, tokens: Iterator[str]) -> tuple[int, int, str]:
        """Items one after the other: first and last state, and the token that ended it."""
        first = last = self.state()
        item: tuple[int, int] | None = None
        items = 0
        for token in tokens:
            if token in ("*", "+"):
                if item is None:
                    raise _wrong(_SYNTAX)
                self.free[item[1]].append(item[0])
                if token == "*":
                    self.free[item[0]].append(item[1])
                item = None
                continue
            if token[0] in "{/":
                continue
            if token in ("|", ")", "]", ";"):
                if not items:
                    raise _wrong(_SYNTAX)
                return first, last, token
            item = self._item(token, tokens)
            items += 1
            self.free[last].append(item[0])
            last = self.state()
            self.free[item[1]].append(last)
        raise _wrong(_SYNTAX)

    def _item(self, token: str, tokens: Iterator[str]) -> tuple[int, int]:
        if token == "(":
            return self._alternatives(tokens, ")")
        if token == "[":
            first, last = self._alternatives(tokens, "]")
            self.free[first].append(last)
            return first, last
        if token.startswith("<") and len(token) > 2:
            return self.rule(token)
        if token[0] in "=<>{}/":
            raise _wrong(_SYNTAX)
        return self._words(token.strip('"').split())

    def _words(self, words: list[str]) -> tuple[int, int]:
        first = last = self.state()
        for word in words:
            after = self.state()
            self.arcs[last].append((word, after))
            last = after
        return first, last
