"""The 36 faces of Font Awesome Free 5.15.3: found in a folder, in the cache, or downloaded into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stirdata.cache import HOME_VARIABLE, cache_folder
from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError, SourceUnavailableError
from stirdata.manifest import pinned
from stirdata.progress import bar
from stirdata.sources.svg import check_svg
from stirdata.transfer.remote import RemoteFile


def load(
    source_dir: Path | str | None = None,
    *,
    cache: Path | str | None = None,
    download: bool = True,
    quiet: bool = False,
) -> dict[str, bytes]:
    """Return the SVG files by icon name, each accepted by its SHA-256.

    Args:
        source_dir: A Font Awesome folder with ``svgs/regular/`` below it, that folder, or any folder with
            the SVG files. If None, the cache is used.
        cache: The cache folder; see :func:`stirdata.cache.cache_folder`.
        download: Download into the cache what is not there.
        quiet: Show no progress bar.

    Raises:
        MissingFileError: ``source_dir`` lacks some of the icons; all of them are named.
        SourceError: A file is another one than the pinned icon, or no harmless SVG.
        SourceUnavailableError: Not in the cache, and not to be downloaded.

    Source: Font Awesome Free 5.15.3 by Fonticons, Inc., CC BY 4.0.
    """
    folder = _folder(Path(source_dir)) if source_dir is not None else _cached(cache, download, quiet)
    return {name: _read(folder / f"{name}.svg", name) for name in names()}


def names() -> Sequence[str]:
    """Return the names of the icons."""
    return list(pinned("fontawesome")["files"])


def describe() -> dict[str, Any]:
    """Return name, version, hashes, license and citation, for manifests."""
    facts = pinned("fontawesome")
    return {
        "name": "fontawesome",
        "version": facts["version"],
        "sha256": {name: entry["sha256"] for name, entry in facts["files"].items()},
        "license": facts["license"],
        "citation": facts["citation"],
    }


def folder_in(cache: Path) -> Path:
    """Return the folder of the icons in a cache."""
    return cache / "fontawesome" / str(pinned("fontawesome")["version"])


def remote_files() -> list[RemoteFile]:
    """Return the icons as they are downloaded."""
    return [_remote_file(name) for name in names()]


def _remote_file(name: str) -> RemoteFile:
    facts = pinned("fontawesome")
    size = facts["files"][name]["size"]
    return RemoteFile(f"{name}.svg", facts["mirrors"], size, lambda path: _check(path, name))


def _check(path: Path, name: str) -> None:
    _read(path, name)


def _folder(source_dir: Path) -> Path:
    """Return the folder that holds the icons, and name all that are missing."""
    if not source_dir.is_dir():
        raise MissingFileError(
            "the source folder does not exist", where=source_dir, hint="name a Font Awesome folder"
        )
    places = [source_dir / "svgs" / "regular", source_dir / "regular", source_dir]
    missing = {place: _missing(place) for place in places}
    folder = min(places, key=lambda place: len(missing[place]))
    if missing[folder]:
        raise MissingFileError(
            f"{len(missing[folder])} of the {len(names())} icons are missing",
            where=folder,
            expected=", ".join(f"{name}.svg" for name in missing[folder]),
            hint="get Font Awesome Free 5.15.3, or leave out --source-dir to use the cache",
        )
    return folder


def _missing(folder: Path) -> list[str]:
    return [name for name in names() if not (folder / f"{name}.svg").is_file()]


def _cached(cache: Path | str | None, download: bool, quiet: bool) -> Path:
    folder = folder_in(cache_folder(cache))
    missing = _missing(folder)
    if missing and not download:
        raise _unavailable(f"{len(missing)} icons are not in {folder}, and downloading is off")
    with bar(len(missing), "Font Awesome icons", "icon", quiet=quiet) as shown:
        for name in missing:
            try:
                _remote_file(name).fetch(folder, quiet=True, say=shown.say)
            except SourceUnavailableError as error:
                raise _unavailable(f"not in {folder}; {error}") from error
            shown.advance(1)
    return folder


def _unavailable(reason: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        "the Font Awesome icons are not available",
        got=reason,
        hint="name a folder with the SVG files of Font Awesome Free 5.15.3 by --source-dir DIR, or set "
        f"{HOME_VARIABLE} to a cache that has them",
    )


def _read(path: Path, name: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError("the icon cannot be read", where=path, got=error.strerror) from error
    _accept(data, path, name)
    return data


def _accept(data: bytes, path: Path, name: str) -> None:
    """Check that a file draws only, then that it is the pinned icon: the first says more of a bad one."""
    check_svg(data, path)
    expected = pinned("fontawesome")["files"][name]["sha256"]
    found = sha256_of_bytes(data)
    if found != expected:
        raise SourceError(
            f"the file is not the icon {name} of Font Awesome Free 5.15.3",
            where=path,
            expected=f"sha256 {expected}",
            got=f"sha256 {found}",
            hint="other icons can be made into a set by stirdata generate stir custom",
        )
