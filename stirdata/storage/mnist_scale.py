"""A realization of MNIST-scale on disk, in any of its three formats, with its manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError
from stirdata.manifest import FileEntry, Manifest
from stirdata.storage import hdf5, npz, png_tree, saving
from stirdata.storage.forms import form_of
from stirdata.storage.saving import Arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

Advance = Callable[[int], None]

DATASET = "mnist-scale"
FORMATS = ("h5", "npz", "png")
SUFFIXES = {"h5": ".h5", "npz": ".npz", "png": ""}
SPLITS = ("train", "val", "test")
ARRAY_NAMES = [
    f"{split}/{name}" for split in SPLITS for name in ("images", "labels", "scales", "source_index")
]
MD5_NAME = "md5_of_png_files"
_LIBRARIES = {"h5": ("numpy", "h5py"), "npz": ("numpy",), "png": ("numpy", "pillow")}
METADATA = "metadata"
"""The array of an npz file that holds what HDF5 files have as attributes."""
_NUMBERS: dict[str, Callable[[str], Any]] = {"seed": int, "min_scale": float, "max_scale": float}
_ROWS = {
    name: number
    for number, name in enumerate(
        ("title", "dataset", "recipe", "seed", "min_scale", "max_scale", "source", "license", "citation")
    )
}
CLASSES = 10


@dataclass(frozen=True)
class Description(saving.Description):
    """What a realization is, apart from its arrays; ``parameters`` are ``min_scale`` and ``max_scale``."""

    dataset: str = DATASET

    def attributes(self) -> dict[str, str | int | float]:
        """Return the facts as flat values, for the attributes of a file."""
        return {
            "title": "MNIST-scale",
            "dataset": DATASET,
            "recipe": f"{self.recipe['name']}/{self.recipe['version']}",
            "seed": self.seed,
            **self.parameters,
            "source": ", ".join(source["name"] for source in self.sources),
            "license": self.license,
            "citation": "\n".join(self.citation),
        }


def target_path(out: Path, seed: int, min_scale: float, max_scale: float, form: str) -> Path:
    """Return where a realization belongs below an output folder, named as published.

    Example:
        >>> target_path(Path("data"), 0, 0.3, 1.0, "h5").as_posix()
        'data/MNIST_scale/seed_0/scale_0.3_1.0.h5'
    """
    name = f"scale_{float(min_scale)}_{float(max_scale)}{SUFFIXES[form]}"
    return out / "MNIST_scale" / f"seed_{seed}" / name


def format_of(path: Path) -> str:
    """Return the format that an existing path holds.

    Raises:
        MissingFileError: There is nothing at the path.
        FormatError: It is neither an npz file, an HDF5 file nor a folder, or has the name of another.
    """
    return form_of(path, folder="png")


def save(
    target: Path,
    arrays: Arrays,
    description: Description,
    form: str,
    *,
    executor: Executor,
    advance: Advance | None = None,
    accept: Callable[[Manifest], None] = lambda manifest: None,
) -> Manifest:
    """Write a realization with its manifest and SHA256SUMS; hold the lock of ``target``.

    Args:
        target: A file or folder; it is replaced if it exists.
        arrays: The twelve arrays ``<split>/<name>``; see :mod:`stirdata.families.mnist_scale.recipe`.
        description: What they are.
        form: ``h5``, ``npz`` or ``png``.
        executor: Where PNG encoding runs.
        advance: Called with the number of images written (``png`` only).
        accept: Called with the manifest before anything gets its name; raises to refuse it.

    Raises:
        TargetError: The output cannot be written.
    """
    if form == "png":
        return _save_tree(target, arrays, description, executor, advance, accept)
    return _save_file(target, arrays, description, form, accept)


def _save_file(
    target: Path, arrays: Arrays, description: Description, form: str, accept: Callable[[Manifest], None]
) -> Manifest:
    def write(path: Path) -> None:
        if form == "h5":
            hdf5.write(path, arrays, description.attributes())
        else:
            npz.write(path, {**_npz_names(arrays), METADATA: _table(description.attributes())})

    return saving.save_file(target, write, lambda files: _manifest(arrays, description, files, form), accept)


def _save_tree(
    target: Path,
    arrays: Arrays,
    description: Description,
    executor: Executor,
    advance: Advance | None,
    accept: Callable[[Manifest], None],
) -> Manifest:
    trees: list[png_tree.TreeDigest] = []

    def write(partial: Path) -> list[FileEntry]:
        trees.append(png_tree.write(partial, arrays, executor, advance))
        return trees[0].files

    def describe(files: list[FileEntry]) -> Manifest:
        return _manifest(arrays, description, files, "png", {MD5_NAME: trees[0].md5})

    return saving.save_folder(target, write, describe, accept)


def _manifest(
    arrays: Arrays,
    description: Description,
    files: list[FileEntry],
    form: str,
    checksums: Mapping[str, str] | None = None,
) -> Manifest:
    ordered = {name: arrays[name] for name in ARRAY_NAMES}
    return saving.manifest_for(ordered, description, files, _LIBRARIES[form], checksums=checksums)


def load(
    path: Path, executor: Executor, names: list[str] | None = None, advance: Advance | None = None
) -> dict[str, NDArray[Any]]:
    """Read arrays of a realization, whatever the format.

    Args:
        path: A .h5 or .npz file, or the folder of a PNG tree.
        executor: Where PNG files are read.
        names: Of the arrays wanted; by default all that there are.
        advance: Called with the number of images read (PNG trees only, which are always read whole).

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or lacks arrays.
    """
    form = format_of(path)
    if form == "png":
        arrays, _ = png_tree.read(path, executor, advance)
        absent = [name for name in names or [] if name not in arrays]
        if absent:
            raise no_scales(path, absent)
        return arrays if names is None else {name: arrays[name] for name in names}
    wanted = ARRAY_NAMES if names is None else names
    if form == "h5":
        return hdf5.read(path, wanted)
    stored = npz.read(path, [_npz_name(name) for name in wanted])
    return {name: stored[_npz_name(name)] for name in wanted}


def with_common_names(arrays: Mapping[str, NDArray[Any]], path: Path, form: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file; those of a realization under names that do not depend on the format.

    Args:
        arrays: All that the file holds, of whatever content.
        path: The file; the attributes of an HDF5 file become the array ``metadata`` of npz files.
        form: ``npz``, ``h5`` or ``npy``.
    """
    stored = {_npz_name(name): name for name in ARRAY_NAMES}
    named = {stored.get(name, name): array for name, array in arrays.items()}
    if not named.keys() >= set(ARRAY_NAMES):
        return dict(arrays)
    attributes = hdf5.read_attributes(path) if form == "h5" else {}
    return named | ({METADATA: _table(_in_order(attributes))} if attributes else {})


