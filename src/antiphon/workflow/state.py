"""Where a conversation stands: the one value the fold carries from message to message. Nothing of it outlives a request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from antiphon.workflow.slots import Value


class Prompt(Enum):
    """What the agent has to say next, beside its remarks."""

    ENTER = "the node's first message, then its question"
    ASK = "its question"
    AGAIN = "that it did not understand, then its question in other words"
    HELP = "what may be said here"
    REPEAT = "its question once more"
    WAIT = "that the tool is still at work"
    PAUSE = "that the caller may take their time"
    BEYOND = "that it cannot help with what was asked, then its question"
    MORE = "the digits it has, and that more are to come"


@dataclass(frozen=True, slots=True)
class State:
    node: str
    listening_at: str
    """The last node that listened; words that come while a tool works, or after a goodbye, are understood there."""
    values: tuple[tuple[str, Value], ...] = ()
    """Slots and what tools answered, the latest last."""
    confirmed: frozenset[str] = frozenset()
    """Slots whose ``confirm`` question was answered with yes."""
    misses: int = 0
    """Turns in a row that were not understood."""
    prompt: Prompt = Prompt.ENTER
    remarks: tuple[str, ...] = ()
    """Sentences said before the prompt: acknowledgements, what is wrong with a value, what an edge says."""
    groups: tuple[str, ...] = ()
    """The groups of a number that is not complete yet."""
    refused: frozenset[str] = frozenset()
    """Slots whose value was turned down when it was read back: the next one is spelled."""
    leaving: bool = False
    """Whether the caller has said goodbye with an answer that is still to be carried out."""
    changed: tuple[str, ...] = ()
    """Slots whose value the caller has just corrected: to be acknowledged."""
    heard: bool = False
    """Whether the caller has heard anything of this node."""
    calls: int = 0
    """Tool calls made so far: the same call made again is another one."""
    call_id: str = ""
    """The call whose answer is awaited; empty when it has not been made yet."""
    call_arguments: str = ""
    """Its arguments, as canonical JSON."""

    def value(self, name: str) -> Value | None:
        return next((value for key, value in self.values if key == name), None)

    def having(self, name: str, value: Value) -> State:
        """With ``name`` set, as the latest."""
        others = tuple(item for item in self.values if item[0] != name)
        return replace(self, values=(*others, (name, value)), confirmed=self.confirmed - {name}, groups=())

    def without(self, *names: str) -> State:
        """With ``names`` forgotten."""
        if not names:
            return self
        return replace(
            self,
            values=tuple(item for item in self.values if item[0] not in names),
            confirmed=self.confirmed.difference(names),
        )

    def doubting(self, *names: str) -> State:
        """With the values of ``names`` known to have been misunderstood once."""
        return replace(self, refused=self.refused.union(names)) if names else self

    def saying(self, *remarks: str) -> State:
        """With more to say first."""
        return replace(self, remarks=(*self.remarks, *(remark for remark in remarks if remark)))
