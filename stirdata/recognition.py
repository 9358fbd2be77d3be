"""Telling which dataset a path names, from names and headers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stirdata.errors import FormatError, MissingFileError, ParameterError, StirdataError
from stirdata.families.stir.axes import KEYS
from stirdata.storage import headers, png_tree
from stirdata.storage.forms import form_of
from stirdata.storage.headers import Header
from stirdata.storage.mnist_scale import ARRAY_NAMES
from stirdata.storage.stir_members import looks_like_set
from stirdata.verification import outputs_below

STIR, MNIST_SCALE = "STIR", "MNIST-scale"
SUFFIXES = (".npz", ".h5")
_SPECIFIC = {STIR: ("imgs", "psts"), MNIST_SCALE: ("train/images", "train/labels")}
_SHOWN = 8


@dataclass(frozen=True)
class Recognized:
    """A dataset on disk that was told by its names and headers.

    Attributes:
        path: Of the dataset itself.
        family: :data:`STIR` or :data:`MNIST_SCALE`.
        form: ``npz``, ``h5``, ``npy`` (a folder of .npy files) or ``png`` (a tree of PNG files).
        arrays: Types and shapes, by name; empty for PNG files, which have no headers in common.
    """

    path: Path
    family: str
    form: str
    arrays: dict[str, Header]


def recognize(path: Path) -> Recognized:
    """Tell which dataset a path names.

    Args:
        path: A .npz or .h5 file, a folder that is a dataset, a manifest, or a folder with one dataset
            somewhere below it.

    Raises:
        MissingFileError: There is no such file, or no dataset in the folder; names close to it are told.
        ParameterError: The folder holds several datasets; they are listed.
        FormatError: The file is damaged, or is no dataset that stirdata knows.
    """
    if path.is_dir():
        found = _recognize_folder(path)
        return found if found is not None else recognize(_only_one(path))
    named = outputs_below(path)[0]  # a manifest names what it is of
    return recognize(named) if named.is_dir() else _recognize_file(named)


def _recognize_file(path: Path) -> Recognized:
    form = form_of(path)
    arrays = headers.read(path, form)
    found = _of_a_family(path, form, arrays)
    if found is None:
        raise FormatError(
            "the file is no dataset that stirdata knows",
            where=path,
            expected=f"the arrays {', '.join(KEYS)} of STIR, or train/images … of MNIST-scale",
            got=_brief(arrays) or "no arrays",
        )
    return found


def _recognize_folder(path: Path) -> Recognized | None:
    if png_tree.looks_like_tree(path):
        return Recognized(path, MNIST_SCALE, "png", {})
    return _of_a_family(path, "npy", headers.read(path, "npy")) if looks_like_set(path) else None


def _of_a_family(path: Path, form: str, arrays: Mapping[str, Header]) -> Recognized | None:
    """Return the dataset whose arrays these are, with those of its family in the order they have there."""
    for family, names in ((STIR, KEYS), (MNIST_SCALE, ARRAY_NAMES)):
        stored = {name: name.replace("/", "_") if form == "npz" else name for name in names}
        present = {name: arrays[stored[name]] for name in names if stored[name] in arrays}
        if present.keys() >= set(_SPECIFIC[family]):
            return Recognized(path, family, form, present)
    return None


def _only_one(folder: Path) -> Path:
    """Return the only dataset below a folder."""
    found = _datasets_below(folder)
    if not found:
        raise MissingFileError(
            "there is no dataset in this folder",
            where=folder,
            expected=".npz or .h5 files, a folder of .npy files, or a tree of PNG files",
            hint="stirdata generate makes one",
        )
    if len(found) > 1:
        raise ParameterError(
            "there are several datasets in this folder",
            where=folder,
            expected="one of them",
            got=_brief(sorted(path.relative_to(folder).as_posix() for path in found)),
        )
    return found.pop()


def _datasets_below(folder: Path) -> set[Path]:
    try:
        found = {path for path in outputs_below(folder) if path.exists()}
    except MissingFileError:
        found = set()
    return found | {path for path in folder.iterdir() if path.suffix in SUFFIXES and _is_dataset(path)}


def _is_dataset(path: Path) -> bool:
    try:
        return _recognize_file(path) is not None
    except StirdataError:
        return False


def _brief(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f", … ({len(listed)} in all)" if len(listed) > _SHOWN else "")
