"""``antiphon call`` from the command line, against real servers."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from click.testing import CliRunner, Result

from antiphon.audio.wav import read_wav, write_wav
from antiphon.cli.call import call

QUICK = ["--agent-done-ms", "140"]
HASTY = [*QUICK, "--greeting-ms", "200", "--reply-timeout-ms", "300"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    samples = np.rint(8000 * np.sin(2 * np.pi * 300 * np.arange(960) / 8000)).astype(np.int16)
    write_wav(tmp_path / "clip.wav", samples, 8000)
    return tmp_path / "clip.wav"


async def antiphon_call(*arguments: object) -> Result:
    """Run the command in a thread of its own: it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, call, [str(each) for each in arguments])


async def test_an_answered_call_is_a_success(agent: Any, media_server: Any, clip: Path, tmp_path: Path) -> None:
    async with media_server(agent) as url:
        result = await antiphon_call("--media-url", url, "--wav", clip, "--record", tmp_path / "call.wav", *QUICK)
    assert result.exit_code == 0, result.output
    assert "caller  (wav" in result.output
    assert "1 turn, every one answered" in result.output
    samples, _ = read_wav(tmp_path / "call.wav")
    assert samples.shape[1] == 2


@pytest.mark.speech
async def test_the_caller_has_a_voice_and_an_ear(agent: Any, media_server: Any) -> None:
    async with media_server(agent) as url:
        result = await antiphon_call("--media-url", url, "--say", "Hello there", "--transcribe", *QUICK)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["caller", "Hello", "there"] in lines
    assert sum(line[:1] == ["agent"] for line in lines) == 2  # the greeting and the answer, whatever a tone sounds like


async def test_an_engine_that_does_not_start_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(call.callback.__globals__, "ENGINE_START_S", 0.0)  # the package attribute is the command
    result = await antiphon_call("http://127.0.0.1:1/voice", "--say", "Hello")
    assert result.exit_code == 1
    assert "did not start within" in " ".join(result.output.split())


async def test_an_unanswered_turn_is_a_failure(media_server: Any, clip: Path) -> None:
    async def drain(connection: Any) -> None:
        async for _ in connection:
            pass

    async with media_server(drain) as url:
        result = await antiphon_call("--media-url", url, "--wav", clip, *HASTY)
    assert result.exit_code == 1
    assert "1 unanswered" in result.output


async def test_machines_get_json_with_the_server_s_own_times(
    agent: Any, media_server: Any, http_server: Any, clip: Path
) -> None:
    requests = []

    def answer(request: Any) -> tuple[int, bytes]:
        if request.method == "POST":
            twiml = f'<Response><Connect><Stream url="{media_url}?x=1"/></Connect></Response>'
            return 200, twiml.encode()
        requests.append(request)
        return 401, b""

    async with media_server(agent) as media_url, http_server(answer) as origin:
        result = await antiphon_call(
            f"{origin}/voice", "--wav", clip, "--json", "--calls", 2, "--api-key", "k", "--noise-dbfs", -55, *QUICK
        )
    assert result.exit_code == 0, result.output
    document = orjson.loads(result.stdout)
    assert document["summary"]["calls"] == 2
    assert [each["note"] for each in document["calls"]] == ["the server refuses the key (--api-key)"] * 2
    assert "query string" in document["calls"][0]["warnings"][0]
    assert {request.headers["authorization"] for request in requests} == {"Bearer k"}


async def test_a_refused_call_is_a_failure(http_server: Any, clip: Path) -> None:
    async with http_server(lambda request: (403, b"")) as origin:
        result = await antiphon_call(origin, "--wav", clip, "--auth-token", "wrong")
    assert result.exit_code == 1
    assert "is the auth token the server's?" in result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "give either the webhook's URL or --media-url"),
        (["http://a/b", "--media-url", "ws://a/b", "--dtmf", "1"], "give either"),
        (["http://a/b"], "nothing to do"),
        (["ws://a/b", "--dtmf", "1"], "URL: the URL must begin with http:// or https://"),
        (["--media-url", "http://a/b", "--dtmf", "1"], "--media-url: the URL must begin with ws:// or wss://"),
        (["http://a:99999/b", "--dtmf", "1"], "URL: not a URL"),
        (["http://[", "--dtmf", "1"], "URL: not a URL"),
        (["http://a/b", "--dtmf", "x"], "dtmf"),
        (["http://a/b", "--dtmf", "1", "--param", "a=b"], "param: only with --media-url"),
        (["--media-url", "ws://a/b", "--dtmf", "1", "--param", "a"], "NAME=VALUE"),
        (["http://a/b", "--dtmf", "1", "--stall", "soon"], "stall: must be AT:DURATION"),
        (["http://a/b", "--dtmf", "1", "--stall", "5:0"], "stall"),
        (["http://a/b", "--dtmf", "1", "--loss", "nan"], "loss: must be between"),
        (["http://a/b", "--dtmf", "1", "--reorder", "nan"], "reorder: must be between"),
        (["http://a/b", "--dtmf", "1", "--jitter-ms", "nan"], "--jitter-ms: must be between"),
        (["http://a/b", "--dtmf", "1", "--stall", "nan:5"], "stall"),
        (["http://a/b", "--dtmf", "1", "--stall", "5:inf"], "stall"),
        (["http://a/b", "--dtmf", "1", "--noise-dbfs", "nan"], "--noise-dbfs"),
        (["http://a/b", "--dtmf", "1", "--agent-done-ms", "-5"], "Invalid value for '--agent-done-ms'"),
        (["http://a/b", "--dtmf", "1", "--greeting-ms", "1000000000"], "Invalid value for '--greeting-ms'"),
        (["http://a/b", "--dtmf", "1", "--barge-in-at", "-1"], "Invalid value for '--barge-in-at'"),
        (["http://a/b", "--dtmf", "1", "--record", "nowhere/call.wav"], "record: there is no folder nowhere"),
        (["http://a/b", "--dtmf", "1", "--record", "."], "record: . is a folder"),
        (["http://a/b", "--dtmf", "1", "--record", "~nobody-of-this-name/x.wav"], "there is no home folder"),
        (["http://a/b", "--dtmf", "1", "--loss", "2"], "loss: must be between"),
        (["http://a/b", "--dtmf", "1", "--noise-dbfs", "0"], "--noise-dbfs"),
        (["http://a/b", "--dtmf", "1", "--calls", "2", "--transcribe"], "for one call"),
        (["http://a/b", "--script", "absent.yaml"], "absent.yaml"),
        (["http://a/b", "--wav", "absent.wav"], "absent.wav"),
        (["http://a/b", "--dtmf", "1", "--calls", "0"], "Invalid value"),
        (
            ["http://a/b", "--dtmf", "1", "--stagger-ms", "nan"],
            "Invalid value for '--stagger-ms': nan is not in the range",
        ),
        (["http://a/b", "--dtmf", "1", "--jitter-ms", "much"], "Invalid value for '--jitter-ms'"),
    ],
)
async def test_mistakes_are_usage_errors(arguments: list[str], text: str) -> None:
    result = await antiphon_call(*arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.output.split())


async def test_a_script_stands_alone(tmp_path: Path) -> None:
    (tmp_path / "script.yaml").write_text("lines: [{say: Hello}]")
    result = await antiphon_call("http://a/b", "--script", tmp_path / "script.yaml", "--dtmf", "1")
    assert result.exit_code == 2
    assert "cannot be combined" in " ".join(result.output.split())
