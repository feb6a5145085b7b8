"""What a conversation consists of on this wire: messages, function calls, their outputs.

``to_wire()`` leaves out what is absent and never writes null, because agents-js drops an item with ``audio: null`` or
``call_id: null`` (§0.3). The one exception is ``transcript`` of an ``input_audio`` part, which must be there, null or
text: without the key agents-js throws. Audio bytes are never written: they would break clients' limits (§1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Role = Literal["system", "user", "assistant"]
ItemStatus = Literal["in_progress", "completed", "incomplete"]

McpType = Literal["mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response"]

IMAGE_SHOWN_CHARS = 32 * 1024
"""A longer image URL (data:) is neither kept nor sent back: no model here is shown pictures, and a server frame stays small (§1.1)."""
UNSHOWN_IMAGE = "x" * (IMAGE_SHOWN_CHARS + 1)
"""Stands for any URL that is too long to be kept."""


@dataclass(frozen=True, slots=True)
class InputText:
    """Text of a user or of the system."""

    text: str

    def to_wire(self) -> dict[str, Any]:
        return {"type": "input_text", "text": self.text}


@dataclass(frozen=True, slots=True)
class InputAudio:
    """A user's speech. ``audio`` is what the client sent with the item, in the session's input format; empty for heard speech."""

    transcript: str | None = None
    audio: bytes = b""

    def to_wire(self) -> dict[str, Any]:
        return {"type": "input_audio", "transcript": self.transcript}


@dataclass(frozen=True, slots=True)
class InputImage:
    """A picture a user shows: a data: or https: URL; empty where it was too long to be kept."""

    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"

    def to_wire(self) -> dict[str, Any]:
        part: dict[str, Any] = {"type": "input_image", "detail": self.detail}
        if self.image_url:
            part["image_url"] = self.image_url
        return part


@dataclass(frozen=True, slots=True)
class OutputText:
    """What the agent wrote."""

    text: str

    def to_wire(self) -> dict[str, Any]:
        return {"type": "output_text", "text": self.text}


@dataclass(frozen=True, slots=True)
class OutputAudio:
    """What the agent said, as text."""

    transcript: str

    def to_wire(self) -> dict[str, Any]:
        return {"type": "output_audio", "transcript": self.transcript}


Part = InputText | InputAudio | InputImage | OutputText | OutputAudio


@dataclass(frozen=True, slots=True)
class MessageItem:
    """Something that was said or written. While an agent's message is being made, ``content`` is empty."""

    id: str
    role: Role
    content: tuple[Part, ...] = ()
    status: ItemStatus = "completed"

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [part.to_wire() for part in self.content],
        }


@dataclass(frozen=True, slots=True)
class FunctionCallItem:
    """The model asks for a function. ``arguments`` is JSON text, as the model wrote it; empty while it is being written.

    ``call_id`` of a client's own item is empty where it named none.
    """

    id: str
    call_id: str
    name: str
    arguments: str = ""
    status: ItemStatus = "completed"

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }


@dataclass(frozen=True, slots=True)
class FunctionOutputItem:
    """A function's answer."""

    id: str
    call_id: str
    output: str
    status: ItemStatus = "completed"

    def to_wire(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "function_call_output",
            "status": self.status,
            "call_id": self.call_id,
            "output": self.output,
        }


@dataclass(frozen=True, slots=True)
class OpaqueItem:
    """An ``mcp_*`` item from a client's earlier conversation: kept and shown as it came, told to no model. ``fields`` is its
    own object without ``id``, ``object`` and ``type``, nulls taken out."""

    id: str
    type: McpType
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_wire(self) -> dict[str, Any]:
        return {"id": self.id, "object": "realtime.item", "type": self.type, **self.fields}


Item = MessageItem | FunctionCallItem | FunctionOutputItem | OpaqueItem


@dataclass(frozen=True, slots=True)
class ItemReference:
    """Stands for an item of the conversation, inside ``response.create.input`` only."""

    id: str
