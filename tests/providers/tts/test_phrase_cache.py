"""The speeches that are kept: bounded, least recently used first to go."""

from __future__ import annotations

from antiphon.providers.base import SpeechChunk
from antiphon.providers.tts.phrase_cache import PhraseCache


def speech(size: int) -> list[SpeechChunk]:
    return [SpeechChunk(b"\0" * size)]


def test_what_was_put_is_found() -> None:
    cache = PhraseCache(100_000)
    cache.put("a", speech(1000))
    assert cache.get("a") == tuple(speech(1000))
    assert cache.get("b") is None


def test_the_least_recently_used_goes_first_and_the_bound_holds() -> None:
    cache = PhraseCache(20 * 1100)
    for name in range(20):
        cache.put(name, speech(1000))
        cache.get(0)
    cache.put("new", speech(1000))
    assert cache.bytes_kept <= 20 * 1100
    assert cache.get(0) is not None
    assert cache.get(1) is None


def test_one_too_large_is_not_kept() -> None:
    cache = PhraseCache(16_000)
    cache.put("small", speech(500))
    cache.put("large", speech(2000))
    assert cache.get("large") is None
    assert cache.get("small") is not None


def test_no_room_keeps_nothing() -> None:
    cache = PhraseCache(0)
    cache.put("a", speech(1))
    assert len(cache) == 0
