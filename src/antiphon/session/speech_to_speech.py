"""A call whose model hears and speaks itself: one session with it (``providers.speech_to_speech``) in the place of recogniser, model and
voice.

To the conversation it is no different. The caller's words come as a recogniser's do; what the model says comes as a reply's text, is cut
into pieces like any other, and each piece finds its sound already made. So turns, barge-in, tools and the history of what was heard are
decided where they always are, and replays of such a call are replays like others.

A session that is gone for good (``on_gone``) is taken over by others: what nothing was heard of is asked for again of them (``hand_over``),
the rest has failed.

How long each piece sounds is not told by such models: it is reckoned by its share of the letters, and marked as an estimate by having no
word times. Words of ours (the greeting, an apology) are spoken by the same voice, word for word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.audio.convert import converter
from antiphon.clock import Clock
from antiphon.conversation import events as ev
from antiphon.conversation.actions import StartReply
from antiphon.errors import ProviderError
from antiphon.media.mouth import Mouth
from antiphon.providers.base import (
    ExpectedAnswers,
    ModelRequest,
    OnTranscription,
    Partials,
    SpeechToTextStream,
    StreamInterrupted,
)
from antiphon.providers.speech_to_speech.base import (
    ReplyAudio,
    ReplyEndsCall,
    ReplyFailed,
    ReplyOver,
    ReplyToolCall,
    ReplyTransfersCall,
    ReplyWords,
    SpeechEvent,
    SpeechToSpeech,
    SpeechToSpeechStream,
    SpokeUnasked,
)
from antiphon.session.pipeline import Speaks, Thinks
from antiphon.vocabulary import AudioFormat, CallContext, Encoding, EndReason, Message, OnUsage, ToolSpec

_CHARACTERS_PER_SECOND = 15
"""Ordinary speech: for pieces of which not all sound is there."""
_UNWRITTEN = "(no transcript)"
"""Stands for sound whose words the model did not tell."""


OpenSession = Callable[[AudioFormat, OnTranscription], SpeechToTextStream]


@dataclass(slots=True)
class _Stretch:
    """What one request to the model gave: its sound, and the pieces that sound in it."""

    asked: StartReply | None
    """What the model was asked; None of words of ours."""
    audio_bytes: int = 0
    pieces: list[tuple[int, str]] = field(default_factory=list)
    """Numbers and texts."""
    words: str = ""
    """Of the model: what no piece has taken yet, without white space."""
    written: bool = False
    over: bool = False
    failed: bool = False
    cut: bool = False
    """It is over, and the model broke it off."""
    told: bool = False
    """How long its pieces sound."""

    @property
    def ours(self) -> bool:
        return self.asked is None

    @property
    def begun(self) -> bool:
        """Whether anything of it may have been heard, or stands in the history."""
        return self.written or self.audio_bytes > 0


class Ears:
    """The session's recogniser, as a call opens one. Implements ``SpeechToText`` for one call."""

    punctuation = 0.5
    """Its words are written by a large model, after the end of each utterance."""
    more_than_ears = True

    def __init__(self, model: SpeechToSpeech, open_session: OpenSession | None = None) -> None:
        """Without ``open_session`` it only tells what it would be like."""
        self.behind = model
        self.name = model.name
        self.model = model.transcriber
        self.formats = model.formats
        self.continuous = bool(getattr(model, "continuous", False))
        self.partials: Partials = getattr(model, "partials", "none")
        self._open = open_session

    async def start(self) -> None:
        """Whoever made the model has started it."""

    async def close(self) -> None:
        """Whoever made the model closes it."""

    def open(self, audio: AudioFormat, answers: ExpectedAnswers, on_event: OnTranscription) -> SpeechToTextStream:
        if self._open is None:
            raise ProviderError(self.name, "it listens only as the model of a call")
        return self._open(audio, on_event)


