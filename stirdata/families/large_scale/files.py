"""Reading published HDF5 files, several of which are one dataset.

A file has ``x_train``, ``y_train``, ``x_val``, ``y_val``, ``x_test``, ``y_test``: images (N, H, W, 1) or
(N, H, W, 3) with levels from 0 to 255 as floats, and a label for each. Where a file is for testing only, its
other parts have a single image without the first axis. The name gives the factors: ``sctr1p000`` is that
of the training and validation images, ``scte0p500`` that of the test images, ``1p000-4p000`` a range.

Source: arXiv 2004.01536, and the code published with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.errors import FormatError, StirdataError
from stirdata.families.large_scale import FACTORS, LICENSE, SPLITS
from stirdata.manifest import pinned
from stirdata.sources.idx import CLASS_NAMES
from stirdata.storage import hdf5, npz
from stirdata.storage.forms import form_of
from stirdata.storage.image_bytes import Block, Filling, ImageBytes, JoinedBytes
from stirdata.storage.stored import Header, Stored

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from numpy.typing import NDArray

_NAMED = re.compile(r"_sc(tr|te)(\d+p\d+)(?:-(\d+p\d+))?(?=[_.]|$)")
_SUFFIXES = (".h5", ".hdf5")
_KINDS = {"train": "tr", "val": "tr", "test": "te"}
_CHANNELS = (1, 3)
_SETS = {
    "fashion": ("rescaled-fashion-mnist", "fashion-mnist"),
    "cifar": ("rescaled-cifar10", "cifar10"),
    "stl": ("rescaled-stl10", "stl10"),
    "mnist": ("mnist-large-scale", ""),
}
"""By a word in the name of a file: the set in ``manifests/scaled.json``, and where its classes are."""


class Part(NamedTuple):
    """The images of one split in one file.

    Attributes:
        path: The file.
        split: Which one.
        shape: (N, height, width), or (N, height, width, 3).
        dtype: As stored.
        labels: int64 (N,).
        factor: As the name of the file says; NaN if it says none, or a range.
    """

    path: Path
    split: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    labels: NDArray[np.int64]
    factor: float


def is_published(path: Path) -> bool:
    """Tell by names alone whether a file, or a folder of files, has the published layout."""
    if path.is_dir():
        return bool(_files_in(path))
    try:
        names = hdf5.layouts(path) if form_of(path) == "h5" else {}
    except StirdataError:
        return False
    return any(f"x_{split}" in names for split in SPLITS)


def _files_in(folder: Path) -> list[Path]:
    files = (file for file in folder.iterdir() if file.suffix in _SUFFIXES and _NAMED.search(file.stem))
    return sorted(file for file in files if not file.name.startswith("."))


def factors_in(name: str) -> dict[str, tuple[float, float]]:
    """Return the smallest and largest factor of training (``tr``) and test images (``te``) that a name gives.

    Examples:
        >>> factors_in("mnist_large_scale_te10000_outsize112-112_scte0p595")
        {'te': (0.595, 0.595)}
        >>> factors_in("mnist_tr50000_sctr1p000-4p000_scte2p000")
        {'tr': (1.0, 4.0), 'te': (2.0, 2.0)}
    """
    found = {}
    for kind, low, high in _NAMED.findall(name):
        found[kind] = (float(low.replace("p", ".")), float((high or low).replace("p", ".")))
    return found


def open_published(path: Path) -> PublishedFiles:
    """Open a file, or all files of a folder that are named as published, as one dataset.

    Nothing is read but headers and labels. Test sets come in the order of their factors.

    Raises:
        FormatError: A file is damaged or lacks something; files have images of other shapes, or test images
            of the same factor, or of no single one.
    """
    files = _files_in(path) if path.is_dir() else [path]
    stamps = {file.name: npz.stamp(file) for file in files}
    parts = [part for file in files for part in _parts_of(file)]
    if not any(part.split == "test" for part in parts):
        raise FormatError("there are no test images", where=path, expected="x_test (N, height, width, 1)")
    _check_alike(parts)
    if path.is_dir():
        _check_one_set_per_factor([part for part in parts if part.split == "test"])
    ordered = sorted(parts, key=lambda part: (SPLITS.index(part.split), part.factor, part.path.name))
    headers: dict[str, Header] = {}
    small: dict[str, NDArray[Any]] = {}
    for split, group in groupby(ordered, key=lambda part: part.split):
        own = list(group)
        labels = np.concatenate([part.labels for part in own])
        factors = np.repeat([part.factor for part in own], [len(part.labels) for part in own])
        headers[f"{split}/images"] = Header("float32", (len(labels), *own[0].shape[1:]))
        small |= {f"{split}/labels": labels, f"{split}/{FACTORS}": factors}
        headers |= {name: Header(small[name].dtype.name, small[name].shape) for name in list(small)[-2:]}
    return PublishedFiles(
        path, "h5", headers, _stamps=stamps, _small=small, files=tuple(files), parts=tuple(ordered)
    )


def _parts_of(file: Path) -> Iterator[Part]:
    """Yield the splits of a file, without those that are a single image in place of none."""
    layouts, named = hdf5.layouts(file), factors_in(file.stem)
    for split in SPLITS:
        x, y = f"x_{split}", f"y_{split}"
        absent = [name for name in (x, y) if name not in layouts]
        if len(absent) == 2:
            continue
        if absent:
            raise FormatError(
                "images and labels are not both in the file",
                where=file,
                expected=absent[0],
                got=", ".join(layouts),
            )
        shape, count = layouts[x].shape, math.prod(layouts[y].shape)
        if len(shape) == 3 and count == 1 and shape[-1] in _CHANNELS:
            continue
        if len(shape) != 4 or shape[-1] not in _CHANNELS or layouts[x].dtype.kind not in "fiu":
            raise FormatError(
                f"the array {x} holds no images",
                where=file,
                expected="numbers (N, height, width, 1) or (N, height, width, 3)",
                got=f"{layouts[x].dtype} {shape}",
            )
        if count != shape[0]:
            raise FormatError(
                "images and labels are of different length",
                where=file,
                expected=f"{shape[0]} labels in {y}",
                got=f"{count} of shape {layouts[y].shape}",
            )
        low, high = named.get(_KINDS[split], (math.nan, math.nan))
        yield Part(
            file,
            split,
            shape if shape[-1] > 1 else shape[:-1],
            layouts[x].dtype,
            _labels(file, y),
            low if low == high else math.nan,
        )


def _labels(file: Path, name: str) -> NDArray[np.int64]:
    stored = hdf5.read(file, [name])[name].reshape(-1)
    labels: NDArray[np.int64] = np.empty(0, np.int64)
    if stored.dtype.kind in "fiu" and np.array_equal(stored, np.rint(stored)):
        labels = stored.astype(np.int64)
    if len(labels) != len(stored) or labels.min(initial=0) < 0:
        raise FormatError(
            f"the array {name} holds no labels", where=file, expected="whole numbers from 0", got=stored.dtype
        )
    return labels


def _check_alike(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.shape[1:] != parts[0].shape[1:]:
            raise FormatError(
                "the files have images of different shapes",
                where=part.path,
                expected=f"{parts[0].shape[1:]} as in {parts[0].path.name}",
                got=part.shape[1:],
            )


def _check_one_set_per_factor(tests: Sequence[Part]) -> None:
    """Raise FormatError if the test images of a folder are not those of one factor in each file."""
    seen: dict[float, Path] = {}
    for part in tests:
        if math.isnan(part.factor) or part.factor in seen:
            single = f"and {seen[part.factor].name}" if part.factor in seen else "is of no single factor"
            raise FormatError(
                "the files of the folder are not one test set per factor",
                where=part.path.parent,
                expected="names with one factor each, such as _scte0p500",
                got=f"{part.path.name} {single}",
                hint="name one file, or move those that belong together to a folder of their own",
            )
        seen[part.factor] = part.path


@dataclass(frozen=True)
class PublishedFiles(Stored):
    """Published files as one dataset, whose arrays have the names of the family.

    Attributes:
        files: All of them.
        parts: What they hold, in the order of the arrays.
    """

    files: tuple[Path, ...] = ()
    parts: tuple[Part, ...] = field(default=(), repr=False)

    def read(self, names: Sequence[str], executor: Executor | None = None, advance: Any = None) -> Any:
        """Return whole arrays; see :meth:`stirdata.storage.stored.Stored.read`."""
        absent = [name for name in names if name not in self.headers]
        if absent:
            got = ", ".join(self.headers)
            raise FormatError("the files lack arrays", where=self.path, expected=", ".join(absent), got=got)
        return {name: self._small[name] if name in self._small else self._whole(name) for name in names}

    def _whole(self, name: str) -> NDArray[np.float32]:
        whole = np.empty(self.headers[name].shape, np.float32)
        for _ in self.image_bytes(name).fill([Block(0, whole.reshape(-1).view(np.uint8).data)]):
            pass
        return whole

    def image_bytes(self, name: str) -> ImageBytes:
        """Return where the images of a split are, as float32."""
        split = name.partition("/")[0]
        own = [part for part in self.parts if part.split == split]
        contents = [_as_float32(part, self._stamps[part.path.name]) for part in own]
        sizes = [4 * math.prod(part.shape) for part in own]
        return JoinedBytes(tuple(zip(contents, sizes, strict=True)))

    def attributes(self) -> dict[str, Any]:
        """Return what is known of the set by the names of its files."""
        words = self.files[0].name.lower()
        known = next((facts for word, facts in _SETS.items() if word in words), None)
        title, citation, classes = self.files[0].stem, "", CLASS_NAMES
        if known is not None:
            facts = pinned("scaled")[known[0]]
            title = facts["title"].partition(",")[0]
            citation = "\n".join(facts["citation"])
            classes = tuple(pinned(known[1])["classes"]) if known[1] else CLASS_NAMES
        most = max(int(part.labels.max(initial=0)) for part in self.parts) + 1
        if most > len(classes):
            classes = tuple(str(number) for number in range(most))
        return {
            "title": f"{title}, as published",
            "license": LICENSE,
            "citation": citation,
            "classes": "\n".join(classes),
        }


def _as_float32(part: Part, stamp: tuple[int, int]) -> ImageBytes:
    content = hdf5.bytes_of(part.path, f"x_{part.split}", stamp)
    return content if part.dtype == np.dtype("<f4") else _Converted(content, part.dtype)


@dataclass(frozen=True)
class _Converted:
    """Numbers of another type as float32, to which others are rounded."""

    content: ImageBytes
    dtype: np.dtype[Any]

    def fill(self, blocks: Sequence[Block]) -> Filling:
        """Read blocks one after the other."""
        for start, target in blocks:
            values = np.empty(len(target) // 4, self.dtype)
            wanted = Block(start // 4 * self.dtype.itemsize, values.view(np.uint8).data)
            yield from self._one(wanted, values, target)

    def _one(self, wanted: Block, values: NDArray[Any], target: memoryview) -> Filling:
        for _ in self.content.fill([wanted]):
            np.frombuffer(target, np.float32)[:] = values
            yield


def noise() -> Mapping[str, NDArray[Any]]:
    """Return the arrays of a small set of noise, whose levels are no whole numbers."""
    values = np.random.RandomState(0)
    arrays: dict[str, NDArray[Any]] = {}
    for split, factors, count in (("train", (1.0,), 12), ("val", (1.0,), 6), ("test", (0.5, 1.0, 2.0), 10)):
        total = count * len(factors)
        levels = values.randint(0, 255 * 8, (total, 16, 16)) / 8
        arrays[f"{split}/images"] = levels.astype(np.float32)
        arrays[f"{split}/labels"] = np.arange(total) % 10
        arrays[f"{split}/{FACTORS}"] = np.repeat(factors, count)
    return arrays
