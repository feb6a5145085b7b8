"""A fake of every vendor of language models, each behind a real TLS socket, and the provider that talks to it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.providers.fakes.anthropic import FakeAnthropic
from tests.providers.fakes.gemini import FakeGemini
from tests.providers.fakes.http_server import KEY, MODEL, FakeVendor
from tests.providers.fakes.openai_chat import FakeOpenAiChat
from tests.providers.fakes.openai_responses import FakeOpenAiResponses

from antiphon.providers import http, registry
from antiphon.providers.base import CallContext, ModelDelta, ModelRequest
from antiphon.vocabulary import Message, ToolSpec

VENDORS: dict[str, Callable[[], FakeVendor]] = {
    "openai": FakeOpenAiResponses,
    "openai-chat": FakeOpenAiChat,
    "custom-llm": FakeOpenAiChat,
    "anthropic": FakeAnthropic,
    "google": FakeGemini,
}


@dataclass
class Vendor:
    """One of them, with a provider that is connected to it."""

    name: str
    fake: FakeVendor
    url: str
    trusted: ssl.SSLContext
    model: Any
    make: Callable[..., Any]

    async def ask(self, *messages: Message, tools: tuple[ToolSpec, ...] = (), **options: Any) -> list[ModelDelta]:
        asked = request(*messages, tools=tools, **options)
        return [delta async for delta in self.model.stream(asked)]

    @property
    def body(self) -> dict[str, Any]:
        return self.fake.requests[-1].body


def request(*messages: Message, tools: tuple[ToolSpec, ...] = (), **options: Any) -> ModelRequest:
    return ModelRequest(
        messages or (Message("user", "hello"),), tools, CallContext("call-1"), {"model": MODEL, **options}
    )


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=VENDORS)
async def vendor(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Vendor]:
    monkeypatch.setattr(http, "BACKOFF_S", 0.01)
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificates))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(served)
    trusted = ssl.create_default_context(cafile=str(certificates))
    fake = VENDORS[request.param]()
    async with AsyncExitStack() as stack:
        url = await fake.start(served)
        stack.push_async_callback(fake.close)

        async def make(**options: Any) -> Any:
            given = {"api_key": KEY, "base_url": url, **options}
            model = registry.create("llm", request.param, given)
            stack.push_async_callback(model.close)
            return model

        model = await make()
        yield Vendor(request.param, fake, url, trusted, model, make)
