"""STIR mnist: digits at 48 sizes, each at a random place, smoothed and drawn out to full contrast.

Source: arXiv 2211.10288 and the generator published with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from stirdata.executors import InProcess, Workers, map_ordered
from stirdata.families.family import Advance, Job, Made, Material
from stirdata.families.stir import MNISTParameters, described
from stirdata.families.stir.axes import SEED, Frame, StirArrays, draw_positions, metadata, with_latents
from stirdata.imaging.catmull_rom import Content, resize_content
from stirdata.imaging.contrast import Contrast
from stirdata.imaging.gaussian import radius_of, smooth, surrounded
from stirdata.sources import mnist as source
from stirdata.sources.idx import CLASS_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATASET = "stir-mnist"
RECIPE_VERSION = 1
INSTANCES = 50
FRAME = Frame(CLASS_NAMES, INSTANCES)
LICENSE = "CC BY 4.0"
TRAIN_IMAGES = 60_000
"""Images that the first two sets are taken from; what follows is for the third."""

_DIGIT_SIZE = 28
_BLOCK_IMAGES = 25  # few enough for the processor's caches, enough for NumPy to be busy with numbers


def job(parameters: MNISTParameters, material: Material) -> Job:
    """Return the job of making the set."""

    def make(workers: Workers, advance: Advance) -> Made:
        digits = material.once("digits", lambda: source.load(parameters.source_dir, quiet=material.quiet))
        executor = workers.threads() if workers.dask is None else workers.processes()
        arrays = generate(
            digits.images,
            digits.labels,
            parameters.seed,
            executor=executor,
            workers=workers.slots,
            advance=advance,
        )
        return Made(arrays.as_dict())

    description = described(sys.modules[__name__], parameters.seed, source.describe())
    return Job(description, make, FRAME.count)


def generate(
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    seed: int = SEED,
    *,
    executor: Executor | None = None,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> StirArrays:
    """Make the set: 3 sets x 48 scales x 10 digits x 50 instances.

    Args:
        images: MNIST, uint8, shape (70000, 28, 28): training images in file order, then test images.
        labels: Their classes, shape (70000,).
        seed: Of the positions and of the choice of digits; 42 is published.
        executor: Threads or processes to work in; the result does not depend on it.
        workers: How many of them there are.
        advance: Called with the number of images finished, now and then.

    Raises:
        ParameterError: The seed is out of range.

    Source: arXiv 2211.10288, its generators.
    """
    positions = draw_positions(FRAME, seed)
    digits = choose_digits(images, labels, seed)
    pixels = np.empty(FRAME.shape + FRAME.image_shape, np.uint8)
    tasks = [(digits, FRAME.scales[number], positions[:, number]) for number in range(len(FRAME.scales))]
    done = map_ordered(executor or InProcess(), _of_scale, tasks, ahead=2 * workers)
    for number, drawn in enumerate(done):
        pixels[:, number] = drawn
        if advance is not None:
            advance(digits.size // _DIGIT_SIZE**2)
    return with_latents(FRAME, pixels, positions, _metadata())


def _metadata() -> NDArray[np.str_]:
    return metadata(
        title="STIR mnist",
        description="MNIST digits at scales 17 to 64 pixels on a 64 x 64 canvas, with their positions",
        author="T. Altstidl et al. (STIR); Y. LeCun, C. Cortes, C. J. C. Burges (MNIST)",
        license=LICENSE,
        version=f"stirdata recipe {RECIPE_VERSION}",
        date="2026-11-21",
    )


def choose_digits(
    images: NDArray[np.uint8], labels: NDArray[np.uint8], seed: int = SEED
) -> NDArray[np.uint8]:
    """Return the digits of every set and class, uint8, shape (3, 10, 50, 28, 28).

    The training images of a class are shuffled; the first 50 are for train, the next 50 for valid. The
    first 50 of its test images, shuffled, are for test. Every shuffle starts its stream afresh.
    """
    chosen = []
    for label in range(len(FRAME.classes)):
        members = np.flatnonzero(labels == label)
        train, test = members[members < TRAIN_IMAGES], members[members >= TRAIN_IMAGES]
        train = train[np.random.RandomState(seed).permutation(len(train))]
        test = test[np.random.RandomState(seed).permutation(len(test))]
        chosen.append([train[:INSTANCES], train[INSTANCES : 2 * INSTANCES], test[:INSTANCES]])
    digits: NDArray[np.uint8] = images[np.array(chosen).transpose(1, 0, 2)]
    return digits


def _of_scale(task: tuple[NDArray[np.uint8], int, NDArray[np.int32]]) -> NDArray[np.uint8]:
    """Return all images of one scale, uint8, (3, 10, 50, 64, 64), for digits, scale and positions."""
    digits, scale, positions = task
    images = draw(digits.reshape(-1, _DIGIT_SIZE, _DIGIT_SIZE), scale, positions.reshape(-1, 2))
    return images.reshape(*digits.shape[:3], *FRAME.image_shape)


def draw(digits: NDArray[np.uint8], scale: int, positions: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Draw digits at one scale, each at its own position.

    Args:
        digits: uint8, shape (N, 28, 28).
        scale: Side of the box in pixels.
        positions: Left and top of the box, int32, shape (N, 2).

    Returns:
        uint8, shape (N, 64, 64).

    Source: arXiv 2211.10288, its generator of mnist.
    """
    contrast = Contrast(len(digits), FRAME.canvas)
    order = _by_extent(digits)
    digits, positions = digits[order], positions[order]
    for start in range(0, len(digits), _BLOCK_IMAGES):
        block = slice(start, start + _BLOCK_IMAGES)
        contrast.add(start, *_smoothed(resize_content(digits[block], scale), scale, positions[block]))
    contrast.settle()
    return contrast.levels[np.argsort(order)]


def _by_extent(digits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return an order in which neighbours fill about the same part of their frames.

    What a block of images computes is what any of them fills.
    """
    filled = digits > 0
    return np.lexsort([filled.any(axis=axis).argmax(axis=1) for axis in (1, 2)])


def _smoothed(
    content: Content, scale: int, positions: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Place objects on canvases and smooth these along y, then x, as far as anything is not 0.

    Returns:
        Windows of the canvases, float64, shape (N, width, height), x before y; left and top of each
        window, int64, shape (N, 2), which may be beyond the canvas.
    """
    sigma = 7 / 8 * scale / _DIGIT_SIZE
    margin, side = radius_of(sigma), FRAME.canvas
    corners = positions.astype(np.int64) + np.array([content.columns.start, content.rows.start])
    # One margin is what smoothing spreads, the other what it needs to know and does not return.
    along_y = smooth(surrounded(content.pixels, corners[:, 1], side, 2 * margin), sigma)
    along_x = smooth(surrounded(along_y.transpose(0, 2, 1), corners[:, 0], side, 2 * margin), sigma)
    return along_x, corners - margin
