"""What single rooms are told of the process's settings, in their own words."""

from __future__ import annotations

import secrets

from antiphon.carriers.base import DetectionTuning
from antiphon.carriers.twilio.settings import TwilioSettings
from antiphon.config import Settings
from antiphon.errors import ConfigurationError
from antiphon.files import read_or_make
from antiphon.media.settings import HearingSettings
from antiphon.session.admission import AdmissionLimits
from antiphon.surfaces.realtime.settings import RealtimeSettings
from antiphon.transports.webrtc.settings import WebRtcSettings, ice_settings


def hearing_settings(settings: Settings) -> HearingSettings:
    hearing = settings.hearing
    return HearingSettings(sound_threshold=hearing.sound_threshold, speech_threshold=hearing.speech_threshold)


def admission_limits(settings: Settings) -> AdmissionLimits:
    overload = settings.overload
    return AdmissionLimits(overload.busy_share, overload.late_ms, always=overload.always_calls)


def realtime_settings(settings: Settings, places: int) -> RealtimeSettings:
    """``places``: how many sessions there may be at once."""
    realtime = settings.realtime
    return RealtimeSettings(
        default_model=realtime.default_model,
        default_voice=realtime.default_voice,
        voices=realtime.voices,
        max_minutes=realtime.session_max_minutes,
        greeting_wait_ms=realtime.greeting_wait_ms,
        audio_ahead_ms=realtime.output_ahead_s * 1000,
        strict=realtime.strict,
        debug_order=realtime.debug_order,
        max_sessions=places,
        secret_max_sessions=realtime.secret_max_sessions,
        secret_max_connecting=realtime.secret_max_connecting,
        key_max_sessions=realtime.key_max_sessions,
        secret_idle_s=realtime.secret_idle_s,
        key_idle_s=realtime.key_idle_s,
        session_max_kept_kib=realtime.session_max_kept_kib,
        secret_max_kept_kib=realtime.secret_max_kept_kib,
        key_max_kept_kib=realtime.key_max_kept_kib,
        input_ahead_s=realtime.input_ahead_s,
    )


def realtime_places(settings: Settings, *, telephone: bool) -> int:
    """How many of the process's places are the API's; the rest is left to the telephone, where there is one."""
    places = settings.max_calls
    return max(1, int(places * settings.realtime.share_of_calls)) if telephone else places


def webrtc_settings(settings: Settings) -> WebRtcSettings:
    webrtc = settings.webrtc
    ice = ice_settings(
        addresses=webrtc.addresses,
        public_address=webrtc.public_address,
        port_min=webrtc.port_min,
        port_max=webrtc.port_max,
        stun_url=webrtc.stun_url,
        turn_url=webrtc.turn_url,
        turn_username=webrtc.turn_username,
        turn_credential=webrtc.turn_credential.get_secret_value(),
    )
    return WebRtcSettings(ice=ice, max_legs=webrtc.max_legs)


def twilio_settings(settings: Settings, *, media_path_names_call: bool = False) -> TwilioSettings | None:
    """None where no account was given: browsers and API clients are served all the same. Raises ConfigurationError."""
    twilio = settings.twilio
    if twilio.verify_signatures and not (twilio.auth_token.get_secret_value() or twilio.account_sid):
        return None
    return TwilioSettings(
        public_url=settings.base_url,
        auth_token=twilio.auth_token.get_secret_value(),
        account_sid=twilio.account_sid,
        verify_signatures=twilio.verify_signatures,
        assistant=settings.assistant,
        rest_base_url=twilio.rest_base_url,
        detection=DetectionTuning(
            timeout_s=twilio.machine_detection_timeout_s,
            speech_ms=twilio.machine_detection_speech_ms,
            speech_end_ms=twilio.machine_detection_speech_end_ms,
            silence_ms=twilio.machine_detection_silence_ms,
        ),
        token_secret=token_secret(settings),
        ended_calls_path=settings.data_dir / "ended-calls.sqlite3",
        replay_window_days=twilio.replay_window_days,
        media_path_names_call=media_path_names_call,
    )


def token_secret(settings: Settings) -> str:
    """The configured secret, or one made once and kept where only we can read it. Raises ConfigurationError."""
    configured = settings.token_secret.get_secret_value()
    if configured:
        return configured
    made = read_or_make(settings.data_dir / "token.secret", lambda: secrets.token_hex(32).encode())
    try:
        return made.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigurationError("token.secret", "is not text; remove it, and another is made") from None
