"""Manifests: what a dataset is, where it comes from, and the hash of every file and array in it.

Also which files in a folder are no part of a dataset, because a system has left them there; and the facts
that ship with stirdata, from ``manifests/*.json``: addresses, checksums, licenses, digests.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from importlib import resources
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any

from stirdata.digest import canonical_dtype, sha256_of_array, sha256_of_bytes, sha256_of_file
from stirdata.errors import ManifestError, MissingFileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = "stirdata/manifest/1"
FOLDER_NAME = "manifest.json"
FILE_SUFFIX = ".manifest.json"
SUMS_NAME = "SHA256SUMS"
EXPORT, EXPORT_NAME = "export", "dataset.json"
"""What the manifest of an export says that it is, which is no dataset, and a file that every export has."""
# Names, whatever their case, that systems give to what they put into other people's folders. Source: for
# macOS, Windows and Linux the global templates of github/gitignore and the lists of syncthing and of npm's
# "junk"; for the rest the manuals of Synology DSM, QNAP QTS, TerraMaster TOS, NetApp ONTAP, OpenZFS, OpenAFS
# and Samba.
_LEFTOVER_NAMES = frozenset(
    name.casefold()
    for name in (
        # macOS: Finder, Spotlight, Time Machine, the trash, and its AFP servers
        *(".DS_Store", ".localized", ".LSOverride", "Icon\r", "Icon\uf00d", ".VolumeIcon.icns", "__MACOSX"),
        *(".AppleDouble", ".AppleDB", ".AppleDesktop", ".apdisk", "Network Trash Folder", "Temporary Items"),
        *(".Spotlight-V100", ".fseventsd", ".Trashes", ".TemporaryItems", ".DocumentRevisions-V100"),
        *(".MobileBackups", ".PKInstallSandboxManager", ".metadata_never_index", ":2eDS_Store"),
        # Windows: Explorer, Media Center, the recycle bin, and what the volume knows of itself
        *("Thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$RECYCLE.BIN"),
        "System Volume Information",
        # Synology, QNAP and other network storage: thumbnails, indexes, recycle bins, snapshots
        *("@eaDir", "#recycle", "#snapshot", "@tmp", "@sharebin", "@SynoResource", "@SynoEAStream"),
        *("@Recycle", "@Recently-Snapshot", ".streams"),
        # Linux and network file systems: file managers, the trash, snapshots, what a check of the disk found
        *(".directory", ".Trash", ".snapshot", ".snapshots", "~snapshot", ".zfs", "lost+found"),
    )
)
_LEFTOVER_PATTERNS = re.compile(
    r"\._.+|:2e_.+"  # resource forks of macOS; the same from old AFP servers
    r"|\.com\.apple\..+|\.smbdelete.*|\.afpdeleted.*"  # marks of macOS; deleted on a server while still open
    r"|thumbs\.db:encryptable|.+:zone\.identifier"  # streams of NTFS, copied to where there are none
    r"|.+@syno(resource|eastream)|\.@.+"  # attributes on Synology; whatever QNAP keeps
    r"|\.nfs[0-9a-f]{8,}|\.__afs.+|\.fuse_hidden.*"  # deleted while still open: NFS, AFS, FUSE
    r"|\.trash-.+",  # the trash of a Linux user on this volume
    re.IGNORECASE | re.DOTALL,
)
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

    Examples:
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


def is_export(folder: Path) -> bool:
    """Tell whether a folder has files that were made of a dataset for other tools, by its manifest."""
    try:
        return (folder / EXPORT_NAME).is_file() and load(manifest_path(folder)).dataset == EXPORT
    except (MissingFileError, ManifestError):
        return False


def is_leftover(path: PurePath) -> bool:
    """Tell whether a file or folder was left behind by a system: a file manager, a network drive, a trash.

    Such files are no part of a dataset, whoever wrote it: ignore them.

    Args:
        path: Relative to the dataset's folder: a folder that it is in counts as well, and a whole dataset
            may be kept in a snapshot.

    Examples:
        >>> is_leftover(Path("train/3/.DS_Store")), is_leftover(Path("@eaDir/0.png"))
        (True, True)
    """
    return any(
        part.casefold() in _LEFTOVER_NAMES or _LEFTOVER_PATTERNS.fullmatch(part) is not None
        for part in path.parts
    )


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the files in a folder and all folders below it, and what systems have left behind there.

    Args:
        folder: Links to folders in it are not followed.

    Returns:
        The files, and the leftovers: files, and folders without what is in them. Both begin with ``folder``
        and are in the order of their parts.

    Raises:
        OSError: A folder cannot be read.
    """
    files: list[Path] = []
    leftovers: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=_raise):
        left = [name for name in folders if is_leftover(Path(name))]
        leftovers += [Path(place, name) for name in left]
        folders[:] = [name for name in folders if name not in left]
        for name in names:
            (leftovers if is_leftover(Path(name)) else files).append(Path(place, name))
    return sorted(files), sorted(leftovers)


def _raise(error: OSError) -> None:
    raise error


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
