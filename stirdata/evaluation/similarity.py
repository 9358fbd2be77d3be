"""How alike the features of an object are wherever it is on a plain canvas.

Source: Lee et al., ECCV workshop RLQ 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.arguments import as_integer
from stirdata.errors import ParameterError
from stirdata.evaluation.layers import captured, named_modules, rows_of
from stirdata.evaluation.results import Result, plain
from stirdata.evaluation.running import checked_batch_size, running
from stirdata.evaluation.shifts import checked_images
from stirdata.progress import bar

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class FeatureSimilarity(Result):
    """Cosine similarity of the features at every place with those at one of them.

    Attributes:
        similarities: Of every image, float64 (N, places down, places right): -1 to 1; NaN where features
            are 0 throughout.
        places: Rows, and columns, of the objects' top left corners in pixels, (P,).
        anchor: Number of the place, down and right, that all are compared with.
    """

    similarities: NDArray[np.float64] = field(repr=False)
    places: NDArray[np.int64]
    anchor: tuple[int, int]

    @property
    def map(self) -> NDArray[np.float64]:
        """Mean over the images at every place: float64 (places down, places right)."""
        mean: NDArray[np.float64] = self.similarities.mean(axis=0)
        return mean

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the mean at every place."""
        top, left = (axis.ravel() for axis in np.meshgrid(self.places, self.places, indexing="ij"))
        return {"top": plain(top), "left": plain(left), "similarity": plain(self.map.ravel())}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "measure": "feature similarity under shifts",
            "places": plain(self.places),
            "anchor": list(self.anchor),
            "map": plain(self.map),
            "similarities": plain(self.similarities),
        }

    def draw(self, axes: Any) -> None:
        """Draw the mean similarity at every place as a map; a cross is at the place compared with."""
        step = self.places[1] - self.places[0] if len(self.places) > 1 else 1
        low, high = self.places[0] - step / 2, self.places[-1] + step / 2
        picture = axes.imshow(self.map, cmap="viridis", vmax=1, extent=(low, high, high, low))
        axes.figure.colorbar(picture, ax=axes, label="cosine similarity")
        down, right = self.anchor
        axes.plot(self.places[right], self.places[down], "+", color="white", markersize=12)
        axes.grid(visible=False)
        axes.set_xlabel("left (pixels)")
        axes.set_ylabel("top (pixels)")


def feature_similarity(
    model: Any,
    images: Any,
    canvas: int,
    stride: int,
    layer: Any,
    anchor: str | tuple[int, int] = "centre",
    *,
    background: float = 1.0,
    device: Any = None,
    batch_size: int = 64,
    quiet: bool = False,
) -> FeatureSimilarity:
    """Return how alike the features of objects are at all places of a plain canvas.

    Args:
        model: A torch module that takes images of any size, or of the canvas.
        images: Objects as the model takes them, float (N, channels, side, side): a tensor or an array.
        canvas: Side of the canvas in pixels.
        stride: Pixels between the places, which begin at 0.
        layer: A part of the model or its name; what it returns of an image is taken as one vector.
        anchor: ``centre``, the place in the middle, the first of two; or the number of a place, down and
            right.
        background: Of the canvas, in the units of the images.
        device: Of torch; None for that of the model.
        batch_size: Images that the model gets at a time.
        quiet: Show no progress.

    Raises:
        ParameterError: An argument is wrong, the canvas is smaller than the objects, or there is no such
            layer.
        NotEnoughMemoryError: A batch does not fit into the memory of the device.

    Source: ECCV workshop RLQ 2020 (Lee et al.).
    """
    pictures, parts = checked_images(images), named_modules(model, layer, "layer")
    places = _places(pictures, canvas, stride)
    chosen = _anchor(anchor, len(places))
    if len(parts) > 1:
        raise ParameterError("features are those of one layer", where="layer", got=", ".join(parts))
    (name,), step = parts, checked_batch_size(batch_size)
    found = np.empty((len(pictures), len(places), len(places)))
    with (
        running(model, device) as ready,
        captured(parts) as outputs,
        bar(found.size, "move", "image", quiet=quiet) as shown,
    ):

        def features(part: torch.Tensor, top: int, left: int) -> torch.Tensor:
            ready(_on_canvas(part, top, left, int(canvas), background))
            output, what = outputs.pop(name, None), "the layer returns no features of every image"
            return rows_of(output, len(part), what, f"layer {name}", "a tensor")

        for start in range(0, len(pictures), step):
            part = pictures[start : start + step].to(ready.device)
            wanted = features(part, int(places[chosen[0]]), int(places[chosen[1]]))
            for row, top in enumerate(places.tolist()):
                for column, left in enumerate(places.tolist()):
                    alike = _cosine(features(part, top, left), wanted)
                    found[start : start + step, row, column] = alike
                    shown.advance(len(part))
    return FeatureSimilarity(found, places, chosen)


def _places(images: torch.Tensor, canvas: Any, stride: Any) -> NDArray[np.int64]:
    side, step, size = as_integer(canvas), as_integer(stride), images.shape[2]
    if images.shape[2] != images.shape[3] or side is None or side < size:
        raise ParameterError(
            "the canvas is smaller than the objects, or these are not square",
            where="canvas",
            expected=f"square objects, and at least {size} pixels",
            got=f"{canvas} for objects of {images.shape[2]} x {images.shape[3]}",
        )
    if step is None or step < 1:
        raise ParameterError("places are apart", where="stride", expected="1 or more", got=stride)
    return np.arange(0, side - size + 1, step)


def _anchor(anchor: Any, count: int) -> tuple[int, int]:
    if isinstance(anchor, str) and anchor == "centre":
        return (count - 1) // 2, (count - 1) // 2
    numbers = [as_integer(number) for number in anchor] if isinstance(anchor, tuple | list) else []
    known = [number for number in numbers if number is not None and 0 <= number < count]
    if len(numbers) != 2 or len(known) != 2:
        raise ParameterError(
            "there is no such place",
            where="anchor",
            expected=f"centre, or two numbers from 0 to {count - 1}",
            got=repr(anchor),
        )
    return known[0], known[1]


def _on_canvas(images: torch.Tensor, top: int, left: int, canvas: int, background: float) -> torch.Tensor:
    result = images.new_full((*images.shape[:2], canvas, canvas), background)
    result[:, :, top : top + images.shape[2], left : left + images.shape[3]] = images
    return result


def _cosine(one: torch.Tensor, other: torch.Tensor) -> NDArray[np.float64]:
    """Return the cosine of the angle between rows of float64, (N, F) each: (N,)."""
    alike = (one * other).sum(dim=1) / (one.norm(dim=1) * other.norm(dim=1))
    result: NDArray[np.float64] = alike.cpu().numpy()
    return result
