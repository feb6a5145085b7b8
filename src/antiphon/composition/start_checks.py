"""What is looked at before the first call comes: an operator should learn it from the start, and not from a caller."""

from __future__ import annotations

import structlog

from antiphon.assistants.loader import ENDINGS
from antiphon.config import Settings
from antiphon.engines import KnowsVoices, engine_behind
from antiphon.errors import ConfigurationError, ProviderUnavailable
from antiphon.files import private_folder, reason
from antiphon.providers.model_catalogue import read_catalogue
from antiphon.served import ServedAssistants
from antiphon.surfaces.keys import ApiKeys

log = structlog.get_logger(__name__)


def check_files(settings: Settings) -> None:
    """What settings name in the file system is there, or can be made. Raises ConfigurationError."""
    read_catalogue(settings.models.table_file)
    try:
        private_folder(settings.data_dir)
    except OSError as error:
        raise ConfigurationError("data_dir", f"{settings.data_dir} cannot be made ({error.strerror})") from None


def check_assistants(settings: Settings, assistants: ServedAssistants) -> None:
    """The default assistant must be there and make sense before the first call does. The operator's others are made ready too, so that
    their engines are up when they are first named; one that is wrong is reported and spoils nothing else. Raises ConfigurationError."""
    assistants.prepare(settings.assistant, needed=True)
    folder = settings.assistants_dir
    try:
        names = {path.stem for path in folder.iterdir() if path.suffix in ENDINGS} if folder is not None else set()
    except OSError as error:
        raise ConfigurationError("assistants_dir", f"{folder} cannot be read ({reason(error)})") from None
    for name in sorted(names - {settings.assistant}):
        try:
            assistants.prepare(name)
        except ConfigurationError as error:
            log.warning("assistant_unusable", assistant=name, file=error.file, line=error.line, problem=str(error))
        except ProviderUnavailable as error:
            log.warning("assistant_unusable", assistant=name, problem=str(error))
    _check_voices(settings, assistants)


def _check_voices(settings: Settings, assistants: ServedAssistants) -> None:
    """The voices that clients' names stand for must be there, too."""
    realtime = settings.realtime
    if realtime.voices:
        _, engines = assistants.find(realtime.assistant or settings.assistant)
        speaker = engine_behind(engines.voices[0]) if engines.voices else None
        for name, voice in realtime.voices.items():
            if isinstance(speaker, KnowsVoices):
                speaker.check_voice(voice, f"realtime.voices.{name}")


def check_keys(settings: Settings, keys: ApiKeys) -> None:
    """Keys that cannot be read keep nobody from telephoning, so they do not stop the start; but nobody gets in by a key."""
    try:
        keys.records()
    except (ConfigurationError, OSError) as error:
        problem = reason(error) if isinstance(error, OSError) else str(error)
        log.error("keys_unreadable", file=str(settings.data_dir / "keys.json"), problem=problem)
