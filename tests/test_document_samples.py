"""The documents' samples work as they stand: a stranger copies them. YAML is (part of) an assistant without a field that does nothing, its
engines take the options, TOML is a settings file, and Python, JSON and shell can be read."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.test_documents import DOCUMENTS, ROOT

from antiphon.assistants.compile import compile_assistant
from antiphon.assistants.document import read_document
from antiphon.assistants.loader import build
from antiphon.config import Settings, Vendor, read_settings
from antiphon.engines import EngineRoom
from antiphon.errors import ConfigurationError
from antiphon.providers.credentials import WELL_KNOWN

_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_A_DAY_MS = 1_764_547_200_000


def _samples(language: str) -> list[Any]:
    """Each with the document and the line it stands at."""
    return list(_found(language))


def _found(language: str) -> Iterator[Any]:
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            # NAME stands for what the reader will write.
            if found[2] == language and "provider: NAME" not in found[3]:
                line = text.count("\n", 0, found.start()) + 1
                yield pytest.param(textwrap.dedent(found[3]), id=f"{path.relative_to(ROOT)}:{line}")


def _assistant(sample: str, folder: Path) -> dict[str, Any]:
    """The sample as a whole assistant, as a file of it is read: what it leaves out stands around it."""
    said: Any = yaml.safe_load(sample)
    if isinstance(said, dict):
        file = folder / "sample.yaml"
        file.write_text(sample, encoding="utf-8")
        said = dict(read_document(file).fields)
    if isinstance(said, list):
        said = {"model": {"tools": said}}
    elif "knowledge" in said:
        start = {"name": "start", "type": "conversation", "isStart": True, "messagePlan": {"firstMessage": "Hello."}}
        said = {"model": {"provider": "workflow", "workflow": {"nodes": [start], "edges": [], **said}}}
    elif "variableExtractionPlan" in said:
        request = {"type": "apiRequest", "name": "look_up", "url": "https://shop.example.com", "method": "GET"}
        said = {"model": {"tools": [{**request, **said}]}}
    model = said.get("model", {})
    return {**said, "model": model if "provider" in model else {"provider": "openai", "model": "gpt-5.4-mini", **model}}


def _check(document: dict[str, Any], folder: Path) -> None:
    """Raises ConfigurationError where the server would not have this assistant, AssertionError where a field of it does nothing."""
    accounts = {vendor: Vendor(api_key="a-key") for vendor in WELL_KNOWN}  # type: ignore[arg-type]
    spec = build(document)
    assert not compile_assistant(document, _A_DAY_MS).warnings
    EngineRoom(Settings(vendors=accounts, data_dir=folder)).check(spec)


@pytest.mark.parametrize("sample", _samples("yaml"))
def test_an_assistant_can_be_copied(sample: str, tmp_path: Path) -> None:
    _check(_assistant(sample, tmp_path), tmp_path)


@pytest.mark.parametrize(
    "wrong", ["voice: {provider: piper, volum: 3}", "transcriber: {provider: deepgram, options: {no_such: 1}}"]
)
def test_a_wrong_sample_would_be_noticed(wrong: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, ConfigurationError)):
        _check(_assistant(wrong, tmp_path), tmp_path)


@pytest.mark.parametrize("sample", _samples("toml"))
def test_a_settings_file_can_be_copied(sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "antiphon.toml").write_text(sample, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_settings()


@pytest.mark.parametrize("sample", _samples("python"))
def test_python_can_be_read(sample: str) -> None:
    ast.parse("async def sample():\n" + textwrap.indent(sample, "    "))


@pytest.mark.parametrize("sample", _samples("json"))
def test_json_can_be_read(sample: str) -> None:
    whole = sample if sample.lstrip().startswith("{") else f"{{{sample}}}"
    assert json.loads(whole)


@pytest.mark.parametrize("sample", _samples("sh"))
def test_shell_can_be_read(sample: str) -> None:
    read = subprocess.run(["sh", "-n"], input=sample, text=True, capture_output=True, check=False)
    assert not read.stderr
