"""What a conversation is told of the engines that it has."""

from __future__ import annotations

from antiphon.conversation.policy import Policy
from antiphon.providers.scripted import ScriptedSpeechToText
from antiphon.providers.stt.moonshine import MoonshineSpeechToText
from antiphon.session.plan import Engines
from antiphon.session.succession import policy_for


def test_words_are_doubted_as_far_as_their_recogniser_says_so() -> None:
    doubting, plain = MoonshineSpeechToText(), ScriptedSpeechToText([])
    told = policy_for(Policy(), doubting, Engines(doubting, (), ()))
    assert told.endpointing.min_confidence == doubting.doubted_below
    assert policy_for(told, plain, Engines(plain, (), ())).endpointing.min_confidence == 0
