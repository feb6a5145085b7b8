"""Jobs as the store keeps them. The store is a protocol; ``storage`` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from antiphon.calls.stores import CallRecord

JobKind = Literal["after", "erase", "dial"]
"""What is to be done: the work after a call, its erasure when it has been kept long enough, or the making of one that was scheduled."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work for one call (or for one part of a call that came back). Times are UTC milliseconds."""

    id: str
    """``<kind>:<name>``. The name is that of the call's files, without ending: the call's id, or ``<id>-2`` for its second part."""
    call_id: str
    org_id: str
    created_wall_ms: int
    due_wall_ms: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What was known when the call ended, and stands nowhere else."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """By step: those that are done."""
    attempts: int = 0
    """Of the step that comes next."""
    kind: JobKind = "after"
    done: bool = False
    problem: str = ""
    """Why the last attempt failed: a label, never what was said."""
    seen: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What its steps tell each other while one process does them in a row. Not stored: a step finds out again what is not here."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of asking for work."""

    job: Job | None
    due_ms: int | None = None
    """When the next one can be claimed, if nobody adds another before; None: none waits."""


class LeaseLost(Exception):
    """The job is another's by now."""


def job_id(kind: JobKind, name: str) -> str:
    return f"{kind}:{name}"


@dataclass(frozen=True, slots=True)
class CallChange:
    """What a step changes in the record of its call."""

    body: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is written of a step that is done."""

    step: str
    result: Any = None
    """JSON."""
    change: CallChange = field(default_factory=CallChange)
    is_last: bool = False
    """The job is done with it. Facts and results go: they stand in the call's record."""


class JobStore(Protocol):
    """A job belongs to whoever has claimed it, until its lease ends. All raise ``StoreUnavailable``."""

    async def add(self, job: Job) -> bool:
        """False where there is one of this id: nothing is changed."""
        ...

    async def find(self, id: str) -> Job | None: ...

    async def known(self, ids: list[str]) -> set[str]:
        """Those of them that there are jobs of."""
        ...

    async def calls_without(self, from_wall_ms: int, until_wall_ms: int, most: int) -> Sequence[tuple[str, str]]:
        """``(call_id, org_id)`` of calls whose record says that they ended then, and of which there is no work: the oldest first."""
        ...

    async def claim(self, owner: str, now_ms: int, lease_ms: int, kinds: Sequence[JobKind] = ()) -> Claim:
        """The one that has waited longest of those that are due and belong to nobody, now ``owner``'s. Of these kinds; empty: of any."""
        ...

    async def renew(self, id: str, owner: str, until_ms: int) -> bool:
        """False where it is not ``owner``'s any more."""
        ...

    async def keep(self, id: str, owner: str, kept: Kept, now_ms: int) -> CallRecord | None:
        """A step is done: its result and what it changes in the call's record are written in one transaction, or not at all. Returns the
        record that was changed. Raises LeaseLost: somebody else has done it."""
        ...

    async def put_off(self, id: str, owner: str, due_ms: int, problem: str) -> bool:
        """Try again then; an empty ``problem`` is no failed attempt. The job is let go."""
        ...

    async def finish(self, id: str, owner: str) -> bool:
        """There is nothing to be done any more."""
        ...

    async def delete_of(self, call_id: str) -> None:
        """Whatever there is of a call."""
        ...

    async def close_of(self, job: Job, also: Sequence[str] = ()) -> None:
        """Nothing more is done for ``job``'s call: what there is of it is gone. Of this id, and of ``also``, there are jobs that are done,
        so that a call which comes to its end only now adds none."""
        ...
