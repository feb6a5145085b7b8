"""The server's own account of a call, real and foreign."""

from typing import Any

import httpx
import orjson
import pytest

from antiphon.caller import timeline as module
from antiphon.caller.measure import Spoken, Stages, Turn
from antiphon.caller.timeline import Row, Timeline, fetch_timeline, read_rows, with_stages

ROWS = [
    {"turn": 2, "user_stopped_ms": 9000, "turn_closed_ms": 9100, "wall_ms": 1_000_009_000, "text": "Two"},
    {
        "turn": 1,
        "user_stopped_ms": 1000.5,
        "turn_closed_ms": 1200.5,
        "first_token_ms": 1300.5,
        "first_audio_ms": 1400.5,
        "wall_ms": 1_000_001_000,
        "text": "One",
    },
]


async def test_it_is_asked_for_with_the_key(http_server: Any, client: httpx.AsyncClient) -> None:
    requests = []

    def answer(request: Any) -> tuple[int, bytes]:
        requests.append(request)
        return 200, orjson.dumps(ROWS)

    async with http_server(answer) as origin:
        timeline = await fetch_timeline(client, origin + "/", "CA1", "secret")
        await fetch_timeline(client, origin, "CA1", "")
    assert [row.turn for row in timeline.rows] == [1, 2]
    assert (requests[0].method, requests[0].path) == ("GET", "/calls/CA1/timeline")
    assert requests[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in requests[1].headers


@pytest.mark.parametrize(
    ("status", "body", "note"),
    [
        (404, b"", ""),
        (200, b"<html>", ""),
        (401, b"", "--api-key"),
        (403, b"", "--api-key"),
        (200, b"[" * 200, "too long"),
    ],
)
async def test_a_server_without_one_is_no_error(
    http_server: Any,
    client: httpx.AsyncClient,
    status: int,
    body: bytes,
    note: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    async with http_server(lambda request: (status, body)) as origin:
        timeline = await fetch_timeline(client, origin, "CA1", "")
    assert timeline.rows == ()
    assert note in timeline.note
    assert bool(note) == bool(timeline.note)


async def test_a_server_that_is_gone_is_noted(client: httpx.AsyncClient) -> None:
    timeline = await fetch_timeline(client, "http://127.0.0.1:1", "CA1", "")
    assert timeline == Timeline(note="the server's timeline cannot be reached")


def test_what_is_not_a_row_is_passed_over() -> None:
    assert read_rows(b'{"turns": []}') == ()
    assert read_rows(b'[1, {}, {"turn": "x"}, {"turn": 1, "wall_ms": "soon", "text": 5, "turn_closed_ms": true}]') == (
        Row(1),
    )


def test_stages_count_from_when_the_server_noticed_the_end() -> None:
    one, two = read_rows(orjson.dumps(ROWS))
    assert one.stages == Stages(200, 300, 400)
    assert two.stages == Stages(100, None, None)
    assert Row(1, turn_closed_ms=5).stages == Stages()


def test_rows_belong_to_the_turn_that_ended_nearest() -> None:
    turns = [
        Turn(1, Spoken("say", "a", 0, 900, True), True),
        Turn(2, Spoken("noise", "cough", 4000, 5000, False), False),
        Turn(3, Spoken("say", "b", 8000, 8800, True), True),
    ]
    matched = with_stages(turns, read_rows(orjson.dumps(ROWS)), 1_000_000_000)
    assert [turn.stages for turn in matched] == [Stages(200, 300, 400), None, Stages(100, None, None)]
    assert with_stages(turns, [Row(1)], 0) == tuple(turns)
