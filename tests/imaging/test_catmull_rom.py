"""Resizing against the formula, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stirdata.imaging.catmull_rom import prefiltered, resize, resize_content


def plain(image: np.ndarray, size: int) -> np.ndarray:
    """Resize one (prefiltered) image with loops: along columns, then rows."""
    side = len(image)

    def reflect(position: int) -> int:
        position = abs(position)
        return 2 * (side - 1) - position if position >= side else position

    def sample(values: list[float], number: int) -> float:
        c = (side / size) * (number + 0.5) - 0.5
        i = math.floor(c)
        x = c - i
        f0, f1, f2, f3 = (values[reflect(i + tap)] for tap in (-1, 0, 1, 2))
        return f1 + 0.5 * x * (f2 - f0 + x * (2 * f0 - 5 * f1 + 4 * f2 - f3 + x * (3 * (f1 - f2) + f3 - f0)))

    rows = [[sample(row, number) for number in range(size)] for row in image.astype(float).tolist()]
    columns = [[sample(list(column), number) for number in range(size)] for column in zip(*rows, strict=True)]
    return np.clip(np.array(columns).T, image.min(), image.max())


@pytest.mark.parametrize("size", [17, 19, 27, 28, 29, 41, 64])
def test_every_pixel_is_that_of_the_formula(size: int) -> None:
    images = np.random.RandomState(size).randint(0, 256, (2, 28, 28)).astype(np.uint8)
    expected = [plain(image, size) for image in prefiltered(images, size)]
    assert np.array_equal(resize(images, size), expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(17, 64), st.integers(0, 27), st.integers(0, 27), st.integers(1, 28), st.integers(0, 2**31))
def test_content_is_all_that_is_not_zero(size: int, row: int, column: int, extent: int, seed: int) -> None:
    images = np.zeros((2, 28, 28), np.uint8)
    part = images[:, row : row + extent, column : column + extent]
    part[...] = np.random.RandomState(seed).randint(0, 256, part.shape)
    expected = np.array([plain(image, size) for image in prefiltered(images, size)])
    content = resize_content(images, size)
    inside = expected[:, content.rows.start : content.rows.stop, content.columns.start : content.columns.stop]
    assert np.array_equal(content.pixels, inside)
    assert np.count_nonzero(expected) == np.count_nonzero(inside)


def test_an_empty_image_stays_empty() -> None:
    assert not resize(np.zeros((1, 28, 28), np.uint8), 40).any()


def test_the_prefilter_is_left_out_where_nothing_shrinks() -> None:
    images = np.random.RandomState(0).randint(0, 256, (1, 28, 28)).astype(np.uint8)
    assert prefiltered(images, 28) is images
    assert prefiltered(images, 64) is images
    assert prefiltered(images, 17).dtype == np.uint8
