"""Random shifting of image batches where they lie, the same on every device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import device

from stirdata.arguments import checked_integer
from stirdata.errors import ParameterError
from stirdata.imaging.fitting import mirrored
from stirdata.imaging.namespaces import array_namespace
from stirdata.loading.augment import check_images, check_indices, picture_of, planes_of
from stirdata.loading.compiled import OneStep, one_step
from stirdata.loading.epochs import random_below, stream_key

BEYOND = ("zeros", "circular", "mirror")
"""What a shifted image shows beyond its edges: 0, its other side, or itself, the edge pixels repeated."""


@dataclass(frozen=True)
class ShiftAugment(OneStep):
    """Every image shifted by whole pixels, by another amount each epoch.

    The shift of an image depends on seed, epoch and the image's index only: not on the batch it is in, the
    order, the rank or the device.

    Args:
        max_shift: Most pixels in each of the four directions, 0 or more.
        seed: Of the shifts, 0 or more.
        beyond: What is shown beyond an image's edges: ``zeros``, ``circular`` or ``mirror``.

    Raises:
        ParameterError: An argument is out of range.

    Examples:
        >>> import numpy as np
        >>> shift = ShiftAugment(4, seed=0)
        >>> shift(np.zeros((2, 3, 32, 32), dtype=np.uint8), np.array([0, 7]), epoch=3).shape
        (2, 3, 32, 32)
    """

    max_shift: int
    seed: int = 0
    beyond: str = "zeros"
    by_index: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("max_shift", "seed"):
            object.__setattr__(self, name, checked_integer(name, getattr(self, name), 0))
        if self.beyond not in BEYOND:
            raise ParameterError(
                "unknown kind of edge", where="beyond", expected=", ".join(BEYOND), got=repr(self.beyond)
            )
        self.describe()

    def shifts(self, indices: Any, epoch: int) -> Any:
        """Return the shift of every image in an epoch.

        Args:
            indices: int64, shape (N,), 0 or more: a NumPy array or a torch tensor on any device.
            epoch: 0 or more.

        Returns:
            int64, shape (N, 2): pixels down and right, ``-max_shift`` to ``max_shift`` with equal
            probability, of the library and on the device of ``indices``.

        Raises:
            ParameterError: ``indices`` are not int64 or not of one axis, or the epoch is negative.
        """
        xp = array_namespace(indices)
        check_indices(xp, indices)
        key = stream_key("shift-augment", self.seed, checked_integer("epoch", epoch, 0))
        counters = xp.stack([2 * indices, 2 * indices + 1], axis=1)
        return random_below(key, counters, 2 * self.max_shift + 1) - self.max_shift

    @one_step
    def __call__(self, images: Any, indices: Any = None, epoch: int = 0) -> Any:
        """Return the images, each shifted; all channels of an image alike.

        A single Pillow image is taken as well, so that this can be the ``transform`` of a view; see
        :meth:`stirdata.ScaleAugment.__call__`.

        Args:
            images: uint8, shape (N, channels, height, width): a NumPy array or a torch tensor on any device.
                Or a Pillow image of mode L or RGB.
            indices: Which image of the data set each one is: int64, shape (N,), of the same library and on
                the same device. Of a Pillow image an integer, or None.
            epoch: 0 or more.

        Returns:
            uint8, of the shape, of the library and on the device of ``images``; or a Pillow image.

        Raises:
            ParameterError: Shapes, types or devices do not fit.
        """
        if hasattr(images, "getbands"):
            return self._of_pillow_image(images, indices, epoch)
        xp = array_namespace(images, indices)
        check_images(xp, images, indices)
        return shifted(xp, images, self.shifts(indices, epoch), self.beyond)

    def _of_pillow_image(self, image: Any, index: int | None, epoch: int) -> Any:
        import numpy as np

        if image.mode not in ("L", "RGB"):
            raise ParameterError(
                "this is no 8-bit image", where="images", expected="mode L or RGB", got=f"mode {image.mode}"
            )
        if index is None:
            import torch

            index, epoch = int(torch.randint(2**62, ())), 0
        number = np.array([checked_integer("indices", index, 0)], np.int64)
        return picture_of(self(planes_of(image)[None], number, epoch)[0])


def shifted(xp: Any, images: Any, shifts: Any, beyond: str, flipped: Any = None) -> Any:
    """Return images shifted by whole pixels, and then some of them flipped left to right.

    Args:
        xp: The namespace of the arrays.
        images: uint8 (N, channels, height, width).
        shifts: Pixels down and right, int64 (N, 2).
        beyond: One of :data:`BEYOND`.
        flipped: Which images are flipped, truth values (N,); None for none of them.
    """
    count, channels, height, width = images.shape
    place = device(images)
    across, down = xp.arange(width, device=place)[None], xp.arange(height, device=place)[None]
    if flipped is not None:
        across = xp.where(flipped[:, None], width - 1 - across, across)
    rows, rows_inside = _sources(down - shifts[:, :1], height, beyond)
    columns, columns_inside = _sources(across - shifts[:, 1:], width, beyond)
    planes = xp.arange(count * channels, device=place)
    planes = xp.reshape(planes, (count, channels, 1, 1)) * (height * width)
    flat = planes + rows[:, None, :, None] * width + columns[:, None, None, :]
    taken = xp.take(xp.reshape(images, (-1,)), xp.reshape(flat, (-1,)), axis=0)
    moved = xp.reshape(taken, (count, channels, height, width))
    if beyond != "zeros":
        return moved
    inside = rows_inside[:, None, :, None] & columns_inside[:, None, None, :]
    return moved * xp.astype(inside, xp.uint8)


def _sources(at: Any, length: int, beyond: str) -> tuple[Any, Any]:
    """Return which line is seen at each position, and whether there is one."""
    inside = (at >= 0) & (at < length)
    if beyond == "circular":
        return at % length, inside
    return mirrored(at, length), inside
