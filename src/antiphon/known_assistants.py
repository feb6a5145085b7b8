"""What the rooms around a call ask about the assistants that calls name: their documents, their caps, a model to ask."""

from __future__ import annotations

from antiphon.assistants.spec import AssistantSpec
from antiphon.calls.meter import Caps
from antiphon.config import Settings
from antiphon.engines import EngineRoom
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.jobs.analysis import Analyst
from antiphon.served import ServedAssistants


class KnownAssistants:
    """Those that are served."""

    def __init__(self, served: ServedAssistants, engines: EngineRoom) -> None:
        self._served = served
        self._engines = engines

    def spec(self, name: str) -> AssistantSpec | None:
        """None where there is none of this name any more."""
        try:
            return self._served.load(name)
        except (ConfigurationError, ProviderUnavailable):
            return None

    def analyst(self, spec: AssistantSpec) -> Analyst:
        """Its own model, with those that stand in for it. Raises ConfigurationError, ProviderUnavailable."""
        engines = self._engines.for_assistant(spec)
        return Analyst(engines.model(lambda provider, code: None), engines.model_options)


def caps_of(spec: AssistantSpec | None, settings: Settings) -> Caps:
    """The lower of what settings and assistant allow."""
    costs = settings.costs
    own = spec.cost_plan.max_usd_per_call if spec is not None else None
    given = [cap for cap in (own, costs.max_usd_per_call) if cap]
    caps = Caps(min(given, default=0.0), costs.max_usd_per_day)
    message = spec.cost_plan.message if spec is not None else None
    return caps if message is None else Caps(caps.call_usd, caps.day_usd, message)
