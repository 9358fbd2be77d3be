"""The forms in which datasets are stored: what families say of theirs, and which one a path is.

What a path is shows in its first bytes: that is the one answer that every reader goes by.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stirdata.errors import FormatError, MissingFileError, ParameterError

MD5_NAME = "md5_of_png_files"
"""The checksum in manifests of trees: the MD5 as the authors of MNIST-scale publish it."""
_BEGINNINGS = {b"PK\3\4": "npz", b"PK\5\6": "npz", b"\x89HDF": "h5", b"\x93NUM": "npy"}
_NAMES = {"npz": "an npz file", "h5": "an HDF5 file"}


@dataclass(frozen=True)
class TreeLayout:
    """How a family lays out its trees.

    Attributes:
        splits: Names of the folders, in the order in which the files are numbered.
        classes: How many there are; folders below those of the splits are called by their labels.
        image_shape: (height, width) of grey images, or (height, width, 3).
        columns: What ``scales.csv`` holds of every image: name of the array, and NumPy's name of its type.
    """

    splits: tuple[str, ...]
    classes: int
    image_shape: tuple[int, ...]
    columns: Mapping[str, str]

    @property
    def header(self) -> list[str]:
        """Names of the columns of ``scales.csv``: ``scales`` is the column ``scale``."""
        return ["path", "label", *(column_of(name) for name in self.columns)]

    @property
    def colours(self) -> str:
        """What people call the kind of images."""
        return "grey" if self.mode == "L" else "colour"

    @property
    def mode(self) -> str:
        """Pillow's name of the kind of images."""
        return "L" if len(self.image_shape) == 2 else "RGB"


def column_of(name: str) -> str:
    """Return the name of the column that holds an array."""
    return name.removesuffix("s")


@dataclass(frozen=True)
class StorageLayout:
    """What a family says of how its arrays are stored.

    Attributes:
        names: All arrays, in the order of manifests and files.
        forms: Of ``h5``, ``npz``, ``npy`` (a folder of .npy files) and ``png`` (a tree); the first is the
            default.
        streamed: The large arrays, if they go to the file while they are computed or read; npz files are then
            deflated in portions. If there are none, everything is in memory and npz files are not compressed.
        tree: How trees are laid out, if there are any.
        optional: Groups, such as ``val``, that a dataset may be without.
    """

    names: tuple[str, ...]
    forms: tuple[str, ...]
    streamed: tuple[str, ...] = ()
    tree: TreeLayout | None = None
    optional: tuple[str, ...] = ()

    def names_beside(self, present: Iterable[str]) -> list[str]:
        """Return the arrays that a dataset has to have that has some: all but those of absent groups."""
        groups = {name.partition("/")[0] for name in present}
        absent = [group for group in self.optional if group not in groups]
        return [name for name in self.names if name.partition("/")[0] not in absent]


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


def output_form(target: str | os.PathLike[str], forms: Sequence[str]) -> str:
    """Return the form that the name of an output asks for.

    Files end in .h5 or .npz. A folder has a name without an end, or a slash behind it, or it exists; an
    end of digits, as in ``scale_0.3_1.0``, is none.

    Args:
        target: The output, as it was given.
        forms: Those that the dataset has: of ``h5``, ``npz``, ``npy``, ``png``. At most one of the last two.

    Raises:
        ParameterError: The name ends as those of another format do, or the dataset has no such form.

    Examples:
        >>> output_form("mnist.h5", ["npz", "h5", "npy"]), output_form("scale_0.3_1.0", ["h5", "png"])
        ('h5', 'png')
    """
    text, path = os.fspath(target), Path(target)
    named = path.suffix.removeprefix(".")
    folder = next((form for form in forms if form in ("npy", "png")), "")
    is_folder = not named.isalnum() or named.isdecimal() or text.endswith(("/", os.sep)) or path.is_dir()
    if is_folder and folder:
        return folder
    if not is_folder and named in forms and named not in ("npy", "png"):
        return named
    names = [f"a name ending in .{form}" for form in forms if form in ("h5", "npz")]
    names += ["a folder: a name without such an end, or with a slash behind it"] if folder else []
    raise ParameterError(
        "no format has names that end so" if named else "a folder is no format of this dataset",
        where=target,
        expected=", or ".join(names),
        got=path.suffix or "a folder",
    )


def _advice(form: str | None) -> str:
    if form == "npy":
        return "name the folder that holds it and its siblings"
    return "rename it" if form else "generate or fetch it again"


def missing(path: Path, hint: str = "") -> MissingFileError:
    """Return the error for a file that is not there; names that are nearly alike are proposed."""
    import difflib

    beside = [found.name for found in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, [name for name in beside if not name.startswith(".")])
    return MissingFileError(
        "there is no such file or folder",
        where=path,
        got=f"files of a similar name: {', '.join(close)}" if close else None,
        hint=hint or "check the path; stirdata generate and stirdata fetch make datasets",
    )
