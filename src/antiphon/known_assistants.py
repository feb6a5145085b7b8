"""What the rooms around a call ask about the assistants that calls name: their documents, their caps, a model to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.meter import Caps
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.jobs.analysis import Analyst
from antiphon.served import ServedAssistants
from antiphon.transports.base import CallStarted


class KnownAssistants:
    """Those that are served, and those that calls were planned with."""

    def __init__(
        self,
        served: ServedAssistants,
        engines: EngineRoom,
        planned: Callable[[str], AssistantSpec | None] = lambda call_id: None,
        tried: Callable[[str], AssistantSpec | None] = lambda id: None,
    ) -> None:
        """``planned`` tells what a call was planned with, by its id; None where it was not. ``tried``: a stored assistant that is being
        tried, by its id."""
        self._served = served
        self._engines = engines
        self._planned = planned
        self._tried = tried

    def of_call(self, call: CallStarted) -> AssistantSpec | None:
        """Who leads this live call."""
        return self._planned(call.call_id) or self._served.lately(call.assistant) or self.spec(call.assistant)

    def spec(self, name: str) -> AssistantSpec | None:
        """None where there is none of this name any more."""
        try:
            return self._served.load(name)
        except (ConfigurationError, ProviderUnavailable):
            return self._tried(name)

    def document(self, name: str) -> Mapping[str, Any] | None:
        """Likewise, as an application would write it."""
        try:
            return self._served.document(name)
        except (ConfigurationError, ProviderUnavailable):
            tried = self._tried(name)
            return None if tried is None else tried.model_dump(by_alias=True, exclude_unset=True, mode="json")

    def analyst(self, spec: AssistantSpec) -> Analyst:
        """Its own model, with those that stand in for it. Raises ConfigurationError, ProviderUnavailable."""
        if spec.model is not None and spec.model.knowledge_base is not None:
            # What is asked about a call is no question of the caller's.
            spec = spec.model_copy(update={"model": spec.model.model_copy(update={"knowledge_base": None})})
        engines = self._engines.for_assistant(spec)
        if not engines.models:
            raise ConfigurationError(
                "model.fallbackModels", "the model speaks: name one here that writes, to be asked about calls"
            )
        return Analyst(engines.model(lambda provider, code: None), engines.model_options)


def caps_of(spec: AssistantSpec | None, settings: Settings) -> Caps:
    """The lower of what settings and assistant allow."""
    costs = settings.costs
    own = spec.cost_plan.max_usd_per_call if spec is not None else None
    given = [cap for cap in (own, costs.max_usd_per_call) if cap]
    caps = Caps(min(given, default=0.0), costs.max_usd_per_day)
    message = spec.cost_plan.message if spec is not None else None
    return caps if message is None else Caps(caps.call_usd, caps.day_usd, message)
