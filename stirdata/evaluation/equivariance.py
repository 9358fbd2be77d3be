"""How far feature maps of rescaled images are from rescaled feature maps.

Source: arXiv 2211.10288 (Altstidl et al.) for STIR; arXiv 1910.11093 (Sosnovik et al.) for any images.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.evaluation.layers import captured, largest, maps_of, named_modules
from stirdata.evaluation.results import Result, plain, sample_std
from stirdata.evaluation.running import checked_batch_size, running
from stirdata.evaluation.samples import Samples, samples_of
from stirdata.evaluation.shifts import checked_images
from stirdata.imaging.fitting import overlap
from stirdata.progress import bar

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from stirdata.evaluation.layers import Reduce

PUBLISHED_PAIRS = ((64, 49), (48, 33), (32, 17))
"""Of scales in pixels. Source: arXiv 2211.10288."""


@dataclass(frozen=True)
class EquivarianceError(Result):
    """Errors of layers, each for every factor and image.

    Attributes:
        factors: float64 (F,).
        errors: By layer: float64 (F, N).
    """

    factors: NDArray[np.float64]
    errors: dict[str, NDArray[np.float64]] = field(repr=False)

    def mean(self, layer: str) -> NDArray[np.float64]:
        """Return the mean over the images at every factor: float64 (F,)."""
        mean: NDArray[np.float64] = self.errors[layer].mean(axis=1)
        return mean

    def std(self, layer: str) -> NDArray[np.float64]:
        """Return the standard deviation over the images at every factor, of a sample: float64 (F,)."""
        return sample_std(self.errors[layer].T)

    def __add__(self, other: EquivarianceError) -> EquivarianceError:
        """Return the result for the images of both, these first."""
        same = isinstance(other, EquivarianceError) and np.array_equal(other.factors, self.factors)
        if not same or set(other.errors) != set(self.errors):
            raise ParameterError("these are results of other factors or layers", where="other", got=other)
        joined = {
            name: np.concatenate([errors, other.errors[name]], axis=1) for name, errors in self.errors.items()
        }
        return EquivarianceError(self.factors, joined)

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return a column for every layer: the mean at every factor."""
        return {"factor": plain(self.factors), **{name: plain(self.mean(name)) for name in self.errors}}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "scale equivariance error",
            "factors": plain(self.factors),
            "errors": {name: plain(array) for name, array in self.errors.items()},
            "mean": {name: plain(self.mean(name)) for name in self.errors},
            "std": {name: plain(self.std(name)) for name in self.errors},
        }

    def draw(self, axes: Any) -> None:
        """Draw the mean error of each layer over the factors."""
        from stirdata.evaluation.plots import factor_axis, legend, line

        order = np.argsort(self.factors)
        for number, name in enumerate(self.errors):
            line(axes, number, self.factors[order], self.mean(name)[order], name, marker="o", markersize=4)
        factor_axis(axes, self.factors.tolist())
        axes.set_xlabel("factor")
        axes.set_ylabel("equivariance error")
        axes.set_ylim(bottom=0)
        legend(axes)


