"""The vendors' messages, as their documents have them: for the stand-ins here and for the fakes of the tests.

Deepgram: developers.deepgram.com/reference/speech-to-text/listen-streaming. ElevenLabs: elevenlabs.io/docs/api-reference/text-to-speech/
v-1-text-to-speech-voice-id-multi-stream-input. OpenAI: platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple


class TimedWord(NamedTuple):
    """Times in milliseconds of the audio sent on the connection."""

    word: str
    start_ms: float
    end_ms: float


def deepgram_results(
    words: Sequence[TimedWord],
    start_ms: float,
    end_ms: float,
    *,
    final: bool,
    speech_final: bool = False,
    from_finalize: bool = False,
) -> dict[str, Any]:
    """``Results`` for a stretch of audio."""
    timed = [
        {
            "word": word.word,
            "punctuated_word": word.word,
            "start": word.start_ms / 1000,
            "end": word.end_ms / 1000,
            "confidence": 0.98,
        }
        for word in words
    ]
    text = " ".join(word.word for word in words)
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "duration": (end_ms - start_ms) / 1000,
        "start": start_ms / 1000,
        "is_final": final,
        "speech_final": speech_final,
        "from_finalize": from_finalize,
        "channel": {"alternatives": [{"transcript": text, "confidence": 0.98 if text else 0.0, "words": timed}]},
        "metadata": {
            "request_id": "0000",
            "model_info": {"name": "general-nova-3", "version": "1", "arch": "nova-3"},
            "model_uuid": "1111",
        },
    }


def deepgram_metadata(heard_ms: float) -> dict[str, Any]:
    """The last message of a connection."""
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "0000",
        "sha256": "2222",
        "created": "2026-11-28T00:00:00Z",
        "duration": heard_ms / 1000,
        "channels": 1,
    }


def deepgram_speech_started(at_ms: float) -> dict[str, Any]:
    """``SpeechStarted``."""
    return {"type": "SpeechStarted", "channel": [0, 1], "timestamp": at_ms / 1000}


def elevenlabs_audio(audio_base64: str, text: str, ms_per_character: float) -> dict[str, Any]:
    """A piece of a context's speech, its characters timed (as they were sent, and as they are said: here the same); the context's id is the
    caller's to add (both spellings occur)."""
    alignment = {
        "chars": list(text),
        "charStartTimesMs": [round(at * ms_per_character) for at in range(len(text))],
        "charDurationsMs": [round(ms_per_character)] * len(text),
    }
    return {"audio": audio_base64, "isFinal": None, "normalizedAlignment": alignment, "alignment": alignment}


class Usage(NamedTuple):
    """Tokens."""

    read: int = 120
    cached: int = 100
    written: int = 7


class FunctionCall(NamedTuple):
    name: str
    arguments: str
    """JSON; only half of it where the answer is cut off."""
    id: str


def openai_response(
    model: str,
    pieces: Sequence[str],
    calls: Sequence[FunctionCall] = (),
    *,
    incomplete: str = "",
    usage: Usage | None = None,
) -> list[bytes]:
    """The events of one streamed response: ``pieces`` of text, then function calls. ``incomplete``: the vendor's reason for an end before
    the end."""
    usage = usage or Usage()
    events = _Events(model)
    events.add("response.created", response=events.response("in_progress"))
    if pieces:
        events.text(pieces)
    for call in calls:
        events.call(call, whole=incomplete != "max_output_tokens")
    told = {
        "input_tokens": usage.read,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.read + usage.written,
    }
    if incomplete:
        response = events.response("incomplete", usage=told) | {"incomplete_details": {"reason": incomplete}}
        events.add("response.incomplete", response=response)
    else:
        events.add("response.completed", response=events.response("completed", usage=told))
    return events.written


def openai_chat(model: str, pieces: Sequence[str], usage: Usage | None = None) -> list[bytes]:
    """The events of one streamed chat completion: ``pieces`` of text, the end, what it cost and the last word (as
    platform.openai.com/docs/api-reference/chat-streaming has it, with ``stream_options.include_usage``)."""
    usage = usage or Usage()
    of = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": model,
        "system_fingerprint": "fp_1",
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse({**of, "choices": [choice], "usage": None})

    told = {
        "prompt_tokens": usage.read,
        "completion_tokens": usage.written,
        "total_tokens": usage.read + usage.written,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": piece}) for piece in pieces),
        chunk({}, "stop"),
        sse({**of, "choices": [], "usage": told}),
        b"data: [DONE]\n\n",
    ]


class _Events:
    def __init__(self, model: str) -> None:
        self.written: list[bytes] = []
        self._model = model
        self._output: list[dict[str, Any]] = []

    def add(self, kind: str, **more: Any) -> None:
        self.written.append(sse({"type": kind, "sequence_number": len(self.written), **more}, kind))

    def response(self, status: str, **more: Any) -> dict[str, Any]:
        return {"id": "resp_1", "object": "response", "created_at": 1, "status": status, "error": None, "model": self._model,
                "incomplete_details": None, "instructions": None, "metadata": {}, "output": list(self._output),
                "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0, **more}  # fmt: skip

    def text(self, pieces: Sequence[str]) -> None:
        item: dict[str, Any] = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        self.add("response.output_item.added", output_index=0, item=item)
        self.add("response.content_part.added", **place, part=part)
        for piece in pieces:
            self.add("response.output_text.delta", **place, delta=piece, logprobs=[])
        text = "".join(pieces)
        self.add("response.output_text.done", **place, text=text, logprobs=[])
        self._done({**item, "status": "completed", "content": [{**part, "text": text}]})

    def call(self, call: FunctionCall, *, whole: bool) -> None:
        place = len(self._output)
        item = {"id": f"fc_{place}", "type": "function_call", "call_id": call.id, "name": call.name, "arguments": "",
                "status": "in_progress"}  # fmt: skip
        of = {"item_id": item["id"], "output_index": place}
        self.add("response.output_item.added", output_index=place, item=item)
        middle = len(call.arguments) // 2
        for piece in (call.arguments[:middle], call.arguments[middle:])[: 2 if whole else 1]:
            self.add("response.function_call_arguments.delta", **of, delta=piece)
        if whole:
            self.add("response.function_call_arguments.done", **of, arguments=call.arguments, name=call.name)
            self._done({**item, "arguments": call.arguments, "status": "completed"})

    def _done(self, item: dict[str, Any]) -> None:
        self._output.append(item)
        self.add("response.output_item.done", output_index=len(self._output) - 1, item=item)


def sse(data: dict[str, Any], event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
