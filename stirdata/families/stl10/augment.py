"""The published training protocol of STL-10, where the images lie, the same on every device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.arguments import checked_integer
from stirdata.errors import ParameterError
from stirdata.imaging.namespaces import array_namespace
from stirdata.loading.augment import check_images, check_indices, planes_of
from stirdata.loading.compiled import OneStep, one_step
from stirdata.loading.epochs import random_below, stream_key
from stirdata.loading.shifting import shifted

if TYPE_CHECKING:
    import torch

MEAN = (0.4467, 0.4398, 0.4066)
STD = (0.2603, 0.2566, 0.2713)
"""Per channel, in units of [0, 1]. Source: the training scripts of arXiv 1910.11093."""
_PADDING = 12
_HOLE = 32
_DRAWS = 5
"""Random numbers of an image: two of the crop, one of the flip, two of the hole."""


@dataclass(frozen=True)
class STL10Augment(OneStep):
    """Crops, flips and holes: every image another way each epoch.

    Each image gets 12 pixels of zeros around it, of which a random part of the old size is cut out; it is
    flipped left to right with probability 1/2, becomes numbers in [0, 1], is normalised by :data:`MEAN` and
    :data:`STD`, and gets one square hole of 0, 32 pixels wide, around a pixel that is any with equal
    probability; the border cuts the hole.

    What happens to an image depends on seed, epoch and the image's index only: not on the batch it is in,
    the order, the rank or the device. ``batches(augment=STL10Augment(seed))`` normalises by itself; the
    test images are normalised only: ``normalize=True``.

    Args:
        seed: Of what is random, 0 or more.

    Raises:
        ParameterError: The seed is no integer of 0 or more.

    Source: arXiv 1910.11093, section 6.2, and its training scripts.

    Examples:
        >>> import torch
        >>> augment, images = STL10Augment(seed=0), torch.zeros(2, 3, 96, 96, dtype=torch.uint8)
        >>> augment(images, torch.tensor([0, 7]), epoch=3).shape
        torch.Size([2, 3, 96, 96])
    """

    seed: int = 0

    by_index: ClassVar[bool] = True
    normalize: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]] = (MEAN, STD)
    """By what batches are normalised if nothing else is asked for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seed", checked_integer("seed", self.seed, 0))
        self.describe()

    def crops(self, indices: Any, epoch: int) -> tuple[Any, Any]:
        """Return how every image is shifted and whether it is flipped in an epoch.

        Args:
            indices: int64, shape (N,), 0 or more: a NumPy array or a torch tensor on any device.
            epoch: 0 or more.

        Returns:
            Pixels down and right, int64 (N, 2), -12 to 12, where a shift of 1 is a crop that begins a pixel
            earlier; and truth values (N,). Of the library and on the device of ``indices``.

        Raises:
            ParameterError: ``indices`` are not int64 or not of one axis, or the epoch is negative.
        """
        shifts = _PADDING - self._drawn(indices, epoch, (0, 1), 2 * _PADDING + 1)
        return shifts, self._drawn(indices, epoch, (2,), 2)[:, 0] == 1

    def holes(self, indices: Any, epoch: int, height: int, width: int) -> tuple[Any, Any]:
        """Return row and column of the pixel around which every image's hole is: int64 (N,) each.

        The hole begins 16 pixels before it and ends 15 behind it, as far as the image goes.

        Args:
            indices: As for :meth:`crops`.
            epoch: 0 or more.
            height: Of the images.
            width: Of the images.
        """
        rows = self._drawn(indices, epoch, (3,), height)[:, 0]
        return rows, self._drawn(indices, epoch, (4,), width)[:, 0]

    def _drawn(self, indices: Any, epoch: int, numbers: tuple[int, ...], below: int) -> Any:
        xp = array_namespace(indices)
        check_indices(xp, indices)
        key = stream_key("stl10-augment", self.seed, checked_integer("epoch", epoch, 0))
        counters = xp.stack([_DRAWS * indices + number for number in numbers], axis=1)
        return random_below(key, counters, below)

    @one_step
    def __call__(self, images: Any, indices: Any = None, epoch: int = 0) -> Any:
        """Return the images cropped and flipped; what follows, :meth:`finish` does to normalised ones.

        A single Pillow image of mode RGB is taken as well, so that this can be the ``transform`` of a view;
        then all of the protocol is done. Its random numbers are those of its index and the epoch, or without
        an index those of an index drawn from torch's own random numbers, which a DataLoader seeds in each
        worker.

        Args:
            images: uint8, shape (N, channels, height, width): a NumPy array or a torch tensor on any device.
                Or a Pillow image.
            indices: Which image of the data set each one is: int64, shape (N,), of the same library and on
                the same device. Of a Pillow image an integer, or None.
            epoch: 0 or more.

        Returns:
            uint8, of the shape, of the library and on the device of ``images``; for a Pillow image a
            float32 tensor (3, height, width), normalised, with its hole.

        Raises:
            ParameterError: Shapes, types or devices do not fit.
        """
        if hasattr(images, "getbands"):
            return self._of_pillow_image(images, indices, epoch)
        xp = array_namespace(images, indices)
        check_images(xp, images, indices)
        shifts, flipped = self.crops(indices, epoch)
        return shifted(xp, images, shifts, "zeros", flipped)

    def finish(self, values: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return normalised images with their holes; they are changed in place.

        Args:
            values: Floats, shape (N, channels, height, width), on any device.
            indices: int64, shape (N,), on that device.
            epoch: 0 or more.
        """
        import torch

        height, width = values.shape[2:]
        rows, columns = self.holes(indices, epoch, height, width)
        down = torch.arange(height, device=values.device)[None] - rows[:, None]
        across = torch.arange(width, device=values.device)[None] - columns[:, None]
        in_rows, in_columns = ((line >= -_HOLE // 2) & (line < _HOLE // 2) for line in (down, across))
        return values.masked_fill_((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0)

    def _of_pillow_image(self, image: Any, index: int | None, epoch: int) -> torch.Tensor:
        import torch

        from stirdata.loading.tensors import to_float

        if image.mode != "RGB":
            raise ParameterError(
                "this is no 8-bit colour image", where="images", expected="mode RGB", got=f"mode {image.mode}"
            )
        if index is None:
            index, epoch = int(torch.randint(2**60, ())), 0
        number = torch.tensor([checked_integer("indices", index, 0)])
        cropped = self(torch.from_numpy(planes_of(image).copy()[None]), number, epoch)
        return self.finish(to_float(cropped, *self.normalize), number, epoch)[0]
