"""The fakes are proven by those who know the vendors best: each vendor's own SDK holds a conversation with its fake."""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from tests.providers.fakes.http_server import KEY, MODEL, Call, Reply
from tests.providers.llm.conftest import Vendor

if TYPE_CHECKING:  # every worker of a test run imports this file, and these take a second
    from google import genai
    from google.genai import types

CALL = Call("book", {"day": "Friday"}, "call_1")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"day": {"type": "string"}}}


@pytest.fixture(autouse=True)
def _script(vendor: Vendor) -> None:
    vendor.fake.replies.clear()
    vendor.fake.replies.extend([Reply(("One ", "moment."), (CALL,)), Reply(("Hel", "lo."))])


def client_of(trusted: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(verify=trusted)


async def test_the_vendors_own_sdk_talks_to_its_fake(vendor: Vendor) -> None:
    talk = {"openai": responses, "openai-chat": chat, "custom-llm": chat, "anthropic": messages, "google": generate}[
        vendor.name
    ]
    first, call, second = await talk(vendor)
    assert (first, second) == ("One moment.", "Hello.")
    assert call == ("call_1", "book", {"day": "Friday"})
    assert vendor.fake.refused == []


async def chat(vendor: Vendor) -> tuple[str, Any, str]:
    async with (
        client_of(vendor.trusted) as http,
        openai.AsyncOpenAI(api_key=KEY, base_url=vendor.url, http_client=http) as client,
    ):
        tools: Any = [{"type": "function", "function": {"name": "book", "parameters": SCHEMA}}]
        history: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A table."}]
        async with client.chat.completions.stream(model=MODEL, messages=history, tools=tools,
                                                  stream_options={"include_usage": True}) as stream:  # fmt: skip
            first = await stream.get_final_completion()
        assert (
            first.usage and first.usage.prompt_tokens_details and first.usage.prompt_tokens_details.cached_tokens == 100
        )
        message = first.choices[0].message
        assert message.tool_calls
        (call,) = message.tool_calls
        history += [message.model_dump(include={"role", "content", "tool_calls"}, mode="json"),
                    {"role": "tool", "tool_call_id": call.id, "content": "booked"}]  # fmt: skip
        async with client.chat.completions.stream(model=MODEL, messages=history) as stream:
            second = await stream.get_final_completion()
        return message.content or "", named(call.id, call.function), second.choices[0].message.content or ""


def named(call_id: str, function: Any) -> tuple[str, str, Any]:
    return call_id, function.name, json.loads(function.arguments)


async def responses(vendor: Vendor) -> tuple[str, Any, str]:
    async with (
        client_of(vendor.trusted) as http,
        openai.AsyncOpenAI(api_key=KEY, base_url=vendor.url, http_client=http) as client,
    ):
        tools: Any = [{"type": "function", "name": "book", "parameters": SCHEMA, "strict": False}]
        history: list[Any] = [{"role": "user", "content": "A table."}]
        async with client.responses.stream(
            model=MODEL, input=history, tools=tools, instructions="Be brief.", store=False
        ) as stream:
            first = await stream.get_final_response()
        assert first.usage and first.usage.input_tokens_details.cached_tokens == 100
        call: Any = next(item for item in first.output if item.type == "function_call")
        history += [
            {"role": "assistant", "content": first.output_text},
            {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
            {"type": "function_call_output", "call_id": call.call_id, "output": "booked"},
        ]
        async with client.responses.stream(model=MODEL, input=history) as stream:
            second = await stream.get_final_response()
        return first.output_text, named(call.call_id, call), second.output_text


async def messages(vendor: Vendor) -> tuple[str, Any, str]:
    import anthropic

    async with (
        anthropic.DefaultAsyncHttpxClient(verify=vendor.trusted) as http,
        anthropic.AsyncAnthropic(api_key=KEY, base_url=vendor.url, http_client=http) as client,
    ):
        tools: Any = [{"name": "book", "input_schema": SCHEMA}]
        history: list[Any] = [{"role": "user", "content": "A table."}]
        async with client.messages.stream(
            model=MODEL, max_tokens=100, system="Be brief.", messages=history, tools=tools
        ) as stream:
            first = await stream.get_final_message()
        assert first.usage.cache_read_input_tokens == 100
        text, call = first.content
        assert text.type == "text"
        assert call.type == "tool_use"
        history += [
            {"role": "assistant", "content": [{"type": "text", "text": text.text},
                                              {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "booked"}]},
        ]  # fmt: skip
        async with client.messages.stream(model=MODEL, max_tokens=100, messages=history) as stream:
            second = await stream.get_final_text()
        return text.text, (call.id, call.name, call.input), second


async def generate(vendor: Vendor) -> tuple[str, Any, str]:
    async with client_of(vendor.trusted) as http:
        client = genai_client(vendor, http)
        try:
            return await generate_with(client)
        finally:
            await client.aio.aclose()


def genai_client(vendor: Vendor, http: httpx.AsyncClient) -> genai.Client:
    from google import genai
    from google.genai import types

    options = types.HttpOptions(
        base_url=vendor.url.removesuffix("/v1beta"),
        api_version="v1beta",
        async_client_args={"verify": vendor.trusted, "ssl": vendor.trusted},
        httpx_async_client=http,
    )
    return genai.Client(api_key=KEY, http_options=options)


async def generate_with(client: genai.Client) -> tuple[str, Any, str]:
    from google.genai import types

    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        tools=[
            types.Tool(function_declarations=[types.FunctionDeclaration(name="book", parameters_json_schema=SCHEMA)])
        ],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    history = [types.Content(role="user", parts=[types.Part(text="A table.")])]

    async def ask() -> list[types.Part]:
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents=list(history), config=config)
        parts: list[types.Part] = []
        async for chunk in stream:
            assert chunk.usage_metadata and chunk.usage_metadata.cached_content_token_count == 100
            parts += (chunk.candidates or [])[0].content.parts or []  # type: ignore[union-attr]
        return [part for part in parts if not part.thought and (part.text or part.function_call)]

    first = await ask()
    call = next(part.function_call for part in first if part.function_call)
    answer = types.FunctionResponse(id=call.id, name=call.name, response={"output": "booked"})
    history += [types.Content(role="model", parts=first),
                types.Content(role="user", parts=[types.Part(function_response=answer)])]  # fmt: skip
    second = await ask()

    def said(parts: list[types.Part]) -> str:
        return "".join(part.text or "" for part in parts)

    return said(first), (call.id, call.name, call.args), said(second)


async def test_a_wrong_key_is_an_error_that_the_vendors_own_sdk_knows(vendor: Vendor) -> None:
    vendor.fake.faults.extend(["wrong key"] * 3)
    if vendor.name == "google":
        from google.genai.errors import ClientError

        with pytest.raises(ClientError, match="UNAUTHENTICATED"):
            await generate(vendor)
    elif vendor.name == "anthropic":
        from anthropic import AuthenticationError

        with pytest.raises(AuthenticationError):
            await messages(vendor)
    else:
        with pytest.raises(openai.AuthenticationError):
            await (responses if vendor.name == "openai" else chat)(vendor)
