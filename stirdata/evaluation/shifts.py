"""Whether a network says the same of an image that is shifted.

Source: R. Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019 (consistency);
A. Azulay, Y. Weiss, "Why do deep convolutional networks generalize so poorly to small image
transformations?", JMLR 20, 2019 (flip rate).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import as_integer
from stirdata.errors import ParameterError
from stirdata.evaluation.results import Result, plain
from stirdata.evaluation.running import Running, checked_batch_size, predictions, running
from stirdata.imaging.fitting import overlap
from stirdata.progress import bar, say

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

MODES = ("circular", "zero", "crop")


@dataclass(frozen=True)
class ShiftConsistency(Result):
    """How often two shifts of an image, drawn independently, give the same class.

    Attributes:
        consistencies: Of every image, 0 to 1, float64 (N,): the sum over classes of the squared share of
            shifts that give the class.
        classes: Class at every shift, int64 (N, S); -1 where logits were not all numbers, which is the same
            as nothing, not even as itself.
        shifts: Pixels down and right, int64 (S, 2).
        mode: ``circular``, ``zero`` or ``crop``.
    """

    consistencies: NDArray[np.float64] = field(repr=False)
    classes: NDArray[np.int64] = field(repr=False)
    shifts: NDArray[np.int64] = field(repr=False)
    mode: str

    @property
    def consistency(self) -> float:
        """Of all images: the mean."""
        return float(self.consistencies.mean())

    def __add__(self, other: ShiftConsistency) -> ShiftConsistency:
        """Return the result for the images of both, these first."""
        same = isinstance(other, ShiftConsistency) and other.mode == self.mode
        if not same or not np.array_equal(other.shifts, self.shifts):
            raise ParameterError("these are results of other shifts", where="other", got=other)
        return ShiftConsistency(
            np.concatenate([self.consistencies, other.consistencies]),
            np.concatenate([self.classes, other.classes]),
            self.shifts,
            self.mode,
        )

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the consistency of every image."""
        return {"image": range(len(self.consistencies)), "consistency": plain(self.consistencies)}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "classification consistency",
            "mode": self.mode,
            "shifts": plain(self.shifts),
            "consistency": self.consistency,
            "consistencies": plain(self.consistencies),
            "not_finite": int((self.classes < 0).sum()),
        }

    def draw(self, axes: Any) -> None:
        """Draw how many images have which consistency."""
        from stirdata.evaluation.plots import OWN

        axes.hist(self.consistencies, bins=np.linspace(0, 1, 21), color=OWN)
        axes.set_xlim(0, 1)
        axes.set_xlabel(f"consistency over {len(self.shifts)} shifts ({self.mode})")
        axes.set_ylabel("images")

    def table(self) -> str:
        """Return the mean as text."""
        return (
            f"consistency {self.consistency:.4f} over {len(self.shifts)} shifts ({self.mode}) of "
            f"{len(self.consistencies)} images"
        )


def shift_consistency(
    model: Any,
    images: Any,
    shifts: int | Iterable[Sequence[int]],
    mode: str = "circular",
    size: int | None = None,
    *,
    device: Any = None,
    batch_size: int = 256,
    quiet: bool = False,
) -> ShiftConsistency:
    """Return the probability that two independent shifts of an image give the same class: exactly, not drawn.

    Args:
        model: A torch module or any callable: images to logits (N, classes).
        images: As the model takes them, float (N, channels, height, width): a tensor or an array.
        shifts: Pixels down and right, each shift once; or a number s for all of -s … s in both directions,
            with ``crop`` for all offsets 0 … s.
        mode: ``circular``: what leaves on one side comes in on the other; ``zero``: what comes in is 0;
            ``crop``: a window of ``size`` x ``size`` pixels whose corner is at the shift.
        size: Of the window of ``crop``, in pixels.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong, or a shift is larger than the images allow.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: ICML 2019 (Zhang), whose published estimate draws one pair per batch, five times.
    """
    pictures = checked_images(images)
    moves = _checked_shifts(shifts, mode)
    move = _mover(pictures, moves, mode, size)
    found = np.empty((len(pictures), len(moves)), np.int64)
    step = checked_batch_size(batch_size)
    with running(model, device) as ready, bar(found.size, "shift", "image", quiet=quiet) as shown:
        for rows, part in _batches(pictures, step, ready):
            for number, (down, right) in enumerate(moves.tolist()):
                found[rows, number] = _classes(ready, move(part, down, right))
                shown.advance(len(part))
    _tell_not_finite(found, quiet)
    return ShiftConsistency(_same_class(found), found, moves, mode)


