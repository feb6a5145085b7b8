"""What the media plane tells the session about one call: facts, not audio."""

from __future__ import annotations

from typing import Protocol


class MediaListener(Protocol):
    """Called on the event loop, inside the beat or the arrival of audio. Must not block or await. One that raises is cut out of the beat,
    and told so by ``media_failed``."""

    def audio_arrived(self) -> None:
        """The call's first audio is here."""
        ...

    def sound_started(self, media_ms: int) -> None:
        """The VAD's low threshold was crossed; nothing is known yet."""
        ...

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        """The sound ended at ``media_ms`` without having been speech."""
        ...

    def speech_started(self, media_ms: int) -> None:
        """The VAD's usual threshold was crossed, after ``sound_started``."""
        ...

    def speech_continued(self, voice_ms: int) -> None:
        """Still speech, and loud enough to be the caller's: of others it is only told when it has stopped."""
        ...

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        """Speech ended at ``media_ms``; ``silence_ms`` have passed since: 0 where the sound goes on and was taken for speech by mistake,
        which ``sound_started`` says again. ``near`` is false where it was so much softer than the
        caller that it may have been somebody else's (``media.nearness``). ``speech_share``: of its voice, so much was surely speech."""
        ...

    def silence_reached(self, silence_ms: int) -> None:
        """As asked for with ``watch_silence``."""
        ...

    def utterance_ended(self) -> None:
        """As asked for with ``watch_utterance_end``."""
        ...

    def playback_started(self, reply: int) -> None:
        """The first audio of a reply has left."""
        ...

    def playback_finished(self, reply: int, heard_ms: int) -> None:
        """Everything of a reply whose speech has ended was played."""
        ...

    def media_failed(self, fault: Exception) -> None:
        """A fault of ours: this call can be neither heard nor voiced any more, and must end."""
        ...


class Nobody:
    """Whom a call that is over tells. A ``MediaListener``."""

    def audio_arrived(self) -> None: ...

    def sound_started(self, media_ms: int) -> None: ...

    def sound_faded(self, media_ms: int, silence_ms: int) -> None: ...

    def speech_started(self, media_ms: int) -> None: ...

    def speech_continued(self, voice_ms: int) -> None: ...

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None: ...

    def silence_reached(self, silence_ms: int) -> None: ...

    def utterance_ended(self) -> None: ...

    def playback_started(self, reply: int) -> None: ...

    def playback_finished(self, reply: int, heard_ms: int) -> None: ...

    def media_failed(self, fault: Exception) -> None: ...


class AudioTap(Protocol):
    """Somebody who wants the caller's audio as it comes, in order, gaps filled (a recogniser)."""

    @property
    def wants_from(self) -> float:
        """From which position of the ``CallerLine`` on it wants to hear; infinite where it does not. What came before can be had from the
        line."""
        ...

    @property
    def busy(self) -> bool:
        """Whether it has not yet taken what it was given, or not yet said its last word on an utterance that is over. Audio that came
        faster than it was spoken waits meanwhile; a caller who speaks is never made to wait."""
        ...

    def hear(self, audio: bytes, media_ms: int) -> None:
        """Audio in the call's inbound format; ``media_ms`` is the position of its first sample."""
        ...
