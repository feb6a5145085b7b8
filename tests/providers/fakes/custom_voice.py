"""An application's own voice, as docs.vapi.ai/customization/custom-voices/custom-tts has it: raw PCM at the rate that was asked for."""

from __future__ import annotations

from typing import Any

from tests.providers.fakes.openai_voice import FakeOpenAI
from tests.providers.fakes.voice_server import KEY

from antiphon.vocabulary import AudioFormat, Encoding


class FakeCustomVoice(FakeOpenAI):
    path = "/voice"

    def admits(self, headers: dict[str, str]) -> bool:
        return headers.get("x-vapi-secret") == KEY

    def wanted(self, request: dict[str, Any]) -> tuple[str, AudioFormat, float]:
        message = request["message"]
        assert message["type"] == "voice-request" and message["timestamp"] > 1_700_000_000_000
        return message["text"], AudioFormat(Encoding.PCM16, message["sampleRate"]), 1.0
