"""``knowledge-base-request``: an application's server is asked what is known of a question, before the model answers it.

Protocol: ``CustomKnowledgeBase``, ``ServerMessageKnowledgeBaseRequest`` of the voice platform's API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from antiphon.errors import RequestFailed
from antiphon.providers.knowing_model import Found
from antiphon.tools.http import HttpAnswer
from antiphon.tools.webhook import MAX_RESULT_CHARS, json_of
from antiphon.vocabulary import Message

OWN_KNOWLEDGE = "custom-knowledge-base"
KNOWLEDGE_REQUEST = "knowledge-base-request"
_MOST_DOCUMENTS = 50
_MOST_MESSAGES = 200


def knowledge_message(around: Mapping[str, Any], messages: Sequence[Message], wall_ms: int) -> dict[str, Any]:
    """What a server is asked: the conversation up to the question, which stands last."""
    spoken = [each for each in messages if each.role in ("system", "assistant", "user") and each.content][
        -_MOST_MESSAGES:
    ]
    said = [{"role": each.role, "content": each.content} for each in spoken]
    return {
        **around, "type": KNOWLEDGE_REQUEST, "timestamp": wall_ms, "messages": said, "messagesOpenAIFormatted": said,
    }  # fmt: skip


def found_in(answer: HttpAnswer) -> Found:
    """Raises RequestFailed where it is none."""
    said = json_of(answer.body) if answer.ok else None
    if not isinstance(said, Mapping):
        raise RequestFailed("protocol", f"answered {answer.status}")
    message = said.get("message")
    words = message.get("content") if isinstance(message, Mapping) else message
    if isinstance(words, str) and words.strip():
        return Found(say=words.strip()[:MAX_RESULT_CHARS])
    documents = said.get("documents")
    written = [each for each in documents if isinstance(each, Mapping)] if isinstance(documents, list) else []
    written.sort(key=_similarity, reverse=True)
    texts = [text for each in written if isinstance(text := each.get("content"), str) and text.strip()]
    return Found(tuple(text.strip()[:MAX_RESULT_CHARS] for text in texts[:_MOST_DOCUMENTS]))


def _similarity(document: Mapping[str, Any]) -> float:
    value = document.get("similarity")
    return float(value) if isinstance(value, int | float) and value == value else 0.0
