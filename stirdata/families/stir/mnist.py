"""STIR mnist: digits at 48 sizes, each at a random place, smoothed and drawn out to full contrast.

Source: arXiv 2211.10288 and the generator published with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from stirdata.executors import InProcess, Workers, map_ordered
from stirdata.families.family import Advance, Job, Made, Material
from stirdata.families.stir import MNISTParameters, described
from stirdata.families.stir.axes import SEED, Frame, StirArrays, draw_positions, metadata, with_latents
from stirdata.imaging.contrast import smoothed_levels
from stirdata.sources import mnist as source
from stirdata.sources.idx import CLASS_NAMES
from stirdata.storage.image_bytes import BlockedArray

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


def job(parameters: MNISTParameters, material: Material) -> Job:
    """Return the job of making the set."""

    def make(workers: Workers, advance: Advance) -> Made:
        workers.prepare(_prepare)
        digits = material.once("digits", lambda: source.load(parameters.source_dir, quiet=material.quiet))
        arrays = generate(
            digits.images,
            digits.labels,
            parameters.seed,
            executor=workers.processes(),  # threads would wait for the interpreter's lock
            workers=workers.slots,
            advance=advance,
        )
        return Made(arrays.as_dict())

    description = described(sys.modules[__name__], parameters.seed, source.describe())
    return Job(description, make, FRAME.count)


def _prepare() -> None:
    """Do nothing: a process that can call this has imported what drawing needs."""


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

    Returns:
        The arrays; the images are drawn when their blocks are asked for, one for each set and scale.

    Raises:
        ParameterError: The seed is out of range.

    Source: arXiv 2211.10288, its generators.
    """
    positions = draw_positions(FRAME, seed)
    digits = choose_digits(images, labels, seed)

    def blocks() -> Iterator[NDArray[np.uint8]]:
        tasks = (
            (of_set.reshape(-1, _DIGIT_SIZE, _DIGIT_SIZE), scale, at.reshape(-1, 2))
            for of_set, positions_of_set in zip(digits, positions, strict=True)
            for scale, at in zip(FRAME.scales, positions_of_set, strict=True)
        )
        for drawn in map_ordered(executor or InProcess(), _drawn, tasks, ahead=2 * workers):
            yield drawn
            if advance is not None:
                advance(len(drawn))

    pixels = BlockedArray(FRAME.shape + FRAME.image_shape, np.dtype(np.uint8), blocks)
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


def _drawn(task: tuple[NDArray[np.uint8], int, NDArray[np.int32]]) -> NDArray[np.uint8]:
    """Return the images, uint8, (N, 64, 64), of N digits of one scale at their positions."""
    digits, scale, positions = task
    return smoothed_levels(digits, scale, positions, FRAME.canvas)
