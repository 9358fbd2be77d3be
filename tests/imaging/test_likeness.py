"""Images that are nearly equal are those of a comparison of all with all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stirdata.imaging import likeness
from stirdata.imaging.likeness import alike, joined, summary


def near_copies(seed: int, count: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Return images that are a few others with more or less noise."""
    random = np.random.RandomState(seed)
    originals = random.randint(0, 256, (3, *shape))
    noise = random.randint(-1, 2, (count, *shape)) * random.choice([0, 1, 2, 9], (count, *[1] * len(shape)))
    seen = random.uniform(0, 1, (count, *shape)) < random.choice([0.1, 0.5, 1], (count, *[1] * len(shape)))
    return np.clip(originals[random.randint(0, 3, count)] + noise * seen, 0, 255).astype(dtype)


def all_pairs(one: NDArray[Any], other: NDArray[Any], most: float, *, within: bool) -> dict[int, int]:
    found = {}
    for number, image in enumerate(other):
        differences = [
            (float(np.abs(image.astype(float) - twin.astype(float)).mean()), at)
            for at, twin in enumerate(one)
        ]
        near = [pair for pair in differences if 0 < pair[0] <= most and (pair[1] < number or not within)]
        if near:
            found[number] = min(near)[1]
    return found


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from([(1, 1), (3, 5), (8, 8), (28, 28), (9, 6, 3)]),
    dtype=st.sampled_from(["uint8", "float32"]),
    most=st.floats(0.05, 12),
    within=st.booleans(),
)
@settings(max_examples=60)
def test_all_pairs_are_found_and_no_others(
    seed: int, shape: tuple[int, ...], dtype: str, most: float, within: bool
) -> None:
    other = near_copies(seed, 25, shape, dtype)
    one = other if within else near_copies(seed, 60, shape, dtype)[20:]
    found = alike(summary(one), summary(other), most, one.__getitem__, other.__getitem__, within=within)
    expected = all_pairs(one, other, most, within=within)
    assert dict(zip(found.numbers.tolist(), found.twins.tolist(), strict=True)) == expected
    assert found.numbers.tolist() == sorted(expected)


def test_portions_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    images = near_copies(1, 200, (12, 12), "uint8")
    whole = alike(summary(images), summary(images), 2, images.__getitem__, images.__getitem__, within=True)
    assert len(whole.numbers) > 20
    monkeypatch.setattr(likeness, "_ROWS", 7)
    monkeypatch.setattr(likeness, "_TOGETHER", 70)
    monkeypatch.setattr(likeness, "_READ", 3)
    parts = joined([summary(images[:50]), summary(images[50:])])
    again = alike(parts, parts, 2, images.__getitem__, images.__getitem__, within=True)
    assert whole.numbers.tolist() == again.numbers.tolist()
    assert whole.twins.tolist() == again.twins.tolist()


def test_few_pairs_are_read_of_images_that_differ() -> None:
    """Of 400 images of noise no two come near one another: they are told apart by their summaries."""
    images = np.random.RandomState(0).randint(0, 256, (400, 28, 28)).astype(np.uint8)
    read = []

    def counted(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        read.append(len(numbers))
        return images[numbers]

    found = alike(summary(images), summary(images), 2, counted, counted, within=True)
    assert len(found.numbers) == 0
    assert sum(read) < 400


def test_no_images_are_like_none() -> None:
    none, some = np.zeros((0, 4, 4), np.uint8), np.ones((2, 4, 4), np.uint8)
    for one, other in ((none, some), (some, none), (none, none)):
        found = alike(summary(one), summary(other), 1, one.__getitem__, other.__getitem__)
        assert found.numbers.tolist() == found.twins.tolist() == []
