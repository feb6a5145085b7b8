"""A Whisper of a few kilobytes in CTranslate2's format, made here: whatever it hears, it writes the same sentence.

All its weights are zero but those by which a position stands for the token that is to come: a real model for the real library, with a real
tokeniser beside it, and an answer that a test can know.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SENTENCE = "good morning to you"
_DIM = 64
_POSITIONS = 448
_MELS = 80
_SPECIAL = (
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>",
    "<|nospeech|>", "<|notimestamps|>", "<|0.00|>",
)  # fmt: skip
_PROMPT = 2
"""Tokens of the prompt: the start, and that there are no times."""


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


def _tokenizer() -> Tokenizer:
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [f"Ġ{word}" for word in SENTENCE.split()]
    tokenizer = Tokenizer(models.BPE({token: id for id, token in enumerate([*bytes_, *words])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _SPECIAL])
    return tokenizer


def _config(tokenizer: Tokenizer) -> dict[str, Any]:
    end = tokenizer.token_to_id("<|endoftext|>")
    return {
        "suppress_ids": [],
        "suppress_ids_begin": [end],
        "lang_ids": [tokenizer.token_to_id("<|en|>")],
        "alignment_heads": [[0, 0]],
    }


def _spec(tokenizer: Tokenizer, vocabulary: list[str]) -> WhisperSpec:
    spec = WhisperSpec(1, 1, 1, 1)
    encoder, decoder = spec.encoder, spec.decoder
    for conv, inputs in ((encoder.conv1, _MELS), (encoder.conv2, _DIM)):
        conv.weight, conv.bias = _zeros(_DIM, inputs, 3), _zeros(_DIM)
    encoder.position_encodings.encodings = _zeros(1500, _DIM)
    decoder.embeddings.weight = _zeros(len(vocabulary), _DIM)
    decoder.position_encodings.encodings, decoder.projection.weight = _said(tokenizer, len(vocabulary))
    _norm(encoder.layer_norm)
    _norm(decoder.layer_norm)
    for layer in (encoder.layer[0], decoder.layer[0]):
        _attention(layer.self_attention, 3 * _DIM, _DIM)
        _linear(layer.ffn.linear_0, 4 * _DIM, _DIM)
        _linear(layer.ffn.linear_1, _DIM, 4 * _DIM)
        _norm(layer.ffn.layer_norm)
    _attention(decoder.layer[0].attention, _DIM, 2 * _DIM, _DIM)
    spec.register_vocabulary(vocabulary)
    spec.validate()
    return spec


def _said(tokenizer: Tokenizer, size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Each position stands for the token that follows it, and each of those tokens for its position."""
    positions, projection = _zeros(_POSITIONS, _DIM), _zeros(size, _DIM)
    tokens = [tokenizer.token_to_id(f"Ġ{word}") for word in SENTENCE.split()]
    for at, token in enumerate([*tokens, tokenizer.token_to_id("<|endoftext|>")]):
        positions[_PROMPT - 1 + at, at] = 1.0
        projection[token, at] = 4.0
    return positions, projection


def _zeros(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.float32)


def _norm(spec: Any) -> None:
    spec.gamma, spec.beta = np.ones(_DIM, np.float32), _zeros(_DIM)


def _linear(spec: Any, outputs: int, inputs: int) -> None:
    spec.weight, spec.bias = _zeros(outputs, inputs), _zeros(outputs)


def _attention(spec: Any, *outputs: int) -> None:
    for linear, count in zip(spec.linear, outputs, strict=True):
        _linear(linear, count, _DIM)
    _norm(spec.layer_norm)
