"""Loading STIR sets for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stirdata.families.stir.selection import ALL_SCALES, Scales, Selection
from stirdata.families.stir.stir_set import OpenedSet
from stirdata.loading.arranging import load
from stirdata.loading.batches import Batches
from stirdata.loading.forms import checked_form
from stirdata.loading.selected import SelectedTensors, selected_tensors
from stirdata.loading.statistics import mean_and_std
from stirdata.loading.tensors import checked_device

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from stirdata.loading.augment import Transform
    from stirdata.loading.views import STIRView


class STIRDataset(OpenedSet):
    """A STIR set (emoji, mnist, trafficsign, aerial, or one's own), published or made by stirdata.

    Opening a set reads its small arrays; images are read when they are asked for, and only those. No file
    stays open: objects can be pickled and used in worker processes, which open the file again.

    ``scales`` of the methods are sizes in pixels in the order wanted, or a single one; left alone, they
    are all that the file has, the largest first. Images come scale by scale, then class, then instance;
    with ``shuffle`` images, labels, scales and positions are permuted alike, by
    ``RandomState(42).permutation(N)``.

    Args:
        path: A .npz or .h5 file, or a folder of .npy files.
        download: If there is no such file and one of this name is published (``emoji.npz``, ``mnist.npz``,
            ``trafficsign.npz``, ``aerial.npz``), fetch it into the cache, once, and open it there.

    Attributes:
        path: As given, or where the file is in the cache.
        metadata: Title, description, author, license, version and date.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or no STIR set.
        SourceUnavailableError: It cannot be downloaded.

    Source: arXiv 2211.10288, and the loader published with it.

    Example::

        dataset = STIRDataset("mnist.npz")
        images, labels = dataset.to_torch("train", range(17, 33), device="cuda")
    """

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
        wanted = torch.float32 if dtype is None else dtype
        form = checked_form(wanted, channels_last, normalize, self.num_channels)
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

    def batches(
        self,
        split: str = "train",
        scales: Scales = ALL_SCALES,
        batch_size: int = 128,
        shuffle: bool = True,
        seed: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
        drop_last: bool = False,
        *,
        normalize: Any = None,
        channels_last: bool = False,
        latents: bool = False,
        rank: int = 0,
        world_size: int = 1,
        transform: Transform | None = None,
        reuse: bool = False,
    ) -> Batches:
        """Return images and labels in batches: one epoch of tuples per iteration.

        The selection stays on the device as bytes; each batch is gathered and converted there.

        Args:
            split: ``train``, ``valid`` (or ``val``) or ``test``.
            scales: In pixels, in the order wanted.
            batch_size: Images per batch and rank, 1 or more.
            shuffle: Whether every epoch has an order of its own.
            seed: Of the orders, 0 or more.
            device: Of torch; None is the CPU.
            dtype: As for :meth:`to_torch`, of the images handed out.
            drop_last: Whether to leave out the last batch of an epoch if it is smaller.
            normalize: As for :meth:`to_torch`.
            channels_last: As for :meth:`to_torch`.
            latents: Whether batches have scales and positions as well, as in :meth:`to_torch`.
            rank: Which part of each epoch, 0 to ``world_size - 1``.
            world_size: Number of parts without a common image.
            transform: Called with each batch's uint8 images, such as :class:`stirdata.ScaleAugment`.
            reuse: Write the images of every batch into the same memory.

        Returns:
            Batches of images (B, channels, 64, 64) and labels int64 (B,); see
            :class:`stirdata.loading.batches.Batches`, also for going on in the middle of an epoch.

        Raises:
            ParameterError: An argument is wrong, or the device does not exist.
            FormatError: The file is damaged.
            NotEnoughMemoryError: The bytes do not fit into the memory of the device.
        """
        import torch

        stored = self.to_torch(
            split, scales, False, device, dtype=torch.uint8, channels_last=channels_last, latents=latents
        )
        return Batches(
            *stored.tensors,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            dtype=dtype,
            normalize=normalize,
            channels_last=channels_last,
            drop_last=drop_last,
            rank=rank,
            world_size=world_size,
            transform=transform,
            reuse=reuse,
        )

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
        from stirdata.loading.views import STIRView

        return STIRView(self, self.select(split, scales), transform, target_transform, latents)

    @property
    def images(self) -> NDArray[np.uint8]:
        """All images: uint8 (sets, scales, n, m, 64, 64), of colour (…, 64, 64, 3), read-only.

        They are read anew every time; :meth:`stored` and :meth:`to_torch` read only what is asked for.
        """
        import numpy as np

        frame = self._file.frame
        sets, scales, *others = frame.shape
        images = np.empty((sets, scales, int(np.prod(others)), *frame.image_shape), np.uint8)
        for split, out in enumerate(images):
            self._file.read(split, range(scales), out)
        images.flags.writeable = False
        return images.reshape(frame.shape + frame.image_shape)

    def stored(self, selection: Selection) -> NDArray[np.uint8]:
        """Return the images of a selection as they are stored, in order, even of a shuffled one."""
        images = self._file.read(selection.split, selection.rows)
        return images.reshape(len(selection), *self._file.frame.image_shape)

    def mean_and_std(
        self, split: str = "train", scales: Scales = ALL_SCALES
    ) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and standard deviation of all pixels per channel, in units of [0, 1].

        They are what ``normalize`` takes. The sums are of integers, so that the results are exact but
        for the last rounding.
        """
        selection = self.select(split, scales)
        return mean_and_std((block for _, block in self._blocks(selection)), self.num_channels)

    def _blocks(self, selection: Selection) -> Any:
        return self._file.blocks(selection.split, selection.rows)

    def _latents(self, selection: Selection) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return selection.gather(self._file.scales), selection.gather(self._file.positions)
