"""Whose account an engine uses: which vendor stands behind a provider's name, and where its key is looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

WELL_KNOWN: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "assemblyai": ("ASSEMBLYAI_API_KEY",),
    "azure": ("AZURE_API_KEY",),
    "cartesia": ("CARTESIA_API_KEY",),
    "cerebras": ("CEREBRAS_API_KEY",),
    "custom-llm": (),
    "deepgram": ("DEEPGRAM_API_KEY",),
    "deepinfra": ("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN"),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "elevenlabs": ("ELEVENLABS_API_KEY", "ELEVEN_API_KEY"),
    "gladia": ("GLADIA_API_KEY",),
    "google": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "hume": ("HUME_API_KEY",),
    "inworld": ("INWORLD_API_KEY",),
    "lmnt": ("LMNT_API_KEY",),
    "minimax": ("MINIMAX_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "neuphonic": ("NEUPHONIC_API_KEY",),
    "ollama": (),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "perplexity": ("PERPLEXITY_API_KEY",),
    "playht": ("PLAYHT_API_KEY",),
    "rime": ("RIME_API_KEY",),
    "soniox": ("SONIOX_API_KEY",),
    "speechmatics": ("SPEECHMATICS_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
    "vapi": ("VAPI_API_KEY",),
    "vllm": (),
    "xai": ("XAI_API_KEY",),
}
"""The vendors that can be given a key, and the variables in which their own tools look for it, the first one first."""

_OTHER_NAMES: Mapping[str, str] = {
    "11labs": "elevenlabs",
    "assembly-ai": "assemblyai",
    "deep-seek": "deepseek",
    "gemini": "google",
    "perplexity-ai": "perplexity",
    "rime-ai": "rime",
    "together-ai": "together",
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What a vendor is called with. ``base_url`` is empty for the vendor's own address."""

    api_key: str = field(default="", repr=False)
    base_url: str = ""


def vendor_of(provider: str) -> str:
    """The vendor behind a provider's name or alias; empty where there is none: ``deepgram-flux`` is Deepgram's, ``moonshine`` nobody's."""
    name = _OTHER_NAMES.get(provider, provider)
    while name not in WELL_KNOWN:
        name, _, _last = name.rpartition("-")
        if not name:
            return ""
    return name


def vendor_named(setting: str) -> str:
    """The vendor that a name in the settings means, however it is written (``CUSTOM_LLM``, ``11labs``); empty where there is none."""
    name = setting.lower().replace("_", "-")
    name = _OTHER_NAMES.get(name, name)
    return name if name in WELL_KNOWN else ""


def setting_of(vendor: str, field: str = "api_key") -> str:
    """The variable that gives this vendor's key, or another field of its account."""
    return f"ANTIPHON_VENDORS__{vendor.upper().replace('-', '_')}__{field.upper()}"


def where_to_put_the_key(vendor: str) -> str:
    """For an error: every variable that would have done."""
    return " or ".join((setting_of(vendor), *WELL_KNOWN.get(vendor, ())))


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are the same server's: a key that belongs to one of them may be sent to the other."""
    first, second = urlsplit(one), urlsplit(other)
    return bool(first.hostname) and _origin(first) == _origin(second)


_SECURE = {"http": "http", "ws": "http", "https": "https", "wss": "https"}


def _origin(url: SplitResult) -> tuple[str, str | None, int]:
    scheme = _SECURE.get(url.scheme, url.scheme)
    return scheme, url.hostname, url.port or (443 if scheme == "https" else 80)


class Credentials:
    """The operator's keys: those of the settings, else those of the vendors' own variables."""

    def __init__(self, given: Mapping[str, Credential], environment: Mapping[str, str]) -> None:
        """``given`` by vendor."""
        self._given = dict(given)
        self._environment = environment

    def of(self, provider: str, url: str = "") -> Credential:
        """What ``provider`` is called with, at ``url`` where an assistant names one.

        An assistant's address gets the operator's key only where it is the server that the operator named: else whoever writes an
        assistant could have the key sent to a server of theirs.
        """
        vendor = vendor_of(provider)
        own = self._given.get(vendor, Credential())
        if url and not (own.base_url and same_origin(url, own.base_url)):
            return Credential("", url)
        key = own.api_key or next(
            (key for name in WELL_KNOWN.get(vendor, ()) if (key := self._environment.get(name))), ""
        )
        return Credential(key.strip(), url or own.base_url)
