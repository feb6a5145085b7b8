"""``antiphon init`` as people run it: in a terminal, against vendors that check their keys."""

from __future__ import annotations

import asyncio
import os
import pty
import ssl
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result
from tests.providers.fakes import http_server, voice_server
from tests.providers.fakes import server as stt_server
from tests.providers.fakes.deepgram import FakeDeepgram
from tests.providers.fakes.elevenlabs_voice import FakeElevenLabs
from tests.providers.fakes.openai_responses import FakeOpenAiResponses

from antiphon.assistants import loader
from antiphon.assistants.starter import STACKS, starter_assistant
from antiphon.cli import app
from antiphon.config import read_settings
from antiphon.engines import credentials_of
from antiphon.providers.credentials import WELL_KNOWN

PATIENCE_S = 60.0
KEYS = {"deepgram": stt_server.KEY, "openai": http_server.KEY, "elevenlabs": voice_server.KEY}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no key in the environment."""
    for name in list(os.environ):
        if name.startswith(("ANTIPHON_", "TWILIO_")) or name in {key for keys in WELL_KNOWN.values() for key in keys}:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    return home


@dataclass
class Vendors:
    """Deepgram, OpenAI and ElevenLabs on this machine; the environment that leads to them."""

    deepgram: FakeDeepgram
    openai: FakeOpenAiResponses
    elevenlabs: FakeElevenLabs
    environment: dict[str, str]


@pytest.fixture
async def vendors(tmp_path: Path) -> AsyncIterator[Vendors]:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    async with AsyncExitStack() as stack:
        deepgram, elevenlabs, openai = FakeDeepgram(), FakeElevenLabs(certificate), FakeOpenAiResponses()
        await stack.enter_async_context(deepgram)
        await stack.enter_async_context(elevenlabs)
        openai_url = await openai.start(context)
        stack.push_async_callback(openai.close)
        trusted = tmp_path / "authorities.pem"
        trusted.write_bytes(authority.cert_pem.bytes() + deepgram.authority.cert_pem.bytes())
        environment = {
            "SSL_CERT_FILE": str(trusted),
            "ANTIPHON_VENDORS__DEEPGRAM__BASE_URL": deepgram.url,
            "ANTIPHON_VENDORS__OPENAI__BASE_URL": openai_url,
            "ANTIPHON_VENDORS__ELEVENLABS__BASE_URL": f"https://{elevenlabs.address}",
        }
        yield Vendors(deepgram, openai, elevenlabs, environment)


class Terminal:
    """``antiphon …`` in a pseudo terminal of its own."""

    def __init__(self, *arguments: str, env: dict[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", *arguments],
            stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "COLUMNS": "200", "TERM": "xterm", **env},
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""
        self._read_until = 0

    async def answer(self, question: str, said: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while question not in self.shown[self._read_until :]:
                assert await self._more(), f"it ended without asking {question!r}:\n{self.shown}"
        self._read_until = len(self.shown)
        os.write(self._ours, f"{said}\n".encode())

    async def end(self) -> int:
        """The exit status."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._more():
                pass
            return await asyncio.to_thread(self._process.wait)

    async def _more(self) -> bool:
        try:
            read = await asyncio.to_thread(os.read, self._ours, 4096)
        except OSError:  # a terminal whose other end is closed
            return False
        self.shown += read.decode()
        return bool(read)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._ours)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


async def test_from_nothing_to_an_assistant_by_answering_questions(
    folder: Path, vendors: Vendors, terminals: list[Terminal]
) -> None:
    terminal = Terminal("init", "--model-name", http_server.MODEL, env=vendors.environment)
    terminals.append(terminal)
    await terminal.answer("Name of the assistant", "desk")
    await terminal.answer("Engines", "")
    await terminal.answer("Language", "")
    for vendor, key in KEYS.items():
        await terminal.answer(f"Key of {vendor}", key)
    await terminal.answer("Twilio account SID", "AC123")
    await terminal.answer("Twilio auth token", "token-of-twilio")
    assert await terminal.end() == 0, terminal.shown
    assert terminal.shown.count("works") == 3
    assert "antiphon serve" in terminal.shown and "antiphon call" in terminal.shown
    assert not any(secret in terminal.shown for secret in (*KEYS.values(), "token-of-twilio"))
    assert vendors.deepgram.sessions and vendors.openai.requests and vendors.elevenlabs.requests
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    settings = read_settings()
    assert (settings.assistant, settings.twilio.account_sid) == ("desk", "AC123")
    assert settings.twilio.auth_token.get_secret_value() == "token-of-twilio"
    assert {vendor: credentials_of(settings).of(vendor).api_key for vendor in KEYS} == KEYS
    spec = loader.load(folder / "assistants" / "desk.yaml")
    assert spec.transcriber and spec.model and spec.voice
    assert (spec.transcriber.provider, spec.model.provider, spec.voice.provider) == ("deepgram", "openai", "elevenlabs")


