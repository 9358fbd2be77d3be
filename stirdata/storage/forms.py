"""What kind of file a path is, told by its first bytes: the one answer that every reader goes by."""

from __future__ import annotations

import difflib
from pathlib import Path

from stirdata.errors import FormatError, MissingFileError, ParameterError

SETS = ("emoji", "mnist", "trafficsign", "aerial")
"""The STIR sets that are published, by the names of their files."""

_BEGINNINGS = {b"PK\3\4": "npz", b"PK\5\6": "npz", b"\x89HDF": "h5", b"\x93NUM": "npy"}
_OTHERS = {".hdf5", ".hdf", ".npy", ".png", ".zip", ".json"}
"""Ends of names that promise a format which is not written; a folder is not meant by them."""
_NAMES = {"npz": "an npz file", "h5": "an HDF5 file"}


def form_of(path: Path, folder: str = "npy") -> str:
    """Return whether a path is an ``npz`` or ``h5`` file or a folder, by its content.

    Args:
        path: Of the dataset.
        folder: The form that a folder has: ``npy`` for STIR, ``png`` for MNIST-scale.

    Raises:
        MissingFileError: There is nothing at the path.
        FormatError: It is neither, or has the name of another format.
    """
    if path.is_dir():
        return folder
    try:
        with path.open("rb") as file:
            form = _BEGINNINGS.get(file.read(4))
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise FormatError(
            "the file cannot be read",
            where=path,
            got=error.strerror,
            hint="check the path and who may read it",
        ) from error
    named = path.suffix.removeprefix(".")
    if form not in _NAMES or (named in _NAMES and form != named):
        raise _wrong(path, form, named)
    return form


def _wrong(path: Path, form: str | None, named: str) -> FormatError:
    """Return the error for a file that is of another form than its name says, or of none that is read."""
    kinds = {**_NAMES, "npy": "a single array"}
    return FormatError(
        "the file is not what its name says" if named in _NAMES else "unknown kind of file",
        where=path,
        expected=_NAMES.get(named, "an npz or HDF5 file"),
        got=kinds.get(form or "", "something else" if path.stat().st_size else "an empty file"),
        hint=_advice(form),
    )


def form_by_name(target: Path, folder: str = "npy") -> str:
    """Return the format that the name of an output asks for: ``npz``, ``h5``, or that of a folder.

    Args:
        target: The output.
        folder: The form that a folder has: ``npy`` for STIR, ``png`` for MNIST-scale.

    Raises:
        ParameterError: The name ends as those of another format do.

    Example:
        >>> form_by_name(Path("mnist.h5")), form_by_name(Path("scale_0.3_1.0"), "png")
        ('h5', 'png')
    """
    named = target.suffix.removeprefix(".")
    if named in ("npz", "h5"):
        return named
    if target.suffix.lower() in {".npz", ".h5", *_OTHERS}:
        raise ParameterError(
            "no format has names that end so",
            where=target,
            expected="a name ending in .h5 or .npz, or the name of a folder",
            got=target.suffix,
        )
    return folder


def _advice(form: str | None) -> str:
    if form == "npy":
        return "name the folder that holds it and its siblings"
    return "rename it" if form else "generate or fetch it again"


def missing(path: Path) -> MissingFileError:
    """Return the error for a file that is not there; names that are nearly alike are proposed."""
    beside = [found.name for found in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, [name for name in beside if not name.startswith(".")])
    return MissingFileError(
        "there is no such file or folder",
        where=path,
        got=f"files of a similar name: {', '.join(close)}" if close else None,
        hint=_where_from(path.stem),
    )


def _where_from(name: str) -> str:
    if name in SETS:
        return f"stirdata fetch stir --zenodo --only {name}, or stirdata generate stir {name}, makes one"
    return "check the path; stirdata fetch stir --zenodo, or stirdata generate, makes datasets"
