"""``antiphon init``: from nothing to an assistant that can be called."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from antiphon.assistants.starter import MODELS, STACKS, Part, Stack, starter_assistant
from antiphon.cli.providers import check_assistant
from antiphon.cli.terminal import show_error
from antiphon.env_file import ENV_FILE, environment, is_plain, merged
from antiphon.errors import AntiphonError, ConfigurationError
from antiphon.files import write_atomically
from antiphon.providers import registry
from antiphon.providers.credentials import WELL_KNOWN, setting_of, vendor_named, vendor_of

_SETTINGS_FILE = Path("antiphon.toml")
_FOLDER = Path("assistants")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_TWILIO_TOKEN = "ANTIPHON_TWILIO__AUTH_TOKEN"
_KINDS: tuple[tuple[str, registry.Kind], ...] = (("transcriber", "stt"), ("model", "llm"), ("voice", "tts"))
_NOT_TO_BEGIN_WITH = frozenset({"workflow", "custom-llm"})
"""Engines that need more than a name."""
_ENGLISH_ALONE: Mapping[str, frozenset[str]] = {
    "transcriber": frozenset({"moonshine", "pocketsphinx", "cartesia"}),
    "voice": frozenset({"piper"}),
}


def _providers(kind: registry.Kind) -> click.Choice[str]:
    return click.Choice([name for name in registry.named_from_outside(kind) if name not in _NOT_TO_BEGIN_WITH])


@click.command(context_settings={"show_default": False}, short_help="Set up an assistant in this folder.")
@click.option("--name", help="The assistant's name, which its file is called by", metavar="NAME")
@click.option("--stack", type=click.Choice(list(STACKS)), help="Deepgram, OpenAI and ElevenLabs; all OpenAI; all local")
@click.option("--transcriber", type=_providers("stt"), metavar="PROVIDER", help="Who listens, instead of the stack's")
@click.option("--model", type=_providers("llm"), metavar="PROVIDER", help="Who thinks, instead of the stack's")
@click.option("--model-name", metavar="MODEL", help="The provider's model")
@click.option("--voice", type=_providers("tts"), metavar="PROVIDER", help="Who speaks, instead of the stack's")
@click.option("--language", metavar="CODE", help="E.g. en or ko")
@click.option(
    "--key", "keys", multiple=True, metavar="VENDOR=KEY", help="A key, as often as there are vendors; better asked for"
)
@click.option("--twilio-account-sid", default="", metavar="SID", help="The account with your number")
@click.option("--twilio-auth-token", default="", metavar="TOKEN", help="Its auth token; better asked for")
@click.option("--public-url", default="", metavar="URL", help="Where Twilio reaches this server")
@click.option(
    "--yes", is_flag=True, help="Ask nothing: what is not given is the default; a key that is missing is an error"
)
@click.option("--check/--no-check", default=True, help="Whether every engine is asked whether it works")
@click.option("--force", is_flag=True, help="Replace files that are there; other lines of .env stay")
def init(
    name: str | None,
    stack: str | None,
    transcriber: str | None,
    model: str | None,
    model_name: str | None,
    voice: str | None,
    language: str | None,
    keys: tuple[str, ...],
    twilio_account_sid: str,
    twilio_auth_token: str,
    public_url: str,
    yes: bool,
    check: bool,
    force: bool,
) -> None:
    """Set up an assistant in this folder: antiphon.toml, .env (for you alone) and assistants/NAME.yaml.

    What no option says is asked. A key that is in the environment already is used and not written down. The exit status is 1 where an
    engine does not work: the files are there all the same.
    """
    console = Console(highlight=False)
    asked = _Questions(silent=yes)
    try:
        name = asked.text("Name of the assistant", name, "receptionist", _asked_again(_name))
        _refuse_bad_names(name, language or "en", public_url)
        path = _FOLDER / f"{name}.yaml"
        _refuse_to_overwrite([_SETTINGS_FILE, ENV_FILE, path], force)
        chosen = _stack(asked, stack, {"transcriber": transcriber, "model": model, "voice": voice}, model_name)
        language = asked.text("Language (a code)", language, "en", _asked_again(_language))
        _refuse_bad_names(name, language, public_url)
        _refuse_who_does_not_know(chosen, language)
        values = _keys(asked, chosen, keys)
        values |= _twilio(asked, twilio_account_sid, twilio_auth_token)
        _write(path, name, starter_assistant(name, chosen, language), values, public_url)
        console.print(
            f"Written: {_SETTINGS_FILE}, {ENV_FILE} (readable by you alone), {escape(str(path))}", soft_wrap=True
        )
        works = not check or _works(console, name)
    except (AntiphonError, OSError) as error:
        show_error(error)
        raise click.exceptions.Exit(2) from error
    _say_how_to_call(console, name, public_url, works=works)
    if not works:
        raise click.exceptions.Exit(1)


def _works(console: Console, name: str) -> bool:
    console.print()
    return check_assistant(name)


class _Questions:
    """Asks for what was not given; with ``silent``, nothing."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def text(self, question: str, given: str | None, default: str, check: Callable[[str], str] = str.strip) -> str:
        """An answer that ``check`` refuses is asked for again."""
        if given is not None or self._silent:
            return (default if given is None else given).strip()
        return str(click.prompt(question, default=default, value_proc=check, show_default=bool(default))).strip()

    def choice(self, question: str, given: str | None, default: str, options: click.Choice[str]) -> str:
        if given is not None or self._silent:
            return default if given is None else given
        return str(click.prompt(question, default=default, type=options, show_choices=False))

    def secret(self, question: str, *, optional: bool = False) -> str:
        """Not shown while it is typed. Empty where nothing may be asked, or where that will do."""
        if self._silent:
            return ""
        ending = " (Enter: none)" if optional else ""
        return str(
            click.prompt(
                f"{question}{ending}",
                default="" if optional else None,
                hide_input=True,
                show_default=False,
                value_proc=_asked_again(_key),
            )
        ).strip()


