"""Korean yes and no. "괜찮아요" alone is both ("fine", "no, thank you"), so it is asked again."""

from __future__ import annotations

import re

_DOUBT = re.compile(
    r"모르|글쎄|잠깐|잠시|뭐라|다시(?:말|한번)|여보세요|생각해|아마|취소|나중에|그만|바꾸|바꿔|변경|근데|그런데|하지만|까요$|어쩌면|들려|들리|[?？]$|할까요|인가요|나요$"
)
_YES_IN_SPITE = re.compile(r"(?:문제|이의|상관|불만|이견)(?:가|는|도)?(?:전혀)?없")
_RIGHT = re.compile(r"(?<!안)맞(?:아|습|네|는|죠|어|다)(?!지않)")
_NO = re.compile(
    r"^(?:아니|아뇨|노$|노요)|안돼|안되|안됩|안할|안해|안하|싫|지마|됐어|됐습|됐고|필요(?:가|는)?없|틀렸|틀립|틀린|잘못|지않|안맞|안좋|못해|못하|못가|못합|안합|없어|없습|아니에|아니예|아닙|아닌"
)
_YES = re.compile(
    r"^(?:네|예(?!약)|넵|넹|응|어$|어어|그래|그럼|맞|좋|물론|당연|그렇|오케이|그러|알겠|알았|확인)|해주|해줘|하죠|할게요|부탁|맞아|맞습|좋아|좋습|진행|동의"
)
_DENIES = re.compile(r"아니|아뇨")
_PUNCTUATION = re.compile(r"[^\w가-힣?？]+")
_AGREES_FIRST = re.compile(r"^(?:네|예(?!약)|넵|응)")


_YES_AT_THE_END = re.compile(r"\s(?:네|예|넵)[\s.!,]*$")


def read(text: str) -> bool | None:
    """Agreement, refusal, or neither."""
    words = text.split()
    if "아니" in words[1:-1]:
        # "네 아니 아니요": the "아니" between two answers takes the first one back.
        after = len(words) - words[::-1].index("아니") if words[-1] != "아니" else len(words)
        if (answer := read(" ".join(words[after:]))) is not None:
            return answer
    said = _PUNCTUATION.sub("", text.strip())
    if not said or _DOUBT.search(said):
        return None
    if _YES_IN_SPITE.search(said):
        return True
    if re.match(r"^(?:아니|아뇨)", said) and _RIGHT.search(said):
        return True  # "아니요 맞아요": no, that is right
    refuses, agrees = bool(_NO.search(said)), bool(_YES.search(said))
    if _AGREES_FIRST.search(said) and (refuses or _DENIES.search(said)):
        return None
    if refuses:
        return False
    if agrees or (_YES_AT_THE_END.search(text) and not _DENIES.search(said)):
        return True
    return None
