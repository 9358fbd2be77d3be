"""The original MNIST files: found in a folder, in the cache, or downloaded into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError, SourceUnavailableError
from stirdata.executors import threads
from stirdata.manifest import pinned
from stirdata.sources import idx
from stirdata.sources.idx import DigitImages
from stirdata.transfer.remote import RemoteFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARTS = ("train-images", "train-labels", "t10k-images", "t10k-labels")


class _Stream(NamedTuple):
    path: Path
    data: bytes
    sha256: str


def load(
    source_dir: Path | str | None = None,
    *,
    cache: Path | str | None = None,
    download: bool = True,
    quiet: bool = False,
) -> DigitImages:
    """Return MNIST, every file accepted by the SHA-256 of its decompressed stream.

    Args:
        source_dir: A folder with the four IDX files, gzipped or not, named with ``-`` or ``.`` before
            ``idx``; also a folder with ``MNIST/raw`` below it, as torchvision lays it out. If None,
            the cache is used.
        cache: The cache folder; see :func:`stirdata.cache.cache_folder`.
        download: Download into the cache what is not there.
        quiet: Show no progress bars.

    Returns:
        Images uint8 (70000, 28, 28), labels uint8 (70000,).

    Raises:
        MissingFileError: ``source_dir`` lacks some of the files; all of them are named.
        SourceError: A file is truncated, corrupt or not MNIST.
        SourceUnavailableError: Not in the cache, and not to be downloaded.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    paths = _find_all(Path(source_dir)) if source_dir is not None else _cached(cache, download, quiet)
    with threads(len(PARTS)) as executor:
        reading = executor.map(_read, PARTS, paths)
        try:
            return _assemble(dict(zip(PARTS, reading, strict=True)))
        except SourceError as error:
            if source_dir is not None:
                raise
            raise SourceError(
                f"{error.what}, in the cache",
                where=error.where,
                expected=error.expected,
                got=error.got,
                hint="delete this file; it is downloaded again when it is needed",
            ) from error


def describe() -> dict[str, Any]:
    """Return name, hashes of the decompressed streams, license and citation, for manifests."""
    return {
        "name": "mnist",
        "sha256": {part: _facts(part)["sha256_decompressed"] for part in PARTS},
        "license": pinned("mnist")["license"],
        "citation": pinned("mnist")["citation"],
    }


def folder_in(cache: Path) -> Path:
    """Return the folder of the files in a cache."""
    return cache / "mnist"


def remote_files() -> list[RemoteFile]:
    """Return the four files as they are downloaded."""
    return [_remote_file(part) for part in PARTS]


def _remote_file(part: str) -> RemoteFile:
    facts, mirrors = _facts(part), pinned("mnist")["mirrors"]
    return RemoteFile(facts["name"], mirrors, facts["size"], lambda path: _check(part, path))


def _facts(part: str) -> dict[str, Any]:
    facts: dict[str, Any] = pinned("mnist")["files"][part]
    return facts


def _find(folder: Path, part: str) -> Path | None:
    """Return the file of that part in a folder, under any of the names it goes by."""
    kind = "idx3" if part.endswith("images") else "idx1"
    names = [f"{part}{sign}{kind}-ubyte{end}" for end in ("", ".gz") for sign in "-."]
    folders = (folder, folder / "MNIST" / "raw", folder / "raw")
    return next((place / name for place in folders for name in names if (place / name).is_file()), None)


def _find_all(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise MissingFileError(
            "the source folder does not exist", where=folder, hint="name a folder with the MNIST files"
        )
    found = {part: _find(folder, part) for part in PARTS}
    missing = [_facts(part)["name"] for part, path in found.items() if path is None]
    if missing:
        raise MissingFileError(
            f"{len(missing)} of the 4 MNIST files are missing",
            where=folder,
            expected=", ".join(missing),
            got="no such files (nor their other names: without .gz, with . before idx)",
            hint="put the missing files there, or leave out --source-dir to use the cache",
        )
    return [path for path in found.values() if path is not None]


def _cached(cache: Path | str | None, download: bool, quiet: bool) -> list[Path]:
    folder = folder_in(cache_folder(cache))
    missing = [part for part in PARTS if _find(folder, part) is None]
    if missing and not download:
        raise _unavailable("it is not in the cache, and downloading is off", folder)
    for part in missing:
        try:
            _remote_file(part).fetch(folder, quiet=quiet)
        except SourceUnavailableError as error:
            raise _unavailable(f"{error.what}:\n            {error.got}", folder) from error
    return _find_all(folder)


def _check(part: str, path: Path) -> None:
    stream = _read(part, path)
    if stream.sha256 != _facts(part)["sha256_decompressed"]:
        raise _not_mnist(part, stream)


def _unavailable(reason: str, folder: Path) -> SourceUnavailableError:
    return SourceUnavailableError(
        "MNIST is not available",
        where=folder,
        expected="the four MNIST files in the cache, or a mirror that can be reached",
        got=reason,
        hint="name a folder with the four files by --source-dir DIR, or set "
        f"{HOME_VARIABLE} to a cache that has them, or use --source synthetic",
    )


def _read(part: str, path: Path) -> _Stream:
    data = idx.read_stream(path, _facts(part)["size_decompressed"])
    return _Stream(path, data, sha256_of_bytes(data))


def _assemble(streams: dict[str, _Stream]) -> DigitImages:
    """Parse and check the four streams; say what is wrong in the most telling terms."""
    import numpy as np

    arrays = {
        part: idx.parse(stream.data, stream.path, 3 if part.endswith("images") else 1)
        for part, stream in streams.items()
    }
    for subset in ("train", "t10k"):
        _check_lengths(arrays[f"{subset}-images"], arrays[f"{subset}-labels"], streams[f"{subset}-labels"])
    for part, stream in streams.items():
        if stream.sha256 != _facts(part)["sha256_decompressed"]:
            raise _not_mnist(part, stream)
    return DigitImages(
        images=np.concatenate([arrays["train-images"], arrays["t10k-images"]]),
        labels=np.concatenate([arrays["train-labels"], arrays["t10k-labels"]]),
    )


def _check_lengths(images: NDArray[np.uint8], labels: NDArray[np.uint8], stream: _Stream) -> None:
    if len(labels) != len(images):
        raise SourceError(
            "images and labels are of different length",
            where=stream.path,
            expected=f"{len(images)} labels, one per image",
            got=f"{len(labels)} labels",
            hint="one of the two belongs to something else: get both again from the same place",
        )


def _not_mnist(part: str, stream: _Stream) -> SourceError:
    return SourceError(
        "the file is not the original MNIST file",
        where=stream.path,
        expected=f"sha256 {_facts(part)['sha256_decompressed']} of the decompressed stream",
        got=f"sha256 {stream.sha256}",
        hint="if these are other data in the same format, they are no source of MNIST-scale; "
        "leave out --source-dir to use the original files",
    )
