from __future__ import annotations

from antiphon.conversation.policy import Silence
from antiphon.conversation.silence import Due, SilenceKeeper

NEVER = Silence(idle_after_ms=0, silence_timeout_ms=0, no_audio_timeout_ms=0, max_duration_ms=0)
POLICY = Silence(idle_messages=("Still there?",))


def keeper(audio_arrived: bool = True) -> SilenceKeeper:
    return SilenceKeeper(1000, 1000, 1000, audio_arrived=audio_arrived)


def test_a_policy_without_timeouts_never_comes_due() -> None:
    assert keeper().next(NEVER, quiet=True) is None


def test_the_earliest_comes_first() -> None:
    assert keeper(audio_arrived=False).next(POLICY, quiet=True) == (11_000, Due.IDLE_PROMPT)
    assert keeper(audio_arrived=False).next(POLICY, quiet=False) == (16_000, Due.NO_AUDIO)
    assert keeper().next(POLICY, quiet=False) == (601_000, Due.MAX_DURATION)
    assert keeper().next(Silence(), quiet=True) == (31_000, Due.SILENCE_TIMEOUT)


def test_prompts_are_counted_and_the_silence_of_the_call_goes_on() -> None:
    silence = keeper()
    for at in (11_000, 21_000):
        silence.prompted(at)
    assert silence.next(POLICY, quiet=True) == (31_000, Due.SILENCE_TIMEOUT)
    silence.prompted(30_000)
    long = Silence(idle_messages=("Still there?",), silence_timeout_ms=0)
    assert silence.next(long, quiet=True) == (601_000, Due.MAX_DURATION), "three prompts and no more"


def test_activity_starts_the_silence_anew() -> None:
    silence = keeper()
    silence.activity(5000, by_caller=True, policy=POLICY)
    assert silence.next(POLICY, quiet=True) == (15_000, Due.IDLE_PROMPT)


def test_only_the_callers_speech_resets_the_count_and_only_where_asked_for() -> None:
    resets = Silence(idle_count_resets_on_speech=True)
    for policy, by_caller, left in ((POLICY, True, 1), (resets, False, 1), (resets, True, 0)):
        silence = keeper()
        silence.prompted(2000)
        silence.activity(3000, by_caller=by_caller, policy=policy)
        assert silence.prompts == left
