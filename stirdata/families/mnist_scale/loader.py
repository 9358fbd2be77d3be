"""Loading MNIST-scale for training and evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_flag, checked_function, checked_path
from stirdata.errors import MissingFileError, ParameterError
from stirdata.executors import threads
from stirdata.families.mnist_scale.locating import Wanted, locate
from stirdata.loading.augment import DoubledPixels, ScaleAugment
from stirdata.loading.batches import Batches
from stirdata.loading.families import expecting
from stirdata.loading.tensors import checked_device, doubled, to_float
from stirdata.loading.views import MNISTScaleView
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.sources.digits import CLASS_NAMES
from stirdata.storage import mnist_scale as storage
from stirdata.storage import png_tree

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

MEAN = 0.0607
STD = 0.2161
"""Of the training images in [0, 1]. Source: the training scripts published with arXiv 1910.11093."""

_READING_THREADS = 16  # PNG files are read while the disk is waited for, so more than cores


class MNISTScale:
    """One realization of MNIST-scale, from any of the formats that stirdata writes.

    A file is opened when its first array is asked for, and no file stays open: objects can be pickled
    and used in worker processes.

    Args:
        path_or_root: A .h5 or .npz file; the folder of a PNG tree (also one that the original script
            made); or a folder that holds ``MNIST_scale/seed_<seed>/…``, or that ``MNIST_scale`` folder.
        seed: Which realization, below a folder of several; None for 0.
        min_scale: Smallest scale factor of the realization, below a folder of several; None for 0.3.
        max_scale: Largest scale factor of the realization, below a folder of several; None for 1.0.
        download: Make a realization that is missing below a folder: MNIST is fetched into the cache, and
            what is made of it is written below the folder; see :func:`stirdata.downloads.mnist_scale`.

    Raises:
        MissingFileError: There is no such realization.
        ParameterError: The file named is of another seed or of other scales than those given.
        FormatError: The file is of no known kind.
        SourceUnavailableError: MNIST is neither in the cache nor can it be downloaded.

    Source: arXiv 1910.11093, section 6.1.

    Example::

        dataset = MNISTScale("data", seed=0)
        images, labels = dataset.to_torch("train", device="cuda", normalize=True)
    """

    def __init__(
        self,
        path_or_root: str | os.PathLike[str],
        seed: int | None = None,
        min_scale: float | None = None,
        max_scale: float | None = None,
        *,
        download: bool = False,
    ) -> None:
        named, wanted = checked_path("path_or_root", path_or_root), Wanted(seed, min_scale, max_scale)
        self.path = locate(named, wanted, download=download)
        if self.path == named and any(value is not None for value in wanted):
            wanted.check(self.path, self.metadata)
        self._form = storage.format_of(self.path)
        self._arrays: dict[str, NDArray[Any]] = {}
        self._check()

    @property
    def labeldata(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return CLASS_NAMES

    @property
    def metadata(self) -> dict[str, Any]:
        """What the realization is: title, recipe, seed, scales, source, license, citation.

        Read from the manifest, else from the file itself; a PNG tree without manifest has nothing but
        its title.
        """
        try:
            manifest = load_manifest(manifest_path(self.path))
        except MissingFileError:
            return {"title": "MNIST-scale", **storage.load_attributes(self.path)}
        description = storage.Description(
            manifest.recipe,
            manifest.seed,
            manifest.parameters,
            manifest.sources,
            manifest.license,
            manifest.citation,
        )
        return {**description.attributes(), "root": manifest.root}

    def __len__(self) -> int:
        """Return the number of images in all splits."""
        return sum(len(self._array(split, "labels")) for split in storage.SPLITS)

    def __repr__(self) -> str:
        return f"MNISTScale({str(self.path)!r})"

    def __getstate__(self) -> dict[str, Any]:
        # The arrays are read again where the object arrives: cheaper than sending them along.
        return {**self.__dict__, "_arrays": {}}

    def to_numpy(
        self, split: str, *, size: int = 28, normalize: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return a split as arrays, with the values of :meth:`to_torch`.

        Args:
            split: ``train``, ``val`` (or ``valid``) or ``test``.
            size: 28, or 56 for every pixel doubled.
            normalize: Subtract the mean 0.0607 and divide by the standard deviation 0.2161.

        Returns:
            Images float32 (N, 1, size, size), in [0, 1] unless normalised; labels int64 (N,).
        """
        images, labels = self.to_torch(split, size=size, normalize=normalize)
        return images.numpy(), labels.numpy()

    def to_torch(
        self, split: str, device: Any = None, *, size: int = 28, normalize: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a split as tensors on a device; uint8 goes there and is converted there.

        Args:
            split: ``train``, ``val`` (or ``valid``) or ``test``.
            device: Of torch; None is the CPU.
            size: 28, or 56 for every pixel doubled (the paper's second regime).
            normalize: Subtract the mean 0.0607 and divide by the standard deviation 0.2161.

        Returns:
            Images float32 (N, 1, size, size), in [0, 1] unless normalised, the same bits on every
            device; labels int64 (N,).

        Raises:
            ParameterError: Unknown split, size or device.
            FormatError: The file is damaged.

        Source: arXiv 1910.11093, Table 2.
        """
        import torch

        _check_size(size)
        normalize = checked_flag("normalize", normalize)
        place = checked_device(device)
        images = torch.from_numpy(self._array(split, "images")).to(place)[:, None]
        labels = torch.tensor(self._array(split, "labels"), device=place)
        if size == 56:
            images = doubled(images)
        return (to_float(images, MEAN, STD) if normalize else to_float(images)), labels

    def images(self, split: str) -> NDArray[np.uint8]:
        """Return the stored images of a split: uint8 (N, 28, 28), read-only."""
        return _read_only(self._array(split, "images"))

    def labels(self, split: str) -> NDArray[np.int64]:
        """Return the labels of a split: int64 (N,), read-only."""
        return _read_only(self._array(split, "labels"))

    def get_latents(self, split: str) -> NDArray[np.float64]:
        """Return the scale factor of every image of a split: float64 (N,), read-only.

        Raises:
            FormatError: The files do not hold them (a PNG tree without ``scales.csv``).
        """
        return _read_only(self._array(split, "scales"))

    def source_index(self, split: str) -> NDArray[np.int32]:
        """Return the position of every image's digit among the 70,000 of the source: int32 (N,), read-only.

        Raises:
            FormatError: The files do not hold them (a PNG tree without ``scales.csv``).
        """
        return _read_only(self._array(split, "source_index"))

    def batches(
        self,
        split: str,
        batch_size: int,
        shuffle: bool = True,
        seed: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        drop_last: bool = False,
        *,
        size: int = 28,
        normalize: bool = False,
        augment: ScaleAugment | None = None,
        latents: bool = False,
        channels_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
        reuse: bool = False,
    ) -> Batches:
        """Return a split in batches: one epoch of pairs of images and labels per iteration.

        The split stays on the device as bytes of 28 x 28 pixels; each batch is gathered, augmented,
        converted and doubled there.

        Args:
            split: ``train``, ``val`` (or ``valid``) or ``test``.
            batch_size: Images per batch and rank, 1 or more; published is 128.
            shuffle: Whether every epoch has an order of its own.
            seed: Of the orders, 0 or more.
            device: Of torch; None is the CPU.
            dtype: float32 (also for None), float16, bfloat16 or uint8.
            drop_last: Whether to leave out the last batch of an epoch if it is smaller.
            size: 28, or 56 for every pixel doubled after augmentation (the paper's second regime).
            normalize: Subtract the mean 0.0607 and divide by the standard deviation 0.2161.
            augment: ``ScaleAugment(0.5, 2.0, seed)`` is the paper's "+" regime.
            latents: Whether batches have a third tensor, the stored scale factors: float64 (B,).
            channels_last: Whether images have the memory format ``torch.channels_last``.
            rank: Which part of each epoch, 0 to ``world_size - 1``.
            world_size: Number of parts without a common image.
            reuse: Write the images of every batch into the same memory.

        Returns:
            Batches of images (B, 1, size, size) and labels int64 (B,); see
            :class:`stirdata.loading.batches.Batches`, also for going on in the middle of an epoch.

        Raises:
            ParameterError: An argument is out of range, or this machine does not have the device.
            FormatError: The file is damaged, or holds no scale factors though they are asked for.

        Source: arXiv 1910.11093, Table 2.
        """
        import torch

        _check_size(size)
        normalize = checked_flag("normalize", normalize)
        place = checked_device(device)
        names = ["images", "labels", "scales"] if latents else ["images", "labels"]
        images, *companions = (torch.from_numpy(self._array(split, name)).to(place) for name in names)
        return Batches(
            images[:, None],
            *companions,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            dtype=dtype,
            normalize=(MEAN, STD) if normalize else None,
            channels_last=channels_last,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
            transform=augment if size == 28 else DoubledPixels(checked_function("augment", augment)),
            reuse=reuse,
        )

    def view(
        self,
        split: str,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> MNISTScaleView:
        """Return a split as a map-style dataset for :class:`torch.utils.data.DataLoader`.

        Args:
            split: ``train``, ``val`` (or ``valid``) or ``test``.
            transform: Gets each image as a Pillow image of mode L, 28 x 28, as torchvision's data sets
                hand theirs out. Without one, images are float32 tensors (1, 28, 28) in [0, 1].
            target_transform: Gets each label as an int.
        """
        return MNISTScaleView(self, _checked_split(split), transform, target_transform)

    def _check(self) -> None:
        if self._form == "png" and not png_tree.looks_like_tree(self.path):
            raise MissingFileError(
                "the folder holds no MNIST-scale",
                where=self.path,
                expected="MNIST_scale/seed_<seed>/…, or the folders train, test and val",
                hint="stirdata generate mnist-scale makes it",
            )

    def _array(self, split: str, name: str) -> NDArray[Any]:
        key = f"{_checked_split(split)}/{name}"
        if key not in self._arrays:
            self._read(key)
        return self._arrays[key]

    def _read(self, key: str) -> None:
        """Read one array, or the whole of a PNG tree, which has to be read whole."""
        workers = _READING_THREADS if self._form == "png" else 1
        with expecting("MNIST-scale", self.path), threads(workers) as executor:
            names = [key] if self._form != "png" else None
            arrays = {} if names is None and self._arrays else storage.load(self.path, executor, names)
        known = {**self._arrays, **arrays}
        storage.check_arrays(self.path, known)
        self._arrays = known
        if key not in self._arrays:
            raise storage.no_scales(self.path, [key])


def _checked_split(split: str) -> str:
    name = "val" if split == "valid" else split
    if name not in storage.SPLITS:
        expected = ", ".join(storage.SPLITS)
        raise ParameterError("unknown split", where="split", expected=expected, got=repr(split))
    return name


def _check_size(size: int) -> None:
    if size not in (28, 56):
        raise ParameterError("unknown image size", where="size", expected="28 or 56", got=size)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view
