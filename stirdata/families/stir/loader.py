"""Loading STIR sets for training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import checked_path
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.families.stir import schema
from stirdata.families.stir.axes import KEYS, SETS, Frame
from stirdata.families.stir.published import published_files
from stirdata.families.stir.selection import ALL_SCALES, Scales, ScaleSelection, select
from stirdata.loading.dataset import ImageDataset
from stirdata.loading.selection import MemoryBytes, StoredImages
from stirdata.storage.forms import missing
from stirdata.storage.image_bytes import ImageBytes
from stirdata.storage.stored import open_stored, stand_in

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.views import SelectedTensors, View

_SMALL = tuple(key for key in KEYS if key != "imgs")


class STIRDataset(ImageDataset):
    """A STIR set (emoji, mnist, trafficsign, aerial, or one's own), published or made by stirdata.

    Opening a set reads its small arrays; images are read when they are asked for, and only those. What the
    methods take and return is said in :class:`stirdata.loading.dataset.ImageDataset`; here they take
    ``scales`` as well: sizes in pixels in the order wanted, or a single one; left alone, they are all that
    the file has, the largest first. Images come scale by scale, then class, then instance; with ``shuffle``
    images, labels, scales and positions are permuted alike, by ``RandomState(42).permutation(N)``. Latents
    are scales int32 (N,) in pixels, and positions int32 (N, 2): left, top, in pixels.

    Args:
        path: A .npz or .h5 file, or a folder of .npy files.
        download: If there is no such file and one of this name is published (``emoji.npz``, ``mnist.npz``,
            ``trafficsign.npz``, ``aerial.npz``), fetch it into the cache, once, and open it there.

    Attributes:
        path: As given, or where the file is in the cache.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or no STIR set.
        SourceUnavailableError: It cannot be downloaded.

    Source: arXiv 2211.10288, and the loader published with it.

    Examples:
        ```python
        dataset = STIRDataset("mnist.npz")
        images, labels = dataset.to_torch("train", range(17, 33), device="cuda")
        ```
    """

    splits = SETS

    def __init__(self, path: str | os.PathLike[str] = "emoji.npz", *, download: bool = False) -> None:
        named = checked_path("path", path)
        self.path = published_files().path_of(named) if download else named
        # Absolute, since images are read later, perhaps after the working directory has changed.
        self._set = _open(self.path.absolute())
        self._kept: dict[str, Any] = {}

    @property
    def metadata(self) -> dict[str, Any]:
        """Title, description, author, license, version and date."""
        return {str(name): str(value) for name, value in self._set.arrays["metadata"]}

    @property
    def labeldata(self) -> NDArray[np.str_]:
        """Names of the classes in the order of the labels: str (n,), read-only."""
        return self._set.arrays["lbldata"]

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class of every image: int32 (sets, scales, n, m), read-only."""
        return self._set.arrays["lbls"]

    @property
    def scales(self) -> NDArray[np.int32]:
        """Size of every image's object in pixels: int32 (sets, scales, n, m), read-only."""
        return self._set.arrays["scls"]

    @property
    def positions(self) -> NDArray[np.int32]:
        """Left and top edge of every object's box in pixels: int32 (sets, scales, n, m, 2), read-only."""
        return self._set.arrays["psts"]

    @property
    def images(self) -> NDArray[np.uint8]:
        """All images: uint8 (sets, scales, n, m, 64, 64), of colour (…, 64, 64, 3), read-only.

        They are read once and kept; :meth:`stored` and :meth:`to_torch` read only what is asked for.
        """
        frame = self._set.frame
        if "images" not in self._kept:
            every = StoredImages(self._set.images, frame.image_shape, frame.count)
            self._kept["images"] = every.read([range(frame.count)])
            self._kept["images"].flags.writeable = False
        images: NDArray[np.uint8] = self._kept["images"]
        return images.reshape(frame.shape + frame.image_shape)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return list(self._set.frame.classes)

    def __repr__(self) -> str:
        frame, facts = self._set.frame, self.metadata
        image = f"{frame.channels} x {frame.canvas} x {frame.canvas}"
        scales = f"{len(frame.scales)} scales ({min(frame.scales)} to {max(frame.scales)} pixels)"
        return (
            f"STIRDataset({str(self.path)!r})\n"
            f"  {facts['title']}: {len(self)} images {image}, license {facts['license']}\n"
            f"  {len(SETS)} splits ({', '.join(SETS)}) x {scales} x {self.num_classes} classes "
            f"x {frame.instances} instances"
        )

    def __getstate__(self) -> dict[str, Any]:
        # A worker opens the file faster than all arrays travel to it.
        return {**self.__dict__, "path": self._set.path, "_set": None, "_kept": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._set = _open(self.path)

    def count(self, split: str, scales: Scales = ALL_SCALES) -> int:
        """Return the number of images of a split at some scales."""
        return len(self.select(split, scales))

    def select(  # type: ignore[override]  # it names what can be chosen
        self, split: str = "train", scales: Scales = ALL_SCALES, shuffle: bool = False
    ) -> ScaleSelection:
        """Return which images the arguments mean, and in which order."""
        return select(self._set.frame, split, scales, shuffle)

    def to_numpy(
        self, split: str = "train", scales: Scales = ALL_SCALES, shuffle: bool = True, **options: Any
    ) -> tuple[NDArray[Any], ...]:
        """Return images and labels as arrays; see :meth:`ImageDataset.to_numpy`, and ``scales`` above."""
        return super().to_numpy(split, shuffle=shuffle, scales=scales, **options)

    def to_torch(  # type: ignore[override]  # it names what can be chosen
        self,
        split: str = "train",
        scales: Scales = ALL_SCALES,
        shuffle: bool = True,
        device: Any = None,
        *,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
        channels: int | None = None,
        normalize: Any = None,
        latents: bool = False,
    ) -> SelectedTensors:
        """Return images and labels as tensors; see :meth:`ImageDataset.to_torch`, and ``scales`` above."""
        selection = self.select(split, scales, shuffle)
        return self._tensors(selection, device, dtype, channels_last, channels, normalize, latents)

    def get_latents(  # type: ignore[override]  # it names what can be chosen
        self, split: str = "train", scales: Scales = ALL_SCALES, shuffle: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return scales and positions, in the order in which :meth:`to_torch` returns the images.

        Returns:
            Scales int32 (N,) in pixels; positions int32 (N, 2): left, top, in pixels.

        Raises:
            ParameterError: Unknown split, or wrong scales.
        """
        selection = self.select(split, scales, shuffle)
        latent_scales, positions = self._latents(selection.split).values()
        return selection.gather(latent_scales), selection.gather(positions)

    def view(  # type: ignore[override]  # it names what can be chosen
        self,
        split: str = "train",
        scales: Scales = ALL_SCALES,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        latents: bool = False,
    ) -> View:
        """Return a split at some scales as a map-style dataset; see :meth:`ImageDataset.view`."""
        return super().view(
            split, transform=transform, target_transform=target_transform, latents=latents, scales=scales
        )

    def mean_and_std(  # type: ignore[override]  # it names what can be chosen
        self, split: str = "train", scales: Scales = ALL_SCALES
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of all pixels; see :meth:`ImageDataset.mean_and_std`."""
        return super().mean_and_std(split, scales=scales)

    def encode_labels(self, labels: Any) -> Any:
        """Return labels one-hot: int64 (…, n) for n classes.

        Args:
            labels: Integers of any shape: an array, a tensor, a list or a number.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: A label is not an integer from 0 to n - 1.
        """
        return _encode(labels, self.num_classes)

    def decode_labels(self, encoded: Any) -> Any:
        """Return the labels of one-hot rows, or of scores: int64 (…), where each row is largest.

        Args:
            encoded: Shape (…, n) for n classes: an array, a tensor or a list.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: The last axis does not have the length n.
        """
        return _decode(encoded, self.num_classes)

    def _images(self, split: str) -> StoredImages:
        frame = self._set.frame
        count = frame.count // len(SETS)
        kept = self._kept.get("images")
        bytes_ = self._set.images if kept is None else MemoryBytes(lambda: kept)
        return StoredImages(bytes_, frame.image_shape, count, SETS.index(split) * count)

    def _labels(self, split: str) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = self.labels[SETS.index(split)].reshape(-1).astype(np.int64)
        return labels

    def _latents(self, split: str) -> Mapping[str, NDArray[Any]]:
        number = SETS.index(split)
        return {"scales": self.scales[number].reshape(-1), "positions": self.positions[number].reshape(-1, 2)}


@dataclass(frozen=True)
class _OpenedSet:
    """A set on disk, of which everything but the images is in memory."""

    path: Path
    frame: Frame
    arrays: Mapping[str, NDArray[Any]]
    images: ImageBytes


def _open(path: Path) -> _OpenedSet:
    """Open a set; refuse files of other families, and those that break the schema."""
    if not path.exists():
        raise _not_there(path)
    stored = open_stored(path, KEYS)
    absent = [key for key in KEYS if key not in stored.headers]
    if absent:
        raise FormatError(
            "this is no STIR set: arrays are missing",
            where=path,
            expected=", ".join(KEYS),
            got=f"no {', '.join(absent)}",
            hint="stirdata.load opens datasets of every family; or name an .npz or .h5 file of a STIR set, "
            "or its folder of .npy files",
        )
    headers = {key: stand_in(stored.headers[key].shape, _dtype(stored.headers[key].dtype)) for key in KEYS}
    schema.check_layout(headers, where=path)
    small = stored.read(_SMALL)
    frame = schema.check({"imgs": headers["imgs"], **small}, where=path)
    for array in small.values():
        array.flags.writeable = False
    return _OpenedSet(path, frame, small, stored.image_bytes("imgs"))


def _dtype(name: str) -> str:
    return "<U1" if name == "str" else name


def _not_there(path: Path) -> MissingFileError:
    """Return the error for a set that is not there; how to get one that is published is told."""
    name, hint = path.stem, ""
    if name in published_files().names():
        hint = f"stirdata fetch stir --zenodo --only {name}, or stirdata generate stir {name}, makes one"
    return missing(path, hint)


_NO_INTEGERS = "labels are integers"


def _encode(labels: Any, classes: int) -> Any:
    """Return labels one-hot: int64 (…, classes), a tensor for a tensor, else an array.

    Raises:
        ParameterError: A label is not an integer from 0 to ``classes`` - 1.

    Examples:
        >>> _encode([2, 0], 3)
        array([[0, 0, 1],
               [1, 0, 0]])
    """
    if _is_tensor(labels):
        import torch

        rows = _encode(labels.detach().cpu().numpy(), classes)
        return torch.from_numpy(rows).to(labels.device)
    values = np.asarray(labels)
    if values.dtype.kind not in "iu":
        raise _wrong_labels(_NO_INTEGERS, classes, f"type {values.dtype}")
    outside = values[(values < 0) | (values >= classes)]
    if outside.size:
        raise _wrong_labels("a label is out of range", classes, f"{outside.flat[0]} ({outside.size} outside)")
    return np.asarray(np.arange(classes) == values[..., None], np.int64)


def _decode(encoded: Any, classes: int) -> Any:
    """Return where each row is largest, the first of equals: int64 (…), of a shape (…, classes).

    Raises:
        ParameterError: The last axis is not as long as there are classes.

    Examples:
        >>> _decode([[0, 0, 1], [1, 0, 0]], 3)
        array([2, 0])
    """
    if _is_tensor(encoded):
        import torch

        values = encoded.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values  # NumPy has no such type
        labels = _decode(values.numpy(), classes)
        return torch.from_numpy(np.asarray(labels)).to(encoded.device)
    values = np.asarray(encoded)
    if values.ndim == 0 or values.shape[-1] != classes or values.dtype.kind not in "iufb":
        raise ParameterError(
            "these are no encoded labels",
            where="encoded",
            expected=f"numbers of shape (…, {classes})",
            got=f"shape {values.shape}, type {values.dtype}",
        )
    return np.asarray(values.argmax(axis=-1), np.int64)


def _is_tensor(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "torch"


def _wrong_labels(what: str, classes: int, got: str) -> ParameterError:
    return ParameterError(
        what,
        where="labels",
        expected=f"integers from 0 to {classes - 1}",
        got=got,
        hint="class_to_idx has the integer of each name" if what == _NO_INTEGERS else "",
    )
