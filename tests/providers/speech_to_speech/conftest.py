"""Vendors of models that hear and speak, as tests meet them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.providers.fakes.gemini_live import MODELS, FakeGeminiLive
from tests.providers.fakes.gpt_live import FakeGptLive
from tests.providers.fakes.hosted_vapi import FakeHostedVapi
from tests.providers.fakes.openai_realtime import FakeOpenAIRealtime
from tests.providers.speech_to_speech.calling import BOOK, Caller, GeminiRig, LiveRig, OpenAIRig, Rig, VapiRig


@pytest.fixture(params=["openai", *MODELS, "gpt-live", "vapi"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    if request.param == "openai":
        async with FakeOpenAIRealtime() as openai:
            yield OpenAIRig(openai, openai.trust(tmp_path))
    elif request.param == "gpt-live":
        async with FakeGptLive() as live:
            yield LiveRig(live, live.trust(tmp_path))
    elif request.param == "vapi":
        async with FakeHostedVapi() as vapi:
            yield VapiRig(vapi, vapi.trust(tmp_path))
    else:
        async with FakeGeminiLive() as gemini:
            yield GeminiRig(gemini, gemini.trust(tmp_path), request.param)


@pytest.fixture
async def caller(rig: Rig) -> AsyncIterator[Caller]:
    caller = Caller(rig.engine(), rig.heard, rig.spoken, tools=(BOOK,))
    yield caller
    caller.stream.close()
