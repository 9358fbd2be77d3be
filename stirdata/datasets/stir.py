"""Loading STIR sets for training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.datasets import one_hot
from stirdata.datasets.loading import checked_form, load
from stirdata.datasets.selected import SelectedTensors, selected_tensors
from stirdata.datasets.selection import ALL_SCALES, Scales, Selection, select
from stirdata.datasets.statistics import mean_and_std
from stirdata.datasets.tensors import checked_device
from stirdata.recipes.stir import SETS
from stirdata.storage.stir_file import StirFile, open_set

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from stirdata.datasets.views import STIRView


class STIRDataset:
    """A STIR set (emoji, mnist, trafficsign, aerial, or one's own), published or made by stirdata.

    Opening a set reads its small arrays; images are read when they are asked for, and only those. No file
    stays open: objects can be pickled and used in worker processes, which open the file again.

    ``scales`` of the methods are sizes in pixels in the order wanted, or a single one; left alone, they
    are all that the file has, the largest first. Images come scale by scale, then class, then instance;
    with ``shuffle`` images, labels, scales and positions are permuted alike, by
    ``RandomState(42).permutation(N)``.

    Args:
        path: A .npz or .h5 file, or a folder of .npy files.

    Attributes:
        path: As given.
        metadata: Title, description, author, license, version and date.
        labeldata: Names of the classes in the order of the labels: str (n,), read-only.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or no STIR set.

    Source: arXiv 2211.10288, and the loader published with it.

    Example::

        dataset = STIRDataset("mnist.npz")
        images, labels = dataset.to_torch("train", range(17, 33), device="cuda")
    """

    def __init__(self, path: str | os.PathLike[str] = "emoji.npz") -> None:
        import numpy as np

        self.path = Path(path)
        self._file: StirFile = open_set(self.path)
        self.metadata: dict[str, str] = dict(self._file.metadata)
        names = np.array(self._file.frame.classes)
        names.flags.writeable = False
        self.labeldata: NDArray[np.str_] = names.view()

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class of every image: int32 (sets, scales, n, m), read-only."""
        return _read_only(self._file.labels)

    @property
    def scales(self) -> NDArray[np.int32]:
        """Size of every image's object in pixels: int32 (sets, scales, n, m), read-only."""
        return _read_only(self._file.scales)

    @property
    def positions(self) -> NDArray[np.int32]:
        """Distance of every object's box to the left and to the top edge in pixels: int32
        (sets, scales, n, m, 2), read-only."""  # noqa: D205, D209
        return _read_only(self._file.positions)

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the labels."""
        return list(self._file.frame.classes)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class by its name."""
        return {name: label for label, name in enumerate(self._file.frame.classes)}

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self._file.frame.classes)

    @property
    def num_channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return self._file.frame.channels

    def __len__(self) -> int:
        """Return the number of images in all splits at all scales."""
        return self._file.frame.count

    def __repr__(self) -> str:
        frame, facts = self._file.frame, self.metadata
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
        return {**self.__dict__, "path": self.path.absolute(), "_file": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._file = open_set(self.path)

    def count(self, split: str, scales: Scales = ALL_SCALES) -> int:
        """Return the number of images of a split at some scales."""
        return len(self.select(split, scales))

    def to_numpy(
        self, split: str = "train", scales: Scales = ALL_SCALES, shuffle: bool = True
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return images and labels as arrays.

        Args:
            split: ``train``, ``valid`` (or ``val``) or ``test``.
            scales: In pixels, in the order wanted.
            shuffle: Whether to permute them, always in the same way.

        Returns:
            Images float32 (N, channels, 64, 64) in [0, 1]; labels int64 (N,).

        Raises:
            ParameterError: Unknown split, or wrong scales.
            FormatError: The file is damaged.
            NotEnoughMemoryError: They do not fit into memory.
        """
        images, labels = self.to_torch(split, scales, shuffle)
        return images.numpy(), labels.numpy()

    def to_torch(
        self,
        split: str = "train",
        scales: Scales = ALL_SCALES,
        shuffle: bool = True,
        device: Any = None,
        *,
        dtype: torch.dtype | None = None,
        channels_last: bool = False,
        normalize: Any = None,
        latents: bool = False,
    ) -> SelectedTensors:
        """Return images and labels as tensors on a device; bytes travel there and are converted there.

        Args:
            split: ``train``, ``valid`` (or ``val``) or ``test``.
            scales: In pixels, in the order wanted.
            shuffle: Whether to permute them, always in the same way.
            device: Of torch; None is the CPU.
            dtype: ``torch.float32`` (also for None), ``float16`` or ``bfloat16`` for images in [0, 1];
                ``uint8`` for 0 to 255 as stored.
            channels_last: Whether the images' memory format is ``torch.channels_last``.
            normalize: Mean and standard deviation, numbers or one per channel, in units of [0, 1]: images
                become ``(image - mean) / std``, computed in float32. See :meth:`mean_and_std`.
            latents: Whether scales and positions are returned as well.

        Returns:
            A :class:`torch.utils.data.TensorDataset` that unpacks into its tensors: images
            (N, channels, 64, 64), the same bits on every device; labels int64 (N,); with ``latents``
            scales int32 (N,) in pixels, and positions int32 (N, 2): left, top, in pixels.

        Raises:
            ParameterError: An argument is wrong, or the device does not exist.
            FormatError: The file is damaged.
            NotEnoughMemoryError: They do not fit into the memory of the device.
        """
        import torch

        selection = self.select(split, scales, shuffle)
        form = checked_form(dtype or torch.float32, channels_last, normalize, self.num_channels)
        place = checked_device(device)
        images = load(self._blocks(selection), selection, form, place)
        labels = selection.gather(self._file.labels).astype("int64")
        arrays = [labels, *self._latents(selection)] if latents else [labels]
        return selected_tensors(images, *(torch.from_numpy(array).to(place) for array in arrays))

    def get_latents(
        self, split: str = "train", scales: Scales = ALL_SCALES, shuffle: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return scales and positions, in the order in which :meth:`to_torch` returns the images.

        Args:
            split: ``train``, ``valid`` (or ``val``) or ``test``.
            scales: In pixels, in the order wanted.
            shuffle: Whether to permute them, always in the same way.

        Returns:
            Scales int32 (N,) in pixels; positions int32 (N, 2): left, top, in pixels.

        Raises:
            ParameterError: Unknown split, or wrong scales.
        """
        return self._latents(self.select(split, scales, shuffle))

    def select(self, split: str, scales: Scales = ALL_SCALES, shuffle: bool = False) -> Selection:
        """Return which images the arguments mean, and in which order."""
        return select(self._file.frame, split, scales, shuffle)

    def view(
        self,
        split: str = "train",
        scales: Scales = ALL_SCALES,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        latents: bool = False,
    ) -> STIRView:
        """Return a split at some scales as a map-style dataset for :class:`torch.utils.data.DataLoader`.

        Args:
            split: ``train``, ``valid`` (or ``val``) or ``test``.
            scales: In pixels, in the order wanted.
            transform: Gets each image as a Pillow image of mode L or RGB, as torchvision's data sets hand
                theirs out. Without one, images are float32 tensors (channels, 64, 64) in [0, 1].
            target_transform: Gets each label as an int.
            latents: Whether items also hold scale and position.
        """
        from stirdata.datasets.views import STIRView

        return STIRView(self, self.select(split, scales), transform, target_transform, latents)

    def images(self, split: str = "train", scales: Scales = ALL_SCALES) -> NDArray[np.uint8]:
        """Return images as they are stored, in order: uint8 (N, 64, 64), or (N, 64, 64, 3) of colour."""
        return self.stored(self.select(split, scales))

    def stored(self, selection: Selection) -> NDArray[np.uint8]:
        """Return the images of a selection as they are stored, in order, even of a shuffled one."""
        import numpy as np

        images = np.empty((len(selection), *self._file.frame.image_shape), np.uint8)
        for place, block in self._blocks(selection):
            images[place * selection.block : (place + 1) * selection.block] = block
        return images

    def mean_and_std(
        self, split: str = "train", scales: Scales = ALL_SCALES
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of all pixels per channel, in units of [0, 1].

        They are what ``normalize`` takes. The sums are of integers, so that the results are exact but
        for the last rounding.
        """
        selection = self.select(split, scales)
        return mean_and_std((block for _, block in self._blocks(selection)), self.num_channels)

    def encode_labels(self, labels: Any) -> Any:
        """Return labels one-hot: int64 (…, n) for n classes.

        Args:
            labels: Integers of any shape: an array, a tensor, a list or a number.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: A label is not an integer from 0 to n - 1.
        """
        return one_hot.encode(labels, self.num_classes)

    def decode_labels(self, encoded: Any) -> Any:
        """Return the labels of one-hot rows, or of scores: int64 (…), where each row is largest.

        Args:
            encoded: Shape (…, n) for n classes: an array, a tensor or a list.

        Returns:
            A tensor on its device for a tensor, an array for anything else.

        Raises:
            ParameterError: The last axis does not have the length n.
        """
        return one_hot.decode(encoded, self.num_classes)

    def _blocks(self, selection: Selection) -> Any:
        return self._file.blocks(selection.split, selection.rows)

    def _latents(self, selection: Selection) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return selection.gather(self._file.scales), selection.gather(self._file.positions)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