def _stack(asked: _Questions, stack: str | None, given: Mapping[str, str | None], model_name: str | None) -> Stack:
    """The engines. Naming all three makes the stack needless."""
    if stack is None and not all(given.values()):
        options = click.Choice(list(STACKS))
        stack = asked.choice(
            "Engines: vendors (Deepgram, OpenAI, ElevenLabs), openai, local", None, next(iter(STACKS)), options
        )
    chosen = STACKS[stack or next(iter(STACKS))]
    for place, _ in _KINDS:
        wanted = given[place]
        if wanted is not None and wanted != getattr(chosen, place).provider:
            chosen = replace(chosen, **{place: Part(wanted, MODELS.get(wanted, "") if place == "model" else "")})
    if model_name or not chosen.model.model:
        named = asked.text(f"Model of {chosen.model.provider}", model_name, "")
        if not named:
            raise ConfigurationError(
                "--model-name", f"which model of {chosen.model.provider} is not known here: name one"
            )
        chosen = replace(chosen, model=replace(chosen.model, model=named))
    return chosen


def _keys(asked: _Questions, stack: Stack, given: tuple[str, ...]) -> dict[str, str]:
    """The variables that hold the keys of the stack's vendors. Raises ConfigurationError."""
    known: dict[str, str] = {}
    for pair in given:
        said, _, key = pair.partition("=")
        vendor = vendor_named(said)
        if not vendor or not key:
            raise ConfigurationError("--key", f"must be VENDOR=KEY, with one of {', '.join(WELL_KNOWN)}")
        known[vendor] = key
    there = environment()
    values: dict[str, str] = {}
    providers = [(kind, getattr(stack, place).provider) for place, kind in _KINDS]
    for vendor in dict.fromkeys(vendor_of(name) for kind, name in providers if registry.needs_key(kind, name)):
        names = (setting_of(vendor), *WELL_KNOWN[vendor])
        if vendor not in known and (found := next((name for name in names if there.get(name)), "")):
            click.echo(f"The key of {vendor} is in {found}.")
            continue
        key = known.get(vendor) or asked.secret(f"Key of {vendor}")
        if not key:
            raise ConfigurationError("--key", f"{vendor} needs one: --key {vendor}=…, or the variable {names[-1]}")
        if not is_plain(key):
            raise ConfigurationError("--key", f"what was given for {vendor} does not look like a key")
        values[setting_of(vendor)] = key
    return values


