"""The document that joins a call to our media socket."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse

from antiphon.carriers.twilio.twiml import connect_stream

URL, AFTER, STATUS = "wss://agent.example/media?a=1&b=2", "https://agent.example/after", "https://agent.example/status"
WRITABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\r\t\"'<>&"), max_size=40)


def by_the_sdk(parameters: dict[str, str]) -> str:
    connect = Connect(action=AFTER)
    stream = connect.stream(url=URL, status_callback=STATUS)
    for name, value in parameters.items():
        stream.parameter(name=name, value=value)
    response = VoiceResponse()
    response.append(connect)
    response.hangup()
    return str(response)


@given(st.dictionaries(WRITABLE, WRITABLE, max_size=4))
def test_it_says_what_twilios_own_library_says_whatever_the_parameters(parameters: dict[str, str]) -> None:
    ours = connect_stream(URL, parameters, action_url=AFTER, status_url=STATUS)
    assert ElementTree.canonicalize(ours) == ElementTree.canonicalize(by_the_sdk(parameters))


def test_one_calls_parameters_are_not_anothers() -> None:
    connect_stream(URL, {"token": "first"}, action_url=AFTER, status_url=STATUS)
    assert "first" not in connect_stream(URL, {"token": "second"}, action_url=AFTER, status_url=STATUS)
