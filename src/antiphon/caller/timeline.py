"""The server's own account of a call, where it gives one: ``GET {base}/calls/{callSid}/timeline``.

The answer is a JSON list with one object per turn: ``turn`` (number), ``user_stopped_ms``, ``turn_closed_ms``,
``first_token_ms``, ``first_audio_ms`` (the server's session clock), ``wall_ms`` (UTC at ``user_stopped_ms``) and ``text``
(what the agent said). Any may be missing. Servers without it are measured from outside only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx
import orjson

from antiphon.caller.measure import Stages, Turn

TIMEOUT_S = 2.0
MAX_BYTES = 1024 * 1024
MATCH_MS = 2000
"""A row belongs to the caller's turn that ended nearest to it, if it is this near: clocks of two machines differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """One turn as the server saw it; None for what it does not say."""

    turn: int
    user_stopped_ms: float | None = None
    turn_closed_ms: float | None = None
    first_token_ms: float | None = None
    first_audio_ms: float | None = None
    wall_ms: float | None = None
    text: str = ""

    @property
    def stages(self) -> Stages:
        return Stages(
            self._after_stop(self.turn_closed_ms),
            self._after_stop(self.first_token_ms),
            self._after_stop(self.first_audio_ms),
        )

    def _after_stop(self, at_ms: float | None) -> float | None:
        return None if at_ms is None or self.user_stopped_ms is None else at_ms - self.user_stopped_ms


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a server answered: its rows, and a note for the user where it would not answer."""

    rows: tuple[Row, ...] = ()
    note: str = ""
    refused: bool = False
    """It lets in nobody without a key, or not with this one."""


async def fetch_timeline(client: httpx.AsyncClient, base: str, call_sid: str, api_key: str) -> Timeline:
    """Ask the server. A server that has no timelines gives an empty one; this never raises for what a server does."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    url = f"{base.rstrip('/')}/calls/{call_sid}/timeline"
    try:
        async with client.stream("GET", url, headers=headers, timeout=TIMEOUT_S) as response:
            if response.status_code in (401, 403):
                wrong, none = "refuses the key", "keeps its timeline for those with a key"
                return Timeline(note=f"the server {wrong if api_key else none} (--api-key)", refused=True)
            if response.status_code != 200:
                return Timeline()
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    return Timeline(note="the server's timeline is too long to read")
    except (httpx.HTTPError, httpx.InvalidURL):
        return Timeline(note="the server's timeline cannot be reached")
    return Timeline(read_rows(body))


def read_rows(body: bytes) -> tuple[Row, ...]:
    """The rows of a JSON answer, by turn; what is not a row is passed over, since any server may have this path."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ()
    if not isinstance(document, list):
        return ()
    rows = [_row(entry) for entry in document if isinstance(entry, dict) and isinstance(entry.get("turn"), int)]
    return tuple(sorted(rows, key=lambda row: row.turn))


def _row(entry: dict[str, object]) -> Row:
    def number(name: str) -> float | None:
        value = entry.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    text = entry.get("text")
    turn = entry["turn"]
    assert isinstance(turn, int)
    return Row(
        turn,
        number("user_stopped_ms"),
        number("turn_closed_ms"),
        number("first_token_ms"),
        number("first_audio_ms"),
        number("wall_ms"),
        text if isinstance(text, str) else "",
    )


def with_stages(turns: Sequence[Turn], rows: Sequence[Row], started_wall_ms: float) -> tuple[Turn, ...]:
    """The turns, each with the server's stages of the row nearest to its end."""
    matched = []
    for turn in turns:
        ended_wall_ms = started_wall_ms + turn.spoken.ended_ms
        near = [row for row in rows if row.wall_ms is not None and abs(row.wall_ms - ended_wall_ms) <= MATCH_MS]
        row = min(near, key=lambda each: abs((each.wall_ms or 0.0) - ended_wall_ms), default=None)
        matched.append(turn if row is None else replace(turn, stages=row.stages))
    return tuple(matched)
