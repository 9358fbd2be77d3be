"""Loading MNIST-scale for training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.arguments import checked_path
from stirdata.errors import MissingFileError, ParameterError
from stirdata.families.making import ensure
from stirdata.families.mnist_scale import (
    FAMILY,
    LAYOUT,
    MAX_SCALE,
    MIN_SCALE,
    SIDE,
    SPLITS,
    Parameters,
)
from stirdata.families.splits import named_classes, open_splits, read_checked, read_only
from stirdata.loading.augment import as_transform, doubled_pixels
from stirdata.loading.dataset import ImageDataset
from stirdata.loading.selection import MemoryBytes, StoredImages
from stirdata.loading.tensors import doubled
from stirdata.manifest import FILE_SUFFIX, manifest_path
from stirdata.manifest import load as load_manifest
from stirdata.storage.forms import Description
from stirdata.storage.image_tree import looks_like_tree
from stirdata.storage.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.batches import Batches
    from stirdata.loading.views import SelectedTensors, View

MEAN = 0.0607
STD = 0.2161
"""Of the training images in [0, 1]. Source: the training scripts published with arXiv 1910.11093."""

_ANOTHER = "stirdata.load opens datasets of every family"


class MNISTScale(ImageDataset):
    """One realization of MNIST-scale, from any of the formats that stirdata writes.

    No file stays open: objects can be pickled and used in worker processes. What the methods take and
    return is said in :class:`stirdata.loading.dataset.ImageDataset`; here they take ``size`` as well: 28, or
    56 for every pixel doubled (the paper's second regime). ``normalize=True`` subtracts the published mean
    0.0607 and divides by the published standard deviation 0.2161.

    Args:
        path_or_root: A .h5 or .npz file; the folder of a PNG tree (also one that the original script
            made); or a folder that holds ``MNIST_scale/seed_<seed>/…``, or that ``MNIST_scale`` folder.
        seed: Which realization, below a folder of several; None for 0.
        min_scale: Smallest scale factor of the realization, below a folder of several; None for 0.3.
        max_scale: Largest scale factor of the realization, below a folder of several; None for 1.0.
        download: Make a realization that is missing below a folder: MNIST is fetched into the cache, and
            what is made of it is written below the folder, as ``stirdata generate mnist-scale`` does.

    Raises:
        MissingFileError: There is no such realization.
        ParameterError: The file named is of another seed or of other scales than those given.
        FormatError: The file is of no known kind, or of another family.
        SourceUnavailableError: MNIST is neither in the cache nor can it be downloaded.

    Source: arXiv 1910.11093, section 6.1 and Table 2.

    Examples:
        ```python
        dataset = MNISTScale("data", seed=0)
        images, labels = dataset.to_torch("train", device="cuda", normalize=True)
        ```
    """

    splits = SPLITS

    def __init__(
        self,
        path_or_root: str | os.PathLike[str],
        seed: int | None = None,
        min_scale: float | None = None,
        max_scale: float | None = None,
        *,
        download: bool = False,
    ) -> None:
        named, wanted = checked_path("path_or_root", path_or_root), _Wanted(seed, min_scale, max_scale)
        self.path = _locate(named, wanted, download=download)
        if self.path == named and any(value is not None for value in wanted):
            wanted.check(self.path, self.metadata)
        self._kept: dict[str, Any] = {}
        if self.path.is_dir():
            _check_tree(self.path)  # whose many files are listed when they are needed
        else:
            self._opened()

    @property
    def published_statistics(self) -> tuple[float, float] | None:  # type: ignore[override]
        """Mean and standard deviation as published; None for images of other sources than digits."""
        return (MEAN, STD) if self.metadata.get("source") in (None, "mnist", "synthetic") else None

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels: the digits, unless the source names others."""
        return list(self.labeldata)

    @cached_property
    def labeldata(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return named_classes(self.metadata)

    @property
    def metadata(self) -> dict[str, Any]:
        """What the realization is: title, recipe, seed, scales, source, license, citation.

        Read from the manifest, else from the file itself; a PNG tree without manifest has nothing but
        its title.
        """
        try:
            manifest = load_manifest(manifest_path(self.path))
        except MissingFileError:
            return FAMILY.metadata(open_splits(FAMILY, self.path))
        facts = {name: getattr(manifest, name) for name in Description.__dataclass_fields__}
        return {**FAMILY.attributes(Description(**facts)), "root": manifest.root}

    def __getstate__(self) -> dict[str, Any]:
        # The arrays are read again where the object arrives: cheaper than sending them along.
        return {**self.__dict__, "_kept": {}, "path": self.path.absolute()}

    def images(self, split: str) -> NDArray[np.uint8]:
        """Return the stored images of a split: uint8 (N, 28, 28), read-only. They are read once."""
        return read_only(self._array(f"{self.split_named(split)}/images"))

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split: int64 (N,), read-only."""
        return read_only(self.targets(split))

    def source_index(self, split: str) -> NDArray[np.int32]:
        """Return the position of every image's digit among the 70,000 of the source: int32 (N,), read-only.

        Raises:
            FormatError: The files do not hold them (a PNG tree without ``scales.csv``).
        """
        return read_only(self._array(f"{self.split_named(split)}/source_index"))

    def get_latents(  # type: ignore[override]  # it names what can be chosen
        self, split: str = "train", *, shuffle: bool = False
    ) -> NDArray[np.float64]:
        """Return the scale factor of every image of a split: float64 (N,), read-only.

        Raises:
            FormatError: The files do not hold them (a PNG tree without ``scales.csv``).
        """
        return read_only(super().get_latents(split, shuffle=shuffle))

    def to_torch(  # type: ignore[override]  # it names what can be chosen
        self,
        split: str = "train",
        device: Any = None,
        *,
        size: int = SIDE,
        shuffle: bool = False,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
        channels: int | None = None,
        normalize: Any = None,
        latents: bool = False,
    ) -> SelectedTensors:
        """Return a split as tensors on a device; see :meth:`ImageDataset.to_torch`, and ``size`` above."""
        _check_size(size)
        selection, change = self.select(split, shuffle=shuffle), self.sized(size)
        return self._tensors(selection, device, dtype, channels_last, channels, normalize, latents, change)

    def to_numpy(self, split: str = "train", *, size: int = SIDE, **options: Any) -> tuple[NDArray[Any], ...]:
        """Return a split as arrays; see :meth:`ImageDataset.to_numpy`, and ``size`` above."""
        return super().to_numpy(split, size=size, **options)

    def batches(self, split: str = "train", *others: Any, size: int = SIDE, **options: Any) -> Batches:
        """Return a split in batches; see :meth:`ImageDataset.batches`, and ``size`` above.

        The split stays on the device as bytes of 28 x 28 pixels; each batch is gathered, augmented,
        converted and doubled there. ``augment=ScaleAugment(0.5, 2.0, seed)`` is the paper's "+" regime,
        ``batch_size=128`` its size.
        """
        _check_size(size)
        if size != SIDE:
            first = as_transform(options.get("augment"))
            options["augment"] = doubled_pixels if first is None else [first, doubled_pixels]
        return super().batches(split, *others, **options)

    def view(  # type: ignore[override]  # it names what can be chosen
        self,
        split: str = "train",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        latents: bool = False,
    ) -> View:
        """Return a split as a map-style dataset; see :meth:`ImageDataset.view`."""
        return super().view(split, transform=transform, target_transform=target_transform, latents=latents)

    def sized(self, size: int | None) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Return what doubles every pixel if 56 is asked for."""
        _check_size(SIDE if size is None else size)
        return doubled if size == 2 * SIDE else None

    def _images(self, split: str) -> StoredImages:
        """Return the images of a split, which are read once and kept: 8 MB of train, 39 MB of test."""
        name = f"{split}/images"
        count = self._opened().headers[name].shape[0]
        return StoredImages(MemoryBytes(lambda: self._array(name)), (SIDE, SIDE), count)

    def read(self, split: str, numbers: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Return single images by their numbers; only what is needed is read, of a PNG tree their files."""
        name, stored = f"{self.split_named(split)}/images", self._opened()
        if name in self._kept:
            return super().read(split, numbers)
        count = stored.headers[name].shape[0]
        return StoredImages(stored.image_bytes(name), (SIDE, SIDE), count).pick(numbers)

    def _labels(self, split: str) -> NDArray[np.int64]:
        return self._array(f"{split}/labels")

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        return {"scales": self._array(f"{split}/scales")}

    def _opened(self) -> Stored:
        if "stored" not in self._kept:
            self._kept["stored"] = open_splits(FAMILY, self.path)
        stored: Stored = self._kept["stored"]
        return stored

    def _array(self, name: str) -> NDArray[Any]:
        """Read an array once; of a PNG tree all images, if one is asked for."""
        if name not in self._kept:
            stored = self._opened()
            whole = stored.form == "png" and name.endswith("images")
            names = [f"{split}/images" for split in SPLITS] if whole else [name]
            self._kept |= read_checked(FAMILY, stored, names, self.path)
        array: NDArray[Any] = self._kept[name]
        return array


def _check_tree(path: Path) -> None:
    if LAYOUT.tree is None or not looks_like_tree(path, LAYOUT.tree):
        raise MissingFileError(
            "the folder holds no MNIST-scale",
            where=path,
            expected="MNIST_scale/seed_<seed>/…, or the folders train, test and val",
            hint="stirdata generate mnist-scale makes it",
        )


class _Wanted(NamedTuple):
    """Which realization is asked for; None where it is left open."""

    seed: int | None
    min_scale: float | None
    max_scale: float | None

    def parameters(self) -> Parameters:
        """Return seed and scales with the published ones for what is left open: seed 0, 0.3 to 1.0."""
        return Parameters(
            0 if self.seed is None else self.seed,
            MIN_SCALE if self.min_scale is None else self.min_scale,
            MAX_SCALE if self.max_scale is None else self.max_scale,
        )

    def check(self, path: Path, facts: dict[str, Any]) -> None:
        """Raise ParameterError if a file says that it is another realization than the one asked for.

        Args:
            path: The file or folder.
            facts: What it says of itself; a PNG tree without manifest says nothing.
        """
        for name, value in self._asdict().items():
            if value is not None and facts.get(name, value) != value:
                raise ParameterError(
                    "the file holds another realization",
                    where=path,
                    expected=f"{name} {value}",
                    got=f"{name} {facts[name]}",
                    hint=f"leave out {name}, or name the folder of several realizations",
                )


def _locate(path: Path, wanted: _Wanted, *, download: bool) -> Path:
    """Return the file or folder of a realization that a path names directly or by a root.

    Raises:
        MissingFileError: There is no such realization.
        SourceUnavailableError: MNIST is neither in the cache nor can it be downloaded.
    """
    try:
        return _found(path, wanted.parameters())
    except MissingFileError:
        if not download or path.suffix in (".h5", ".npz"):  # a file is meant, not the folder of several
            raise
    return ensure(FAMILY, FAMILY.recipes[0], wanted.parameters(), _root(path))


def _found(path: Path, parameters: Parameters) -> Path:
    options = f"--seed {parameters.seed}"
    if not path.exists():
        raise MissingFileError(
            "there is no such file or folder",
            where=path,
            hint=f"stirdata generate mnist-scale {options} --out DIR makes it",
        )
    if path.is_file() or (LAYOUT.tree is not None and looks_like_tree(path, LAYOUT.tree)):
        return path
    root = _root(path)
    candidates = [root / FAMILY.output_name(FAMILY.recipes[0], parameters, form) for form in LAYOUT.forms]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise MissingFileError(
        "there is no such realization of MNIST-scale",
        where=path,
        expected=" or ".join(str(candidate) for candidate in candidates),
        got=_realizations_below(root),
        hint=f"stirdata generate mnist-scale {options} --min-scale {parameters.min_scale} "
        f"--max-scale {parameters.max_scale} --out {root} makes it",
    )


def _root(path: Path) -> Path:
    return path.resolve().parent if path.resolve().name == "MNIST_scale" else path


def _realizations_below(root: Path) -> str:
    found = sorted((root / "MNIST_scale").glob("seed_*/scale_*"))
    names = [f"{path.parent.name}/{path.name}" for path in found if not path.name.endswith(FILE_SUFFIX)]
    return ", ".join(names) or "no realization at all"


def _check_size(size: int) -> None:
    if size not in (SIDE, 2 * SIDE):
        raise ParameterError("unknown image size", where="size", expected="28 or 56", got=size)
