"""What every Korean reader answers, and which of several values in a turn is meant.

Korean says after a value what becomes of it ("월요일은 안 돼요", "월요일 말고 화요일"), so what stands between a value and the next
decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

Raw = str | int | float | bool

_TURNED_DOWN = re.compile(
    r"일이있|좀그래|좀그런|출근|근무|수업|회의|선약|약속이|출장|말고|빼고|제외|안되|안돼|안됩|못|힘들|어려|어렵|바빠|바쁘|바쁜|싫|아니|곤란|불가|늦어|늦은|늦습|빨라|빠르|일러|이르|않"
)
_NOT_SURE = re.compile(
    r"^(?:이나|나$|나(?=[가-힣\d])|이랑|랑|하고|과(?=[가-힣])|와(?=[가-힣])|또는|혹은|아니면|부터|에서|까지|사이|이후|이전|전|후|뒤|넘|이상|이하|미만|초과|지나|이내|쯤이나|째)"
)
_NOT_SURE_BEFORE = re.compile(r"(?:매주|매월|매일|최소|최대|적어도|많아야|째주|째|안에|격주|마지막|이전의)$")
_HARMLESS = re.compile(
    r"(?:"
    r"갈수있습니다|부탁드립니다|좋을것같아요|해주시겠어요|가겠습니다|갈수있어요|감사합니다|고맙습니다|괜찮습니다|괜찮은데요|괜찮을까요|부탁드려요|"
    r"원하는데요|좋겠습니다|하겠습니다|괜찮아요|드립니다|맞습니다|부탁해요|싶습니다|싶은데요|원합니다|있을까요|좋겠어요|좋습니다|좋은데요|편한데요|편합니다|해주세요|갈게요|갈까요|갈래요|괜찮고|그리고|"
    r"되나요|될까요|됩니다|드려요|맞고요|맞아요|싶어요|싶은데|원해요|이고요|이에요|인데요|입니다|있나요|좋아요|주세요|테이블|편해요|할게요|할까요|할께요|할래요|해줘요|가고|가능|가도|검진|날짜|"
    r"다섯|돼요|되면|모두|바꿔|방문|변경|부탁|사람|상담|새벽|시간|아침|아홉|에는|에요|여덟|여섯|열두|열한|예약|예요|오전|오후|옮겨|요일|우리|으로|이고|이요|인원|일곱|자리|저기|저녁|저는|"
    r"저희|전부|점심|정도|제가|줘요|진료|하고|하나|한번|해도|해서|해줘|혹시|가|개|날|낮|네|년|는|도|두|로|를|만|명|반|밤|분|세|시|어|에|엔|열|예|요|원|월|은|을|음|의|이|일|쯤|총|"
    r"하|한|할|해|[일이삼사오육칠팔구십백천만]|[\d:.,!~?]"
    r")*+"
)
"""What people say after a value they mean, and what a day, a time or a number is made of. The longest come
first, and nothing is tried twice: the words are a caller's, and a thousand of them must not take for ever."""
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Item:
    """A value and where it stands in the text; no value for a phrase that is known in part only."""

    start: int
    end: int
    value: tuple[Raw, str] | None
    explicit: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What a turn says about one value: as tools see it and as it is spoken."""

    value: tuple[Raw, str] | None = None
    explicit: bool = False
    unsure: bool = False
    refused: tuple[tuple[Raw, str], ...] = ()


def without_overlaps(items: Sequence[Item]) -> list[Item]:
    """The longest ones, in order."""
    kept: list[Item] = []
    end = 0
    for item in sorted(items, key=lambda item: (item.start, -item.end)):
        if item.start >= end:
            kept.append(item)
            end = item.end
    return kept


def settle(text: str, items: Sequence[Item]) -> Reading:
    """Which of ``items`` (in order) is meant."""
    refused: list[tuple[Raw, str]] = []
    kept: list[Item] = []
    for at, item in enumerate(items):
        following = items[at + 1].start if at + 1 < len(items) else len(text)
        after = _SPACE.sub("", text[item.end : following])
        before = _SPACE.sub("", text[(items[at - 1].end if at else 0) : item.start])
        if _NOT_SURE_BEFORE.search(before) or (_NOT_SURE.search(after) and not after.startswith(("이나마",))):
            return Reading(unsure=True, refused=tuple(refused))
        if _TURNED_DOWN.search(after):
            if item.value is not None:
                refused.append(item.value)
        elif not _HARMLESS.fullmatch(after):
            # "금요일은 일이 있어요": friday may be no answer at all.
            return Reading(unsure=True, refused=tuple(refused))
        else:
            kept.append(item)
    values = {item.value for item in kept}
    if not kept:
        return Reading(refused=tuple(refused))
    if len(values) > 1 or kept[-1].value is None:
        return Reading(unsure=True, refused=tuple(refused))
    return Reading(kept[-1].value, kept[-1].explicit, False, tuple(refused))
