"""Items as a client writes them: for the conversation, or as the input of one response."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable
from typing import Literal

import orjson

from antiphon.surfaces.realtime.protocol.errors import bad_audio, out_of_bounds, unsupported
from antiphon.surfaces.realtime.protocol.fields import Fields
from antiphon.surfaces.realtime.protocol.items import (
    IMAGE_SHOWN_CHARS,
    FunctionCallItem,
    FunctionOutputItem,
    InputAudio,
    InputImage,
    InputText,
    Item,
    ItemReference,
    ItemStatus,
    McpType,
    MessageItem,
    OpaqueItem,
    OutputAudio,
    OutputText,
    Part,
    Role,
)
from antiphon.surfaces.realtime.protocol.message_bounds import MAX_AUDIO_BYTES, MAX_MESSAGE_BYTES

MAX_ITEM_ID_CHARS = 64
MAX_AUDIO_CHARS = MAX_AUDIO_BYTES // 3 * 4
"""The same in base64."""
MAX_PARTS = 128
MAX_ITEM_BYTES = 224 * 1024
"""Of an item as we send it back, as JSON: a server frame must stay below 256 KiB (§1.1)."""
_MCP_TYPES: tuple[McpType, ...] = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")
_MCP_TEXTS: dict[McpType, tuple[str, ...]] = {
    "mcp_list_tools": ("server_label",),
    "mcp_call": ("server_label", "name", "arguments"),
    "mcp_approval_request": ("server_label", "name", "arguments"),
    "mcp_approval_response": ("approval_request_id",),
}
_ITEM_TYPES = ("message", "function_call", "function_call_output", *_MCP_TYPES)
_ROLES: tuple[Role, ...] = ("system", "user", "assistant")
_STATUSES: tuple[ItemStatus, ...] = ("in_progress", "completed", "incomplete")
_DETAILS: tuple[Literal["auto", "low", "high"], ...] = ("auto", "low", "high")
_PART_TYPES: dict[Role, tuple[str, ...]] = {
    "system": ("input_text",),
    "user": ("input_text", "input_audio", "input_image"),
    "assistant": ("output_text", "output_audio"),
}
_OLD_PART_TYPES: dict[Role, dict[str, str]] = {
    "system": {"text": "input_text"},
    "user": {"text": "input_text", "audio": "input_audio"},
    "assistant": {"text": "output_text", "audio": "output_audio"},
}


def read_item(fields: Fields) -> Item:
    """An item a client made. ``id`` is ``""`` where it named none. Nothing a client tells us is still ``in_progress``."""
    item = _item(fields)
    size = len(orjson.dumps(item.to_wire()))
    if size > MAX_ITEM_BYTES:
        raise out_of_bounds(
            fields.path, f"item too large. Expected at most {MAX_ITEM_BYTES} bytes of JSON, but got {size}"
        )
    return item


def _item(fields: Fields) -> Item:
    kind = fields.needed_choice("type", _ITEM_TYPES)
    item_id = fields.identifier("id", max_chars=MAX_ITEM_ID_CHARS) or ""
    fields.allow("object")
    for mcp_type in _MCP_TYPES:
        if mcp_type == kind:
            for name in _MCP_TEXTS[mcp_type]:
                fields.needed_text(name)
            return OpaqueItem(item_id, mcp_type, fields.rest("type", "id", "object"))
    status: ItemStatus = "incomplete" if fields.choice("status", _STATUSES) == "incomplete" else "completed"
    item: Item
    if kind == "message":
        role = fields.needed_choice("role", _ROLES)
        fields.needed_array("content", MAX_PARTS)
        item = MessageItem(
            item_id, role, tuple(_part(part, role) for part in fields.objects("content", MAX_PARTS)), status
        )
    elif kind == "function_call":
        item = FunctionCallItem(
            item_id,
            fields.identifier("call_id", max_chars=MAX_ITEM_ID_CHARS) or "",
            fields.needed_identifier("name", max_chars=128),
            fields.needed_text("arguments"),
            status,
        )
    else:
        call_id = fields.needed_identifier("call_id", max_chars=MAX_ITEM_ID_CHARS)
        item = FunctionOutputItem(item_id, call_id, fields.needed_text("output"), status)
    fields.close()
    return item


def read_input(fields: Fields, most: int) -> tuple[Item | ItemReference, ...] | None:
    """``response.create.input``: items, or references to items of the conversation."""
    if fields.value("input") is None:
        return None
    return tuple(_item_or_reference(entry) for entry in fields.objects("input", most))


def decode_audio(text: str, param: str = "audio") -> bytes:
    """Base64 to bytes, at most 15 MiB. Raises ClientError, which names ``param``."""
    if len(text) > MAX_AUDIO_CHARS:
        raise bad_audio(param, f"more than {MAX_AUDIO_BYTES} bytes")
    try:
        return a2b_base64(text, strict_mode=True)
    except ValueError:
        raise bad_audio(param, "an invalid value") from None


def _item_or_reference(fields: Fields) -> Item | ItemReference:
    if fields.value("type") != "item_reference":
        return read_item(fields)
    reference = ItemReference(fields.needed_identifier("id", max_chars=MAX_ITEM_ID_CHARS))
    fields.allow("object")
    fields.close()
    return reference


def _part(fields: Fields, role: Role) -> Part:
    kind = fields.needed_text("type", max_chars=64)
    if not fields.strict:
        # Histories written before the API's final shape are still about.
        kind = _OLD_PART_TYPES[role].get(kind, kind)
    if kind not in _PART_TYPES[role]:
        raise unsupported(fields.where("type"), kind, _PART_TYPES[role])
    part = _READERS[kind](fields)
    fields.allow("text", "audio", "transcript", "image_url", "detail", "format", "id")
    fields.close()
    return part


def _input_audio(fields: Fields) -> InputAudio:
    audio = fields.text("audio", max_chars=MAX_AUDIO_CHARS) or ""
    return InputAudio(fields.text("transcript"), decode_audio(audio, fields.where("audio")))


def _input_image(fields: Fields) -> InputImage:
    url = fields.needed_identifier("image_url", max_chars=MAX_MESSAGE_BYTES)
    return InputImage(url if len(url) <= IMAGE_SHOWN_CHARS else "", fields.choice("detail", _DETAILS) or "auto")


_READERS: dict[str, Callable[[Fields], Part]] = {
    "input_text": lambda fields: InputText(fields.needed_text("text")),
    "input_audio": _input_audio,
    "input_image": _input_image,
    "output_text": lambda fields: OutputText(fields.needed_text("text")),
    # Audio of the agent cannot be made by a client; its words can.
    "output_audio": lambda fields: OutputAudio(fields.needed_text("transcript")),
}
