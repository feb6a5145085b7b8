"""An assistant whose model hears and speaks: from its file to what the vendor is told, and where such a model is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.providers.fakes import gemini_live, own_turns
from tests.providers.fakes.gemini_live import FakeGeminiLive
from tests.providers.fakes.gpt_live import FakeGptLive
from tests.providers.fakes.hosted_vapi import ASSISTANT_ID, FakeHostedVapi
from tests.providers.fakes.openai_realtime import FakeOpenAIRealtime, said
from tests.providers.fakes.server import KEY
from tests.providers.fakes.speaking import Answer
from tests.serving import line, place_call, running_server, settings_for, write_assistant
from tests.webhooks.receiver import Received, Receiver, receiving

from antiphon.assistants.ignored import ignored_fields
from antiphon.assistants.policy import policy_of
from antiphon.assistants.spec import parse_assistant
from antiphon.caller.clips import LineNoise, read_clip
from antiphon.caller.dialogue import Cued
from antiphon.caller.script import Line
from antiphon.config import Vendor
from antiphon.engine_check import check_engines
from antiphon.engines import EngineRoom, credentials_of, engines_behind
from antiphon.errors import ConfigurationError
from antiphon.providers import registry
from antiphon.providers.base import partials_of
from antiphon.providers.prices import read_prices
from antiphon.providers.speech_to_speech.gemini_live import GeminiLive
from antiphon.providers.speech_to_speech.gpt_live import GptLive
from antiphon.providers.speech_to_speech.openai_realtime import OpenAIRealtime
from antiphon.providers.speech_to_speech.vapi_hosted import HostedVapi
from antiphon.session.event_log import EventLog, read_event_log
from antiphon.vocabulary import Usage


@pytest.fixture
async def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeOpenAIRealtime]:
    async with FakeOpenAIRealtime() as fake:
        monkeypatch.setenv("SSL_CERT_FILE", fake.trust(tmp_path))
        yield fake


@pytest.fixture
async def room(tmp_path: Path, vendor: FakeOpenAIRealtime) -> AsyncIterator[EngineRoom]:
    room = EngineRoom(settings_for(tmp_path, vendors={"openai": Vendor(api_key=KEY, base_url=vendor.base_url)}))  # type: ignore[arg-type]
    await room.start()
    yield room
    await room.close()


def assistant(**more: Any) -> Any:
    model = {"provider": "openai-realtime", "model": "gpt-realtime", **more.pop("model", {})}
    return parse_assistant({"model": model, **more})


async def test_one_engine_in_the_place_of_three(room: EngineRoom) -> None:
    spec = assistant(
        voice={"provider": "openai", "voiceId": "cedar", "speed": 1.2},
        transcriber={"provider": "openai", "language": "ko"},
    )
    engines = room.for_assistant(spec)
    model = engines.speech_to_speech
    assert isinstance(model, OpenAIRealtime)
    assert (model.model, model.api_key, model.transcription["language"]) == ("gpt-realtime", KEY, "ko")
    assert (engines.voice, engines.speed, engines.models, engines.voices) == ("cedar", 1.2, (), ())
    assert [engine for engine in engines_behind(engines) if engine is model]
    assert room.for_assistant(spec).speech_to_speech is model
    await room.until_ready(engines)
    room.check(spec)


GEMINI = {"provider": "google", "model": gemini_live.MODELS[1]}


async def test_a_model_of_googles_is_told_by_its_name(tmp_path: Path) -> None:
    account = Vendor(api_key=KEY, base_url="https://google.example.com/v1beta")  # type: ignore[arg-type]
    room = EngineRoom(settings_for(tmp_path, vendors={"google": account}))
    spec = assistant(
        model=GEMINI,
        voice={"provider": "google", "voiceId": "Kore"},
        transcriber={"provider": "google", "language": "ko"},
    )
    engines = room.for_assistant(spec)
    model = engines.speech_to_speech
    assert isinstance(model, GeminiLive)
    assert (model.model, model.api_key, model.language, engines.voice) == (GEMINI["model"], KEY, "ko", "Kore")
    assert model.address.startswith("wss://google.example.com/ws/google.ai.generativelanguage.v1beta.")
    assert (
        room.for_assistant(assistant(model={"provider": "google", "model": "gemini-3-flash"})).speech_to_speech is None
    )
    by_name = assistant(model={"provider": "google-live", "model": "gemini-of-the-future"})
    assert isinstance(room.for_assistant(by_name).speech_to_speech, GeminiLive)
    with pytest.raises(ConfigurationError, match="hears and speaks itself"):
        room.for_assistant(assistant(model=GEMINI, voice={"provider": "piper"}))
    await room.close()


@pytest.mark.parametrize(
    ("model", "lives"),
    [
        ("gemini-3.1-flash-live-preview", True),
        ("gemini-3.8-live", True),
        ("gemini-live-2.5-flash-preview", True),
        ("models/gemini-2.5-flash-native-audio-preview-12-2025", True),
        ("gemini-3-flash", False),
        ("gemini-3-flash-olive", False),
    ],
)
def test_which_models_hear_and_speak(model: str, lives: bool) -> None:
    assert registry.in_one("google", model) == ("google-live" if lives else "")


async def test_another_model_writes(room: EngineRoom) -> None:
    with pytest.raises(ConfigurationError) as error:
        room.for_text(assistant(), lambda provider, code: None)
    assert error.value.field == "model.fallbackModels"
    spec = assistant(model={"fallbackModels": ["gpt-5.4-mini", {"provider": "scripted"}]})
    assert [model.name for model in room.for_text(spec, lambda provider, code: None).model.targets] == [
        "openai",
        "scripted",
    ]


@pytest.mark.parametrize("part", [{"voice": {"provider": "piper"}}, {"transcriber": {"provider": "moonshine"}}])
async def test_another_ones_voice_or_ear_is_refused(room: EngineRoom, part: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as error:
        room.for_assistant(assistant(**part))
    (name,) = part
    assert error.value.field == f"{name}.provider"
    assert "hears and speaks itself" in str(error.value)


async def test_who_takes_over(room: EngineRoom) -> None:
    alone = room.for_assistant(assistant()).fallback
    assert alone is not None
    assert (alone.models, [voice.name for voice in alone.voices], alone.voice) == ((), ["piper"], "")
    spec = assistant(
        model={"fallbackModels": ["gpt-5.4-mini"]},
        voice={"provider": "openai", "voiceId": "cedar", "fallbackPlan": {"voices": [{"provider": "scripted"}]}},
        transcriber={"provider": "openai", "fallbackPlan": {"transcribers": [{"provider": "scripted"}]}},
    )
    cascade = room.for_assistant(spec).fallback
    assert cascade is not None
    assert cascade.stt.name == "scripted"
    assert [engine.name for engine in (*cascade.models, *cascade.voices)] == ["openai", "scripted"]
    plain = room.for_assistant(assistant(model={"fallbackModels": ["gpt-5.4-mini"]})).fallback
    assert plain is not None and plain.stt.name == "moonshine"
    german = {"provider": "openai", "language": "de"}
    foreign = room.for_assistant(assistant(model={"fallbackModels": ["gpt-5.4-mini"]}, transcriber=german))
    assert foreign.fallback is not None
    assert (foreign.fallback.models, [voice.name for voice in foreign.fallback.voices]) == ((), ["espeak"])
    assert len(foreign.models) == 1, "it writes all the same"


async def test_a_plan_for_hearing_alone_is_no_plan() -> None:
    plan = {"fallbackPlan": {"transcribers": [{"provider": "moonshine"}]}}
    spec = assistant(transcriber={"provider": "openai", **plan})
    assert [field for field, _ in ignored_fields(spec)] == ["transcriber.fallbackPlan"]


async def test_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        EngineRoom(settings_for(tmp_path)).for_assistant(assistant())


async def test_what_has_no_effect_is_named() -> None:
    spec = assistant(
        model={"temperature": 0.4}, voice={"provider": "openai", "voiceId": "marin", "pronunciations": {"a": "b"}}
    )
    assert {field for field, _ in ignored_fields(spec)} == {"model.temperature", "voice.pronunciations"}


async def test_what_has_no_effect_with_googles_is_named() -> None:
    spec = assistant(
        model={**GEMINI, "temperature": 0.4},
        voice={"provider": "google", "voiceId": "Kore", "speed": 1.2},
        transcriber={"provider": "google", "model": "chirp"},
    )
    assert {field for field, _ in ignored_fields(spec)} == {"model.temperature", "voice.speed", "transcriber.model"}


async def test_gpt_live_is_told_by_its_name(tmp_path: Path) -> None:
    room = EngineRoom(settings_for(tmp_path, vendors={"openai": Vendor(api_key=KEY)}))  # type: ignore[arg-type]
    for model in ({"provider": "openai", "model": "gpt-live-1"}, {"provider": "openai-live", "model": "gpt-live-1"}):
        spec = assistant(
            model={**model, "maxTokens": 100, "options": {"backend_model": "gpt-5.4"}},
            voice={"provider": "openai", "voiceId": "cedar", "speed": 1.2},
        )
        engines = room.for_assistant(spec)
        live = engines.speech_to_speech
        assert isinstance(live, GptLive)
        assert (live.model, live.api_key, live.backend_model, engines.voice) == ("gpt-live-1", KEY, "gpt-5.4", "cedar")
        assert {field for field, _ in ignored_fields(spec)} == {"model.maxTokens", "voice.speed"}
    written = room.for_assistant(assistant(model={"provider": "openai", "model": "gpt-5.4-mini"}))
    assert written.speech_to_speech is None
    await room.close()


HOSTED = {"provider": "vapi-hosted", "model": ASSISTANT_ID}


async def test_a_hosted_assistant_is_chosen_by_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAPI_API_KEY", KEY)
    room = EngineRoom(settings_for(tmp_path))
    engines = room.for_assistant(assistant(model=HOSTED, transcriber={"provider": "vapi"}))
    model = engines.speech_to_speech
    assert isinstance(model, HostedVapi)
    assert (model.model, model.api_key, engines.stt.continuous) == (ASSISTANT_ID, KEY, True)
    assert partials_of(engines.stt) == "reliable"
    room.check(assistant(model=HOSTED))
    with pytest.raises(ConfigurationError) as error:
        room.for_assistant(assistant(model={"provider": "vapi-hosted", "model": ""}))
    assert error.value.field == "model.model"
    with pytest.raises(ConfigurationError) as error:
        room.for_assistant(assistant(model={**HOSTED, "options": {"nudge_after_ms": 1}}))
    assert error.value.field == "nudge_after_ms"
    monkeypatch.delenv("VAPI_API_KEY")
    with pytest.raises(ConfigurationError, match="ANTIPHON_VENDORS__VAPI__API_KEY or VAPI_API_KEY"):
        EngineRoom(settings_for(tmp_path)).for_assistant(assistant(model=HOSTED))
    await room.close()


def test_what_a_hosted_assistant_has_of_its_own_is_named() -> None:
    own = {
        "messages": [{"role": "system", "content": "Be brief."}],
        "tools": [{"type": "endCall"}],
        "temperature": 0.4,
        "maxTokens": 100,
    }
    parts = {
        "voice": {"provider": "vapi", "voiceId": "Elliot", "speed": 1.2},
        "transcriber": {"provider": "vapi", "language": "ko"},
    }
    told = {field for field, _ in ignored_fields(assistant(model={**HOSTED, **own}, **parts))}
    of_engines = {"model.temperature", "model.maxTokens", "voice.voiceId", "voice.speed"}
    assert told == of_engines | {"model.messages", "model.tools", "transcriber.language"}
    taken_over = assistant(model={**HOSTED, **own, "fallbackModels": [{"provider": "scripted"}]}, **parts)
    assert {field for field, _ in ignored_fields(taken_over)} == of_engines


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ({}, "assistant-speaks-first-with-model-generated-message"),
        ({"firstMessage": "Hello."}, "assistant-speaks-first"),
        ({"firstMessageMode": "assistant-waits-for-user"}, "assistant-waits-for-user"),
    ],
)
def test_a_hosted_assistant_begins_with_its_own_first_message_where_there_is_none(
    said: dict[str, Any], mode: str
) -> None:
    assert policy_of(assistant(model=HOSTED, **said)).greeting.mode == mode
    assert policy_of(assistant()).greeting.mode == "assistant-speaks-first"


async def test_a_hosted_one_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeHostedVapi() as vendor:
        monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
        settings = settings_for(tmp_path, vendors={"vapi": Vendor(api_key=KEY, base_url=vendor.base_url)})  # type: ignore[arg-type]
        found, _ = [checked async for checked in check_engines(assistant(model=HOSTED), credentials_of(settings))]
        assert (found.provider, found.model, found.problem) == ("vapi-hosted", ASSISTANT_ID, "")
        assert found.first_ms
        wrong = settings_for(tmp_path, vendors={"vapi": Vendor(api_key="wrong", base_url=vendor.base_url)})  # type: ignore[arg-type]
        found, _ = [checked async for checked in check_engines(assistant(model=HOSTED), credentials_of(wrong))]
        assert "api_key" in found.problem


async def test_googles_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeGeminiLive() as vendor:
        monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
        settings = settings_for(tmp_path, vendors={"google": Vendor(api_key=KEY, base_url=vendor.base_url)})  # type: ignore[arg-type]
        found, _ = [checked async for checked in check_engines(assistant(model=GEMINI), credentials_of(settings))]
        assert (found.place, found.provider, found.model, found.problem) == (
            "model",
            "google-live",
            GEMINI["model"],
            "",
        )
        assert found.first_ms
        wrong = settings_for(tmp_path, vendors={"google": Vendor(api_key="wrong", base_url=vendor.base_url)})  # type: ignore[arg-type]
        found, _ = [checked async for checked in check_engines(assistant(model=GEMINI), credentials_of(wrong))]
        assert "api_key" in found.problem
        assert vendor.asked == []


async def test_it_can_be_checked(tmp_path: Path, vendor: FakeOpenAIRealtime) -> None:
    settings = settings_for(tmp_path, vendors={"openai": Vendor(api_key=KEY, base_url=vendor.base_url)})  # type: ignore[arg-type]
    found, voice = [checked async for checked in check_engines(assistant(), credentials_of(settings))]
    assert (voice.place, voice.provider, voice.problem) == (
        "voice",
        "piper",
        "",
    )  # which says so when the model is gone
    assert (found.place, found.provider, found.model, found.problem) == ("model", "openai-realtime", "gpt-realtime", "")
    assert found.first_ms
    vendor.own_words_trouble.append("fail")
    found, _ = [checked async for checked in check_engines(assistant(), credentials_of(settings))]
    assert "overloaded" in found.problem
    assert vendor.asked == []  # nothing but words of ours


GREETING = "Good day, this is the shop."
ASSISTANT = """
firstMessage: Good day, this is the shop.
model:
  provider: {provider}
  model: {model}
  messages: [{{ role: system, content: You keep a shop. }}]
  tools:
    - type: function
      function: {{ name: look_up, description: Looks a price up. }}
      server: {{ url: "{url}" }}
