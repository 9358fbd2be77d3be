"""Random rescaling of image batches where they lie, with the bits of the published augmentation."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from array_api_compat import device, is_numpy_array, is_torch_array

from stirdata.arguments import checked_function, checked_integer
from stirdata.errors import ParameterError
from stirdata.imaging.bicubic import rescale
from stirdata.imaging.namespaces import array_namespace
from stirdata.loading.compiled import OneStep, one_step
from stirdata.loading.epochs import random_words, stream_key

if TYPE_CHECKING:
    import torch

    Transform = Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]
    """Turns uint8 images (N, C, H, W), their int64 indices (N,) and the epoch into other uint8 images.

    It may have three attributes. ``finish``, called with floats, indices and epoch, does to the images what
    can only be done once they are converted and normalised. ``by_index`` is True if the images depend on
    their indices and the epoch alone, and not on what else is in the batch. ``normalize`` is the mean and
    standard deviation by which batches are normalised if nothing else is asked for."""

_CPU_BLOCK_PIXELS, _GPU_BLOCK_PIXELS = 100_000, 1 << 23
"""Pixels computed at a time: on a CPU their float64 values stay in the cache and their memory is recycled."""


@dataclass(frozen=True)
class ScaleAugment(OneStep):
    """The "+" regime of MNIST-scale: every image rescaled by a factor of its own, another one each epoch.

    The factor of an image depends on seed, epoch and the image's index only: not on the batch it is in,
    the order, the rank or the device. The pixels are those of Pillow's bicubic affine transform of a single
    image about the published centre, half a pixel off the true one, on the image's own canvas. What comes
    from outside is 0.

    Args:
        low: Smallest factor, above 0; published is 0.5.
        high: Largest factor, ``low`` or more; published is 2.
        seed: Of the factors, 0 or more.

    Raises:
        ParameterError: A factor is no number above 0, ``low`` is above ``high``, or the seed is no
            integer of 0 or more.

    Source: arXiv 1910.11093, section 6.1 and Table 2, and its training scripts: uniform factors, applied to
    the 8-bit image of 28 x 28 pixels before it is normalised and, in the regime of 56 x 56, doubled.

    Examples:
        >>> import numpy as np
        >>> augment = ScaleAugment(0.5, 2.0, seed=0)
        >>> images = np.zeros((2, 1, 28, 28), dtype=np.uint8)
        >>> augment(images, np.array([0, 7]), epoch=3).shape
        (2, 1, 28, 28)
    """

    low: float = 0.5
    high: float = 2.0
    seed: int = 0
    by_index: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, factor in (("low", self.low), ("high", self.high)):
            if not _is_factor(factor):
                raise ParameterError(
                    "a scale factor must be a number above 0",
                    where=name,
                    expected="above 0",
                    got=repr(factor),
                )
            object.__setattr__(self, name, float(factor))
        if self.low > self.high:
            raise ParameterError(
                "the smallest factor is above the largest",
                where="low, high",
                expected=f"low of at most {self.high}",
                got=self.low,
                hint="were the two swapped?",
            )
        object.__setattr__(self, "seed", checked_integer("seed", self.seed, 0))
        self.describe()

    def factors(self, indices: Any, epoch: int) -> Any:
        """Return the factor of every image in an epoch.

        Args:
            indices: int64, shape (N,), 0 or more: a NumPy array or a torch tensor on any device that has
                float64.
            epoch: 0 or more.

        Returns:
            float64, shape (N,), ``low`` to ``high``, of the library and on the device of ``indices``.

        Raises:
            ParameterError: ``indices`` are not int64 or not of one axis, or the epoch is negative.
        """
        xp = array_namespace(indices)
        check_indices(xp, indices)
        _check_has_float64(device(indices))
        key = stream_key("scale-augment", self.seed, checked_integer("epoch", epoch, 0))
        uniform = xp.astype(random_words(key, indices), xp.float64) * 2.0**-53
        return uniform * (self.high - self.low) + self.low

    @one_step
    def __call__(self, images: Any, indices: Any = None, epoch: int = 0) -> Any:
        """Return the images, each rescaled by its factor; all channels of an image alike.

        A single Pillow image is taken as well, so that this can be the ``transform`` of a view. Its factor is
        that of its index and the epoch, or without an index one drawn from torch's own random numbers, which
        a DataLoader seeds in each worker.

        Args:
            images: uint8, shape (N, channels, side, side): a NumPy array or a torch tensor on any device
                that has float64. Or a square Pillow image of mode L or RGB.
            indices: Which image of the data set each one is: int64, shape (N,), of the same library and on
                the same device. Of a Pillow image an integer, or None.
            epoch: 0 or more.

        Returns:
            uint8, shape (N, channels, side, side), of the library and on the device of ``images``; or a
            Pillow image.

        Raises:
            ParameterError: Shapes, types or devices do not fit.

        Examples:
            >>> from PIL import Image
            >>> ScaleAugment(0.5, 2.0, seed=0)(Image.new("L", (28, 28)), 7, epoch=3).size
            (28, 28)
        """
        if hasattr(images, "getbands"):
            return self._of_pillow_image(images, indices, epoch)
        xp = array_namespace(images, indices)
        check_images(xp, images, indices, square=True)
        if is_torch_array(images) and images.device.type == "cpu":
            import torch

            # On the CPU, NumPy takes half the time on arrays of this size, and leaves the other cores alone.
            return torch.from_numpy(self(images.numpy(), indices.numpy(), epoch))
        factors = xp.broadcast_to(self.factors(indices, epoch)[:, None], images.shape[:2])
        side = images.shape[2]
        planes, scales = xp.reshape(images, (-1, side, side)), xp.reshape(factors, (-1,))
        pixels = _CPU_BLOCK_PIXELS if is_numpy_array(images) else _GPU_BLOCK_PIXELS
        return xp.reshape(_rescaled(planes, scales, pixels), images.shape)

    def _of_pillow_image(self, image: Any, index: int | None, epoch: int) -> Any:
        import numpy as np

        if image.mode not in ("L", "RGB") or image.width != image.height:
            raise ParameterError(
                "this is no square 8-bit image",
                where="images",
                expected="mode L or RGB, as wide as high",
                got=f"mode {image.mode}, {image.width} x {image.height}",
            )
        planes = planes_of(image)
        factors = np.full(len(planes), self._factor_of(index, epoch))
        return picture_of(_rescaled(planes, factors, _CPU_BLOCK_PIXELS))

    def _factor_of(self, index: int | None, epoch: int) -> float:
        """Return the factor of an image; without an index one of torch's random numbers makes it."""
        import numpy as np

        if index is not None:
            number = checked_integer("indices", index, 0)
            return float(self.factors(np.array([number], np.int64), epoch)[0])
        import torch

        return float(torch.rand((), dtype=torch.float64)) * (self.high - self.low) + self.low


