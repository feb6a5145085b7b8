"""A Whisper of a few kilobytes in CTranslate2's format, made here: whatever it hears, it writes the same sentence.

All its weights are zero but those by which a position stands for the token that is to come: a real model for the real library, with a real
tokeniser beside it, and an answer that a test can know.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SENTENCE = "good morning to you"
_DIM = 64
_POSITIONS = 448
_SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
    "<|nospeech|>", "<|notimestamps|>", "<|0.00|>",
)  # fmt: skip


def make_whisper(folder: Path) -> Path:
    """The model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocabulary = [tokenizer.id_to_token(id) for id in range(tokenizer.get_vocab_size())]
    _spec(tokenizer, vocabulary).save(str(folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **_config(tokenizer)}))
    return folder
