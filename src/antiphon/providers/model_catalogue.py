"""Models that can be fetched for engines on this machine: one dated table (``models.toml``), over which an operator may lay another; and
the folder in which they are kept."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from antiphon.errors import ConfigurationError
from antiphon.files import reason
from antiphon.providers.model_archive import all_there

TABLE = Path(__file__).with_name("models.toml")

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A plain name: nothing that leaves the folder."""
_Url = Annotated[str, Field(pattern=r"^https?://")]


class ModelFile(BaseModel, extra="forbid", frozen=True):
    """One file of a model. ``size`` in bytes, 0 where it is not known; ``sha256`` in hexadecimal digits, empty where it is not known."""

    name: _Name
    size: Annotated[int, Field(ge=0)] = 0
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    url: _Url | None = None
    """Its own address; None where the model's base says it."""
    archive: bool = False
    """It is a zip with one folder in it, whose content is the model. Then it is the model's only file."""


class Model(BaseModel, extra="forbid", frozen=True):
    """A model as an engine loads it: files in one folder."""

    engine: str
    kind: Literal["stt", "tts"]
    languages: str = ""
    licence: str
    source: str = ""
    as_of: str
    """The day on which all this was so."""
    base: _Url | None = None
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _archive_alone(self) -> Model:
        if len(self.files) > 1 and any(file.archive for file in self.files):
            raise ValueError("an archive is a model's only file")
        return self

    @property
    def is_archive(self) -> bool:
        return self.files[0].archive

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(file.size for file in self.files)

    def url_of(self, file: ModelFile) -> str:
        """Where a file is. Raises ConfigurationError where the table does not say."""
        if file.url is None and self.base is None:
            raise ConfigurationError("models.table_file", f"{file.name} has no url, and its model no base")
        return file.url or f"{self.base}{file.name}"


class _Table(BaseModel, extra="forbid"):
    models: dict[_Name, Model] = {}


def read_catalogue(file: Path | None = None) -> Mapping[str, Model]:
    """Our table, under the operator's ``file``. Raises ConfigurationError naming the wrong row."""
    own = _read(TABLE, "models.toml")
    return own if file is None else {**own, **_read(file, "models.table_file")}


def _read(file: Path, name: str) -> dict[str, Model]:
    try:
        return _Table.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).models
    except OSError as error:
        raise ConfigurationError(name, f"{file} cannot be read ({reason(error)})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(name, f"{file.name} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{name}: {'.'.join(map(str, first['loc']))}", str(first["msg"])) from None


def model_named(catalogue: Mapping[str, Model], name: str) -> Model:
    """Raises ConfigurationError naming those there are."""
    if name not in catalogue:
        raise ConfigurationError("model", f"there is no model {name[:60]!r}; there are {', '.join(sorted(catalogue))}")
    return catalogue[name]


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where models are kept unless a setting says otherwise."""
    cache = environment.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache else Path.home() / ".cache") / "antiphon" / "models"


def is_there(model: Model, folder: Path) -> bool:
    """Whether every file of a model is in its folder, with its size where that is known. Reads no content."""
    if model.is_archive:
        return all_there(folder)
    try:
        sizes = {file: (folder / file.name).stat().st_size for file in model.files}
    except OSError:
        return False
    return all(size == file.size if file.size else size > 0 for file, size in sizes.items())