class SpeechToSpeechCall:
    """One call's model: does what ``Thinking`` and ``Speaking`` do, and has ``ears`` to listen with."""

    def __init__(
        self,
        model: SpeechToSpeech,
        spoken: AudioFormat,
        voice: str,
        speed: float,
        messages: tuple[Message, ...],
        tools: tuple[ToolSpec, ...],
        context: CallContext,
        options: Mapping[str, Any],
        clock: Clock,
        feed: Callable[[ev.Event], object],
        on_failure: Callable[[str, str], None],
        on_usage: OnUsage,
    ) -> None:
        """``spoken`` is what the call's line takes; ``messages`` what the call begins with; ``tools``, ``options``, ``voice``, ``speed`` as
        for ``Thinking`` and ``Speaking``."""
        self.voice, self.speed = voice, speed
        self.tools = tools
        self.options = options
        self.mouth: Mouth | None = None
        """Given when the line is open: nothing is asked for before."""
        self.ears = Ears(model, self._open)
        self._model = model
        self._spoken = spoken
        self._made = spoken if spoken in model.spoken_formats else _linear(model.spoken_formats)
        """What the model is asked to make; converted where the line takes none of its formats."""
        self._convert = None if self._made == spoken else converter(self._made, spoken)
        self._context = context
        self._beginning = ModelRequest(messages, tools, context, dict(options))
        self._clock = clock
        self._feed = feed
        self._on_failure = on_failure
        self._on_usage = on_usage
        self._stream: SpeechToSpeechStream | None = None
        self._on_transcription: OnTranscription | None = None
        self.on_gone: Callable[[str], None] = lambda problem: None
        """The session is no more, and none will be for this call: told once, with the vendor's reason."""
        self._reply = 0
        self._stretches: list[_Stretch] = []
        self._ended = False
        self._words_with_sound = bool(getattr(model, "words_with_sound", False))
        """Its words come as they are heard, and not before."""
        self._own_words: list[tuple[int, str]] = []
        """Pieces of ours that are to be spoken together."""

    def _open(self, audio: AudioFormat, on_event: OnTranscription) -> SpeechToTextStream:
        self._on_transcription = on_event
        self._stream = self._model.open(audio, self._made, self.voice, self.speed, self._hear)
        self._stream.prepare(self._beginning, self._heard_ms)
        return self._stream

    @property
    def is_there(self) -> bool:
        """Whether there is a session, or may be one again."""
        return self._stream is not None

    def end_call(self) -> None:
        """Nothing is heard or said any more. The session is closed as the recogniser's stream that it is, by whoever listens."""
        self._forget()
        self._stream = self._on_transcription = None

    # ---------------------------------------------------------------------------------- as a model

    def start(self, action: StartReply) -> None:
        own = action.options
        tools, options = self.tools, dict(self.options)
        if own is not None:
            options |= own.model
            if own.tools is not None:
                tools = (*(tool for tool in tools if not tool.client), *own.tools)
        self._take_up(action.reply)
        self._stretches.append(_Stretch(action))
        request = ModelRequest(action.messages, tools if action.tools_allowed else (), self._context, options)
        if self._stream is not None:
            self._stream.respond(action.reply, request)

    def adopt(self, reply: int) -> None:
        """Nothing is asked speculatively: the session would remember it."""

    # ---------------------------------------------------------------------------------- as a voice

    def speak_as(self, reply: int, voice: str) -> None:
        """The session has one voice."""

    def speak(self, reply: int, piece: int, text: str) -> None:
        self._take_up(reply)
        stretch = next((each for each in self._stretches if not each.ours and _takes(each, text)), None)
        if stretch is not None:
            stretch.pieces.append((piece, text))
            return
        if not self._own_words:
            # What else is to be said now comes within this turn of the loop, and sounds better in one.
            asyncio.get_running_loop().call_soon(self._say, reply)
        self._own_words.append((piece, text))

    def _say(self, reply: int) -> None:
        pieces, self._own_words = self._own_words, []
        if reply != self._reply or not pieces or self._stream is None:
            return
        self._stretches.append(_Stretch(None, pieces=pieces))
        self._stream.say(reply, " ".join(text for _, text in pieces))

    def end(self, reply: int) -> None:
        if reply == self._reply:
            self._ended = True
            self._look_for_end()

    def cancel(self, reply: int) -> None:
        """Of both: what was heard until now is what the model remembers."""
        if not reply or reply != self._reply:
            return
        heard_ms = self._heard_ms(reply) or 0
        self._forget()
        if self._stream is not None:
            self._stream.cancel(reply, heard_ms)

    def stop(self, reply: int) -> None:
        """It is its own voice: what it still makes of the reply is heard of."""

    def _heard_ms(self, reply: int) -> int | None:
        mouth = self.mouth
        return mouth.heard_ms(self._clock.now_ms()) if mouth is not None and mouth.reply == reply else None

    def report(self, reply: int) -> None:
        """Tell what is known of pieces that are not told yet: a cut is about to be made in them."""
        if reply == self._reply:
            for stretch in self._stretches:
                if not stretch.told:
                    self._tell_so_far(stretch, reply)

    def _take_up(self, reply: int) -> None:
        if reply != self._reply:
            self._forget()  # it was heard to its end: one that was not has been cancelled
            self._reply, self._ended = reply, False
            if self.mouth is not None:
                self.mouth.prepare(reply)

    def _forget(self) -> None:
        self._reply = 0
        self._stretches = []
        self._own_words = []

    def hand_over(self, thinks: Thinks | None, speaks: Speaks) -> None:
        """To those who go on with the call, before anything else is asked of them. Of what is being said, they say what nothing was heard
        of; the rest has failed. Where nobody ``thinks``, the model's own words end where they are."""
        for stretch in self._stretches:
            if stretch.over or stretch.asked is None or not (stretch.begun or thinks is None):
                continue
            stretch.over = stretch.failed = True
            # What stands of it comes now as pieces, whose sound is here; an apology for it is among the words of ours.
            self._feed(ev.ReplyDone(self._reply) if thinks is None else ev.ReplyFailed(self._reply))
        reply, stretches, own, ended = self._reply, self._stretches, self._own_words, self._ended
        self._forget()
        left: list[tuple[int, str]] = []
        for stretch in stretches:
            if stretch.over or stretch.begun:
                stretch.failed = stretch.failed or not stretch.over
                if not stretch.told:
                    self._share_out(stretch, reply)
            elif stretch.asked is None:
                left += stretch.pieces
            elif thinks is not None:
                thinks.start(stretch.asked)
        for number, text in (*left, *own):
            speaks.speak(reply, number, text)
        if ended and (left or own):
            speaks.end(reply)
        elif ended and self.mouth is not None and not all(stretch.told for stretch in stretches):
            self.mouth.end_speech(reply, self._clock.now_ms())

    # ---------------------------------------------------------------------------------- what the model does

    def _hear(self, event: SpeechEvent) -> None:
        if self._stream is None:
            return
        if (isinstance(event, StreamInterrupted) and event.lasting) or (isinstance(event, ReplyFailed) and event.gone):
            self._lose(event.problem)
            return
        if isinstance(event, ReplyOver):
            for usage in event.usage:
                self._on_usage(self._model.name, usage)
        if isinstance(event, SpokeUnasked):
            self._feed(ev.ReplyOffered())
        elif isinstance(event, ReplyEndsCall | ReplyTransfersCall):
            self._end_after(event)
        elif not isinstance(event, ReplyAudio | ReplyWords | ReplyToolCall | ReplyOver | ReplyFailed):
            if self._on_transcription is not None:
                self._on_transcription(event)
        elif event.reply == self._reply and event.reply and self._stretches:
            self._take(event, next((each for each in self._stretches if not each.over), self._stretches[-1]))

    def _end_after(self, event: ReplyEndsCall | ReplyTransfersCall) -> None:
        """Once the reply has been heard, where it is still being played."""
        plays = event.reply != 0 and self._heard_ms(event.reply) is not None
        if isinstance(event, ReplyEndsCall):
            self._feed(ev.ReplyAskedToEnd(event.reply) if plays else ev.EndRequested(EndReason.ASSISTANT_ENDED))
        elif plays:
            self._feed(ev.ReplyAskedToTransfer(event.reply, event.destination))
        else:
            self._feed(ev.TransferRequested(event.destination))

    def _lose(self, problem: str) -> None:
        self._stream = None
        if self._on_transcription is not None:
            self._on_transcription(StreamInterrupted(problem, lasting=True))
        self.on_gone(problem)

    def _take(
        self, event: ReplyAudio | ReplyWords | ReplyToolCall | ReplyOver | ReplyFailed, stretch: _Stretch
    ) -> None:
        reply = event.reply
        if isinstance(event, ReplyAudio):
            audio = event.audio if self._convert is None else self._convert(event.audio)
            stretch.audio_bytes += len(audio)
            if self.mouth is not None:
                self.mouth.speak(reply, audio, self._clock.now_ms())
        elif isinstance(event, ReplyWords):
            self._write(stretch, reply, event.text)
        elif isinstance(event, ReplyToolCall):
            self._feed(ev.ReplyAskedForTool(reply, event.call))
        else:
            self._finish(stretch, event)

    def _write(self, stretch: _Stretch, reply: int, text: str) -> None:
        stretch.words += _squeezed(text)
        stretch.written = stretch.written or bool(text.strip())
        self._feed(ev.ReplyText(reply, text))
        if self._words_with_sound:
            self._feed(ev.ReplyVoiced(reply))

    def _finish(self, stretch: _Stretch, event: ReplyOver | ReplyFailed) -> None:
        reply = event.reply
        failed = isinstance(event, ReplyFailed)
        if isinstance(event, ReplyFailed):
            self._on_failure(self._model.name, "reply_failed")
        if not stretch.ours and not stretch.written and stretch.audio_bytes:
            self._write(stretch, reply, _UNWRITTEN)
        stretch.over, stretch.failed = True, failed
        stretch.cut = isinstance(event, ReplyOver) and event.cut
        if not stretch.ours:
            self._feed(ev.ReplyFailed(reply) if failed else ev.ReplyDone(reply))
        if reply == self._reply:  # what was fed may have ended it
            self._look_for_end()

    def _look_for_end(self) -> None:
        """Once all is asked for and all sound is there, the pieces share it, and the mouth is told that no more will come."""
        if not self._ended or self._own_words or not all(stretch.over for stretch in self._stretches):
            return
        for stretch in self._stretches:
            if not stretch.told:
                stretch.told = True
                self._share_out(stretch, self._reply)
        if self.mouth is not None:
            self.mouth.end_speech(self._reply, self._clock.now_ms())

    def _share_out(self, stretch: _Stretch, reply: int) -> None:
        if stretch.failed:
            self._tell_so_far(stretch, reply)
            for number, _ in stretch.pieces:
                self._feed(ev.SynthesisFailed(reply, number))
            return
        if stretch.cut:
            self._tell_so_far(stretch, reply, complete=True)
            return
        self._share_sound(stretch, reply)

    def _share_sound(self, stretch: _Stretch, reply: int) -> None:
        letters = sum(len(text) for _, text in stretch.pieces)
        total_ms = self._spoken.ms_of(stretch.audio_bytes)
        for number, text in stretch.pieces:
            self._feed(ev.SpeechSynthesized(reply, number, round(total_ms * len(text) / letters)))

    def _tell_so_far(self, stretch: _Stretch, reply: int, *, complete: bool = False) -> None:
        """``complete``: no more sound comes, and what is left without any will not be heard."""
        if self._words_with_sound:  # all that is written has sounded, but for a word
            self._share_sound(stretch, reply)
            return
        left_ms = self._spoken.ms_of(stretch.audio_bytes)
        for number, text in stretch.pieces:
            length_ms = min(left_ms, len(text) * 1000 / _CHARACTERS_PER_SECOND)
            left_ms -= length_ms
            if length_ms:  # what has sounded beyond it is of the next one
                whole = complete or left_ms > 0
                self._feed(ev.SpeechSynthesized(reply, number, round(length_ms), complete=whole))
            elif complete:
                self._feed(ev.SynthesisFailed(reply, number))


def _linear(formats: Sequence[AudioFormat]) -> AudioFormat:
    """What loses nothing, where there is such a one."""
    return next((each for each in formats if each.encoding is Encoding.PCM16), formats[0])


def _takes(stretch: _Stretch, text: str) -> bool:
    """Whether a piece is the next of what the model says; it is taken off then."""
    wanted = _squeezed(text)
    if not wanted or not stretch.words.startswith(wanted):
        return False
    stretch.words = stretch.words[len(wanted) :]
    return True


def _squeezed(text: str) -> str:
    return "".join(text.split())
