"""One call: its parts, what the conversation asks of them, and what they tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from antiphon.clock import Clock
from antiphon.conversation import actions as do
from antiphon.conversation import events as ev
from antiphon.conversation.machine import Conversation
from antiphon.conversation.policy import Policy
from antiphon.errors import ConfigurationError
from antiphon.losses import Losses
from antiphon.media.line import CallerLine
from antiphon.media.overhearing import Overhearing
from antiphon.media.plane import MediaPlane
from antiphon.media.settings import HearingSettings
from antiphon.providers.base import SpeechToText
from antiphon.providers.failover_stt import FailoverSpeechToText
from antiphon.session.call_log import CallLog
from antiphon.session.engine_notes import EngineNotes
from antiphon.session.event_log import LogHeader
from antiphon.session.key_presses import press_keys
from antiphon.session.listening import TRANSCRIPTION_FAILED, Listening
from antiphon.session.observers import CallObservers, SessionObserver
from antiphon.session.pipeline import Speaks, Thinks
from antiphon.session.plan import BackgroundSound, Engines, SessionPlan, Successor
from antiphon.session.pump import Pump
from antiphon.session.speaking import Speaking
from antiphon.session.speech_to_speech import SpeechToSpeechCall
from antiphon.session.succession import Succession, policy_for
from antiphon.session.takeover import Takeover
from antiphon.session.tasks import CallTasks
from antiphon.session.thinking import Thinking
from antiphon.session.tools import Tools
from antiphon.session.turn_audio import TurnLine
from antiphon.session.turn_scoring import TurnScoring
from antiphon.session.wait_asking import WaitAsking
from antiphon.transports.base import CallStarted, CallTransport, LostReason
from antiphon.vocabulary import CallContext, EndReason, ToolSpec

_CARRIER_TIMEOUT_S = 12.0
_RECOGNISER_MS = 150
"""What a recogniser typically takes from being asked to its last word."""
_CLOSE_REASONS: Mapping[LostReason, EndReason] = {
    "stop": EndReason.CUSTOMER_ENDED,
    "hangup": EndReason.CUSTOMER_ENDED,
    "reset": EndReason.TRANSPORT_LOST,
    "stalled": EndReason.TRANSPORT_STALLED,
    "violation": EndReason.TRANSPORT_LOST,
}

log = structlog.get_logger(__name__)


class Session:
    """A ``CallSink`` for the transport, a ``MediaListener`` for the media plane, and the hands of the conversation."""

    def __init__(
        self,
        call: CallStarted,
        plan: SessionPlan,
        transport: CallTransport,
        plane: MediaPlane,
        clock: Clock,
        observers: Sequence[SessionObserver],
        on_closed: Callable[[Session], None],
        losses: Losses | None = None,
    ) -> None:
        """Raises ProviderError (the recogniser cannot be opened), ConfigurationError (the audio cannot be heard)."""
        self.call = call
        self.plan = plan
        self.started_ms = clock.now_ms()
        self.end_reason: EndReason | None = None
        self._transport = transport
        self._clock = clock
        self._on_closed = on_closed
        self._losses = losses or Losses(clock.now_ms)
        self._watched = CallObservers(call, observers, plan.surface, self._losses)
        self._event_log = CallLog(call.call_id, self._losses)
        self._notes = EngineNotes(clock, self._watched, self._event_log)
        self._tasks = CallTasks(self._fault)
        self._transferring = False
        engines = plan.engines
        self._server_tools = tuple(engines.tools.specs()) if engines.tools is not None else ()
        self._hearing = plan.hearing
        tools = (*self._server_tools, *plan.client_tools)
        context = CallContext(call.call_id, call.caller, dict(plan.variables), clock.wall_ms())
        self._stt = engines.stt
        self._one_model: SpeechToSpeechCall | None = None
        self._takeover: Takeover | None = None
        policy = policy_for(plan.policy, engines.stt, engines)
        self.conversation = Conversation(policy, plan.messages, tools)
        self._pump = Pump(self.conversation, clock, self._execute, self._observe, self._fault)
        remembered_ms = engines.turn_detector.audio_ms if engines.turn_detector is not None else 0
        turn_line = TurnLine(call.format_in, plan.hearing.preroll_ms, remembered_ms) if remembered_ms else None
        line = turn_line or CallerLine(call.format_in, plan.hearing.preroll_ms)
        self._scoring = TurnScoring(
            call.call_id, turn_line, self._pump.feed, self._tasks, self._losses, self._notes.failed
        )
        self._waits = WaitAsking(context, self._pump.feed, self._tasks, self._losses)
        self._listening = Listening(
            self._ears(tools, context),
            call.format_in,
            line,
            plan.hearing.preroll_ms,
            self._pump.feed,
            partial(_transcription_failed, self._losses, call.call_id, self._notes.failed),
            self._notes.used,
        )
        try:
            self.port = plane.open(
                self,
                transport,
                call.format_in,
                call.format_out,
                plan.hearing,
                plan.recording,
                line,
                plan.audio_ahead_ms,
            )
        except ConfigurationError:
            self._listening.close()
            raise
        self.audio = self.port.audio
        """``CallSink.audio``: straight to the port, which after its end hears nothing."""
        self._thinking, self._speaking = self._model_and_voice(tools, context)
        self._tools = Tools(engines.tools, context, self._pump.feed, self._tasks.spawn, self.conversation.history)
        self._succession = Succession(
            engines, self._listening, self._thinking, self._speaking, self._tools, self._notes.failed,
            remembers=turn_line is not None,
        )  # fmt: skip
        self._open_event_log(tools)

    def _ears(self, tools: tuple[ToolSpec, ...], context: CallContext) -> SpeechToText:
        """The call's recogniser; where one model is recogniser, model and voice, that is made here."""
        engines = self.plan.engines
        if engines.speech_to_speech is None:
            return engines.stt
        self._one_model = SpeechToSpeechCall(
            engines.speech_to_speech, self.call.format_out, engines.voice, engines.speed, self.plan.messages, tools, context,
            engines.model_options, self._clock, self._pump.feed, self._notes.failed, self._notes.used,
        )  # fmt: skip
        ears = self._one_model.ears
        if engines.fallback is None or not engines.fallback.models:
            return ears
        return FailoverSpeechToText((ears, engines.fallback.stt), engines.breakers)

    def _model_and_voice(self, tools: tuple[ToolSpec, ...], context: CallContext) -> tuple[Thinks, Speaks]:
        """A cascade, or one model that is both, and a cascade when that is gone."""
        if self._one_model is None:
            engines = self.plan.engines
            return self._thinks_in_words(engines, tools, context), self._speaks_words(engines, context)
        self._one_model.mouth = self.port.mouth
        fallback = self.plan.engines.fallback

        def cascade() -> tuple[Thinks | None, Speaks | None]:
            if fallback is None:
                return None, None
            thinks = self._thinks_in_words(fallback, tools, context) if fallback.models else None
            return thinks, self._speaks_words(fallback, context)

        self._takeover = Takeover(
            self.call.call_id, self._stt.name, self._one_model, cascade, self._pump.feed, self._notes.failed,
            lambda: self.conversation.policy.speaking.given_up_message,
        )  # fmt: skip
        return self._takeover, self._takeover

    def _thinks_in_words(self, engines: Engines, tools: tuple[ToolSpec, ...], context: CallContext) -> Thinking:
        return Thinking(
            engines.model(self._notes.failed), tools, context, engines.model_options, self._pump.feed,
            self._listening.expect, self._tasks.spawn, self._notes.used,
        )  # fmt: skip

    def _speaks_words(self, engines: Engines, context: CallContext) -> Speaking:
        return Speaking(
            engines.speaker(self._notes.failed), engines.voice, engines.speed, self.call.format_out,
            self.port.mouth, self._clock, self._pump.feed, self._tasks.spawn, self._notes.used, context,
        )  # fmt: skip

    def start(self) -> None:
        """The media is live: listen, and let the greeting begin."""
        self._watched.call_started(self.started_ms)
        self._listening.expect(self.plan.opening)
        self._hear_as(self.conversation.policy)
        self.port.listen(self._listening)
        self._surround()
        if self._takeover is not None:
            self._takeover.begin()
        self._pump.feed(ev.CallConnected())

    def feed(self, event: ev.Event) -> Sequence[do.Action]:
        """An event from a surface: typed words, a command, a client's control. Returns what it led to (see ``Pump.feed``)."""
        return self._pump.feed(event)

    def change_policy(self, policy: Policy) -> None:
        """Other numbers, or another way of taking turns, from now on."""
        policy = self._for_engines(policy)
        self._hear_as(policy)
        self._pump.feed(ev.PolicyChanged(policy))

    def change_hearing(self, hearing: HearingSettings) -> None:
        """Other thresholds from now on."""
        self._hearing = hearing
        self._hear_as(self.conversation.policy)

    def change_instructions(self, text: str) -> None:
        """Another system prompt."""
        self._pump.feed(ev.InstructionsChanged(text))

    def change_tools(self, client_tools: tuple[ToolSpec, ...]) -> None:
        """Other tools that the client runs; those of the engines stay."""
        self._thinking.tools = (*self._server_tools, *client_tools)
        self._pump.feed(ev.ToolsChanged(self._thinking.tools))

    def change_model_options(self, options: Mapping[str, Any]) -> None:
        self._thinking.options = options

    def change_voice(self, voice: str, speed: float) -> None:
        """From the next piece on."""
        self._speaking.voice, self._speaking.speed = voice, speed

    def change_recogniser(self, stt: SpeechToText) -> None:
        """Another recogniser. Raises ProviderError when it cannot be opened; the one there was stays."""
        self._listening.replace(stt)
        self._stt = stt
        if self._for_engines(self.conversation.policy) != self.conversation.policy:
            self.change_policy(self.conversation.policy)

    def succeed(self, successor: Successor) -> None:
        """Another assistant leads the call once nothing of this one is being said. Raises ProviderError where its recogniser cannot be
        opened; then everything stays as it is."""
        if self.end_reason is None:
            self._pump.feed(self._succession.prepare(successor))

    def engines_in_use(self) -> Iterator[Engines]:
        """All that must stay while this call lives as it does now."""
        return self._succession.in_use()

    def _change_assistant(self, action: do.ChangeAssistant) -> None:
        self._succession.change(action.handoff)
        engines = self._succession.engines
        self._stt = engines.stt
        self._server_tools = tuple(engines.tools.specs()) if engines.tools is not None else ()
        self._hear_as(self.conversation.policy)
        self._surround()

    def _surround(self) -> None:
        """Let be heard what is behind this assistant, once it is there."""
        background = self._succession.engines.background
        if self.port.mouth.room is not None:
            self.port.mouth.surround(None)
        if background is not None:
            self._tasks.spawn(self._surrounded(background), "background-sound")

    async def _surrounded(self, background: BackgroundSound) -> None:
        loop = await background(self.call.format_out)
        if background is self._succession.engines.background:  # else another assistant leads the call by now
            self.port.mouth.surround(loop)

    def _for_engines(self, policy: Policy) -> Policy:
        return policy_for(policy, self._stt, self._succession.engines)

    def note_failure(self, provider: str, code: str) -> None:
        """A surface has used one of the call's engines, and it failed: for those who watch."""
        self._notes.failed(provider, code)

    def mute_caller(self, muted: bool) -> None:
        """Hear silence instead of the caller, or the caller again."""
        self.port.mute(muted)

    def mute_agent(self, muted: bool) -> None:
        """Let the caller hear silence instead of the agent, who goes on all the same; or the agent again."""
        self.port.mouth.mute(muted)

    def pause_recording(self, paused: bool) -> bool:
        """Of what is said from now on the recording has silence as long; or all of it again. False where that is so already. Raises
        ConfigurationError where the call is not recorded."""
        if not self.port.records:
            raise ConfigurationError("control", "this call is not recorded")
        changed = self.port.pause_recording(paused, self._clock.now_ms())
        if changed:
            self._event_log.note_recording(self._clock.now_ms(), paused=paused)
            log.info("recording_paused" if paused else "recording_resumed", call_id=self.call.call_id)
        return changed

    def overhear(self) -> Overhearing:
        """Both sides from now on, for somebody who only listens. What is not taken is lost to the listener, and costs the call nothing."""
        return self.port.overhear(self._clock.now_ms())

    async def press_keys(self, keys: str) -> None:
        """As ``key_presses.press_keys``."""
        await press_keys(self.port, self.call.format_out, self._clock, keys)

    def transfer(self, destination: str) -> None:
        """Hand the caller over, as if the model had asked for it. Where there is nobody who can, the caller is told so."""
        self._pump.feed(ev.TransferRequested(destination))

    def commit_turn(self) -> Sequence[do.Action]:
        """The client says that the caller has finished (push-to-talk, or a clip sent at once). All that has arrived belongs to the turn,
        also what was not heard yet. Returns what that led to."""
        while self.hear_out(None):
            pass
        return self._pump.feed(ev.TurnCommitted(self._listening.open_utterance))

    def hear_out(self, limit_ms: float | None) -> bool:
        """Before ``commit_turn``, where much has arrived at once: hear so much of it as part of the turn. Returns whether there is more."""
        if self.port.backlog_ms:
            self._listening.begin()
        return self.port.hear_out(limit_ms)

    def discard_turn(self) -> None:
        """The client throws away what was heard since the last turn."""
        self.port.skip_backlog()
        self._listening.finish()
        self._pump.feed(ev.TurnDiscarded(self._listening.utterance))

    def _hear_as(self, policy: Policy) -> None:
        self._listening.manual = policy.endpointing.mode == "manual"
        decisive = {
            policy.barge_in.voice_ms,
            policy.barge_in.voice_alone_ms,
            policy.speaking.not_understood_after_ms,
        }
        hearing = replace(self._hearing, report_voice_at_ms=tuple(sorted(decisive)))
        self.port.hear(hearing, enabled=not self._listening.manual)

    # ---------------------------------------------------------------------------------- CallSink

    def mark(self, name: str) -> None:
        self.port.mouth.marked(name, self._clock.now_ms())

    def dtmf(self, digit: str) -> None:
        self._pump.feed(ev.DtmfPressed(digit))

    def closed(self, reason: LostReason) -> None:
        self.drop(EndReason.TRANSFERRED if self._transferring else _CLOSE_REASONS[reason])

    def drop(self, reason: EndReason) -> None:
        """End at once; what was heard until now is noted first."""
        if self.end_reason is None and not self.conversation.ended:
            mouth = self.port.mouth
            if mouth.reply:
                self._speaking.report(mouth.reply)
                self._pump.feed(ev.PlaybackReached(mouth.reply, mouth.heard_ms(self._clock.now_ms())))
            self._pump.feed(ev.CallDropped(reason))

    # ---------------------------------------------------------------------------------- MediaListener

    def audio_arrived(self) -> None:
        self._pump.feed(ev.AudioArrived())

    def sound_started(self, media_ms: int) -> None:
        self._pump.feed(ev.SoundStarted(media_ms))

    def sound_faded(self, media_ms: int, silence_ms: int) -> None:
        self._pump.feed(ev.SoundFaded(media_ms, silence_ms))

    def speech_started(self, media_ms: int) -> None:
        self.port.watch_utterance_end(None)
        self._pump.feed(ev.SpeechStarted(self._listening.begin(), media_ms))

    def speech_continued(self, voice_ms: int) -> None:
        self._pump.feed(ev.SpeechContinued(self._listening.utterance, voice_ms))

    def speech_stopped(self, media_ms: int, silence_ms: int, near: bool, speech_share: float) -> None:
        ends_ms = self._utterance_end_ms()
        if silence_ms >= ends_ms:
            self._listening.finish()
        else:
            self.port.watch_utterance_end(ends_ms)
        utterance = self._listening.utterance
        self._pump.feed(ev.SpeechStopped(utterance, media_ms, silence_ms, near, round(speech_share, 2)))

    def _utterance_end_ms(self) -> int:
        """Early enough that the recogniser's last word is there when the turn could close, late enough not to cut an answer in two."""
        endpointing, hearing = self.conversation.policy.endpointing, self._hearing
        if self._listening.finishes_at_once:
            return hearing.stop_after_ms
        closes_ms = endpointing.silence_ms if endpointing.mode == "fixed" else endpointing.wait_ms
        return max(hearing.stop_after_ms, min(hearing.utterance_end_ms, closes_ms - _RECOGNISER_MS))

    def utterance_ended(self) -> None:
        self._listening.finish()

    def silence_reached(self, silence_ms: int) -> None:
        self._pump.feed(ev.SilenceReached(silence_ms))

    def playback_started(self, reply: int) -> None:
        self._pump.feed(ev.PlaybackStarted(reply))

    def playback_finished(self, reply: int, heard_ms: int) -> None:
        self._pump.feed(ev.PlaybackFinished(reply, heard_ms))

    def media_failed(self, fault: Exception) -> None:
        self._fault(fault)

    # ---------------------------------------------------------------------------------- what the conversation asks

    def _execute(self, action: do.Action) -> None:
        hand = _HANDS.get(type(action))
        if hand is not None:  # facts have no hand; observers have seen them
            hand(self, action)

    def _start_reply(self, action: do.StartReply) -> None:
        if action.options is not None and action.options.voice:
            self._speaking.speak_as(action.reply, action.options.voice)
        self._thinking.start(action)

    def _hold(self, action: do.HoldPlayback) -> None:
        heard_ms = self.port.mouth.hold(action.reply, self._clock.now_ms())
        self._speaking.report(action.reply)
        self._pump.feed(ev.PlaybackReached(action.reply, heard_ms))

    def _ask_playback(self, action: do.AskPlayback) -> None:
        mouth = self.port.mouth
        self._speaking.report(action.reply)
        heard_ms = mouth.heard_ms(self._clock.now_ms()) if mouth.reply == action.reply else 0
        self._pump.feed(ev.PlaybackReached(action.reply, heard_ms))

    def _cancel_reply(self, action: do.CancelReply) -> None:
        self._thinking.cancel(action.reply)
        self._speaking.cancel(action.reply)

    def _watch_silence(self, action: do.WatchSilence) -> None:
        self.port.watch_silence(action.silence_ms)

    def _turn_over(self, action: do.TurnClosed | do.TurnDropped) -> None:
        if type(action) is do.TurnClosed:
            self.port.answered()
        self._scoring.turn_over()

    def _transfer(self, action: do.TransferCall) -> None:
        self._tasks.spawn(self._hand_over(action.destination), name="transfer")

    async def _hand_over(self, destination: str) -> None:
        if self.plan.transfer is not None:
            self._transferring = True
            try:
                async with asyncio.timeout(_CARRIER_TIMEOUT_S):
                    await self.plan.transfer(self.call.provider_call_id, destination)
                return
            except Exception as error:
                log.warning("transfer_failed", call_id=self.call.call_id, problem=type(error).__name__)
                self._transferring = False
        if sorry := self.conversation.policy.speaking.transfer_failed_message:
            self._pump.feed(ev.SayRequested(sorry))

    def _end(self, action: do.EndCall) -> None:
        """Free everything. The conversation has ended: nothing is fed any more."""
        self.end_reason = action.reason
        self._pump.stop()
        parts = (
            self._succession.close,
            self._listening.close,
            self.port.close,
            self._close_transport,
            self._tasks.close,
            self._let_model_go,
        )
        for free in (*parts, self._tell_end, self._close_event_log):
            try:
                free()
            except Exception:
                # The call may be ending because one of its parts is broken: the others are freed all the same.
                log.exception("session_part_not_freed", call_id=self.call.call_id, part=free.__qualname__)
        self._on_closed(self)

    def _let_model_go(self) -> None:
        if self._takeover is not None:
            self._takeover.end_call()

    def _close_transport(self) -> None:
        self._transport.close(1000, "ended")

    def _tell_end(self) -> None:
        assert self.end_reason is not None
        self._watched.call_ended(self._clock.now_ms(), self.end_reason)

    def _close_event_log(self) -> None:
        assert self.end_reason is not None
        self._event_log.close(self.end_reason)

    # ---------------------------------------------------------------------------------- bookkeeping

    def flush(self) -> None:
        """Hand the event log to the operating system."""
        self._event_log.flush()

    async def wait_closed(self, timeout_s: float) -> None:
        """Wait for this call's tasks to be gone, bounded."""
        await self._tasks.wait(timeout_s)

    def _open_event_log(self, tools: Sequence[Any]) -> None:
        if self.plan.event_log is not None:
            header = LogHeader(
                self.call.call_id, self.plan.assistant, self._clock.wall_ms(), self.started_ms, self.conversation.policy,
                self.plan.messages, tuple(tools), _known_to_carrier(self.call),
            )  # fmt: skip
            self._event_log.open(self.plan.event_log, header)

    def _observe(self, now_ms: int, event: ev.Event | None, actions: Sequence[do.Action]) -> None:
        self._event_log.append(now_ms, event, actions)
        self._watched.happened(now_ms, event, actions)

    def _fault(self, fault: Exception) -> None:
        """A bug of ours. It ends this call and no other."""
        log.error("session_fault", call_id=self.call.call_id, exc_info=fault)
        if self.end_reason is None:
            self._end(do.EndCall(EndReason.SERVER_DIED))