def _same_class(classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the sum over classes of the squared share of shifts, of each image: (N, S) to (N,)."""
    count = classes.shape[1]
    ordered = np.sort(classes, axis=1)
    total = np.zeros(len(classes), np.int64)
    length = np.zeros(len(classes), np.int64)
    for number in range(count):  # a row of m equal ones adds 1 + 3 + … + (2m - 1) = m squared
        again = ordered[:, number] == ordered[:, number - 1] if number else np.zeros(len(classes), bool)
        length = np.where(again, length + 1, 1)
        total += np.where(ordered[:, number] >= 0, 2 * length - 1, 0)
    shares: NDArray[np.float64] = total / count**2
    return shares


def checked_images(images: Any) -> torch.Tensor:
    """Return images as a tensor; raise ParameterError unless they are floats (N, channels, height, width)."""
    import torch

    try:
        found = torch.as_tensor(images)
    except (TypeError, ValueError, RuntimeError):
        found = torch.empty(0)
    if found.ndim != 4 or not found.is_floating_point() or not len(found):
        raise ParameterError(
            "these are no images as a model takes them",
            where="images",
            expected="floats (N, channels, height, width)",
            got=f"{found.dtype} {tuple(found.shape)}",
            hint="dataset.to_torch(…).images returns them",
        )
    return found


def _checked_shifts(shifts: Any, mode: str) -> NDArray[np.int64]:
    if mode not in MODES:
        raise ParameterError("unknown mode", where="mode", expected=", ".join(MODES), got=repr(mode))
    most = as_integer(shifts)
    if most is not None and most >= 0:
        each = range(most + 1) if mode == "crop" else range(-most, most + 1)
        return np.array([(down, right) for down in each for right in each], np.int64)
    try:
        found = np.array([[int(number) for number in shift] for shift in shifts])
    except (TypeError, ValueError):
        found = np.empty(0)
    if found.ndim != 2 or found.shape[1] != 2 or len({*map(tuple, found.tolist())}) < len(found):
        raise ParameterError(
            "these are no shifts",
            where="shifts",
            expected="a number of pixels, or pairs of pixels down and right, each once",
            got=repr(shifts),
        )
    return found.astype(np.int64)


def _mover(
    images: torch.Tensor, shifts: NDArray[np.int64], mode: str, size: int | None
) -> Callable[[torch.Tensor, int, int], torch.Tensor]:
    """Return what shifts images; check that all shifts are possible."""
    height, width = images.shape[2:]
    if mode != "crop":
        if size is not None:
            raise ParameterError("only crop has a size", where="size", expected="None", got=size)
        _check_within(
            shifts, (-height + 1, height - 1), (-width + 1, width - 1), f"{height} x {width} pixels"
        )
        return rolled if mode == "circular" else shifted
    side = as_integer(size)
    if side is None or not 1 <= side <= min(height, width):
        raise ParameterError(
            "the windows of crop have a size", where="size", expected=f"1 to {min(height, width)}", got=size
        )
    _check_within(shifts, (0, height - side), (0, width - side), f"windows of {side} in {height} x {width}")
    return lambda part, down, right: part[:, :, down : down + side, right : right + side]


def _check_within(
    shifts: NDArray[np.int64], rows: tuple[int, int], columns: tuple[int, int], what: str
) -> None:
    low, high = shifts.min(axis=0), shifts.max(axis=0)
    if low[0] < rows[0] or low[1] < columns[0] or high[0] > rows[1] or high[1] > columns[1]:
        raise ParameterError(
            "a shift is larger than the images allow",
            where="shifts",
            expected=f"{rows[0]} to {rows[1]} down, {columns[0]} to {columns[1]} right, of {what}",
            got=f"{low[0]} to {high[0]} down, {low[1]} to {high[1]} right",
        )


def rolled(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Return images (N, C, H, W) shifted; what leaves on one side comes in on the other."""
    return images.roll((down, right), dims=(2, 3))


def shifted(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Return images (N, C, H, W) shifted; what comes in is 0."""
    import torch

    height, width = images.shape[2:]
    result = torch.zeros_like(images)
    (rows, from_rows), (columns, from_columns) = (
        overlap(move, length, length) for move, length in ((down, height), (right, width))
    )
    result[:, :, rows, columns] = images[:, :, from_rows, from_columns]
    return result


def _batches(images: torch.Tensor, size: int, ready: Running) -> Iterator[tuple[slice, torch.Tensor]]:
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield rows, images[rows].to(ready.device)


def _classes(ready: Running, images: torch.Tensor) -> NDArray[np.int64]:
    found: NDArray[np.int64] = predictions(ready.logits(images)).cpu().numpy()
    return found


def _tell_not_finite(classes: NDArray[np.int64], quiet: bool) -> None:
    count = int((classes < 0).sum())
    if count and not quiet:
        say(f"the logits of {count} of {classes.size} images were not all numbers; they are like no other")


@dataclass(frozen=True)
class FlipRate(Result):
    """How often the class changes when an image changes by one pixel.

    Attributes:
        shifted: Whether it changes under a shift of one pixel to the right, truth values (N,).
        rescaled: Whether it changes under a rescaling by one pixel, (N,).
    """

    shifted: NDArray[np.bool_] = field(repr=False)
    rescaled: NDArray[np.bool_] = field(repr=False)

    @property
    def shift(self) -> float:
        """Share of images whose class changes under the shift."""
        return float(self.shifted.mean())

    @property
    def scale(self) -> float:
        """Share of images whose class changes under the rescaling."""
        return float(self.rescaled.mean())

    def __add__(self, other: FlipRate) -> FlipRate:
        """Return the result for the images of both, these first."""
        if not isinstance(other, FlipRate):
            raise ParameterError("this is no flip rate", where="other", got=other)
        return FlipRate(
            np.concatenate([self.shifted, other.shifted]), np.concatenate([self.rescaled, other.rescaled])
        )

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return both shares."""
        return {"change": ["shift", "scale"], "flip rate": [self.shift, self.scale]}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "flip rate",
            "shift": self.shift,
            "scale": self.scale,
            "images": len(self.shifted),
        }

    def draw(self, axes: Any) -> None:
        """Draw both shares as bars."""
        from stirdata.evaluation.plots import OWN

        axes.bar(
            ["shift by one pixel", "rescaling by one pixel"], [100 * self.shift, 100 * self.scale], color=OWN
        )
        axes.set_ylim(0, 100)
        axes.set_ylabel("images whose class changes (%)")


def flip_rate(
    model: Any, images: Any, *, device: Any = None, batch_size: int = 256, quiet: bool = False
) -> FlipRate:
    """Return how often the class of an image changes under a shift, and a rescaling, by one pixel.

    The shift is to the right, and what comes in is 0. Rescaled images are one pixel wider and higher, by
    bicubic interpolation (torch's, ``align_corners=False``, without antialiasing), and lie at
    ``(side - (side + 1)) // 2`` on the old canvas, as in rescaled sets: it cuts their first row and column.
    Logits that are not all numbers count as a change.

    Args:
        model: A torch module or any callable: images to logits (N, classes).
        images: As the model takes them, float (N, channels, height, width): a tensor or an array.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: JMLR 20, 2019 (Azulay, Weiss).
    """
    from torch.nn.functional import interpolate

    pictures = checked_images(images)
    height, width = pictures.shape[2:]
    found = np.empty((len(pictures), 3), np.int64)
    step = checked_batch_size(batch_size)
    with running(model, device) as ready, bar(len(pictures), "flip", "image", quiet=quiet) as shown:
        for rows, part in _batches(pictures, step, ready):
            larger = interpolate(part, (height + 1, width + 1), mode="bicubic", align_corners=False)
            changed = (part, shifted(part, 0, 1), larger[:, :, 1:, 1:])
            for number, some in enumerate(changed):
                found[rows, number] = _classes(ready, some)
            shown.advance(len(part))
    _tell_not_finite(found, quiet)
    same = (found[:, 1:] == found[:, :1]) & (found[:, 1:] >= 0)
    return FlipRate(~same[:, 0], ~same[:, 1])
