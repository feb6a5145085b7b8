from __future__ import annotations

from antiphon.assistants.spec import parse_assistant
from antiphon.assistants.tools import run_tools, tool_specs
from antiphon.vocabulary import ArgumentCondition, ToolSaying, ToolSpec, ToolWords


def test_functions_become_tools_with_their_limits() -> None:
    parameters = {"type": "object", "properties": {"day": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": "plain"}},
        {
            "type": "function",
            "async": True,
            "function": {"name": "look_up", "description": "Looks up.", "parameters": parameters},
            "server": {"url": "https://example.test", "timeoutSeconds": 3},
            "messages": [{"type": "request-response-delayed", "content": "Hold on.", "timingMilliseconds": 900}],
        },
        {"type": "endCall"},
    ]
    assert tool_specs(parse_assistant({"model": {"provider": "x", "tools": tools}})) == (
        ToolSpec("plain"),
        ToolSpec(
            "look_up",
            "Looks up.",
            parameters,
            deadline_ms=3000,
            asynchronous=True,
            words=ToolWords(delayed=(ToolSaying("Hold on.", after_ms=900),)),
        ),
        ToolSpec("endCall", "End the call. Say goodbye in the same answer, before."),
    )
    assert tool_specs(parse_assistant({})) == ()


def test_a_transfer_to_assistants_is_a_handoff() -> None:
    number = {"type": "number", "number": "+15550100"}
    assistant = {"type": "assistant", "assistantName": "B"}

    def names(*destinations: dict[str, str]) -> list[tuple[str, str]]:
        tools = [{"type": "transferCall", "destinations": list(destinations)}]
        spec = parse_assistant({"model": {"provider": "x", "tools": tools}})
        return [(tool.type, offered.name) for tool, offered in run_tools(spec)]

    assert names(number) == [("transferCall", "transferCall")]
    assert names(assistant) == [("handoff", "transferCall")]
    assert names(assistant, number) == [("handoff", "handoff_to_B"), ("transferCall", "transferCall")]
    spec = parse_assistant({"model": {"provider": "x", "tools": [{"type": "handoff"}]}})
    assert list(run_tools(spec)) == []


def test_what_is_said_around_a_tool_as_it_is_written() -> None:
    messages = [
        {"type": "request-start", "content": "So.", "blocking": True, "conditions": [{"param": "sum", "operator": "gt", "value": 9}]},
        {"type": "request-start", "contents": [{"text": "Hello.", "language": "en"}, {"text": "네.", "language": "ko"}]},
        {"type": "request-response-delayed", "content": "Wait."},
        {"type": "request-complete", "content": "Be brief.", "role": "system", "endCallAfterSpokenEnabled": True},
        {"type": "request-failed", "content": "Sorry.", "endCallAfterSpokenEnabled": True},
    ]  # fmt: skip
    tools = [{"type": "function", "function": {"name": "charge"}, "messages": messages}]
    fields = {"model": {"provider": "x", "tools": tools}, "transcriber": {"provider": "y", "language": "ko-KR"}}
    (spec,) = tool_specs(parse_assistant(fields))
    assert spec.words == ToolWords(
        start=(ToolSaying("So.", (ArgumentCondition("sum", "gt", "9"),), blocking=True), ToolSaying("네.")),
        delayed=(ToolSaying("Wait.", after_ms=2000),),
        complete=(ToolSaying("Be brief.", to_model=True),),
        failed=(ToolSaying("Sorry.", ends_call=True),),
    )
