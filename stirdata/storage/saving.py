"""Writing a dataset's file with its manifest and SHA256SUMS, whatever the dataset."""

from __future__ import annotations

import hashlib
import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import __version__, atomic, interrupts, locks
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
from stirdata.storage.forms import MD5_NAME, Description, StorageLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.executors import Workers
    from stirdata.storage.image_bytes import BlockedArray
    from stirdata.storage.image_tree import TreeDigest

Accept = Callable[[Manifest], None]
Advance = Callable[[int], None]

LIBRARIES = {"h5": ("numpy", "h5py"), "npz": ("numpy",), "npy": ("numpy",), "png": ("numpy", "pillow")}
"""What writes each form, whose versions the manifest notes."""


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
    from importlib.metadata import version

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


def prepare(form: str, workers: Workers) -> None:
    """Let what writes a form start up while something else is done: encoders, or the HDF5 library."""
    if form == "png":
        from stirdata.storage import image_tree

        workers.prepare(image_tree.prepare)
    elif form == "h5":
        threading.Thread(target=import_module, args=["h5py"]).start()  # which the end of Python waits for


def save(
    target: Path,
    form: str,
    arrays: Mapping[str, NDArray[Any] | BlockedArray],
    description: Description,
    layout: StorageLayout,
    *,
    workers: Workers,
    attributes: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] | None = None,
    accept: Accept = lambda manifest: None,
    advance: Advance | None = None,
) -> Manifest:
    """Write a dataset with its manifest and SHA256SUMS; hold the lock of ``target``.

    Args:
        target: A file, or a folder for ``npy`` and ``png``; replaced if it exists.
        form: One of the layout's.
        arrays: Those that the layout names; what is blocked is hashed while it is written.
        description: What they are.
        layout: How they are stored.
        workers: Threads to compress in, and processes to encode in; the bytes do not depend on them.
        attributes: What the file says of itself beside its arrays; not said by folders.
        versions: Of programs and libraries that took part, other than those that write the file.
        accept: Called with the manifest before anything gets its name; raises to refuse it.
        advance: Called with the number of images written, of PNG files only.

    Raises:
        TargetError: The output cannot be written.
        FormatError: A blocked array is read from a damaged file.
    """
    ordered = {name: arrays[name] for name in layout.names if name in arrays}
    if not layout.streamed:
        ordered = {name: _whole(array) for name, array in ordered.items()}
    content = {name: _Hashed(array, streamed=name in layout.streamed) for name, array in ordered.items()}
    said = dict(attributes or {})
    trees: list[TreeDigest] = []

    def write(path: Path) -> str | None:
        if form == "png":
            trees.append(_write_tree(path, ordered, layout, workers, advance))
        elif form == "npy":
            _write_folder(path, content, said)
        else:
            return _write_file(path, form, content, said, workers, streamed=bool(layout.streamed))
        return None

    def describe(files: list[FileEntry]) -> Manifest:
        entries = {name: array.entry() for name, array in content.items()}
        checksums = {MD5_NAME: trees[0].md5} if trees else {}
        return manifest_for(
            entries, description, files, LIBRARIES[form], checksums=checksums, versions=versions
        )

    def fill(folder: Path) -> list[FileEntry]:
        write(folder)
        if trees:
            return trees[0].files
        return [describe_file(file, file.name) for file in _in_order(folder, ordered)]

    if form in ("png", "npy"):
        return save_folder(target, fill, describe, accept)
    return save_file(target, write, describe, accept)


class _Hashed:
    """An array whose digest is known once it has been written."""

    def __init__(self, array: NDArray[Any] | BlockedArray, *, streamed: bool) -> None:
        self.array = array
        self.streamed = streamed
        self._digest = hashlib.sha256()

    def writable(self) -> NDArray[Any] | BlockedArray:
        """Return the array; blocks are hashed while they are taken."""
        from stirdata.storage.image_bytes import BlockedArray

        array = self.array
        if not isinstance(array, BlockedArray):
            return BlockedArray(array.shape, array.dtype, lambda: iter([array])) if self.streamed else array
        self._digest = hashlib.sha256()

        def blocks() -> Iterator[NDArray[Any]]:
            for block in array.blocks():
                self._digest.update(block.data)
                yield block

        return BlockedArray(array.shape, array.dtype, blocks)

    def entry(self) -> ArrayEntry:
        """Return what the manifest says of the array."""
        from stirdata.storage.image_bytes import BlockedArray

        if isinstance(self.array, BlockedArray):
            return ArrayEntry(self.array.dtype.str, self.array.shape, self._digest.hexdigest())
        return describe_array(self.array)


