from __future__ import annotations

from antiphon.conversation.keypad import KeypadInput
from antiphon.conversation.policy import Keypad

POLICY = Keypad()


def test_digits_are_complete_after_a_pause() -> None:
    keypad = KeypadInput()
    assert keypad.deadline(POLICY) is None
    assert keypad.press("1", 1000, POLICY) is None
    assert keypad.press("2", 1500, POLICY) is None
    assert keypad.collecting
    assert keypad.deadline(POLICY) == 3500
    assert keypad.due(3499, POLICY) is None
    assert keypad.due(3500, POLICY) == "12"
    assert not keypad.collecting
    assert keypad.due(9999, POLICY) is None


def test_a_delimiter_ends_the_input_and_is_no_part_of_it() -> None:
    keypad = KeypadInput()
    assert keypad.press("#", 0, POLICY) == "#", "pressed alone it is all there is"
    keypad.press("*", 0, POLICY)
    assert keypad.press("#", 0, POLICY) == "*"


def test_without_delimiters_every_key_is_a_digit() -> None:
    keypad = KeypadInput()
    assert keypad.press("#", 0, Keypad(delimiters="")) is None
    assert keypad.due(2000, POLICY) == "#"


def test_a_stuck_key_is_bounded() -> None:
    keypad = KeypadInput()
    policy = Keypad(max_digits=3)
    assert [keypad.press("5", at, policy) for at in range(4)] == [None, None, "555", None]