def _twilio(asked: _Questions, account_sid: str, auth_token: str) -> dict[str, str]:
    """Without an account there is a token all the same, for the simulated caller."""
    if not auth_token and environment().get(_TWILIO_TOKEN):
        return {}
    account_sid = account_sid or asked.text("Twilio account SID, for a real number (empty: none)", None, "")
    if account_sid:
        auth_token = auth_token or asked.secret("Twilio auth token")
        if not auth_token:
            raise ConfigurationError("--twilio-auth-token", "an account needs it")
    for field, value in (("--twilio-account-sid", account_sid), ("--twilio-auth-token", auth_token)):
        if value and not is_plain(value):
            raise ConfigurationError(field, "does not look like one")
    token = auth_token or secrets.token_hex(16)
    values = {_TWILIO_TOKEN: token, "TWILIO_AUTH_TOKEN": token}
    return {"ANTIPHON_TWILIO__ACCOUNT_SID": account_sid, **values} if account_sid else values


def _name(said: str) -> str:
    if not _NAME.fullmatch(said.strip()):
        raise ConfigurationError("--name", "must be letters (a to z), digits, - and _, 40 at most")
    return said.strip()


def _language(said: str) -> str:
    if not _LANGUAGE.fullmatch(said.strip()):
        raise ConfigurationError("--language", "must be a code like en or ko-KR")
    return said.strip()


def _key(said: str) -> str:
    if said.strip() and not is_plain(said.strip()):
        raise ConfigurationError("--key", "does not look like a key")
    return said.strip()


def _asked_again(check: Callable[[str], str]) -> Callable[[str], str]:
    """For questions: what ``check`` refuses is told, and the question is put again."""

    def checked(said: str) -> str:
        try:
            return check(said)
        except ConfigurationError as error:
            raise click.UsageError(error.problem) from error

    return checked


def _refuse_bad_names(name: str, language: str, public_url: str) -> None:
    _name(name)
    _language(language)
    if public_url and not re.fullmatch(r"https?://[^\s\"\\]+", public_url):
        raise ConfigurationError("--public-url", "must begin with http:// or https://")


def _refuse_who_does_not_know(stack: Stack, language: str) -> None:
    for place, providers in _ENGLISH_ALONE.items():
        provider = getattr(stack, place).provider
        if provider in providers and language.partition("-")[0].lower() != "en":
            raise ConfigurationError(f"--{place}", f"{provider} knows English alone: choose another for {language}")


def _refuse_to_overwrite(paths: list[Path], force: bool) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there and not force:
        be, them = ("are", "them") if len(there) > 1 else ("is", "it")
        raise ConfigurationError("--force", f"{', '.join(there)} {be} there already: say --force to replace {them}")


def _write(path: Path, name: str, assistant: str, values: Mapping[str, str], public_url: str) -> None:
    before = ENV_FILE.read_text(encoding="utf-8-sig") if ENV_FILE.exists() else ""
    write_atomically(ENV_FILE, merged(before, values).encode())  # for its owner alone
    lines = [f'assistant = "{name}"', f'assistants_dir = "{_FOLDER}"']
    if public_url:
        lines.append(f'public_url = "{public_url}"')
    _SETTINGS_FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _FOLDER.mkdir(exist_ok=True)
    path.write_text(assistant, encoding="utf-8")


def _say_how_to_call(console: Console, name: str, public_url: str, *, works: bool) -> None:
    if not works:
        console.print(
            f"\nWhat does not work is above. When it is put right: [bold]antiphon providers check {escape(name)}[/]"
        )
    console.print("\nServe it, and talk at the address that is printed:\n  [bold]antiphon serve[/]")
    if public_url:
        hook = f"{public_url.rstrip('/')}/twilio/voice"
        console.print(f"Call it: give your number this webhook, then ring it up:\n  [bold]{escape(hook)}[/]")
    else:
        line = 'set -a; . ./.env; antiphon call http://127.0.0.1:8080/twilio/voice --noise-dbfs -55 --say "Hello"'
        console.print(f"Call it from another terminal:\n  [bold]{line}[/]", soft_wrap=True)
