"""The recipe of MNIST-scale: members of the splits, scale factors, pixels.

Source: I. Sosnovik, M. Szmaja, A. Smeulders, "Scale-Equivariant Steerable Networks", ICLR 2020
(arXiv 1910.11093), section 6.1, and the data scripts published with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from array_api_compat import device

from stirdata.errors import ParameterError
from stirdata.families.mnist_scale import DRAW_ORDER, MAX_SCALE, MIN_SCALE, SIDE, SPLITS, check_parameters
from stirdata.imaging.bicubic import BLOCK_IMAGES, rescale
from stirdata.imaging.namespaces import array_namespace
from stirdata.sources.idx import CLASS_NAMES, DigitImages

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SplitSizes(NamedTuple):
    """Number of images in each split; the defaults are the published ones."""

    train: int = 10_000
    val: int = 2_000
    test: int = 50_000


PUBLISHED_SIZES = SplitSizes()


@dataclass(frozen=True)
class Split:
    """One split of a realization.

    Attributes:
        images: uint8, shape (N, 28, 28).
        labels: int64, shape (N,), 0 to 9.
        scales: float64, shape (N,): the factor each image was rescaled by.
        source_index: int32, shape (N,): position of the digit among the 70,000 source images.
    """

    images: Any
    labels: NDArray[np.int64]
    scales: NDArray[np.float64]
    source_index: NDArray[np.int32]


@dataclass(frozen=True)
class Plan:
    """Everything that is drawn before a pixel is computed.

    Attributes:
        source_index: Per split, int32 positions among the source images.
        scales: Per split, float64 scale factors.
    """

    source_index: Mapping[str, NDArray[np.int32]]
    scales: Mapping[str, NDArray[np.float64]]


def draw_plan(
    labels: NDArray[np.integer],
    seed: int,
    min_scale: float = MIN_SCALE,
    max_scale: float = MAX_SCALE,
    *,
    sizes: SplitSizes = PUBLISHED_SIZES,
) -> Plan:
    """Draw the members of the splits and the scale of every image, exactly as published.

    Args:
        labels: Class of each source image, shape (70000,).
        seed: 0 to 2**32 - 1; the published realizations are 0 to 5.
        min_scale: Smallest scale factor, above 0.
        max_scale: Largest scale factor; above 1 the canvas crops the digit.
        sizes: Number of images per split.

    Raises:
        ParameterError: A parameter is out of range, or there are too few images.

    Source: arXiv 1910.11093, section 6.1, and its data scripts.
    """
    check_parameters(seed, min_scale, max_scale)
    if min(sizes) < 1:
        raise ParameterError("a split has no images", where="sizes", expected="1 or more each", got=sizes)
    if len(labels) < sum(sizes):
        raise ParameterError(
            "too few source images", where="labels", expected=f"at least {sum(sizes)}", got=len(labels)
        )
    members = _draw_members(labels, np.random.RandomState(seed), sizes)
    counts = {name: len(members[name]) for name in DRAW_ORDER}
    scales = _draw_scales(counts, int(seed), min_scale, max_scale)
    return Plan({name: members[name].astype(np.int32) for name in SPLITS}, scales)


def _draw_members(
    labels: NDArray[np.integer], rng: np.random.RandomState, sizes: SplitSizes
) -> dict[str, NDArray[np.int64]]:
    kept, test = stratified_shuffle_split(labels, sizes.train + sizes.val, sizes.test, rng)
    train, val = stratified_shuffle_split(labels[kept], sizes.train, sizes.val, rng)
    return {"train": kept[train], "val": kept[val], "test": test}


def _draw_scales(
    counts: Mapping[str, int], seed: int, min_scale: float, max_scale: float
) -> dict[str, NDArray[np.float64]]:
    """Draw one scale per image, throwing away the draw of a rotation by zero degrees before it."""
    draw = random.Random(seed)
    scales = {}
    for name, count in counts.items():
        uniforms = np.array([draw.random() for _ in range(2 * count)])[1::2]
        # The same arithmetic as random.Random.uniform.
        scales[name] = min_scale + (max_scale - min_scale) * uniforms
    return scales


def as_arrays(splits: Mapping[str, Split]) -> dict[str, NDArray[Any]]:
    """Return a realization's arrays by flat names such as ``train/images`` and ``val/scales``."""
    return {f"{name}/{part}": array for name, split in splits.items() for part, array in vars(split).items()}


