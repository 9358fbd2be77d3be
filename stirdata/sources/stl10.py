"""STL-10 in its binary version: the official archive or the folder in it.

Source: A. Coates, H. Lee, A. Ng, "An Analysis of Single Layer Networks in Unsupervised Feature Learning",
AISTATS 2011.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stirdata.digest import md5_of_bytes
from stirdata.errors import MissingFileError, SourceError
from stirdata.manifest import pinned
from stirdata.sources import tar_archives
from stirdata.sources.labelled import LabelledImages, Subset, same_size
from stirdata.transfer.remote import RemoteFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "stl10"
FOLDER = "stl10_binary"
SIDE = 96
COUNTS = {"train": 5_000, "test": 8_000}
UNLABELED = 100_000
FOLDS = (10, 1_000)
"""Number of folds, and positions of training images in each."""
_IMAGE = 3 * SIDE * SIDE
_PIECE = 500
"""Images that are read together."""
_HINT = "get stl10_binary.tar.gz from http://ai.stanford.edu/~acoates/stl10/, or leave out --source-dir"


def labelled(source_dir: Path | None = None) -> LabelledImages:
    """Return the labelled images of STL-10; see :func:`stirdata.sources.labelled.open_source`.

    Args:
        source_dir: A folder with ``stl10_binary.tar.gz`` or ``stl10_binary``, or that folder. If None, the
            archive of the cache. Every file is proven by its published MD5.
    """
    facts = pinned(NAME)
    description = {
        "name": NAME,
        "md5": {name: facts["md5"][name] for name in _labelled_files()},
        "license": facts["license"],
        "citation": facts["citation"],
    }

    def read(quiet: bool) -> dict[str, Subset]:
        return _subsets(files(_labelled_files(), source_dir, quiet=quiet))

    return LabelledImages(tuple(facts["classes"]), COUNTS, (SIDE, SIDE, 3), description, read)


def with_folds(
    source_dir: Path | None = None, *, quiet: bool = False
) -> tuple[dict[str, Subset], NDArray[np.int32]]:
    """Return the labelled images, and the positions of the training images in the ten folds.

    Returns:
        The subsets of :func:`labelled`, and int32 (10, 1000), counted from 0.

    Raises:
        As :func:`files`.
    """
    name = "fold_indices.txt"
    found = files((*_labelled_files(), name), source_dir, quiet=quiet)
    return _subsets(found), fold_indices(found[name], source_dir or FOLDER)


def _subsets(found: Mapping[str, bytes]) -> dict[str, Subset]:
    return {
        subset: Subset(
            _labels(found[f"{subset}_y.bin"]),
            same_size((COUNTS[subset], SIDE, SIDE)),
            _Pixels(found[f"{subset}_X.bin"]),
        )
        for subset in COUNTS
    }


def files(names: Sequence[str], source_dir: Path | None = None, *, quiet: bool = False) -> dict[str, bytes]:
    """Return files of the folder ``stl10_binary``, those with a published MD5 proven by it.

    Raises:
        MissingFileError: They are not in the folder.
        SourceError: A file is damaged or another one.
        SourceUnavailableError: The archive is not in the cache, and not to be downloaded.
    """
    folder = None if source_dir is None else _unpacked(source_dir)
    if folder is not None:
        found = {name: _present(folder, name).read_bytes() for name in names}
        where: Path = folder
    else:
        where = path_of(source_dir, quiet=quiet)
        wanted = {f"{FOLDER}/{name}": _size_of(name) for name in names}
        members = tar_archives.read_members(where, wanted, _HINT)
        found = {name: members[f"{FOLDER}/{name}"] for name in names}
    for name, data in found.items():
        check_file(name, md5_of_bytes(data), where)
    return found


def unlabeled(source_dir: Path | None = None, *, quiet: bool = False) -> Iterator[NDArray[np.uint8]]:
    """Yield the 100,000 unlabeled images in blocks uint8 (n, 96, 96, 3); the last follows the proof.

    Raises:
        SourceError: They are damaged or others; what has been yielded is worth nothing then.
    """
    folder = None if source_dir is None else _unpacked(source_dir)
    name, digest = "unlabeled_X.bin", hashlib.md5(usedforsecurity=False)
    if folder is not None:
        where: Path = _present(folder, name)
        pieces = tar_archives.pieces_of_file(where, _PIECE * _IMAGE)
    else:
        where = path_of(source_dir, quiet=quiet)
        pieces = tar_archives.pieces_of_member(
            where, f"{FOLDER}/{name}", UNLABELED * _IMAGE, _PIECE * _IMAGE, _HINT
        )
    held = None
    for piece in pieces:
        digest.update(piece)
        if held is not None:
            yield images_of(held)
        held = piece
    check_file(name, digest.hexdigest(), where)
    if held is not None:
        yield images_of(held)


def path_of(source_dir: Path | None, *, quiet: bool) -> Path:
    """Return the archive: in a folder, or in the cache, downloaded into it if it is missing."""
    if source_dir is None:
        return tar_archives.cached(_archive(), folder_in, quiet=quiet)
    found = tar_archives.find(_archive(), source_dir)
    if found is None:
        raise MissingFileError(
            "STL-10 is not in the source folder",
            where=source_dir,
            expected=f"{_archive().name}, or {FOLDER} with train_X.bin and the others",
            hint=_HINT,
        )
    return found


def folder_in(cache: Path) -> Path:
    """Return the folder of the archive in a cache."""
    return cache / NAME


def remote_files() -> list[RemoteFile]:
    """Return the archive as it is downloaded."""
    return [tar_archives.remote_file(_archive())]


def images_of(data: bytes) -> NDArray[np.uint8]:
    """Return images uint8 (N, 96, 96, 3) of bytes: channel by channel, each column by column."""
    planes = np.frombuffer(data, np.uint8).reshape(-1, 3, SIDE, SIDE)
    return np.ascontiguousarray(planes.transpose(0, 3, 2, 1))


def check_file(name: str, found: str, where: object) -> None:
    """Raise SourceError unless an MD5 is the published one, where one is published."""
    expected = pinned(NAME)["md5"].get(name)
    if expected is not None and found != expected:
        raise SourceError(
            f"the file {name} is not the original one of STL-10",
            where=where,
            expected=f"md5 {expected}",
            got=f"md5 {found}",
            hint=_HINT,
        )


def fold_indices(data: bytes, where: object) -> NDArray[np.int32]:
    """Return the positions of the training images in the ten folds: int32 (10, 1000), from 0.

    Raises:
        SourceError: They are not ten lines of a thousand positions.
    """
    try:
        lines = [[int(word) for word in line.split()] for line in data.decode().splitlines() if line.strip()]
        folds = np.array(lines, np.int32)
    except (ValueError, OverflowError):
        folds = np.empty(0, np.int32)
    if folds.shape != FOLDS or folds.min() < 0 or folds.max() >= COUNTS["train"]:
        raise SourceError(
            "fold_indices.txt is damaged",
            where=where,
            expected="10 lines of 1,000 positions from 0 to 4999",
            got=f"an array of shape {folds.shape}",
            hint=_HINT,
        )
    return folds


def _labelled_files() -> tuple[str, ...]:
    return tuple(f"{subset}_{kind}.bin" for subset in COUNTS for kind in "Xy")


def _size_of(name: str) -> int:
    subset, _, kind = name.partition("_")
    if kind == "X.bin":
        return _IMAGE * COUNTS[subset]
    return COUNTS[subset] if kind == "y.bin" else tar_archives.SMALL


def _archive() -> tar_archives.OfficialArchive:
    return tar_archives.OfficialArchive.pinned(NAME, "STL-10")


def _unpacked(source_dir: Path) -> Path | None:
    places = (source_dir / FOLDER, source_dir)
    return next((place for place in places if (place / "train_X.bin").is_file()), None)


def _present(folder: Path, name: str) -> Path:
    """Return a file of the unpacked folder; raise MissingFileError if it is not there."""
    if not (folder / name).is_file():
        raise MissingFileError(
            "STL-10 in the source folder lacks a file", where=folder, expected=name, hint=_HINT
        )
    return folder / name


def _labels(data: bytes) -> NDArray[np.int64]:
    """Return labels from 0; the files count from 1."""
    return np.frombuffer(data, np.uint8).astype(np.int64) - 1


class _Pixels:
    """Images of a file, turned only when they are asked for."""

    def __init__(self, data: bytes) -> None:
        self.planes = np.frombuffer(data, np.uint8).reshape(-1, _IMAGE)

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        return images_of(self.planes[positions].tobytes())
