"""What the STIR sets share: axes, positions, metadata, and how images come together in six arrays.

An image is addressed by (set, scale, class, instance), in this order of axes. All that is random is
drawn first, from one sequential stream in the published loop order; the images can then be computed
in any order, by any number of workers.

Source: T. Altstidl, A. Nguyen, L. Schwinn, F. Köferl, C. Mutschler, B. Eskofier, D. Zanca, "Just a
Matter of Scale? Reevaluating Scale Equivariance in Convolutional Neural Networks", IJCNN 2023
(arXiv 2211.10288), and the generators published with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from stirdata.errors import ParameterError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.storage.image_bytes import BlockedArray

SETS = ("train", "valid", "test")
SCALES = tuple(range(64, 16, -1))
CANVAS = 64
"""Width and height of every image in pixels; a scale is the size of the object's box in pixels."""
SEED = 42
LARGEST_SEED = 2**32 - 1
KEYS = ("imgs", "lbls", "scls", "psts", "metadata", "lbldata")
METADATA_ROWS = ("title", "description", "author", "license", "version", "date")

CITATION = (
    "T. Altstidl, A. Nguyen, L. Schwinn, F. Köferl, C. Mutschler, B. Eskofier, D. Zanca. Just a Matter of "
    "Scale? Reevaluating Scale Equivariance in Convolutional Neural Networks. International Joint "
    "Conference on Neural Networks (IJCNN), 2023. arXiv:2211.10288."
)


class Place(NamedTuple):
    """Where an image is in the arrays: numbers along the four axes, or slices of them."""

    set: Any
    scale: Any
    label: Any
    instance: Any


@dataclass(frozen=True)
class Frame:
    """The axes of a STIR set.

    Attributes:
        classes: Names, in the order of the labels.
        instances: Images per class, scale and set.
        channels: 1 for grey, 3 for colour.
        scales: Sizes of the box in pixels, descending.
        canvas: Width and height of the images in pixels.
        square: Whether every box is a square of side ``scale``. In ``aerial`` only its longer side is.
    """

    classes: tuple[str, ...]
    instances: int
    channels: int = 1
    scales: tuple[int, ...] = SCALES
    canvas: int = CANVAS
    square: bool = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Lengths of the axes (set, scale, class, instance)."""
        return len(SETS), len(self.scales), len(self.classes), self.instances

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (canvas, canvas), or (canvas, canvas, 3)."""
        return (self.canvas, self.canvas) if self.channels == 1 else (self.canvas, self.canvas, self.channels)

    @property
    def count(self) -> int:
        """Number of images."""
        return math.prod(self.shape)

    def draw_order(self) -> Iterator[Place]:
        """Yield the place of every image in the order in which the published generators draw.

        Outermost first: class, instance, scale, set. Source: arXiv 2211.10288, its generators.
        """
        sets, scales, classes, instances = self.shape
        for label in range(classes):
            for instance in range(instances):
                for scale in range(scales):
                    for member in range(sets):
                        yield Place(member, scale, label, instance)


@dataclass(frozen=True)
class StirArrays:
    """The six arrays of a STIR file; (sets, scales, n, m) are the lengths of the axes.

    Attributes:
        imgs: uint8, (sets, scales, n, m, canvas, canvas), or (…, canvas, canvas, 3).
        lbls: int32, (sets, scales, n, m), 0 to n - 1.
        scls: int32, (sets, scales, n, m): size of the object's box in pixels.
        psts: int32, (sets, scales, n, m, 2): distance of the box to the left and to the top edge.
        metadata: str, (6, 2): title, description, author, license, version, date.
        lbldata: str, (n,): names of the classes.
    """

    imgs: NDArray[np.uint8] | BlockedArray
    lbls: NDArray[np.int32]
    scls: NDArray[np.int32]
    psts: NDArray[np.int32]
    metadata: NDArray[np.str_]
    lbldata: NDArray[np.str_]

    def as_dict(self) -> dict[str, NDArray[Any] | BlockedArray]:
        """Return the arrays by their keys, in the published order."""
        return {key: getattr(self, key) for key in KEYS}


