"""Manifests: what a dataset is, where it comes from, and the hash of every file and array in it.

And the facts that ship with stirdata, from ``manifests/*.json``: addresses, checksums, licenses, digests.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from stirdata.digest import canonical_dtype, sha256_of_array, sha256_of_bytes, sha256_of_file
from stirdata.errors import ManifestError, MissingFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "stirdata/manifest/1"
FOLDER_NAME = "manifest.json"
FILE_SUFFIX = ".manifest.json"
SUMS_NAME = "SHA256SUMS"
_TYPES = {
    "dataset": str,
    "recipe": dict,
    "parameters": dict,
    "seed": int,
    "sources": list,
    "license": str,
    "citation": list,
    "checksums": dict,
    "versions": dict,
}


@dataclass(frozen=True)
class FileEntry:
    """One file: path relative to the manifest's folder, size in bytes, SHA-256 of its bytes."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class ArrayEntry:
    """One array: type string, shape, SHA-256 over its little-endian C-order bytes."""

    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Describes one dataset.

    Attributes:
        dataset: Its kind, for example ``mnist-scale``.
        recipe: Name and version of the recipe that made it.
        parameters: Of the recipe, other than the seed.
        seed: Of the recipe.
        sources: Name, hashes, license and citation of the raw material.
        files: Every file.
        arrays: Every array, whatever file it is in.
        license: Of the dataset.
        citation: What to cite.
        checksums: Further digests with a name of their own, such as the published MD5 of a PNG tree.
        versions: Libraries that took part; not part of :attr:`root`.
    """

    dataset: str
    recipe: Mapping[str, Any]
    parameters: Mapping[str, Any]
    seed: int
    sources: list[dict[str, Any]]
    files: list[FileEntry]
    arrays: Mapping[str, ArrayEntry]
    license: str
    citation: list[str]
    checksums: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def root(self) -> str:
        """SHA-256 over everything but the library versions: one value that names the dataset."""
        content = {"schema": SCHEMA, **self._content()}
        del content["versions"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return sha256_of_bytes(text.encode())

    def dumps(self) -> str:
        """Return the manifest as JSON text with one file or array per line; always the same text."""
        content = {"schema": SCHEMA, "root": self.root, **self._content()}
        return _object_text(content, depth=0, until=2) + "\n"

    def _content(self) -> dict[str, Any]:
        """Return the fields as JSON values; dataclasses.asdict takes seconds for 62,000 files."""
        content = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        content["files"] = [vars(entry) for entry in self.files]
        content["arrays"] = {name: vars(entry) for name, entry in self.arrays.items()}
        return content


@cache
def pinned(name: str) -> dict[str, Any]:
    """Return the shipped manifest of that name; treat it as read-only.

    Example:
        >>> pinned("mnist")["license"]
        'CC BY-SA 3.0'
    """
    text = resources.files("stirdata.manifests").joinpath(f"{name}.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts


def describe_file(path: Path, name: str) -> FileEntry:
    """Hash a file and list it under ``name``, a relative path with ``/``."""
    return FileEntry(name, path.stat().st_size, sha256_of_file(path))


def describe_array(array: NDArray[Any]) -> ArrayEntry:
    """Hash an array."""
    return ArrayEntry(canonical_dtype(array), tuple(array.shape), sha256_of_array(array))


def manifest_path(output: Path) -> Path:
    """Return where the manifest of an output file or folder is."""
    return output / FOLDER_NAME if output.is_dir() else output.with_name(output.name + FILE_SUFFIX)


def checksum_lines(files: Iterable[FileEntry]) -> str:
    """Return the text of a SHA256SUMS file, as ``sha256sum`` writes and checks it."""
    return "".join(f"{entry.sha256}  {entry.path}\n" for entry in files)


def load(path: Path) -> Manifest:
    """Read and check a manifest.

    Raises:
        MissingFileError: There is none.
        ManifestError: It is not JSON, of an unknown schema, incomplete, changed by hand, or names a
            path outside its folder.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingFileError("there is no manifest", where=path) from error
    except (ValueError, RecursionError) as error:
        raise ManifestError("the manifest is not valid JSON", where=path, got=error) from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        schema = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise ManifestError(
            "the manifest has an unknown schema",
            where=path,
            expected=SCHEMA,
            got=schema,
            hint="a newer stirdata may be needed",
        )
    return _checked(content, path)


def _checked(content: dict[str, Any], path: Path) -> Manifest:
    names = [entry.name for entry in fields(Manifest)]
    missing = [name for name in [*names, "root"] if name not in content]
    if missing:
        raise ManifestError("the manifest lacks fields", where=path, expected=", ".join(missing))
    try:
        files = [FileEntry(**entry) for entry in content["files"]]
        arrays = {
            name: ArrayEntry(entry["dtype"], tuple(entry["shape"]), entry["sha256"])
            for name, entry in content["arrays"].items()
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise ManifestError("the manifest lists files or arrays wrongly", where=path, got=error) from error
    _check_types(content, path)
    for entry in files:
        check_relative(entry.path, path)
    manifest = Manifest(**{name: content[name] for name in names} | {"files": files, "arrays": arrays})
    _check_root(manifest, content["root"], path)
    return manifest


def _check_types(content: dict[str, Any], path: Path) -> None:
    for name, kind in _TYPES.items():
        if not isinstance(content[name], kind):
            raise ManifestError(
                f"the manifest has a wrong value in the field {name}",
                where=path,
                expected=kind.__name__,
                got=type(content[name]).__name__,
            )


def _check_root(manifest: Manifest, expected: Any, path: Path) -> None:
    try:
        root = manifest.root
    except RecursionError as error:
        raise ManifestError("the manifest is nested too deeply", where=path) from error
    if root != expected:
        raise ManifestError(
            "the manifest was changed: its root digest does not fit its content",
            where=path,
            expected=expected,
            got=root,
            hint="generate the dataset again, or get the manifest from where you got the data",
        )


def check_relative(name: str, origin: Path) -> None:
    """Raise ManifestError if a path from outside is absolute or leads out of its folder."""
    parts = PurePosixPath(name.replace("\\", "/")) if isinstance(name, str) else PurePosixPath()
    if not parts.parts or parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise ManifestError(
            "a path leads out of the folder",
            where=origin,
            expected="a relative path without ..",
            got=repr(name),
            hint="do not trust this manifest",
        )


def _object_text(content: Any, depth: int, until: int) -> str:
    """Write nested objects and lists one entry per line down to a depth, compactly below it."""
    pad = " " * (depth + 1)
    if depth < until and isinstance(content, dict) and content:
        lines = [
            f"{pad}{json.dumps(name)}: {_object_text(value, depth + 1, until)}"
            for name, value in content.items()
        ]
        return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
    if depth < until and isinstance(content, list | tuple) and content:
        lines = [f"{pad}{_object_text(value, until, until)}" for value in content]
        return "[\n" + ",\n".join(lines) + "\n" + " " * depth + "]"
    return json.dumps(content, ensure_ascii=True)
