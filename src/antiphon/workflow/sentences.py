"""The few sentences a workflow does not write itself, in each language that callers may speak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from antiphon.workflow.schema import Language


@dataclass(frozen=True, slots=True)
class Sentences:
    """``{}`` stands for a value as it is spoken."""

    not_understood: str
    beyond: str
    take_your_time: str
    still_working: str
    yes_or_no: str
    how_can_i_help: str
    failed: str
    okay: str
    okay_value: str
    okay_not: str
    more_digits: str
    and_between: str
    past: str
    too_far: str
    closed_days: str
    closed_day: str
    closed_hours: str
    out_of_range: str
    wrong_length: str
    question: str
    spelled: str


SENTENCES: Mapping[Language, Sentences] = {
    "en": Sentences(
        not_understood="Sorry, I did not understand.",
        beyond="I am sorry, I cannot help with that.",
        take_your_time="Take your time.",
        still_working="One moment please, I am still working on it.",
        yes_or_no="Please say yes or no.",
        how_can_i_help="How can I help you?",
        failed="Sorry, that did not work.",
        okay="Okay.",
        okay_value="Okay, {}.",
        okay_not="Okay, not {}.",
        more_digits="I have {}. Please go on.",
        and_between=" and ",
        past="Sorry, {} has already passed.",
        too_far="Sorry, {} is too far ahead.",
        closed_days="Sorry, we are closed on {}.",
        closed_day="{}s",
        closed_hours="Sorry, we are open from {} to {}.",
        out_of_range="Sorry, {} is not possible.",
        wrong_length="Sorry, I need {} digits.",
        question="What is your {}?",
        spelled="{}, spelled {}",
    ),
    "ko": Sentences(
        not_understood="죄송합니다, 잘 이해하지 못했습니다.",
        beyond="죄송합니다, 그 부분은 도와드릴 수 없습니다.",
        take_your_time="천천히 말씀해 주세요.",
        still_working="잠시만요, 아직 처리하고 있습니다.",
        yes_or_no="네 또는 아니요로 말씀해 주세요.",
        how_can_i_help="무엇을 도와드릴까요?",
        failed="죄송합니다, 처리하지 못했습니다.",
        okay="네.",
        okay_value="네, {}.",
        okay_not="네, {}은 아니고요.",
        more_digits="{} 다음 번호를 말씀해 주세요.",
        and_between=", ",
        past="죄송합니다, {}은 이미 지났습니다.",
        too_far="죄송합니다, {}은 너무 먼 날짜입니다.",
        closed_days="죄송합니다, {}은 쉽니다.",
        closed_day="{}",
        closed_hours="죄송합니다, 저희는 {}부터 {}까지 합니다.",
        out_of_range="죄송합니다, {}은 가능하지 않습니다.",
        wrong_length="죄송합니다, 숫자 {}자리가 필요합니다.",
        question="{}을 말씀해 주시겠어요?",
        spelled="{}, {}",
    ),
}
