"""What stands around a model or a voice for one assistant; the engine behind it is shared between calls, and lives as long as it does."""

from __future__ import annotations

from antiphon.providers.base import LanguageModel, TextToSpeech


class WrappedModel:
    """A ``LanguageModel`` but for ``stream``."""

    def __init__(self, model: LanguageModel) -> None:
        self.behind = model
        self.name = model.name
        self.circuit: str = getattr(model, "circuit", "")

    async def start(self) -> None:
        await self.behind.start()

    async def close(self) -> None:
        await self.behind.close()


class WrappedVoice:
    """A ``TextToSpeech`` but for ``synthesize`` and ``open``."""

    def __init__(self, voice: TextToSpeech) -> None:
        self.behind = voice
        self.name = voice.name
        self.formats = voice.formats

    async def start(self) -> None:
        await self.behind.start()

    async def close(self) -> None:
        await self.behind.close()
