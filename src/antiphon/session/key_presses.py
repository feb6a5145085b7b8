"""The agent presses telephone keys: tones in the sound of the call, as every network carries them."""

from __future__ import annotations

import asyncio

from antiphon.audio import codec, dtmf
from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.media.port import MediaPort
from antiphon.vocabulary import AudioFormat

_LOOK_MS = 20
_PATIENCE_MS = 15_000
"""So long the agent may go on speaking before its keys are given up."""


async def press_keys(port: MediaPort, audio: AudioFormat, clock: Clock, keys: str) -> None:
    """One after the other, each once nothing that the agent says is being heard: over speech no exchange would know them. Returns when
    the last has been heard. Raises ConfigurationError where they cannot be heard, or are none (``dtmf.keys_in``)."""
    keys = dtmf.keys_in(keys[: 4 * dtmf.MAX_KEYS])
    if not keys:
        raise ConfigurationError("keys", f"they are 0 to 9, * and #, {dtmf.MAX_KEYS} at most; w waits half a second")
    if not port.mouth.sounds_alone:
        raise ConfigurationError("keys", "the client plays this call's sound at its own pace")
    for key in keys:
        until_ms = clock.now_ms() + _PATIENCE_MS
        while port.mouth.speaks(clock.now_ms()):
            if clock.now_ms() >= until_ms:
                raise ConfigurationError("keys", "the agent did not stop speaking")
            await asyncio.sleep(_LOOK_MS / 1000)
        tone = dtmf.tones(key, audio.rate_hz)
        port.mouth.sound(codec.encode(tone, audio.encoding), clock.now_ms())
        await asyncio.sleep(len(tone) / audio.rate_hz)
