"""The few TwiML documents we answer with. Each ends in a terminating verb, so that no caller is left on a dead line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from twilio.twiml.voice_response import Connect, Dial, VoiceResponse

from antiphon.dialling import kind_of

BUSY = "All our lines are busy right now. Please try again in a few minutes."
NOBODY = "I am sorry, nobody can take your call right now. Please call again later."
APOLOGY = "We are sorry, something went wrong on our side. Please call again later."


def connect_stream(url: str, parameters: Mapping[str, str], action_url: str, status_url: str) -> str:
    """Join the call to our media socket at ``url``; when that closes, Twilio asks ``action_url`` what to do next."""
    before, after = _around_parameters(url, action_url, status_url)
    inside = "".join(
        f"<Parameter name={quoteattr(name)} value={quoteattr(value)} />" for name, value in parameters.items()
    )
    return before + inside + after


@lru_cache(maxsize=8)
def _around_parameters(url: str, action_url: str, status_url: str) -> tuple[str, str]:
    """The document but for what differs from call to call: it is the same for every call of a server."""
    connect = Connect(action=action_url)
    stream = connect.stream(url=url, status_callback=status_url)
    stream.parameter(name="", value="")
    response = VoiceResponse()
    response.append(connect)
    response.hangup()
    before, _, after = str(response).partition('<Parameter name="" value="" />')
    return before, after


@lru_cache(maxsize=8)
def farewell(text: str) -> str:
    """Say ``text`` and hang up."""
    response = VoiceResponse()
    response.say(text)
    response.hangup()
    return str(response)


@lru_cache(maxsize=1)
def hang_up() -> str:
    """End the call."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def dial(destination: str, action_url: str, text: str = "") -> str:
    """Say ``text``, where there is any, and bridge the caller to a number or a SIP URI. Twilio asks ``action_url`` what to do when that is
    over, or when nobody took it. Raises ValueError for any other destination."""
    dial_verb = Dial(action=action_url)
    kind = kind_of(destination)
    if kind == "number":
        dial_verb.number(destination)
    elif kind == "sip":
        dial_verb.sip(destination)
    else:
        raise ValueError("a destination is a telephone number or a SIP URI")
    response = VoiceResponse()
    if text:
        response.say(text)
    response.append(dial_verb)
    response.hangup()
    return str(response)
