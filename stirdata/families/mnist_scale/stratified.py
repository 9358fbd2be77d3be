"""Splits that keep the share of every class, with the members and order of scikit-learn's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
