"""What can be fetched: sizes, licenses, where from, and whether it is in the cache."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stirdata.cache import cache_folder
from stirdata.errors import LockError
from stirdata.manifest import pinned
from stirdata.progress import size_in_words
from stirdata.raw_download import SOURCES
from stirdata.stir_download import FOLDER, file_name, set_names
from stirdata.transfer import zenodo_lock
from stirdata.transfer.zenodo_lookup import record_number, site_of


@dataclass(frozen=True)
class Fetchable:
    """One thing that can be fetched.

    Attributes:
        command: Arguments of ``stirdata fetch`` that bring it.
        title: What it is.
        files: How many files it has.
        size: Bytes; None if nobody has said so yet.
        license: Of its content.
        commercial: Whether the license allows commercial use.
        urls: Where it comes from.
        folder: Where it goes, or is, in the cache.
        cached: How many of the files are there; ``cache verify`` says whether they are right.
    """

    command: str
    title: str
    files: int
    size: int | None
    license: str
    commercial: bool
    urls: list[str]
    folder: Path
    cached: int

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"folder": str(self.folder)}

    def lines(self) -> list[str]:
        """Return it as text for people."""
        size = "size unknown before the first fetch" if self.size is None else size_in_words(self.size)
        use = "" if self.commercial else ", not for commercial use"
        state = {0: "not in the cache", self.files: f"in the cache: {self.folder}"}
        return [
            f"{self.command}",
            f"  {self.title}; {self.files} file{'s' if self.files > 1 else ''}, {size}",
            f"  license {self.license}{use}",
            *(f"  from {url}" for url in self.urls),
            f"  {state.get(self.cached, f'{self.cached} of {self.files} files in the cache: {self.folder}')}",
        ]


def fetchables() -> list[Fetchable]:
    """Return everything that ``stirdata fetch`` can bring; nobody is asked.

    Raises:
        ParameterError: ``STIRDATA_ZENODO_URL`` is no address.
    """
    return [*(_published(name) for name in set_names()), *(_raw(name) for name in SOURCES)]


def _published(name: str) -> Fetchable:
    facts, folder = pinned("stir-zenodo")["sets"][name], cache_folder() / FOLDER
    return Fetchable(
        command=f"stir --zenodo --only {name}",
        title=f"STIR {name}, as published",
        files=1,
        size=_locked_size(folder, file_name(name)),
        license=facts["license"],
        commercial=facts["commercial"],
        urls=[f"{site_of()}/records/{record_number()}"],
        folder=folder,
        cached=int((folder / file_name(name)).is_file()),
    )


def _locked_size(folder: Path, name: str) -> int | None:
    try:
        lock = zenodo_lock.read(zenodo_lock.path_in(folder))
    except LockError:  # told by whatever needs the lock
        return None
    return lock.files[name].size if lock and name in lock.files else None


def _raw(name: str) -> Fetchable:
    source, facts = SOURCES[name], pinned(name)
    files, folder = source.remote_files(), source.folder_in(cache_folder())
    return Fetchable(
        command=name,
        title=facts["title"],
        files=len(files),
        size=sum(file.size for file in files),
        license=facts["license"],
        commercial=True,
        urls=list(facts["mirrors"]),
        folder=folder,
        cached=sum((folder / file.name).is_file() for file in files),
    )
