"""What a model says about a call that is over: summary, structured data, success, structured outputs; or why it says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from antiphon.assistants.output_conditions import Facts, conditions_of
from antiphon.calls.cost import AnalysisUse
from antiphon.calls.stores import Resource
from antiphon.errors import ConfigurationError, ProviderError
from antiphon.json_values import in_answer
from antiphon.providers.base import LanguageModel, ModelRequest, TextDelta, UsageDelta
from antiphon.vocabulary import CallContext, Message, OnUsage, Usage

MIN_MESSAGES = 2
TIMEOUT_S = 60.0
MAX_ANSWER_CHARS = 50_000
TOO_SHORT = "the call was too short"
NO_MODEL = "no language model is configured for this assistant"
_SUMMARY = (
    "You summarise telephone calls for those who keep their records. In two or three sentences: what the caller wanted, what was agreed, "
    "what is open. Only what was said; no preamble."
)
_DATA = (
    "You read a telephone call and fill in a form. Answer with one JSON value that follows this JSON Schema, and nothing else. What was "
    "not said is left out.\nJSON Schema:\n"
)
_SUCCESS = "You judge whether a telephone call reached its aim."
RUBRICS = {
    "PassFail": "Answer with one word: true where the aim was reached, else false.",
    "NumericScale": "Answer with one whole number from 1 (not at all) to 10 (entirely).",
    "PercentageScale": "Answer with one number from 0 to 100, in per cent.",
    "LikertScale": "Answer with one of: Strongly Agree, Agree, Neutral, Disagree, Strongly Disagree.",
    "DescriptiveScale": "Answer with one of: Excellent, Good, Fair, Poor.",
    "Checklist": "Answer with a JSON object: each criterion of the aim, and true or false.",
    "Matrix": "Answer with a JSON object: each criterion of the aim, and one of Excellent, Good, Fair, Poor.",
    "AutomaticRubric": "Break the aim into criteria, and answer with a JSON object: each criterion, and a whole number from 1 to 10.",
}


@dataclass(frozen=True, slots=True)
class Analyst:
    """A model that is asked."""

    model: LanguageModel
    options: Mapping[str, Any] = field(default_factory=dict)


ReadOutput = Callable[[Resource, str, Analyst | None, OnUsage], Awaitable[Any]]
"""What a structured output says of a transcript. The analyst reads where neither the output nor the operator names a model. Raises
ConfigurationError, ProviderError."""


@dataclass(slots=True)
class Analysis:
    """What came of it."""

    fields: dict[str, Any] = field(default_factory=dict)
    """``analysis`` of the call object."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """``artifact.structuredOutputs``."""
    skipped: dict[str, str] = field(default_factory=dict)
    """What was not done, and why."""
    uses: list[AnalysisUse] = field(default_factory=list)


@dataclass(slots=True)
class Questions:
    """The questions about one call."""

    call_id: str
    transcript: str
    instructions: str
    """The assistant's system prompt: what the call was for."""
    plan: Mapping[str, Any]
    """``analysisPlan``, as it was written."""
    analyst: Analyst | None
    outputs: Sequence[Resource]
    read: ReadOutput
    done: Analysis = field(default_factory=Analysis)

    async def ask(self, facts: Facts) -> Analysis:
        """Never fails: what a model does not answer is skipped, with the reason."""
        least = self.plan.get("minMessagesThreshold")
        few = facts.messages < (least if isinstance(least, int) else MIN_MESSAGES)
        short = TOO_SHORT if few else ""
        given = short or ("" if self.analyst is not None else NO_MODEL)
        await self._one("summary", "summaryPlan", given, _SUMMARY, default=True)
        await self._structured("structuredDataPlan", given)
        await self._success(given)
        for output in self.outputs:
            await self._output(output, _why_not(output, facts, short))
        return self.done

    async def _one(self, name: str, plan_name: str, reason: str, prompt: str, *, default: bool) -> None:
        plan = _plan(self.plan, plan_name)
        enabled = plan.get("enabled", default)
        if reason or not enabled:
            self.done.skipped[name] = reason or f"analysisPlan.{plan_name}.enabled is false"
            return
        answer = await self._answer(name, plan, prompt)
        if answer is not None:
            self.done.fields[name] = answer

    async def _structured(self, plan_name: str, reason: str) -> None:
        plan = _plan(self.plan, plan_name)
        schema = plan.get("schema")
        if not plan.get("enabled", False) or not isinstance(schema, dict):
            self.done.skipped["structuredData"] = f"analysisPlan.{plan_name} is not enabled, or has no schema"
        elif reason:
            self.done.skipped["structuredData"] = reason
        else:
            answer = await self._answer("structuredData", plan, _DATA + orjson.dumps(schema).decode())
            if answer is None:
                return
            try:
                self.done.fields["structuredData"] = in_answer(answer)
            except ValueError:
                self.done.skipped["structuredData"] = "the model did not answer with JSON"

    async def _success(self, reason: str) -> None:
        plan = _plan(self.plan, "successEvaluationPlan")
        rubric = RUBRICS.get(str(plan.get("rubric") or "PassFail"), RUBRICS["PassFail"])
        prompt = f"{_SUCCESS} {rubric}\nThe aim, as the agent was told:\n{self.instructions[:20_000]}"
        await self._one("successEvaluation", "successEvaluationPlan", reason, prompt, default=True)
        verdict = self.done.fields.get("successEvaluation")
        if isinstance(verdict, str) and verdict.strip(" .\n").lower() in ("true", "false"):
            self.done.fields["successEvaluation"] = verdict.strip(" .\n").lower()

    async def _output(self, output: Resource, reason: str) -> None:
        """Some need no model, and some have their own: what cannot be read says so itself."""
        key = f"structuredOutput:{output.id}"
        if reason:
            self.done.skipped[key] = reason
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                result = await self.read(output, self.transcript, self.analyst, self._used_for_output)
        except TimeoutError:
            self.done.skipped[key] = "the model failed (TimeoutError)"
        except (ConfigurationError, ProviderError) as error:
            self.done.skipped[key] = str(error)
        else:
            self.done.outputs[output.id] = {"name": str(output.body.get("name", "")), "result": result}

    def _used_for_output(self, provider: str, usage: Usage) -> None:
        self.done.uses.append(AnalysisUse("structuredOutput", provider, usage))

    async def _answer(self, name: str, plan: Mapping[str, Any], prompt: str) -> str | None:
        assert self.analyst is not None, "asked before"
        usage = UsageDelta(Usage())
        text: list[str] = []
        timeout = plan.get("timeoutSeconds")
        context = CallContext(self.call_id)
        request = ModelRequest(self._messages(plan, prompt), (), context, dict(self.analyst.options))
        try:
            async with asyncio.timeout(
                timeout if isinstance(timeout, int | float) and 1 <= timeout <= 300 else TIMEOUT_S
            ):
                async for delta in self.analyst.model.stream(request):
                    if isinstance(delta, TextDelta):
                        text.append(delta.text)
                    elif isinstance(delta, UsageDelta):
                        usage = delta
        except (ProviderError, TimeoutError) as error:
            self.done.skipped[name] = f"the model failed ({type(error).__name__})"
            return None
        self.done.uses.append(AnalysisUse(name, usage.provider or self.analyst.model.name, usage.usage))
        answer = "".join(text).strip()[:MAX_ANSWER_CHARS]
        if not answer:
            self.done.skipped[name] = "the model said nothing"
        return answer or None

    def _messages(self, plan: Mapping[str, Any], prompt: str) -> tuple[Message, ...]:
        """The plan's own messages, with the templates' place for the transcript filled; else ours."""
        own = plan.get("messages")
        if isinstance(own, list) and own:
            said = [message for message in own if isinstance(message, dict)]
            return tuple(
                Message(
                    "system" if message.get("role") == "system" else "user",
                    self._filled(str(message.get("content", ""))),
                )
                for message in said
            )
        return (Message("system", prompt), Message("user", f"The call:\n{self.transcript}"))

    def _filled(self, content: str) -> str:
        for name, value in (("transcript", self.transcript), ("systemPrompt", self.instructions)):
            content = content.replace("{{" + name + "}}", value).replace("{{ " + name + " }}", value)
        return content


def _why_not(output: Resource, facts: Facts, short: str) -> str:
    """Why an output is not asked. ``short``: why nothing is asked that says nothing of it. An output that counts messages itself is not
    bound by what counts for the others."""
    try:
        conditions = conditions_of(output.body)
    except ConfigurationError as error:
        return str(error)
    return conditions.why_not(facts) or ("" if conditions.count_messages else short)


def _plan(analysis: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    plan = analysis.get(name)
    return plan if isinstance(plan, dict) else {}
