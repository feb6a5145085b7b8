"""The live Realtime sessions of this process: what a model's name stands for, and who may join which session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from antiphon.clock import Clock
from antiphon.errors import ConfigurationError
from antiphon.ids import new_id
from antiphon.providers.base import SpeechToText
from antiphon.session.manager import SessionManager
from antiphon.session.plan import Engines, SessionPlan
from antiphon.surfaces.realtime.connection import RealtimeSession
from antiphon.surfaces.realtime.http import HttpError
from antiphon.surfaces.realtime.mapping import config_for
from antiphon.surfaces.realtime.protocol.session_config import SessionConfig, open_session
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.vocabulary import EndReason


class RealtimeSessions:
    """One per process."""

    def __init__(
        self,
        manager: SessionManager,
        clock: Clock,
        settings: RealtimeSettings,
        plan_of: Callable[[str, str], SessionPlan],
        recogniser_of: Callable[[str], SpeechToText | None],
    ) -> None:
        """``plan_of(model, call_id)`` tells how a session is led, and raises ConfigurationError where there is no such model;
        ``recogniser_of`` is the engine a client may mean by a name, None where it is none of ours."""
        self.settings = settings
        self._manager = manager
        self._clock = clock
        self._plan_of = plan_of
        self._recogniser_of = recogniser_of
        self._live: dict[str, RealtimeSession] = {}

    def __len__(self) -> int:
        return len(self._live)

    def require_room(self) -> None:
        """Whether one more can be held. Raises CapacityError."""
        self._manager.admit()

    def defaults_of(self, model: str) -> SessionConfig:
        """What a session of this model begins with; empty for the default model. Raises HttpError where there is none."""
        model = model or self.settings.default_model
        return config_for(self._plan(model, ""), model, self.settings.default_voice)

    def configure(self, model: str, session: Mapping[str, Any], *, transcription: bool = False) -> SessionConfig:
        """The configuration a session is opened with: ``session`` is what was stored or sent for it. A model it names counts more than
        ``model``: whoever has a client secret cannot choose. Raises HttpError, ClientError."""
        named = session.get("model")
        given = dict(session)
        if transcription:
            given.setdefault("type", "transcription")
        defaults = self.defaults_of(named if isinstance(named, str) and named else model)
        return open_session(given, defaults, strict=self.settings.strict)

    def create(self, config: SessionConfig, call_id: str = "", *, plays_out: bool = False) -> RealtimeSession:
        """A session that can be joined; it lives from its ``start`` until the core's session ends. ``plays_out``: its audio leaves on a
        leg of its own in real time (WebRTC), not as deltas. Raises HttpError."""
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
            plays_out=plays_out,
        )
        self._live[session.call_id] = session
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

    def _plan(self, model: str, call_id: str) -> SessionPlan:
        try:
            return self._plan_of(model, call_id)
        except ConfigurationError:
            raise HttpError(
                404, "There is no such model or assistant on this server.", "model_not_found", param="model"
            ) from None

    def _ended(self, session: RealtimeSession) -> None:
        self._live.pop(session.call_id, None)
