from __future__ import annotations

from antiphon.assistants.spec import parse_assistant
from antiphon.assistants.tools import tool_specs
from antiphon.vocabulary import ToolSpec


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
            filler_after_ms=900,
            filler="Hold on.",
            asynchronous=True,
        ),
        ToolSpec("endCall", "End the call. Say goodbye in the same answer, before."),
    )
    assert tool_specs(parse_assistant({})) == ()