def rescaled(maps: torch.Tensor, factor: float) -> torch.Tensor:
    """Rescale the two last axes about the middle, on the old canvas: L of the measure.

    By torch's bicubic interpolation (``align_corners=False``, no antialiasing) to ``round(factor * side)``;
    then zeros around, or what is beyond is cut off; the corner is at ``(side - new) // 2``.

    Args:
        maps: Shape (N, channels, height, width).
        factor: Above 0.

    Source: arXiv 1910.11093.
    """
    import torch
    from torch.nn.functional import interpolate

    sides = maps.shape[2:]
    sizes = [max(1, round(factor * side)) for side in sides]
    large = interpolate(maps, sizes, mode="bicubic", align_corners=False)
    result = torch.zeros_like(maps)
    (rows, from_rows), (columns, from_columns) = (
        overlap((side - size) // 2, size, side) for side, size in zip(sides, sizes, strict=True)
    )
    result[:, :, rows, columns] = large[:, :, from_rows, from_columns]
    return result


def equivariance_error(
    model: Any,
    images: Any,
    factors: Iterable[float],
    layers: Any,
    *,
    squared: bool = True,
    per_channel: bool = False,
    reduce: Reduce = largest,
    device: Any = None,
    batch_size: int = 64,
    quiet: bool = False,
) -> EquivarianceError:
    """Return how far features of rescaled images are from rescaled features.

    For every factor and image ``|L(features(x)) - features(L(x))|**2 / |L(features(x))|**2``, where L is
    :func:`rescaled`. Where both are 0 the error is 0.

    Args:
        model: A torch module.
        images: As the model takes them, float (N, channels, height, width): a tensor or an array.
        factors: Above 0.
        layers: Names of parts of the model, or the parts themselves; one or several.
        squared: Whether norms are squared.
        per_channel: Whether the error is that of each channel, averaged over the channels; with
            ``squared=False`` that of "scale_equivariance" (ch-ho00).
        reduce: Makes (N, channels, height, width) of maps with further axes between; default the maximum.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong, there is no such layer, or it returns no maps.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: arXiv 1910.11093, scale equivariance error.
    """
    pictures, each = checked_images(images), _checked_factors(factors)
    parts, step = named_modules(model, layers), checked_batch_size(batch_size)
    errors = {name: np.empty((len(each), len(pictures))) for name in parts}
    total = len(each) * len(pictures)
    with (
        running(model, device) as ready,
        captured(parts) as outputs,
        bar(total, "rescale", "image", quiet=quiet) as shown,
    ):
        for start in range(0, len(pictures), step):
            part = pictures[start : start + step].to(ready.device)
            ready(part)
            plain_maps = {name: maps_of(outputs, name, len(part), reduce) for name in parts}
            for number, factor in enumerate(each):
                ready(rescaled(part, factor))
                for name, maps in plain_maps.items():
                    found = maps_of(outputs, name, len(part), reduce)
                    error = _error(rescaled(maps, factor), found, squared=squared, per_channel=per_channel)
                    errors[name][number, start : start + step] = error
                shown.advance(len(part))
    return EquivarianceError(np.array(each), errors)


def _checked_factors(factors: Any) -> list[float]:
    try:
        each = [float(factor) for factor in factors]
    except (TypeError, ValueError):
        each = []
    if not each or not all(0 < factor < np.inf for factor in each):
        raise ParameterError(
            "factors are numbers above 0", where="factors", expected="at least one", got=repr(factors)
        )
    return each


def _error(
    wanted: torch.Tensor, found: torch.Tensor, *, squared: bool, per_channel: bool
) -> NDArray[np.float64]:
    """Return the relative error of each image: (N, C, H, W) to (N,)."""
    import torch

    axes = (2, 3) if per_channel else (1, 2, 3)
    above = (wanted - found).double().square().sum(dim=axes)
    below = wanted.double().square().sum(dim=axes)
    if not squared:
        above, below = above.sqrt(), below.sqrt()
    ratio = torch.where(above == 0, above, above / below)
    ratio = ratio.mean(dim=1) if per_channel else ratio
    errors: NDArray[np.float64] = ratio.cpu().numpy()
    return errors


@dataclass(frozen=True)
class StirEquivarianceError(Result):
    """Errors of layers for pairs of scales, in both directions.

    Attributes:
        pairs: Scales in pixels: the one that is compared with, and the one that is resized to it, (2P, 2).
        errors: By layer: float64 (classes, instances, 2P).
    """

    pairs: tuple[tuple[int, int], ...]
    errors: dict[str, NDArray[np.float64]] = field(repr=False)

    def mean(self, layer: str) -> NDArray[np.float64]:
        """Return the mean over classes and instances for every pair: float64 (2P,)."""
        mean: NDArray[np.float64] = self.errors[layer].mean(axis=(0, 1))
        return mean

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return a column for every layer: the mean for every pair."""
        names = [f"{one} from {other}" for one, other in self.pairs]
        return {"scales": names, **{name: plain(self.mean(name)) for name in self.errors}}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "scale equivariance error of pairs of scales",
            "pairs": [list(pair) for pair in self.pairs],
            "errors": {name: plain(array) for name, array in self.errors.items()},
            "mean": {name: plain(self.mean(name)) for name in self.errors},
        }

    def draw(self, axes: Any) -> None:
        """Draw the mean error of each layer for every pair, as bars beside each other."""
        from stirdata.evaluation.plots import OTHERS, legend, named

        width = 0.8 / len(self.errors)
        at = np.arange(len(self.pairs))
        for number, name in enumerate(self.errors):
            left = at + (number - (len(self.errors) - 1) / 2) * width
            axes.bar(left, self.mean(name), width, color=OTHERS[number % len(OTHERS)], label=named(name))
        axes.set_xticks(at, [f"{one} from {other}" for one, other in self.pairs])
        axes.set_xlabel("scales (pixels)")
        axes.set_ylabel("equivariance error")
        legend(axes)


def equivariance_error_stir(
    model: Any,
    dataset: Any,
    layers: Any,
    pairs: Iterable[tuple[int, int]] = PUBLISHED_PAIRS,
    *,
    split: str = "test",
    input_range: float = 1.0,
    normalize: Any = None,
    reduce: Reduce = largest,
    device: Any = None,
    batch_size: int = 64,
    quiet: bool = False,
) -> StirEquivarianceError:
    """Return how far the features of an object at one scale are from those at another, resized.

    A feature map (channels, m, m) of an image (side, side), made by convolutions without padding, lacks
    ``p = side - m`` pixels. The part of an object of scale s is rows ``top … top + s - p`` and columns
    ``left … left + s - p``. The other scale's part is resized to the first one's size (torch's bicubic
    interpolation, ``align_corners=False``, no antialiasing); the error is ``|ref - resized|**2 / |ref|**2``.

    Args:
        model: A torch module.
        dataset: A set with scales and positions of every object, the same instances at every scale.
        layers: Names of parts of the model, or the parts themselves; one or several.
        pairs: Of scales in pixels; each is taken in both directions.
        split: Name of a split of the dataset.
        input_range: What images in [0, 1] are multiplied by: 255 as in the published script, although the
            networks were trained on [0, 1].
        normalize: As the model was trained; see :func:`stirdata.evaluation.scale_generalization`.
        reduce: Makes (N, channels, height, width) of maps with further axes between; default the maximum.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.

    Returns:
        Errors in the published order: for (64, 49) first 64 from 49, then 49 from 64.

    Raises:
        ParameterError: An argument is wrong; a scale is not there; the instances of two scales differ in
            number; there is no such layer, or its maps are too small for a scale.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: arXiv 2211.10288.
    """
    samples, each = samples_of(dataset, split, normalize), _checked_pairs(pairs)
    if samples.scales is None or samples.positions is None:
        raise ParameterError("the objects have no scales and positions", where="dataset", got=samples.title)
    members = _members(samples, each)
    shape = next(iter(members.values())).shape
    count = shape[0] * shape[1]
    parts, step = named_modules(model, layers), checked_batch_size(batch_size)
    both = tuple(pair for one, other in each for pair in ((one, other), (other, one)))
    errors = {name: np.empty((count, len(both))) for name in parts}
    with (
        running(model, device) as ready,
        captured(parts) as outputs,
        bar(count * len(members), "compare", "image", quiet=quiet) as shown,
    ):

        def objects(scale: int, rows: slice) -> dict[str, torch.Tensor]:
            """Return the objects' parts of the maps of each layer."""
            positions = members[scale].reshape(-1)[rows]
            images = samples.take(positions, ready.device) * input_range
            ready(images)
            shown.advance(len(images))
            found = {name: maps_of(outputs, name, len(images), reduce) for name in parts}
            corners = np.asarray(samples.positions)[positions]
            return {
                name: _object(maps, images.shape[-1], scale, corners, name) for name, maps in found.items()
            }

        for start in range(0, count, step):
            rows = slice(start, min(start + step, count))
            cut = {scale: objects(scale, rows) for scale in members}
            for number, (one, other) in enumerate(both):
                for name in parts:
                    errors[name][rows, number] = _resized_error(cut[one][name], cut[other][name])
    return StirEquivarianceError(both, {name: array.reshape(*shape, -1) for name, array in errors.items()})


def _members(samples: Samples, pairs: Sequence[tuple[int, int]]) -> dict[int, NDArray[np.int64]]:
    """Return where the objects of every scale are: (classes, instances), of all scales as many."""
    members = {scale: _instances(samples, scale) for pair in pairs for scale in pair}
    shape = next(iter(members.values())).shape
    for scale, found in members.items():
        if found.shape != shape:
            got = f"{found.shape} at {scale}"
            raise ParameterError("the scales have other instances", where="pairs", expected=shape, got=got)
    return members


def _checked_pairs(pairs: Any) -> list[tuple[int, int]]:
    try:
        each = [(int(one), int(other)) for one, other in pairs]
    except (TypeError, ValueError):
        each = []
    if not each:
        raise ParameterError(
            "these are no pairs of scales", where="pairs", expected="such as ((64, 49),)", got=repr(pairs)
        )
    return each


def _instances(samples: Samples, scale: int) -> NDArray[np.int64]:
    """Return where the objects of a scale are: (classes, instances), in the order of the files."""
    at_scale = np.flatnonzero(samples.scales == scale)
    labels = samples.labels[at_scale]
    rows = [at_scale[labels == label] for label in np.unique(samples.labels)]
    if len({len(row) for row in rows}) != 1 or not len(rows[0]):
        present = ", ".join(str(one) for one in np.unique(np.asarray(samples.scales))[:8])
        raise ParameterError(
            "there are no images of this scale, or not as many of every class",
            where="pairs",
            expected=f"scales such as {present}",
            got=scale,
        )
    return np.stack(rows)


def _object(maps: torch.Tensor, side: int, scale: int, corners: NDArray[Any], name: str) -> torch.Tensor:
    """Return the part of each map that is of its object: (N, channels, s - p, s - p)."""
    import torch

    lacking = side - maps.shape[-1]
    size = scale - lacking
    if size < 1 or lacking < 0 or maps.shape[-1] != maps.shape[-2]:
        raise ParameterError(
            "the maps of the layer are too small for a scale",
            where=f"layer {name}",
            expected=f"square maps of more than {side - scale} and at most {side} pixels, for scale {scale}",
            got=f"{maps.shape[-2]} x {maps.shape[-1]}",
        )
    found = [
        image[:, top : top + size, left : left + size]
        for image, (left, top) in zip(maps, corners.tolist(), strict=True)
    ]
    return torch.stack(found)


def _resized_error(wanted: torch.Tensor, other: torch.Tensor) -> NDArray[np.float64]:
    from torch.nn.functional import interpolate

    resized = interpolate(other, wanted.shape[2:], mode="bicubic", align_corners=False)
    return _error(wanted, resized, squared=True, per_channel=False)