startSpeakingPlan: {{ waitSeconds: 0.3, transcriptionEndpointingPlan: {{ onNoPunctuationSeconds: 0.3 }} }}
"""
CLIP = Path(__file__).parent / "data" / "speech" / "goforward.wav"
PRICE = "what is the price of marmalade"
LONG = "It costs eleven crowns, and there is a great deal to be said about it, which will take me quite a while to say."


class House:
    """A vendor, and an assistant whose model is one of its."""

    def __init__(self, vendor: Any, account: str, provider: str, model: str, said: Callable[[Any], list[str]]) -> None:
        self.vendor, self.account, self.provider, self.model, self._said = vendor, account, provider, model, said

    @property
    def is_hosted(self) -> bool:
        """Whether prompt and tools are the vendor's own."""
        return isinstance(self.vendor, FakeHostedVapi)

    @property
    def takes_turns(self) -> bool:
        """Whether it takes turns itself; it remembers the greeting as its own words then, and is not paid by tokens."""
        return isinstance(self.vendor, own_turns.OwnTurnVendor)

    def conversation(self, at: int) -> list[str]:
        """Who had said what when the model was asked, without the greeting and what it was told as text."""
        lines = [line for line in self._said(self.vendor.asked[at]) if not line.endswith("]")]
        return [line for line in lines if line != f"assistant: {GREETING}"]

    def prompt(self, at: int) -> str:
        told = self.vendor.asked_with[at]
        return str(told["instructions"] if "instructions" in told else told["systemInstruction"]["parts"][0]["text"])

    @property
    def conversations(self) -> int:
        """Sessions that were opened to converse."""
        return sum(not getattr(each, "reads", False) for each in self.vendor.sessions)

    @property
    def refused(self) -> list[str]:
        return [code for each in self.vendor.sessions for code in each.refused]