def _in_order(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes in the order of the rows of npz files; HDF5 keeps none."""
    last = len(_ROWS)
    return dict(sorted(attributes.items(), key=lambda item: _ROWS.get(item[0], last)))


def no_scales(path: Path, names: list[str]) -> FormatError:
    """Return the error for a PNG tree without its scales.csv."""
    return FormatError(
        "the PNG tree does not say its scale factors and source indices",
        where=path,
        expected=f"{png_tree.SCALES_NAME} for {', '.join(names)}",
        got="PNG files alone, as the original script makes them",
        hint="stirdata verify --as mnist-scale says which realization it is; generate that again",
    )


def check_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise FormatError unless arrays ``<split>/<name>`` read from a path are those of a realization."""
    for name, array in arrays.items():
        _check_array(path, name, array)
    _check_lengths(path, arrays)


def _check_array(path: Path, name: str, array: NDArray[Any]) -> None:
    """Raise FormatError unless an array has the type and shape that the format promises."""
    kind = name.partition("/")[2]
    dtype, shape = {
        "images": ("uint8", (28, 28)),
        "labels": ("int64", ()),
        "scales": ("float64", ()),
        "source_index": ("int32", ()),
    }[kind]
    if array.dtype != dtype or array.ndim == 0 or array.shape[1:] != shape:
        raise FormatError(
            f"the array {name} is not of MNIST-scale",
            where=path,
            expected=f"{dtype} (N, 28, 28)" if shape else f"{dtype} (N,)",
            got=f"{array.dtype} {array.shape}",
        )
    if kind == "labels" and len(array) and not 0 <= array.min() <= array.max() < CLASSES:
        raise FormatError(
            "labels are out of range", where=path, expected="0 to 9", got=f"{array.min()} to {array.max()}"
        )


def _check_lengths(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise FormatError if arrays of the same split differ in length."""
    for split in SPLITS:
        lengths = {name: len(array) for name, array in arrays.items() if name.startswith(f"{split}/")}
        if len(set(lengths.values())) > 1:
            raise FormatError(
                "the arrays of a split differ in length",
                where=path,
                got=", ".join(f"{length} {name}" for name, length in lengths.items()),
                hint="generate or fetch it again",
            )


def load_attributes(path: Path) -> dict[str, Any]:
    """Return what a .h5 or .npz file says of itself; nothing for a PNG tree."""
    form = format_of(path)
    if form == "h5":
        return hdf5.read_attributes(path)
    if form == "npz":
        return _parse_table(path, npz.read(path, [METADATA])[METADATA])
    return {}


def _npz_name(name: str) -> str:
    return name.replace("/", "_")


def _npz_names(arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {_npz_name(name): arrays[name] for name in ARRAY_NAMES}


def _table(attributes: Mapping[str, Any]) -> NDArray[Any]:
    import numpy as np

    return np.array([[name, str(value)] for name, value in attributes.items()])


def _parse_table(path: Path, table: NDArray[Any]) -> dict[str, Any]:
    try:
        return {str(name): _NUMBERS.get(str(name), str)(value) for name, value in table}
    except (ValueError, TypeError) as error:
        raise FormatError(
            "the metadata are not rows of a name and a value", where=path, got=f"{error}"
        ) from error
