"""The application's side: what an application needs to be told of calls, and to do an assistant's tools
(docs/howto/write-an-application.md).

An ``Application`` is an ASGI app: mount it in FastAPI or Starlette, or serve it as it is.
"""

from antiphon.app.application import Application
from antiphon.app.calls import Call, Lifetimes
from antiphon.app.proofs import (
    Proof,
    authentication_plan,
    bearer,
    hmac_signature,
    shared_secret,
    standard_webhooks,
    vapi_signature,
)
from antiphon.app.repeats import Bounds
from antiphon.vocabulary import ToolCall

__all__ = [
    "Application",
    "Bounds",
    "Call",
    "Lifetimes",
    "Proof",
    "ToolCall",
    "authentication_plan",
    "bearer",
    "hmac_signature",
    "shared_secret",
    "standard_webhooks",
    "vapi_signature",
]
