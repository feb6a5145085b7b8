"""What of a document is kept and not honoured, by its kind: lines of ``X-Antiphon-Warnings``. (Of assistants: ``assistant_warnings``.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from antiphon.assistants.ignored import ignored_of_destination, ignored_of_tool
from antiphon.assistants.tool_definition import ToolDefinition
from antiphon.calls.number_hooks import EndingHook, NumberAction, TransferAction, read_hooks
from antiphon.chat.evaluation import check_messages
from antiphon.errors import ConfigurationError
from antiphon.surfaces.vapi import fields
from antiphon.surfaces.vapi.kinds import form_of, without_sealed
from antiphon.wire_model import parse

_OWN_ACCOUNT = "kept, and calls are made with the server's own account (twilio.account_sid)"
_NO_EFFECT: Mapping[str, str] = {
    "sipUri": "kept, and has no effect: there is no SIP here",
    "numberDesiredAreaCode": "kept, and buys no number: say number",
    "smsEnabled": "kept, and no text message is taken",
    "workflowId": "kept, and has no effect: an assistant may follow a workflow (model.workflow)",
    "twilioAccountSid": _OWN_ACCOUNT,
    "credentialId": _OWN_ACCOUNT,
}
_NO_CARRIER = "there is no carrier of this name here: calls come in and are made over Twilio alone"
_OTHERS = ("vonage", "telnyx")


_PROVING = ("webhook", "custom-credential", "custom-llm", "anthropic-bedrock")
"""Credentials that have an ``authenticationPlan``, with which requests to an application's server prove themselves."""
_NO_WORKFLOW = "nodes: kept, and not run: give the graph to an assistant (model.provider workflow, model.workflow)"
_KEY_OF_NOBODY = "provider: kept, and no engine uses it: keys of vendors are the server's own (vendors.<name>.api_key)"


def of_numbers(number: Mapping[str, Any]) -> list[str]:
    lines = fields.unknown_lines(form_of("provider", "PhoneNumberDTO", number), without_sealed(number))
    lines += [f"{field}: {reason}" for field, reason in _NO_EFFECT.items() if number.get(field)]
    if number.get("provider") in _OTHERS:
        lines.append(f"provider: {_NO_CARRIER}")
    if not number.get("number"):
        lines.append("number: without one nobody can call it, and nobody can be called from it")
    return lines + [f"{field}: {why}" for field, why in _of_hooks(number)]


def _of_hooks(number: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        read = read_hooks(number)
    except ConfigurationError as error:  # it was kept before hooks were looked at
        yield error.field, f"this server cannot use it: {error.problem}"
        return
    asks = number.get("server") or number.get("serverUrl")
    asked = asks and not (number.get("assistantId") or number.get("squadId"))
    for at, hook in enumerate(read.hooks):
        if isinstance(hook, EndingHook) and not asked:
            yield (
                f"hooks.{at}",
                "no application is asked who takes a call (server, without an assistant): it is never run",
            )
        yield from _of_actions(list(hook.actions()), f"hooks.{at}")
    for path, destination in read.destinations():
        for field, why in ignored_of_destination(destination, path):
            if not field.endswith(".numberE164CheckEnabled"):
                yield field, why


def _of_actions(actions: Sequence[tuple[str, NumberAction]], path: str) -> Iterator[tuple[str, str]]:
    if not actions:
        yield f"{path}.do", "is empty: the hook does nothing"
    for at, (field, action) in enumerate(actions):
        if at:
            yield f"{path}.{field}", "the first action of a hook is carried out, and no other"
        elif isinstance(action, TransferAction) and action.destination is None:
            yield f"{path}.{field}.destination", "names nobody: the hook does nothing"


def of_tools(tool: Mapping[str, Any]) -> list[str]:
    lines = fields.unknown_lines(form_of("type", "ToolDTO", tool), tool)
    try:
        lines += [f"{field}: {why}" for field, why in ignored_of_tool(parse(ToolDefinition, dict(tool)))]
    except ConfigurationError as error:
        lines.append(_unusable(error))
    return list(dict.fromkeys(lines))


def of_evals(eval: Mapping[str, Any]) -> list[str]:
    lines = fields.unknown_lines("CreateEvalDTO", eval)
    messages = eval.get("messages")
    try:
        check_messages(messages)
    except ConfigurationError as error:
        return [*lines, _unusable(error)]
    if not any(message.get("judgePlan") for message in messages or ()):
        lines.append("messages: none has a judgePlan, so that nothing is judged, and every run passes")
    return lines


def of_scenarios(scenario: Mapping[str, Any]) -> list[str]:
    lines = fields.unknown_lines("CreateScenarioDTO", scenario)
    judged = [*scenario["evaluations"], *(scenario.get("latencyExpectations") or ())]
    if not any(each.get("required") is not False for each in judged):
        lines.append("evaluations: none is required, so that every conversation passes")
    return lines


def of_workflows(workflow: Mapping[str, Any]) -> list[str]:
    return [*fields.unknown_lines("CreateWorkflowDTO", workflow), _NO_WORKFLOW]


def of_credentials(credential: Mapping[str, Any]) -> list[str]:
    return [] if credential.get("provider") in _PROVING else [_KEY_OF_NOBODY]


def of_structured_outputs(output: Mapping[str, Any]) -> list[str]:
    lines = fields.unknown_lines("CreateStructuredOutputDTO", output)
    if output.get("workflowIds"):
        lines.append("workflowIds: kept, and has no effect: name assistants (assistantIds)")
    return lines


def _unusable(error: ConfigurationError) -> str:
    return f"{error.field}: this server cannot use it: {error.problem}"