async def test_a_key_that_is_refused_is_told_and_the_files_are_there(
    folder: Path, vendors: Vendors, terminals: list[Terminal]
) -> None:
    keys = [f"--key={vendor}={key}" for vendor, key in {**KEYS, "deepgram": "wrong-key"}.items()]
    terminal = Terminal("init", "--yes", "--model-name", http_server.MODEL, *keys, env=vendors.environment)
    terminals.append(terminal)
    assert await terminal.end() == 1
    assert "the key was refused" in terminal.shown and terminal.shown.count("works") == 2
    assert "antiphon providers check receptionist" in terminal.shown
    assert "wrong-key" not in terminal.shown
    assert (folder / "assistants" / "receptionist.yaml").exists()


def init(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["init", "--yes", "--no-check", *arguments], env={"COLUMNS": "300"})


def test_what_is_there_is_not_overwritten_unless_that_is_said(folder: Path) -> None:
    (folder / ".env").write_text("# mine\nOTHER=1\nANTIPHON_VENDORS__OPENAI__API_KEY=old\n", encoding="utf-8")
    refused = init("--stack", "openai", "--key", "openai=sk-new")
    assert refused.exit_code == 2
    assert ".env" in refused.output and "--force" in refused.output
    assert not (folder / "antiphon.toml").exists()
    done = init("--stack", "openai", "--key", "openai=sk-new", "--force")
    assert done.exit_code == 0, done.output
    text = (folder / ".env").read_text(encoding="utf-8")
    assert text.startswith("# mine\nOTHER=1\nANTIPHON_VENDORS__OPENAI__API_KEY=sk-new\n")
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600


def test_a_local_stack_needs_no_key_and_gets_a_token_for_the_simulated_caller(folder: Path) -> None:
    done = init("--stack", "local", "--public-url", "https://voice.example.com")
    assert done.exit_code == 0, done.output
    settings = read_settings()
    token = settings.twilio.auth_token.get_secret_value()
    assert len(token) == 32 and token not in done.output
    assert "https://voice.example.com/twilio/voice" in done.output
    again = (folder / ".env").read_text(encoding="utf-8")
    assert init("--stack", "local", "--force").exit_code == 0
    assert (folder / ".env").read_text(encoding="utf-8") == again  # the token stays


def test_a_key_of_the_environment_is_used_and_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    done = init("--stack", "openai")
    assert done.exit_code == 0, done.output
    assert "OPENAI_API_KEY" in done.output
    assert "sk-of-the-environment" not in (folder / ".env").read_text(encoding="utf-8") + done.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--stack", "openai"], "OPENAI_API_KEY"),
        (["--key", "nobody=1"], "deepgram"),
        (["--key", "deepgram=a b"], "does not look like a key"),
        (["--name", "../x"], "--name"),
        (["--language", "Korean!"], "--language"),
        (["--stack", "local", "--language", "ko"], "moonshine knows English alone"),
        (["--stack", "local", "--model", "xai"], "--model-name"),
        (["--stack", "local", "--public-url", "voice.example.com"], "--public-url"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(folder: Path, arguments: list[str], told: str) -> None:
    result = init(*arguments)
    assert result.exit_code == 2
    assert told in result.output
    assert not any(folder.iterdir())


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("language", ["en", "ko-KR", "de"])
def test_every_starter_is_an_assistant(tmp_path: Path, stack: str, language: str) -> None:
    path = tmp_path / "starter.yaml"
    path.write_text(starter_assistant("Desk", STACKS[stack], language), encoding="utf-8")
    spec = loader.load(path)
    assert spec.model is not None and spec.model.messages
    assert (spec.first_message is None) == (language == "de")