def generate(
    images: Any,
    labels: NDArray[np.integer],
    seed: int,
    min_scale: float = MIN_SCALE,
    max_scale: float = MAX_SCALE,
    *,
    sizes: SplitSizes = PUBLISHED_SIZES,
    workers: int = 1,
    block: int = BLOCK_IMAGES,
    advance: Callable[[int], None] | None = None,
) -> dict[str, Split]:
    """Make one realization of MNIST-scale.

    Args:
        images: Source digits, uint8, shape (70000, 28, 28): the 60,000 training images of MNIST in
            file order, then the 10,000 test images. A NumPy array, or a torch tensor on any device
            that has float64; the results are the same bits.
        labels: Their classes, shape (70000,), on the CPU.
        seed: 0 to 2**32 - 1; the published realizations are 0 to 5.
        min_scale: Smallest scale factor, above 0.
        max_scale: Largest scale factor; above 1 the canvas crops the digit.
        sizes: Number of images per split.
        workers: Threads; the result does not depend on it.
        block: Images computed at a time; the result does not depend on it.
        advance: Called with the number of images finished, now and then.

    Returns:
        The splits ``train`` (10,000 images), ``val`` (2,000) and ``test`` (50,000). Their ``images``
        are of the library and on the device of the argument.

    Raises:
        ParameterError: A parameter is out of range, or images and labels do not fit.

    Source: arXiv 1910.11093, section 6.1, and its data scripts.
    """
    if len(images) != len(labels):
        raise ParameterError("images and labels differ in length", expected=len(images), got=len(labels))
    plan = draw_plan(labels, seed, min_scale, max_scale, sizes=sizes)
    xp = array_namespace(images)
    result = {}
    for name in SPLITS:
        index, scales = plan.source_index[name], plan.scales[name]
        chosen = xp.take(images, xp.asarray(index.astype(np.int64), device=device(images)), axis=0)
        factors = xp.asarray(scales, device=device(images))
        pixels = rescale(chosen, factors, workers=workers, block=block, advance=advance)
        result[name] = Split(pixels, labels[index].astype(np.int64), scales, index)
    return result


def noise(count: int = 400) -> DigitImages:
    """Return digits of noise, always the same: what needs digits can be tried with them.

    Returns:
        Images uint8, (count, 28, 28); labels uint8, (count,), in turn.
    """
    images = np.random.RandomState(0).randint(0, 256, (count, SIDE, SIDE)).astype(np.uint8)
    return DigitImages(images, (np.arange(count) % len(CLASS_NAMES)).astype(np.uint8))


def stratified_shuffle_split(
    labels: NDArray[np.integer], train: int, test: int, rng: np.random.RandomState
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw two disjoint sets of positions in which the classes have their expected shares.

    Args:
        labels: Class of each position, shape (N,).
        train: Size of the first set.
        test: Size of the second set; both together are at most N.
        rng: The legacy stream to draw from; it is advanced exactly as scikit-learn would.

    Returns:
        Positions in the first and in the second set, int64, in drawn order.

    Source: the behaviour of ``sklearn.model_selection.train_test_split(..., stratify=labels)``, which
    the authors of MNIST-scale used (arXiv 1910.11093).
    """
    _, classes = np.unique(labels, return_inverse=True)
    counts = np.bincount(classes)
    train_counts = _apportion(counts, train, rng)
    test_counts = _apportion(counts - train_counts, test, rng)
    by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
    first, second = [], []
    for members, taken, then in zip(by_class, train_counts, test_counts, strict=True):
        shuffled = members[rng.permutation(len(members))]
        first.append(shuffled[:taken])
        second.append(shuffled[taken : taken + then])
    return rng.permutation(np.concatenate(first)), rng.permutation(np.concatenate(second))


def _apportion(counts: NDArray[np.int64], size: int, rng: np.random.RandomState) -> NDArray[np.int64]:
    """Share ``size`` among classes in proportion to ``counts``, by largest remainder, ties by lot.

    Ties are drawn even when all of them receive one: the draw advances the stream.
    """
    exact = counts / counts.sum() * size
    shares = np.floor(exact)
    left = int(size - shares.sum())
    remainders = exact - shares
    for remainder in np.unique(remainders)[::-1]:
        if left == 0:
            break
        (candidates,) = np.where(remainders == remainder)
        receivers = rng.choice(candidates, size=min(len(candidates), left), replace=False)
        shares[receivers] += 1
        left -= len(receivers)
    apportioned: NDArray[np.int64] = shares.astype(np.int64)
    return apportioned
