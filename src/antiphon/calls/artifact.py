"""What is left of a call when it is over, in the words of the Vapi API: transcript, messages, measured times, addresses of recordings.

Pure: everything comes from the call's event log (``heard``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import orjson

from antiphon.calls.heard import HeardCall, HeardMessage
from antiphon.session.timeline import CallTimeline, TurnTimes

_OPENAI_ROLES = {"system": "system", "assistant": "assistant", "user": "user"}


@dataclass(frozen=True, slots=True)
class Labels:
    """Who is called what in a transcript (``transcriptPlan``)."""

    assistant: str = "AI"
    user: str = "User"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a call's files are fetched. Empty: there is no such file."""

    mono: str = ""
    stereo: str = ""
    customer: str = ""
    assistant: str = ""
    log: str = ""
    expires_at: str = ""
    """ISO 8601; until then the addresses open without a key."""


def artifact(
    calls: Sequence[HeardCall],
    labels: Labels | None = None,
    addresses: Addresses | None = None,
    transcribed: Sequence[bool] = (),
    *,
    whole: bool = True,
) -> dict[str, Any]:
    """Of a call, in its parts: one that was transferred and came back has several. An empty list gives an artifact without words.
    ``transcribed``: of each assistant that led it, whether its part is in the transcript; all are, where it says nothing.

    ``whole`` is ``fullMessageHistoryEnabled``: without it the messages are those that the last assistant's model was shown. The transcript
    has all that was spoken in either case."""
    spoken = [(part, message) for part in calls for message in part.messages]
    written = [message for part, message in spoken if _is_transcribed(part, message, transcribed)]
    kept = [(part, part.messages if whole else part.shown) for part in calls]
    messages = list(_messages(kept))
    return {
        "transcript": transcript(written, labels or Labels()),
        "messages": messages,
        "messagesOpenAIFormatted": list(openai_messages(message for _, some in kept for message in some)),
        "performanceMetrics": performance([part.timeline for part in calls]),
        **({"messagesTruncated": True} if any(part.truncated for part in calls) else {}),
        **_activations(calls),
        **_files(addresses or Addresses()),
    }


def _is_transcribed(part: HeardCall, message: HeardMessage, transcribed: Sequence[bool]) -> bool:
    """A part of a call that came back begins with whoever leads it then."""
    lead = max(sum(from_ms <= message.at_ms for from_ms in part.led_from_ms) - 1, 0)
    return lead >= len(transcribed) or transcribed[lead]


def _activations(calls: Sequence[HeardCall]) -> dict[str, Any]:
    """``assistantActivations``, of a call that was handed over."""
    leads = [
        {"assistantName": name, **({"assistantId": id} if id else {})} for part in calls for name, id in part.leads
    ]
    return {"assistantActivations": leads} if leads else {}


def transcript(messages: Iterable[HeardMessage], labels: Labels) -> str:
    """``AI: …\\nUser: …\\n``: what was heard of both."""
    names = {"assistant": labels.assistant, "user": labels.user}
    return "".join(
        f"{names[heard.message.role]}: {heard.message.content}\n"
        for heard in messages
        if heard.message.role in names and heard.message.content
    )


def _messages(kept: Sequence[tuple[HeardCall, Sequence[HeardMessage]]]) -> Iterator[dict[str, Any]]:
    first_wall_ms = kept[0][0].wall_ms if kept else 0
    for part, messages in kept:
        offset_ms = part.wall_ms - first_wall_ms
        names: dict[str, str] = {}
        for heard in messages:
            yield from _wire_messages(heard, part.wall_ms, offset_ms, names)


def _wire_messages(
    heard: HeardMessage, wall_ms: int, offset_ms: int, names: dict[str, str]
) -> Iterator[dict[str, Any]]:
    message = heard.message
    times: dict[str, Any] = {
        "time": wall_ms + heard.at_ms,
        "secondsFromStart": round((offset_ms + heard.at_ms) / 1000, 3),
    }
    if message.role == "tool":
        if message.tool_outcome != "pending":
            known = message.tool_call_id or ""
            answer = {"toolCallId": known, "name": names.get(known, ""), "result": message.content}
            yield {"role": "tool_call_result", **answer, **times}
        return
    if message.content or message.role == "system":
        role = "bot" if message.role == "assistant" else message.role
        yield {"role": role, "message": message.content, **times, **_ending(heard, wall_ms), **_of_role(heard)}
    if message.tool_calls:
        names |= {call.id: call.name for call in message.tool_calls}
        at_ms = heard.at_ms if heard.ended_ms is None or not message.content else heard.ended_ms
        yield {
            "role": "tool_calls",
            "toolCalls": [_tool_call(call.id, call.name, call.arguments) for call in message.tool_calls],
            "message": "",
            "time": wall_ms + at_ms,
            "secondsFromStart": round((offset_ms + at_ms) / 1000, 3),
        }


