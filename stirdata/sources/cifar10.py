"""CIFAR-10 in its binary version: the official archive or the folder in it.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError
from stirdata.manifest import pinned
from stirdata.sources import tar_archives
from stirdata.sources.labelled import LabelledImages, Subset, same_size
from stirdata.transfer.remote import RemoteFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "cifar10"
FOLDER = "cifar-10-batches-bin"
BATCHES = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
SIDE = 32
_RECORD = 1 + 3 * SIDE * SIDE
PER_FILE = 10_000
"""Images in each of the six files."""
_HINT = "get cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/, or leave out --source-dir"


def labelled(source_dir: Path | None = None) -> LabelledImages:
    """Return CIFAR-10; see :func:`stirdata.sources.labelled.open_source`.

    Args:
        source_dir: A folder with ``cifar-10-binary.tar.gz``, which is proven by its MD5, or with
            ``cifar-10-batches-bin``, that folder, or an archive: of single files no sums are published, so
            that they are named as not proven. If None, the archive of the cache.

    Raises:
        MissingFileError: Neither is there.
        SourceError: The python version is there, or files are damaged or other ones.
    """
    archive = tar_archives.find(_archive(), source_dir) if source_dir is not None else None
    if source_dir is not None and archive is None:
        return _unpacked(source_dir)
    facts = pinned(NAME)
    description = {
        "name": NAME,
        "md5": {_archive().name: _archive().md5},
        "license": facts["license"],
        "citation": facts["citation"],
    }

    def read(quiet: bool) -> dict[str, Subset]:
        path = archive or tar_archives.cached(_archive(), folder_in, quiet=quiet)
        wanted = {f"{FOLDER}/{name}": PER_FILE * _RECORD for names in BATCHES.values() for name in names}
        found = tar_archives.read_proven(_archive(), path, wanted, in_cache=archive is None)
        return _subsets({name.rpartition("/")[2]: data for name, data in found.items()}, path)

    return _source(description, read)


def folder_in(cache: Path) -> Path:
    """Return the folder of the archive in a cache."""
    return cache / NAME


def remote_files() -> list[RemoteFile]:
    """Return the archive as it is downloaded."""
    return [tar_archives.remote_file(_archive())]


def _archive() -> tar_archives.OfficialArchive:
    return tar_archives.OfficialArchive.pinned(NAME, "CIFAR-10")


def _source(description: dict[str, Any], read: Any) -> LabelledImages:
    counts = {name: PER_FILE * len(files) for name, files in BATCHES.items()}
    return LabelledImages(tuple(pinned(NAME)["classes"]), counts, (SIDE, SIDE, 3), description, read)


def _unpacked(source_dir: Path) -> LabelledImages:
    names = [name for files in BATCHES.values() for name in files]
    places = (source_dir / FOLDER, source_dir)
    folder = next((place for place in places if (place / names[0]).is_file()), None)
    if folder is None:
        _refuse_pickled(source_dir)
        raise MissingFileError(
            "CIFAR-10 is not in the source folder",
            where=source_dir,
            expected=f"{_archive().name}, or {FOLDER} with {names[0]} and the others",
            hint=_HINT,
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise MissingFileError(
            f"{len(missing)} of the 6 CIFAR-10 files are missing",
            where=folder,
            expected=", ".join(missing),
            hint=_HINT,
        )
    content = {name: (folder / name).read_bytes() for name in names}
    subsets = _subsets(content, folder)
    facts = pinned(NAME)
    description = {
        "name": NAME,
        "sha256": {name: sha256_of_bytes(data) for name, data in content.items()},
        "proven": False,
        "license": facts["license"],
        "citation": facts["citation"],
    }
    return _source(description, lambda quiet: subsets)


def _refuse_pickled(folder: Path) -> None:
    for name in ("cifar-10-batches-py", "data_batch_1", "cifar-10-python.tar.gz"):
        if (folder / name).exists():
            raise SourceError(
                "this is the python version of CIFAR-10, which is pickled: reading it runs what is in it",
                where=folder / name,
                expected="the binary version: cifar-10-binary.tar.gz",
                hint=_HINT,
            )


def _subsets(content: dict[str, bytes], where: Path) -> dict[str, Subset]:
    found = {}
    for subset, names in BATCHES.items():
        parts = [_records(content[name], f"{name} in {where}") for name in names]
        records = np.concatenate(parts)
        sizes = same_size((len(records), SIDE, SIDE))
        found[subset] = Subset(records[:, 0].astype(np.int64), sizes, _Pixels(records))
    return found


def _records(data: bytes, where: str) -> NDArray[np.uint8]:
    if len(data) != PER_FILE * _RECORD:
        raise SourceError(
            "a file of CIFAR-10 has another size",
            where=where,
            expected=f"{PER_FILE * _RECORD} bytes: {PER_FILE:,} records",
            got=f"{len(data)} bytes",
            hint=_HINT,
        )
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() > 9:
        raise SourceError(
            "a label of CIFAR-10 is out of range", where=where, expected="0 to 9", got=records[:, 0].max()
        )
    return records


class _Pixels:
    """Images of records: the label, then 1,024 red, green and blue values, row by row."""

    def __init__(self, records: NDArray[np.uint8]) -> None:
        self.records = records

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        planes = self.records[positions, 1:].reshape(-1, 3, SIDE, SIDE)
        return np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