def planes_of(image: Any) -> Any:
    """Return the channels of a Pillow image of mode L or RGB: uint8 (channels, height, width)."""
    import numpy as np

    pixels = np.asarray(image)
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0))


def picture_of(planes: Any) -> Any:
    """Return the Pillow image of uint8 channels, one or three."""
    from PIL import Image

    return Image.fromarray(planes[0] if len(planes) == 1 else planes.transpose(1, 2, 0).copy())


def _rescaled(planes: Any, scales: Any, pixels: int) -> Any:
    """Rescale planes (N, side, side), so many pixels at a time.

    All of the canvas is computed: to know what is reached takes longer where images grow as often as they
    shrink, and on a GPU the host would have to wait for all that is still to do.
    """
    return rescale(planes, scales, block=max(1, pixels // max(1, planes.shape[1] ** 2)), crop=False)


def _is_factor(value: Any) -> bool:
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        return False
    factor = float(value)
    # Sample points are multiples of the reciprocal.
    return 0 < factor < math.inf and math.isfinite(2.0**64 / factor)


def _check_has_float64(place: Any) -> None:
    if getattr(place, "type", "cpu") == "mps":
        raise ParameterError(
            "this device has no float64, in which the published bits are computed",
            where="device",
            expected="cpu or cuda",
            got=place,
            hint="keep the selection on the CPU and move its batches to the device",
        )


def check_indices(xp: Any, indices: Any) -> None:
    """Raise ParameterError unless these are indices of images: int64 (N,)."""
    if indices.ndim != 1 or indices.dtype != xp.int64:
        got = f"{indices.dtype} {tuple(indices.shape)}"
        raise ParameterError("these are no indices", where="indices", expected="int64 (N,)", got=got)


def check_images(xp: Any, images: Any, indices: Any, *, square: bool = False) -> None:
    """Raise ParameterError unless these are uint8 (N, channels, height, width), and have as many indices."""
    shape = tuple(images.shape)
    if images.dtype != xp.uint8 or len(shape) != 4 or (square and shape[2] != shape[3]):
        raise ParameterError(
            f"these are no {'square ' if square else ''}8-bit images",
            where="images",
            expected=f"uint8 (N, channels, {'side, side' if square else 'height, width'})",
            got=f"{images.dtype} {shape}",
        )
    if tuple(indices.shape) != shape[:1] or device(indices) != device(images):
        raise ParameterError(
            "the indices are not those of the images",
            where="indices",
            expected=f"({shape[0]},) on {device(images)}",
            got=f"{tuple(indices.shape)} on {device(indices)}",
        )


@dataclass(frozen=True)
class InTurn:
    """Several augmentations, one after the other."""

    augmentations: tuple[Transform, ...]

    def __call__(self, images: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return the images after the last of them."""
        for augmentation in self.augmentations:
            images = augmentation(images, indices, epoch)
        return images

    def finish(self, values: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
        """Return converted images after what the augmentations do to those, in the same order."""
        for augmentation in self.augmentations:
            values = finished(augmentation, values, indices, epoch)
        return values

    @property
    def normalize(self) -> Any:
        """What the last augmentation that says so wants images to be normalised by; None if none does."""
        wanted = [getattr(augmentation, "normalize", None) for augmentation in self.augmentations]
        return next((levels for levels in reversed(wanted) if levels is not None), None)


def finishes(augmentation: Transform | None) -> bool:
    """Tell whether an augmentation does anything to converted images."""
    if isinstance(augmentation, InTurn):
        return any(map(finishes, augmentation.augmentations))
    return hasattr(augmentation, "finish")


def is_by_index(augmentation: Transform) -> bool:
    """Tell whether images depend on their indices and the epoch alone."""
    if isinstance(augmentation, InTurn):
        return all(map(is_by_index, augmentation.augmentations))
    return getattr(augmentation, "by_index", False) is True


def finished(
    augmentation: Transform, values: torch.Tensor, indices: torch.Tensor, epoch: int
) -> torch.Tensor:
    """Return converted images after what an augmentation does to those, if it does anything."""
    finish = getattr(augmentation, "finish", None)
    result: torch.Tensor = values if finish is None else finish(values, indices, epoch)
    return result


def as_transform(augment: Any) -> Transform | None:
    """Return what batches are augmented by: None, a function, or several in a list, in their order.

    Raises:
        ParameterError: It is something else, or the list is empty.
    """
    if not isinstance(augment, list | tuple):
        function: Transform | None = checked_function("augment", augment)
        return function
    if not augment or not all(callable(one) for one in augment):
        raise ParameterError(
            "not all of the augmentations can be called",
            where="augment",
            expected="a function, several in a list, or None",
            got=repr(augment),
        )
    return InTurn(tuple(augment))


def doubled_pixels(images: torch.Tensor, indices: torch.Tensor, epoch: int) -> torch.Tensor:
    """Return uint8 images (N, C, 2H, 2W): every pixel doubled, an augmentation without anything random.

    Source: arXiv 1910.11093, Table 2: the regime of 56 x 56 pixels.
    """
    from stirdata.loading.tensors import doubled

    return doubled(images)


doubled_pixels.by_index = True  # type: ignore[attr-defined]
