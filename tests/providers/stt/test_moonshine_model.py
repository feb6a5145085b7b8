"""Moonshine's files: where they are, that they are the right ones, and what its tokeniser says."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from antiphon.errors import MalformedMessage, ProviderUnavailable
from antiphon.providers.stt.moonshine_model import Model, Vocabulary, installed_folder


def test_the_wheel_is_read_and_not_imported() -> None:
    assert (installed_folder() / "tokenizer.bin").is_file()
    assert "moonshine_voice" not in sys.modules


def test_a_changed_or_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"encoder_model\.ort cannot be read"):
        Model(tmp_path)
    for file in installed_folder().iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "tokenizer.bin").write_bytes(b"another one")
    with pytest.raises(ProviderUnavailable, match=r"tokenizer\.bin has another checksum.*0\.0\.73"):
        Model(tmp_path)


def test_a_machine_without_the_wheel_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.providers.stt.moonshine_model.find_spec", lambda name: None)
    with pytest.raises(ProviderUnavailable, match="requirements-models"):
        Model()


def test_the_tokeniser_writes_what_it_reads() -> None:
    vocabulary = Vocabulary((installed_folder() / "tokenizer.bin").read_bytes())
    assert len(vocabulary) == 32768
    tokens = [vocabulary.by_text[text][0] for text in (" ten", " of", " club", "s", ".")]
    assert vocabulary.text(tokens).lower() == "ten of clubs."


@pytest.mark.parametrize("data", [b"\x05abc", b"\x01a\x80"])
def test_half_a_tokeniser_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        Vocabulary(data)