@pytest.fixture(params=["openai", *gemini_live.MODELS, "gpt-live", "vapi"])
async def house(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    if request.param == "openai":
        async with FakeOpenAIRealtime() as openai:
            monkeypatch.setenv("SSL_CERT_FILE", openai.trust(tmp_path))
            yield House(openai, "openai", "openai-realtime", "gpt-realtime", said)
    elif request.param == "gpt-live":
        async with FakeGptLive() as live:
            live.paced = True
            monkeypatch.setenv("SSL_CERT_FILE", live.trust(tmp_path))
            yield House(live, "openai", "openai", "gpt-live-1", own_turns.said)
    elif request.param == "vapi":
        async with FakeHostedVapi() as vapi:
            monkeypatch.setenv("SSL_CERT_FILE", vapi.trust(tmp_path))
            yield House(vapi, "vapi", "vapi-hosted", ASSISTANT_ID, own_turns.said)
    else:
        async with FakeGeminiLive() as gemini:
            monkeypatch.setenv("SSL_CERT_FILE", gemini.trust(tmp_path))
            yield House(gemini, "google", "google", request.param, gemini_live.said)


async def ring_up(
    house: House,
    folder: Path,
    *lines: Cued,
    tools: str = "https://tools.example.com",
    others: str = "",
    reply_ms: int = 15_000,
) -> EventLog:
    """A telephone call to the whole server; what is in its event log."""
    document = ASSISTANT.format(provider=house.provider, model=house.model, url=tools).replace(
        "\nstart", f"\n{others}\nstart"
    )
    (write_assistant(folder / "assistants") / "shop.yaml").write_text(document, encoding="utf-8")
    account = Vendor(api_key=KEY, base_url=house.vendor.base_url)
    settings = settings_for(folder, assistant="shop", vendors={house.account: account})
    async with running_server(settings) as (antiphon, _):
        await place_call(antiphon.settings.base_url, *lines, agent_done_ms=2000, reply_ms=reply_ms)
    (log,) = (folder / "data").rglob("*.jsonl")
    return read_event_log(log)


def spoken(log: EventLog) -> list[dict[str, Any]]:
    return [fields for entry in log.entries for name, fields in entry.actions if name == "ReplyClosed"]


@pytest.mark.speech
async def test_a_telephone_call(house: House, tmp_path: Path) -> None:
    house.vendor.hears.append(PRICE)
    house.vendor.answers.append(Answer(("It costs", "eleven crowns.")))
    log = await ring_up(house, tmp_path, line())
    assert house.conversation(0) == [f"user: {PRICE}"]
    assert "Good day, this is the shop." in str(house.vendor.asked[0])
    assert [reply["text"] for reply in spoken(log)] == ["Good day, this is the shop.", "It costs eleven crowns."]
    if not house.is_hosted:
        assert house.prompt(0) == "You keep a shop."
    if not house.takes_turns:
        assert {entry.usage.model for entry in log.used} >= {house.model, f"audio:{house.model}"}
    assert (house.conversations, house.refused) == (1, [])


@pytest.mark.speech
async def test_a_telephone_call_whose_vendor_goes_away(vendor: FakeOpenAIRealtime, tmp_path: Path) -> None:
    """For good: the caller hears of it in this machine's own voice."""
    vendor.hears.append(PRICE)
    vendor.answers.append(Answer(trouble="expire"))
    vendor.faults.refuse_status = 503
    vendor.faults.add(None, *["refuse"] * 5)  # type: ignore[list-item]
    house = House(vendor, "openai", "openai-realtime", "gpt-realtime", said)
    log = await ring_up(house, tmp_path, line())
    assert [reply["text"] for reply in spoken(log) if reply["text"]] == [
        "Good day, this is the shop.",
        "I am sorry, I cannot go on with this call. Please call again later.",
    ]
    assert log.ended == "provider-failed"
    assert ("openai-realtime", "session_lost") in [(entry.provider, entry.code) for entry in log.failed]


@pytest.mark.speech
async def test_a_telephone_call_that_goes_on_without_its_vendor(vendor: FakeOpenAIRealtime, tmp_path: Path) -> None:
    """It goes away with the caller's first question: that is answered by the other model, and the next one is heard on this machine."""
    vendor.hears.append(PRICE)
    vendor.answers.append(Answer(trouble="expire"))
    vendor.faults.refuse_status = 401
    vendor.faults.add(None, "refuse")
    house = House(vendor, "openai", "openai-realtime", "gpt-realtime", said)
    others = "  fallbackModels: [{ provider: scripted, options: { replies: [Eleven crowns., As I said.] } }]"
    log = await ring_up(house, tmp_path, line(), line(), others=others)
    texts = [reply["text"] for reply in spoken(log) if reply["text"]]
    assert texts == ["Good day, this is the shop.", "Eleven crowns.", "As I said."]
    heard = [fields["text"] for entry in log.entries for name, fields in entry.actions if name == "TurnClosed"]
    assert heard[0] == PRICE and heard[1], "what the hum of the caller sounds like to Moonshine"
    assert len(vendor.asked) == 1
    assert log.ended == "customer-ended-call"


@pytest.mark.speech
async def test_a_telephone_call_in_which_the_model_is_interrupted_as_it_makes_its_reply(
    house: House, tmp_path: Path
) -> None:
    house.vendor.hears += [PRICE, "no stop that"]
    house.vendor.answers += [Answer((f"{LONG} {LONG}",), pace_ms=80), Answer(("Very well.",))]
    log = await ring_up(house, tmp_path, line(), line(barge_in_ms=900))
    _, first, second = spoken(log)
    assert (first["status"], second["text"]) == ("interrupted", "Very well.")
    assert LONG.startswith(first["text"]) and first["text"]
    asked = house.conversation(1)
    assert (asked[0], asked[-1]) == (f"user: {PRICE}", "user: no stop that")
    assert (house.conversations, house.refused) == (1, [])


@pytest.mark.speech
async def test_a_telephone_call_in_which_the_model_is_interrupted(house: House, tmp_path: Path) -> None:
    house.vendor.hears += [PRICE, "no stop that"]
    house.vendor.answers += [Answer((LONG,)), Answer(("Very well.",))]
    log = await ring_up(house, tmp_path, line(), line(barge_in_ms=900))
    _, first, second = spoken(log)
    assert (first["status"], second["text"]) == ("interrupted", "Very well.")
    assert LONG.startswith(first["text"]) and 0 < len(first["text"]) < len(LONG)
    if isinstance(house.vendor, FakeGptLive):  # it stops by itself, and knows how far it came
        assert [each for each in house.conversation(1) if each.startswith("user: ")] == [
            f"user: {PRICE}",
            "user: no stop that",
        ]
        assert (house.conversations, house.refused) == (1, [])
        return
    assert house.conversation(1) == [f"user: {PRICE}", f"assistant: {LONG}", "user: no stop that"]
    if isinstance(house.vendor, FakeOpenAIRealtime):
        ((_, heard_ms),) = house.vendor.live.truncated.items()
        assert heard_ms == first["heard_ms"]
    else:
        if house.is_hosted:  # it answers as it hears the last word, which is what our side knows an interruption by
            notes = own_turns.notes_in(house.vendor.live.lines)
        else:
            notes = gemini_live.notes_in(house.vendor.asked[1])
        (note,) = [each for each in notes if LONG in each]
        heard = note.partition("no more than")[2].strip(' ")]')
        assert LONG.startswith(heard)
        assert abs(len(heard) - len(first["text"])) < 24
    assert (house.conversations, house.refused) == (1, [])


@pytest.mark.speech
@pytest.mark.parametrize("tells", [True, pytest.param(False, marks=pytest.mark.timed)])
async def test_a_telephone_call_whose_hosted_assistant_hears_the_interruption_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    """It sends its sound as it is heard. ``tells``: what it says, before, and when it speaks."""
    story = f"{LONG} {LONG}"
    async with FakeHostedVapi() as vendor:
        monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
        vendor.paced, vendor.tells_words, vendor.tells_speech = True, tells, tells
        vendor.hears += [PRICE, "no stop that"]
        vendor.answers += [Answer((story,)), Answer(("Very well.",))]
        house = House(vendor, "vapi", "vapi-hosted", ASSISTANT_ID, own_turns.said)
        # Of one that tells nothing the sound is heard when its words have come: the caller speaks while it still waits.
        log = await ring_up(house, tmp_path, line(), line(barge_in_ms=900), reply_ms=15_000 if tells else 3000)
        greeting, first, second = spoken(log)
        assert (greeting["text"], greeting["status"]) == (GREETING, "completed")
        assert (first["status"], second["text"]) == ("interrupted", "Very well.")
        assert story.startswith(first["text"]) or first["text"] == "(no transcript)"
        cut = next(each for each in house.conversation(1) if each.startswith("assistant: "))
        assert story.startswith(cut.removeprefix("assistant: ")) and cut != f"assistant: {story}"
        assert [each for each in house.conversation(1) if each.startswith("user: ")] == [
            f"user: {PRICE}",
            "user: no stop that",
        ]
        assert (house.conversations, house.refused, vendor.live.interruptions) == (1, [], 1)
        assert vendor.live.ended


@pytest.fixture
async def hosted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    async with FakeHostedVapi() as vendor:
        monkeypatch.setenv("SSL_CERT_FILE", vendor.trust(tmp_path))
        yield House(vendor, "vapi", "vapi-hosted", ASSISTANT_ID, own_turns.said)


@pytest.mark.speech
async def test_a_telephone_call_that_the_hosted_assistant_ends(hosted: House, tmp_path: Path) -> None:
    hosted.vendor.hears.append(PRICE)
    hosted.vendor.answers.append(Answer(("Nothing today. Goodbye.",), trouble="ends_call"))
    log = await ring_up(hosted, tmp_path, line())
    assert [reply["text"] for reply in spoken(log)] == [GREETING, "Nothing today. Goodbye."]
    assert log.ended == "assistant-ended-call"
    assert (hosted.conversations, log.failed) == (1, ())


@pytest.mark.speech
async def test_a_telephone_call_that_goes_on_without_its_hosted_assistant(hosted: House, tmp_path: Path) -> None:
    """It goes away with the caller's first question, for good."""
    hosted.vendor.hears.append(PRICE)
    hosted.vendor.answers.append(Answer(trouble="expire"))
    hosted.vendor.faults.refuse_status = 402
    hosted.vendor.faults.add(None, "refuse")
    others = "  fallbackModels: [{ provider: scripted, options: { replies: [Eleven crowns., As I said.] } }]"
    log = await ring_up(hosted, tmp_path, line(), line(), others=others)
    assert [reply["text"] for reply in spoken(log)] == [GREETING, "Eleven crowns.", "As I said."]
    assert ("vapi-hosted", "session_lost") in [(entry.provider, entry.code) for entry in log.failed]
    assert log.ended == "customer-ended-call"


@pytest.mark.speech
async def test_a_telephone_call_in_which_a_tool_is_used(house: House, tmp_path: Path) -> None:
    if house.is_hosted:
        pytest.skip("a hosted assistant has its own tools")
    house.vendor.hears.append(PRICE)
    house.vendor.answers += [
        Answer(("Let me look.",), (("look_up", '{"what":"marmalade"}'),)),
        Answer(("It costs eleven crowns.",)),
    ]
    speech = Cued(Line("say", "goforward", expects_reply=True), read_clip(CLIP, LineNoise(-55.0)))

    async def answer(came: Received) -> Any:
        (call,) = came.json["message"]["toolCallList"]
        return {"results": [{"toolCallId": call["id"], "result": "eleven crowns"}]}

    async with receiving(Receiver(answer)) as receiver:
        log = await ring_up(house, tmp_path, speech, tools=receiver.url)
    (asked,) = receiver.received
    assert asked.json["message"]["toolCallList"][0]["function"]["name"] == "look_up"
    assert spoken(log)[1]["text"] == "Let me look. It costs eleven crowns."
    assert house.conversation(1) == [
        f"user: {PRICE}",
        "assistant: Let me look.",
        'call: look_up({"what":"marmalade"})',
        "result: eleven crowns",
    ]
    assert (house.conversations, house.refused) == (1, [])


def test_its_sound_costs_what_sound_costs() -> None:
    prices = read_prices()
    million = 1_000_000
    text = Usage(input_tokens=million, output_tokens=million, model="gpt-realtime")
    sound = Usage(
        input_tokens=million, cached_tokens=million // 2, output_tokens=million, model="audio:gpt-realtime-2.1"
    )
    assert prices.of("openai-realtime", text) == pytest.approx(4 + 16)
    assert prices.of("openai-realtime", sound) == pytest.approx(16 + 0.2 + 64)
    assert prices.knows("openai-realtime", Usage(audio_ms=1000, model="gpt-4o-mini-transcribe"))
    for name, costs in ((gemini_live.MODELS[0], (0.75 + 4.50, 3 + 12)), (gemini_live.MODELS[1], (0.50 + 2, 3 + 12))):
        for model, cost in zip((name, f"audio:{name}"), costs, strict=True):
            usage = Usage(input_tokens=million, output_tokens=million, model=model)
            assert prices.of("google-live", usage) == pytest.approx(cost)
        words = Usage(audio_ms=60_000, model=name)
        assert prices.knows("google-live", words) and prices.of("google-live", words) == 0