def _known_to_carrier(call: CallStarted) -> dict[str, str]:
    return {
        "provider": call.provider,
        "provider_call_id": call.provider_call_id,
        "caller": call.caller,
        "called": call.called,
        "direction": call.direction,
    }


def _transcription_failed(
    losses: Losses, call_id: str, on_failure: Callable[[str, str], None], provider: str, problem: str
) -> None:
    on_failure(provider, TRANSCRIPTION_FAILED)
    losses.count("transcriptions_failed", provider=provider)
    losses.tell("transcription_failed", call_id, call_id=call_id, provider=provider, problem=problem)


# One table for all sessions: see ``conversation.machine``.
_HANDS: dict[type, Callable[[Session, Any], None]] = {
    do.StartReply: Session._start_reply,
    do.CancelReply: Session._cancel_reply,
    do.StopModel: lambda it, action: it._thinking.stop(action.reply),
    do.ReplyAdopted: lambda it, action: it._thinking.adopt(action.reply),
    do.Speak: lambda it, action: it._speaking.speak(action.reply, action.piece, action.text),
    do.EndSpeech: lambda it, action: it._speaking.end(action.reply),
    do.StartPlayback: lambda it, action: it.port.mouth.start(action.reply, it._clock.now_ms()),
    do.SoftenPlayback: lambda it, action: it.port.mouth.soften(action.reply, it._clock.now_ms()),
    do.HoldPlayback: Session._hold,
    do.AskPlayback: Session._ask_playback,
    do.ResumePlayback: lambda it, action: it.port.mouth.resume(action.reply, it._clock.now_ms()),
    do.StopPlayback: lambda it, action: it.port.mouth.stop(action.reply, it._clock.now_ms()),
    do.TurnClosed: Session._turn_over,
    do.TurnDropped: Session._turn_over,
    do.WatchSilence: Session._watch_silence,
    do.FinishTranscript: lambda it, _action: it._listening.finish(),
    do.ScoreTurn: lambda it, action: it._scoring.ask(it._succession.engines.turn_detector, action),
    do.AskWait: lambda it, action: it._waits.ask(it._succession.engines.wait_adviser, action),
    do.TurnOpened: lambda it, _action: it._scoring.turn_opened(),
    do.RunTool: lambda it, action: it._tools.run(action),
    do.CancelTool: lambda it, action: it._tools.cancel(action.tool_call_id),
    do.TransferCall: Session._transfer,
    do.ChangeAssistant: Session._change_assistant,
    do.EndCall: Session._end,
}
