"""A Node.js program driven from a test: one JSON object a line, questions in, answers and what it has to tell out.

The other side is ``conformance/realtime/js/lines.mjs``.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
from tests.programs import JS, node

_LINE_BYTES = 32 << 20
_END_S = 60.0

Told = dict[str, Any]


class NodeError(AssertionError):
    """The program could not do what it was asked to."""


class NodeProgram:
    """A running program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.told: list[Told] = []
        """Everything it said without being asked, in order: ``{"told": name, …}``."""
        self._process = process
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read(), name="node-program")

    async def ask(self, operation: str, *, within_s: float = 60.0, **fields: Any) -> Any:
        """Have it do something; its result. Raises NodeError with the program's own message."""
        assert self._process.stdin is not None
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._process.stdin.write(orjson.dumps({"ask": number, "operation": operation, **fields}) + b"\n")
        await self._process.stdin.drain()
        try:
            return await asyncio.wait_for(answer, within_s)
        except TimeoutError:
            raise NodeError(f"{operation}: no answer in {within_s} s; last told {self.told[-3:]}") from None
        finally:
            self._answers.pop(number, None)

    def all(self, name: str) -> list[Told]:
        """What it told under this name."""
        return [told for told in self.told if told["told"] == name]

    async def until(
        self, name: str, where: Callable[[Told], bool] = lambda told: True, *, within_s: float = 60.0
    ) -> Told:
        """The first thing told under this name that fits, from the beginning on."""

        def found() -> Told | None:
            return next((told for told in self.told if told["told"] == name and where(told)), None)

        async with self._news:
            try:
                async with asyncio.timeout(within_s):
                    while (told := found()) is None:
                        if self._reader.done():
                            raise NodeError(f"the program has ended without telling {name}")
                        await self._news.wait()
            except TimeoutError:
                names = [told["told"] for told in self.told[-20:]]
                raise NodeError(f"not told in {within_s} s: {name}; last told: {names}") from None
        return told

    async def close(self) -> None:
        """End it: at the end of its input it ends by itself, else it is killed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_S)
        except TimeoutError:
            with suppress(ProcessLookupError):  # it has ended this moment
                self._process.kill()
            await self._process.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = orjson.loads(line)
            if "answer" in said:
                answer = self._answers.get(said["answer"])
                if answer is not None and not answer.done():
                    if "problem" in said:
                        answer.set_exception(NodeError(said["problem"]))
                    else:
                        answer.set_result(said.get("result"))
                continue
            async with self._news:
                self.told.append(said)
                self._news.notify_all()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(NodeError("the program has ended"))
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def node_program(script: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[NodeProgram]:
    """Run one of our scripts. Its complaints (stderr) go to ours, where pytest shows them when the test fails."""
    process = await asyncio.create_subprocess_exec(
        node(), str(JS / script), limit=_LINE_BYTES, env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    program = NodeProgram(process)
    try:
        yield program
    finally:
        await program.close()
