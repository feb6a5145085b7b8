"""Where the process's pages are, as people are told."""

from __future__ import annotations

from antiphon.config import Settings


def page_url(settings: Settings, path: str) -> str:
    """An address that a browser on this machine can open. Browsers give a microphone to https pages and to ``localhost``."""
    # ``localhost`` may be the other loopback where only that of IPv6 is listened on.
    own = settings.own_url if settings.host == "::1" else f"http://localhost:{settings.port}"
    return f"{settings.public_url or own}{path}"


def talk_url(settings: Settings) -> str:
    """Where the talk page is; empty where there is none."""
    return "" if settings.talk_access == "off" else page_url(settings, "/talk")


def talk_address(settings: Settings, token: str) -> str:
    """``talk_url`` as it is printed: with the token that opens the page once, where one is needed."""
    url = talk_url(settings)
    return f"{url}?token={token}" if url and token else url


def console_address(settings: Settings, token: str) -> str:
    """Where the console is, as it is printed: with the token that makes the first admin, while there is none."""
    return page_url(settings, f"/{f'#/setup/{token}' if token else ''}")
