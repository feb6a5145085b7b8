"""The live Realtime sessions of this process: what a model's name stands for, who may have how many, who may join which, and which
of them end because nobody uses them or because their key is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from weakref import WeakValueDictionary

import structlog

from antiphon.clock import Clock
from antiphon.errors import CapacityError, ConfigurationError
from antiphon.ids import new_id
from antiphon.providers.base import SpeechToText
from antiphon.session.manager import SessionManager
from antiphon.session.plan import Engines, SessionPlan
from antiphon.surfaces.realtime.access import Access
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.realtime.inbox import LoopShare
from antiphon.surfaces.realtime.kept import KeptBytes
from antiphon.surfaces.realtime.mapping import config_for
from antiphon.surfaces.realtime.protocol import errors
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig, open_session
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.vocabulary import EndReason

_KEYS_S = 0.1
"""How often it is asked which keys there are; a change is acted on at once."""
_LOOK_EVERY = 5
"""Every so many times, all live sessions are looked at: half a second, so that a revoked key is gone within one whatever happened."""
NOBODY = Access()
"""Opens a session within the process."""
log = structlog.get_logger(__name__)


class RealtimeSessions:
    """One per process."""

    def __init__(
        self,
        manager: SessionManager,
        clock: Clock,
        settings: RealtimeSettings,
        plan_of: Callable[[str, str], SessionPlan],
        recogniser_of: Callable[[str], SpeechToText | None],
        live_keys: Callable[[], frozenset[str] | None] = lambda: None,
        on_revoked: Callable[[str], None] = lambda key_id: None,
        share: LoopShare | None = None,
    ) -> None:
        """``plan_of(model, call_id)`` tells how a session is led, and raises ConfigurationError where there is no such model;
        ``recogniser_of`` is the engine a client may mean by a name, None where it is none of ours. ``live_keys`` are the ids of
        the private keys there are, None while that is not known; ``on_revoked`` is told of each that is gone. ``share``: how much of
        the loop is the clients' of all sessions."""
        self.settings = settings
        self._manager = manager
        self._clock = clock
        self._plan_of = plan_of
        self._recogniser_of = recogniser_of
        self._live_keys = live_keys
        self._on_revoked = on_revoked
        self._keys: frozenset[str] | None = None
        self._live: dict[str, RealtimeSession] = {}
        self._kept: WeakValueDictionary[str, KeptBytes] = WeakValueDictionary()
        self._share = share or LoopShare()
        self._look_handle: asyncio.TimerHandle | None = None
        self._asked = 0

    def __len__(self) -> int:
        return len(self._live)

    # ---------------------------------------------------------------------------------- who may come in

    def require_room(self, who: Access, *, connecting: bool = False) -> None:
        """Whether this one may have one more, and one more call would harm no other. Nothing is reserved. Raises as ``require_share``."""
        self.require_share(who, connecting=connecting)
        self._manager.require_admission()

    def require_share(self, who: Access, *, connecting: bool = False) -> None:
        """Whether this one may have one more, and so may all who use this API. ``connecting``: its media comes later, over WebRTC.
        Raises HttpError 429 where they have enough, CapacityError where all have."""
        settings, secret, live = self.settings, who.secret, self._live.values()
        if secret is not None:
            most = secret.max_sessions or settings.secret_max_sessions
            theirs = [session for session in live if session.owner.secret_id == secret.id]
            _require(most, len(theirs), f"This client secret has {most} live sessions, as many as it may have.")
            if connecting:
                most = settings.secret_max_connecting
                waiting = sum(session.connecting for session in theirs)
                _require(most, waiting, f"This client secret has {most} calls that are not connected yet.")
        if who.key_id:
            most = settings.key_max_sessions
            count = sum(session.owner.key_id == who.key_id for session in live)
            _require(most, count, f"This key has {most} live sessions, as many as it may have.")
        if settings.max_sessions and len(self._live) >= settings.max_sessions:
            raise CapacityError("full")

    def admit(self, who: Access, *, connecting: bool = False) -> None:
        """``require_room``, and a call is to come now. Where it does not, ``withdraw``."""
        self.require_room(who, connecting=connecting)
        self._manager.admit()

    def withdraw(self) -> None:
        """One that was admitted will not come."""
        self._manager.withdraw()

    def defaults_of(self, model: str) -> SessionConfig:
        """What a session of this model begins with; empty for the default model. Raises HttpError where there is none."""
        model = model or self.settings.default_model
        return config_for(self._plan(model, ""), model, self.settings.default_voice)

    def configure(self, model: str, session: Mapping[str, Any], *, transcription: bool = False) -> SessionConfig:
        """The configuration a session is opened with: ``session`` is what was sent for it; a model it names counts more than
        ``model``. Raises HttpError, ClientError."""
        named = session.get("model")
        given = dict(session)
        if transcription:
            given.setdefault("type", "transcription")
        defaults = self.defaults_of(named if isinstance(named, str) and named else model)
        return open_session(given, defaults, strict=self.settings.strict)

    def configure_for(self, who: Access, model: str, session: Mapping[str, Any], *, intent: str = "") -> SessionConfig:
        """As ``configure``, for whoever asks: with a client secret, what was stored with it says which model and which type of
        session it is, whatever an address names; ``session`` is laid over that. Raises HttpError, ClientError."""
        if who.secret is None:
            return self.configure(model, session, transcription=intent == "transcription")
        config = self.configure("", who.secret.session)
        if not session:
            return config
        return config.merge({"type": config.type, **session}, strict=self.settings.strict)

    def create(
        self, config: SessionConfig, call_id: str = "", *, owner: Access = NOBODY, plays_out: bool = False
    ) -> RealtimeSession:
        """A session that can be joined; it lives from its ``start`` until the core's session ends. ``owner`` is who opens it.
        ``plays_out``: its audio leaves on a leg in real time (WebRTC, or binary messages), not as deltas. Raises HttpError."""
        session_id = new_id("sess")
        call_id = call_id or session_id
        session = RealtimeSession(
            session_id,
            call_id,
            config,
            self._plan(config.model, call_id),
            self._manager,
            self._clock,
            self.settings,
            self._recogniser_of,
            self._ended,
            owner=owner,
            kept=self._kept_by(owner),
            share=self._share,
            plays_out=plays_out,
        )
        self._live[session.call_id] = session
        if self._look_handle is None:
            if self._keys is None:
                self._keys = self._live_keys()
            self._look_later()
        return session

    def find(self, call_id: str) -> RealtimeSession | None:
        """The live session of this call."""
        return self._live.get(call_id)

    def engines(self) -> Iterator[Engines]:
        """Those that live sessions have, also before their media is there, and after their client chose another recogniser."""
        for session in self._live.values():
            yield session.engines

    def close(self) -> None:
        """End those that have no media yet, which the ``SessionManager`` does not know of; it has ended the others."""
        for session in tuple(self._live.values()):
            session.end(EndReason.SERVER_SHUTDOWN)
        if self._look_handle is not None:
            self._look_handle.cancel()
            self._look_handle = None

    def _plan(self, model: str, call_id: str) -> SessionPlan:
        try:
            return self._plan_of(model, call_id)
        except ConfigurationError:
            raise HttpError(
                404, "There is no such model or assistant on this server.", "model_not_found", param="model"
            ) from None

    def _kept_by(self, owner: Access) -> KeptBytes:
        """A new session's count, and those it is part of."""
        settings = self.settings
        above = []
        if owner.secret_id:
            above.append(self._count(owner.secret_id, settings.secret_max_kept_kib, "this client secret's sessions"))
        if owner.key_id:
            above.append(self._count(owner.key_id, settings.key_max_kept_kib, "this key's sessions"))
        return KeptBytes(settings.session_max_kept_kib * 1024, "this conversation", tuple(above))

    def _count(self, name: str, limit_kib: int, whose: str) -> KeptBytes:
        count = self._kept.get(name)
        if count is None:
            count = self._kept[name] = KeptBytes(limit_kib * 1024, whose)
        return count

    def _ended(self, session: RealtimeSession) -> None:
        self._live.pop(session.call_id, None)

    # ---------------------------------------------------------------------------------- who has to go

    def _look_later(self) -> None:
        self._look_handle = asyncio.get_running_loop().call_later(_KEYS_S, self._look)

    def _look(self) -> None:
        """While there is one."""
        self._look_handle = None
        self._asked += 1
        try:
            if self._asked % _LOOK_EVERY == 0 or self._live_keys() not in (None, self._keys):
                self.look()
        finally:
            if self._live:
                self._look_later()

    def look(self) -> None:
        """End the sessions of keys that are gone, and those that nobody uses. What is opened with a key that is being revoked just
        then is found the next time, however it came in."""
        keys = self._live_keys()
        if keys is not None:
            before, self._keys = self._keys, keys
            for key_id in (before or frozenset()) - keys:
                self._on_revoked(key_id)
        now_ms = self._clock.now_ms()
        for session in tuple(self._live.values()):
            try:
                if keys is not None and session.revoke_all_but(keys):
                    continue
                self._end_idle(session, now_ms)
            except Exception as error:  # of one session: the others are looked at all the same
                log.exception("realtime_look_failed", session_id=session.id, error_type=type(error).__name__)

    def _end_idle(self, session: RealtimeSession, now_ms: int) -> None:
        settings = self.settings
        idle_s = settings.secret_idle_s if session.owner.secret_id else settings.key_idle_s
        if idle_s and session.idle_ms(now_ms) >= idle_s * 1000:
            session.dismiss(errors.session_idle(idle_s * 1000), EndReason.SILENCE_TIMED_OUT, 1000)


def _require(most: int, count: int, message: str) -> None:
    if most and count >= most:
        raise HttpError(429, message, "rate_limit_exceeded", kind="rate_limit_error")
