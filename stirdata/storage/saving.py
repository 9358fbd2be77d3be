"""Writing a dataset's file with its manifest and SHA256SUMS, whatever the dataset."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import __version__, atomic, interrupts
from stirdata.errors import ManifestError, MissingFileError
from stirdata.manifest import (
    FOLDER_NAME,
    SUMS_NAME,
    ArrayEntry,
    FileEntry,
    Manifest,
    checksum_lines,
    describe_array,
    describe_file,
    load,
    manifest_path,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]
Accept = Callable[[Manifest], None]


@dataclass(frozen=True)
class Description:
    """What a dataset is, apart from its arrays; known before it is made.

    Attributes:
        recipe: Name and version of the recipe.
        seed: Of the realization.
        parameters: Of the recipe, other than the seed.
        sources: Name, hashes, license and citation of the raw material.
        license: Of the images.
        citation: What to cite.
        dataset: The kind of dataset.
    """

    recipe: Mapping[str, Any]
    seed: int
    parameters: Mapping[str, Any]
    sources: list[dict[str, Any]]
    license: str
    citation: list[str]
    dataset: str


def manifest_for(
    arrays: Mapping[str, NDArray[Any] | ArrayEntry],
    description: Description,
    files: list[FileEntry],
    libraries: Iterable[str],
    *,
    checksums: Mapping[str, str] | None = None,
    versions: Mapping[str, str] | None = None,
) -> Manifest:
    """Return the manifest of arrays in files.

    Args:
        arrays: All of them, by name, or what describes them.
        description: What they are.
        files: That hold them.
        libraries: Installed packages that took part, whose versions are noted.
        checksums: Further digests with a name of their own.
        versions: Of what else took part.
    """
    found = {name: version(name) for name in libraries}
    return Manifest(
        dataset=description.dataset,
        recipe=description.recipe,
        parameters=description.parameters,
        seed=description.seed,
        sources=description.sources,
        files=files,
        arrays={
            name: array if isinstance(array, ArrayEntry) else describe_array(array)
            for name, array in arrays.items()
        },
        license=description.license,
        citation=description.citation,
        checksums=checksums or {},
        versions={
            "stirdata": __version__,
            "python": platform.python_version(),
            **found,
            **(versions or {}),
        },
    )


def save_file(
    target: Path,
    write: Callable[[Path], None],
    describe: Callable[[list[FileEntry]], Manifest],
    accept: Accept = lambda manifest: None,
) -> Manifest:
    """Write a file, its manifest and its line in SHA256SUMS; hold the lock of ``target``.

    The file gets its name last: where the data is, everything beside it is there too.

    Args:
        target: Replaced if it exists.
        write: Writes the content to the path it gets.
        describe: Returns the manifest for the file that was written.
        accept: Called with the manifest before anything gets its name; raises to refuse it.

    Raises:
        TargetError: The output cannot be written.
    """
    with ExitStack() as finishing, atomic.new_file(target) as partial:
        write(partial)
        atomic.flush(partial)
        manifest = describe([describe_file(partial, target.name)])
        accept(manifest)
        finishing.enter_context(interrupts.deferred())  # until the data has its name
        save_manifest(target, manifest)
    return manifest


def save_manifest(target: Path, manifest: Manifest) -> None:
    """Write the manifest of a file and its line in SHA256SUMS beside it; hold the lock of ``target``.

    Raises:
        TargetError: They cannot be written.
    """
    sums, beside = target.parent / SUMS_NAME, manifest_path(target)
    with interrupts.deferred(), atomic.locked(sums), atomic.new_files(sums, beside) as new:
        new_sums, new_manifest = new
        new_manifest.write_bytes(manifest.dumps().encode())
        new_sums.write_bytes(_with_checksums(sums, manifest.files))


def save_folder(
    target: Path,
    write: Callable[[Path], list[FileEntry]],
    describe: Callable[[list[FileEntry]], Manifest],
    accept: Accept = lambda manifest: None,
) -> Manifest:
    """Write a folder with its manifest and SHA256SUMS in it; hold the lock of ``target``.

    Args:
        target: Replaced if it exists.
        write: Fills the folder that it gets, and lists the files.
        describe: Returns the manifest for the files that were written.
        accept: Called with the manifest before anything gets its name; raises to refuse it.

    Raises:
        TargetError: The output cannot be written.
    """
    with atomic.new_folder(target) as partial:
        manifest = describe(write(partial))
        accept(manifest)
        (partial / SUMS_NAME).write_bytes(checksum_lines(manifest.files).encode())
        (partial / FOLDER_NAME).write_bytes(manifest.dumps().encode())
    return manifest


def finish_file(target: Path) -> None:
    """Complete what :func:`save_file` was killed at; hold the lock of ``target``.

    Where a file is replaced, its manifest is the new one for a moment while the data is the old one. The
    whole new data is then under its temporary name, and the manifest proves it.

    Raises:
        TargetError: The output cannot be written.
    """

    def is_listed(partial: Path) -> bool:
        try:
            return load(manifest_path(target)).files == [describe_file(partial, target.name)]
        except (MissingFileError, ManifestError):
            return False

    if atomic.finish_file(target, is_listed):
        sums = target.parent / SUMS_NAME
        with atomic.locked(sums), atomic.new_file(sums) as new_sums:
            new_sums.write_bytes(_with_checksums(sums, load(manifest_path(target)).files))


def _with_checksums(sums: Path, files: list[FileEntry]) -> bytes:
    """Return the SHA256SUMS of a folder, which other outputs in it share, with these files in it."""
    lines = sums.read_bytes().splitlines() if sums.is_file() else []
    names = {entry.path.encode() for entry in files}
    others = [line for line in lines if line.partition(b"  ")[2] not in names]
    both = others + checksum_lines(files).encode().splitlines()
    return b"".join(line + b"\n" for line in sorted(both, key=lambda line: line.partition(b"  ")[2]))
