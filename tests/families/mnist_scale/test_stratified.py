"""Stratified splits have the members and the order of scikit-learn's."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import sklearn_members
from sklearn.model_selection import train_test_split

from stirdata.families.mnist_scale.recipe import SPLITS, draw_plan, stratified_shuffle_split
from stirdata.sources.idx import DigitImages


def assert_as_scikit_learn(labels: NDArray[np.integer], train: int, test: int, seed: int) -> None:
    """Compare one split, and that both have advanced the stream alike."""
    theirs, ours = np.random.RandomState(seed), np.random.RandomState(seed)
    expected = train_test_split(
        np.arange(len(labels)), train_size=train, test_size=test, stratify=labels, random_state=theirs
    )
    found = stratified_shuffle_split(labels, train, test, ours)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    assert ours.randint(2**31) == theirs.randint(2**31)


@pytest.mark.parametrize("seed", range(20))
def test_splits_of_mnist_are_those_of_scikit_learn(mnist_digits: DigitImages, seed: int) -> None:
    expected = sklearn_members(mnist_digits.labels, seed, train=10_000, val=2_000, test=50_000)
    drawn = draw_plan(mnist_digits.labels, seed).source_index
    for split in SPLITS:
        np.testing.assert_array_equal(drawn[split], expected[split])


@st.composite
def splits_of_uneven_classes(draw: st.DrawFn) -> tuple[NDArray[np.int64], int, int, int]:
    """Return labels in any order, sizes that scikit-learn accepts, and a seed."""
    counts = draw(st.lists(st.integers(2, 40), min_size=2, max_size=12))
    total = sum(counts)
    train = draw(st.integers(len(counts), total - len(counts)))
    test = draw(st.integers(len(counts), total - train))
    seed = draw(st.integers(0, 2**32 - 1))
    names = draw(st.lists(st.integers(-5, 300), min_size=len(counts), max_size=len(counts), unique=True))
    labels = np.random.RandomState(seed).permutation(np.repeat(names, counts))
    return labels, train, test, seed


@given(splits_of_uneven_classes())
@settings(deadline=None, max_examples=200)
def test_splits_of_uneven_classes_are_those_of_scikit_learn(
    case: tuple[NDArray[np.int64], int, int, int],
) -> None:
    assert_as_scikit_learn(*case)


@given(classes=st.integers(2, 10), each=st.integers(4, 30), seed=st.integers(0, 2**32 - 1), data=st.data())
@settings(deadline=None, max_examples=150)
def test_ties_are_broken_by_the_same_lots(classes: int, each: int, seed: int, data: st.DataObject) -> None:
    """Classes of equal size have equal remainders, so every image left over is given away by lot."""
    labels = np.arange(classes * each) % classes
    train = data.draw(st.integers(classes, classes * (each - 1)), "train")
    test = data.draw(st.integers(classes, classes * each - train), "test")
    assert_as_scikit_learn(labels, train, test, seed)


@pytest.mark.parametrize("seed", range(10))
def test_a_tie_that_everyone_wins_still_advances_the_stream(seed: int) -> None:
    """Two classes have equal remainders and two images are left: both get one, after a lot all the same."""
    counts = [9, 9, 6]
    assert [Fraction(count, 24) * 5 for count in counts] == [1 + Fraction(7, 8)] * 2 + [1 + Fraction(1, 4)]
    assert_as_scikit_learn(np.repeat([0, 1, 2], counts), 5, 10, seed)


@given(splits_of_uneven_classes())
@settings(deadline=None, max_examples=100)
def test_classes_keep_their_share(case: tuple[NDArray[np.int64], int, int, int]) -> None:
    """Both sets are disjoint, as large as asked, and have each class within one of its share."""
    labels, train, test, seed = case
    drawn = stratified_shuffle_split(labels, train, test, np.random.RandomState(seed))
    assert [len(members) for members in drawn] == [train, test]
    assert len(np.union1d(*drawn)) == train + test
    left = {name: int(np.sum(labels == name)) for name in np.unique(labels).tolist()}
    for members in drawn:
        total = sum(left.values())
        for name, count in left.items():
            got = int(np.sum(labels[members] == name))
            assert abs(got - count * len(members) / total) < 1
            left[name] -= got


def test_the_labels_are_only_read() -> None:
    labels = np.arange(40) % 4
    before = labels.copy()
    labels.flags.writeable = False
    stratified_shuffle_split(labels, 20, 10, np.random.RandomState(0))
    np.testing.assert_array_equal(labels, before)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    stratified_shuffle_split(np.arange(40) % 4, 20, 10, np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