def digest_of(array: NDArray[Any] | BlockedArray) -> str:
    """Return the SHA-256 of an array, whole or blocked, as manifests have it."""
    from stirdata.storage.image_bytes import BlockedArray

    if not isinstance(array, BlockedArray):
        return describe_array(array).sha256
    digest = hashlib.sha256()
    for block in array.blocks():
        digest.update(block.data)
    return digest.hexdigest()


def _whole(array: NDArray[Any] | BlockedArray) -> NDArray[Any]:
    """Return an array in memory."""
    import numpy as np

    from stirdata.storage.image_bytes import BlockedArray

    if not isinstance(array, BlockedArray):
        return array
    parts = [block.reshape(-1).copy() for block in array.blocks()]
    return np.concatenate(parts).reshape(array.shape) if parts else np.empty(array.shape, array.dtype)


def _write_file(
    path: Path,
    form: str,
    content: Mapping[str, _Hashed],
    attributes: Mapping[str, Any],
    workers: Workers,
    *,
    streamed: bool,
) -> str | None:
    """Write a file; return its SHA-256 if that is known without reading it again."""
    from stirdata.storage import deflated_npz, hdf5, npz

    arrays: dict[str, Any] = {name: array.writable() for name, array in content.items()}
    if form == "h5" and streamed:
        return hdf5.write_blocked(path, arrays, attributes)
    if form == "h5":
        hdf5.write(path, arrays, attributes)
        return None
    members = _members(arrays, attributes)
    if streamed:
        deflated_npz.write(path, members, workers.threads(), workers.count)
    else:
        npz.write(path, members)
    return None


def _write_folder(folder: Path, content: Mapping[str, _Hashed], attributes: Mapping[str, Any]) -> None:
    from stirdata.storage import npy

    members = _members({name: array.writable() for name, array in content.items()}, attributes)
    for name, array in members.items():
        npy.write(folder / f"{name}.npy", array)


def _members(arrays: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays under names without a slash, and the attributes as a table of text."""
    import numpy as np

    members = {name.replace("/", "_"): array for name, array in arrays.items()}
    if attributes:
        members["metadata"] = np.array([[name, str(value)] for name, value in attributes.items()])
    return members


def _in_order(folder: Path, names: Iterable[str]) -> list[Path]:
    files = [folder / f"{name.replace('/', '_')}.npy" for name in names]
    beside = folder / "metadata.npy"
    return files if beside in files or not beside.exists() else [*files, beside]


def _write_tree(
    folder: Path, arrays: Mapping[str, Any], layout: StorageLayout, workers: Workers, advance: Advance | None
) -> TreeDigest:
    from stirdata.storage import image_tree

    if layout.tree is None:
        raise ValueError("a family with the form png has the layout of a tree")
    return image_tree.write(folder, arrays, layout.tree, workers, advance)


def save_file(
    target: Path,
    write: Callable[[Path], str | None],
    describe: Callable[[list[FileEntry]], Manifest],
    accept: Accept = lambda manifest: None,
) -> Manifest:
    """Write a file, its manifest and its line in SHA256SUMS; hold the lock of ``target``.

    The file gets its name last: where the data is, everything beside it is there too.

    Args:
        target: Replaced if it exists.
        write: Writes the content to the path it gets; returns its SHA-256, or None to have the file read.
        describe: Returns the manifest for the file that was written.
        accept: Called with the manifest before anything gets its name; raises to refuse it.

    Raises:
        TargetError: The output cannot be written.
    """
    with ExitStack() as finishing, atomic.new_file(target) as partial:
        sha256 = write(partial)
        atomic.flush(partial)
        entry = FileEntry(target.name, partial.stat().st_size, sha256) if sha256 else None
        manifest = describe([entry or describe_file(partial, target.name)])
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
    with interrupts.deferred(), locks.locked(sums), atomic.new_files(sums, beside) as new:
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
        with locks.locked(sums), atomic.new_file(sums) as new_sums:
            new_sums.write_bytes(_with_checksums(sums, load(manifest_path(target)).files))


def _with_checksums(sums: Path, files: list[FileEntry]) -> bytes:
    """Return the SHA256SUMS of a folder, which other outputs in it share, with these files in it."""
    lines = sums.read_bytes().splitlines() if sums.is_file() else []
    names = {entry.path.encode() for entry in files}
    others = [line for line in lines if line.partition(b"  ")[2] not in names]
    both = others + checksum_lines(files).encode().splitlines()
    return b"".join(line + b"\n" for line in sorted(both, key=lambda line: line.partition(b"  ")[2]))