def _ending(heard: HeardMessage, wall_ms: int) -> dict[str, Any]:
    if heard.ended_ms is None:
        return {}
    ended_ms = max(heard.ended_ms, heard.at_ms)
    return {"endTime": wall_ms + ended_ms, "duration": ended_ms - heard.at_ms}


def _of_role(heard: HeardMessage) -> dict[str, Any]:
    if heard.message.role != "assistant":
        return {}
    said_by = {"assistantName": heard.assistant, "assistantId": heard.assistant_id}
    known = {name: value for name, value in said_by.items() if value}
    return {"source": "", **({"interrupted": True} if heard.message.interrupted else {}), **known}


def _tool_call(id: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": orjson.dumps(arguments).decode()}}


def openai_messages(messages: Iterable[HeardMessage]) -> Iterator[dict[str, Any]]:
    """As a chat completion is asked: what a model would be shown."""
    for heard in messages:
        message = heard.message
        if message.role == "tool":
            yield {"role": "tool", "tool_call_id": message.tool_call_id or "", "content": message.content}
            continue
        entry: dict[str, Any] = {"role": _OPENAI_ROLES[message.role], "content": message.content}
        if message.tool_calls:
            entry["tool_calls"] = [_tool_call(call.id, call.name, call.arguments) for call in message.tool_calls]
        yield entry


# ------------------------------------------------------------------------------------------------ measured times

_LATENCIES = ("modelLatency", "voiceLatency", "transcriberLatency", "endpointingLatency", "turnLatency")


def performance(parts: Sequence[CallTimeline]) -> dict[str, Any]:
    """Milliseconds, of turns that were answered with sound. The first four of a turn add up to the fifth: from the caller's last sound to
    the recogniser's last word, to the end of the turn, to the model's first token, to the first audio. What was done ahead (a reply
    that was begun before the turn closed) took no time."""
    turns = [latencies for part in parts for turn in part.turns if (latencies := turn_latencies(turn)) is not None]
    averages = {
        f"{name}Average": round(fmean(turn[name] for turn in turns), 1) if turns else 0.0 for name in _LATENCIES
    }
    return {
        "turnLatencies": turns,
        **averages,
        "numUserInterrupted": sum(part.talked_over for part in parts),
        "numAssistantInterrupted": sum(part.interrupted for part in parts),
    }


def turn_latencies(turn: TurnTimes) -> dict[str, int] | None:
    """None for a turn that was not spoken, or not answered with sound."""
    began, closed, audio = turn.speech_ended_ms, turn.turn_closed_ms, turn.first_audio_ms
    if began is None or closed is None or audio is None or audio < began:
        return None
    transcribed = min(max(turn.transcribed_ms if turn.transcribed_ms is not None else began, began), closed)
    token = min(max(turn.first_token_ms if turn.first_token_ms is not None else closed, closed), audio)
    return {
        "modelLatency": token - closed,
        "voiceLatency": audio - token,
        "transcriberLatency": transcribed - began,
        "endpointingLatency": closed - transcribed,
        "turnLatency": audio - began,
    }


# ------------------------------------------------------------------------------------------------ files


def _files(at: Addresses) -> dict[str, Any]:
    files: dict[str, Any] = {}
    if at.mono:
        files |= {
            "recordingUrl": at.mono,
            "stereoRecordingUrl": at.stereo,
            "recording": {
                "stereoUrl": at.stereo,
                "mono": {"combinedUrl": at.mono, "assistantUrl": at.assistant, "customerUrl": at.customer},
            },
            "presignedMonoUrl": at.mono,
            "presignedStereoUrl": at.stereo,
            "presignedAssistantUrl": at.assistant,
            "presignedCustomerUrl": at.customer,
        }
    if at.log:
        files |= {"logUrl": at.log, "presignedLogUrl": at.log}
    if files and at.expires_at:
        files["presignedUrlsExpiresAt"] = at.expires_at
    return files