def check_seed(seed: int) -> None:
    """Raise ParameterError unless 0 <= seed < 2**32."""
    if not 0 <= seed <= LARGEST_SEED:
        raise ParameterError("the seed is out of range", where="seed", expected="0 to 2**32 - 1", got=seed)


def draw_positions(frame: Frame, seed: int = SEED) -> NDArray[np.int32]:
    """Draw where every image's box goes, as the published emoji and mnist generators do.

    Per image ``RandomState(seed).randint(0, canvas - scale + 1, 2)``, in :meth:`Frame.draw_order`. One
    call with an array of bounds consumes the stream as one call per image does.

    Returns:
        int32, shape (sets, scales, n, m, 2): left, top, each 0 to canvas - scale.

    Raises:
        ParameterError: The seed is out of range.

    Source: arXiv 2211.10288, its generators.
    """
    import numpy as np

    check_seed(seed)
    sets, scales, classes, instances = frame.shape
    room = frame.canvas - np.array(frame.scales, np.int64) + 1
    bounds = np.broadcast_to(room[:, None, None], (classes, instances, scales, sets, 2))
    drawn = np.random.RandomState(seed).randint(0, bounds, dtype=np.int64)
    return np.ascontiguousarray(drawn.transpose(3, 2, 0, 1, 4), dtype=np.int32)


def metadata(
    title: str,
    description: str,
    author: str,
    license: str,  # noqa: A002 - the published row is called so
    version: str,
    date: str,
) -> NDArray[np.str_]:
    """Return the metadata array, str (6, 2): name and value per row.

    ``version`` and ``date`` are of the recipe, not of the run: the same command writes the same bytes.
    """
    import numpy as np

    return np.array(
        list(zip(METADATA_ROWS, (title, description, author, license, version, date), strict=True))
    )


def assemble(
    frame: Frame,
    crops: Iterable[tuple[Place, NDArray[np.uint8]]],
    positions: NDArray[np.int32],
    rows: NDArray[np.str_],
) -> StirArrays:
    """Put images, in whatever order and portions they come, into the arrays of a set.

    Args:
        frame: The axes.
        crops: Places and pixels: one image for a place of four numbers, or a stack of images for one
            with slices, for example all scales of an instance. Every place must come once.
        positions: int32, (sets, scales, n, m, 2).
        rows: Of :func:`metadata`.

    Raises:
        ParameterError: The set does not fit into memory.
        ValueError: A shape does not fit, or the number of images is not that of the frame.
    """
    imgs = _empty(frame)
    count = 0
    for place, pixels in crops:
        part = imgs[tuple(place)]
        if part.shape != pixels.shape:
            raise ValueError(f"pixels for {place} must have shape {part.shape}, got {pixels.shape}")
        part[...] = pixels
        count += part.size
    if count != imgs.size:
        raise ValueError(f"expected {frame.count} images, got {count / math.prod(frame.image_shape):g}")
    return with_latents(frame, imgs, positions, rows)


def _empty(frame: Frame) -> NDArray[np.uint8]:
    import numpy as np

    try:
        return np.zeros(frame.shape + frame.image_shape, np.uint8)
    except (MemoryError, ValueError) as error:  # NumPy's errors for too much, and for far too much
        raise ParameterError(
            "the set does not fit into memory",
            got=f"{frame.count} images of {' x '.join(str(length) for length in frame.image_shape)}",
            hint="ask for fewer scales or instances, or a smaller canvas",
        ) from error


def with_latents(
    frame: Frame, imgs: NDArray[np.uint8] | BlockedArray, positions: NDArray[np.int32], rows: NDArray[np.str_]
) -> StirArrays:
    """Return the six arrays for images that are in place already; labels and scales follow the axes."""
    import numpy as np

    labels = np.arange(len(frame.classes), dtype=np.int32)
    scales = np.array(frame.scales, dtype=np.int32)
    return StirArrays(
        imgs=imgs,
        lbls=np.ascontiguousarray(np.broadcast_to(labels[:, None], frame.shape)),
        scls=np.ascontiguousarray(np.broadcast_to(scales[:, None, None], frame.shape)),
        psts=np.ascontiguousarray(positions, dtype=np.int32),
        metadata=rows,
        lbldata=np.array(frame.classes),
    )
