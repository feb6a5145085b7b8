"""Where an engine on this machine finds its model, and what it says where there is none."""

from __future__ import annotations

from pathlib import Path

from antiphon.errors import ProviderUnavailable
from antiphon.providers.model_catalogue import default_folder, read_catalogue


def model_folder(models_dir: str, name: str, path: str = "") -> Path:
    """``path`` where one is given, else the folder in which ``antiphon models pull`` puts the model ``name``."""
    return Path(path).expanduser() if path else (Path(models_dir) if models_dir else default_folder()) / name


def one_of(provider: str, folder: Path, *names: str) -> Path:
    """The first of these files that is there. Raises ProviderUnavailable telling where the model is looked for, and how it comes there."""
    for name in names:
        if (folder / name).is_file():
            return folder / name
    known = folder.name if folder.name in read_catalogue() else "NAME"
    raise ProviderUnavailable(
        provider,
        f"there is no {' or '.join(names)} in {folder}: `antiphon models list` shows what can be fetched, `antiphon models pull {known}` "
        "fetches it, and the option path names a folder of your own",
    )


def not_installed(provider: str, package: str, extra: str) -> ProviderUnavailable:
    """The engine's own package is missing."""
    return ProviderUnavailable(provider, f"the package {package} is not installed: pip install 'antiphon[{extra}]'")
