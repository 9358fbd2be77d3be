"""Levels do not hang on the machine's arctangent."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from stirdata.imaging import contrast
from stirdata.imaging.contrast import Contrast

CANVAS = 24


def windows(seed: int = 0, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    values = random.uniform(0, 255, (count, 15, 12))
    values[:, ::4] = 0
    values[:, 1, 1:4] = values[:, 2, 2:5]  # equal values, one of them often the brightest
    return values, random.randint(-5, 15, (count, 2))


def levels(values: np.ndarray, corners: np.ndarray, block: int = 6) -> np.ndarray:
    stack = Contrast(len(values), CANVAS)
    for start in range(0, len(values), block):
        stack.add(start, values[start : start + block], corners[start : start + block])
    stack.settle()
    return stack.levels


def canvases(values: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Put windows, columns before rows, on whole canvases, rows before columns."""
    result = np.zeros((len(values), CANVAS, CANVAS))
    for canvas, window, (left, top) in zip(result, values, corners, strict=True):
        for column, row in np.ndindex(window.shape):
            x, y = left + column, top + row
            if 0 <= x < CANVAS and 0 <= y < CANVAS:
                canvas[y, x] = window[column, row]
    return result


def exact(image: np.ndarray) -> np.ndarray:
    """Apply the formula with mpmath's arctangent, rounded to the nearest double."""
    t = np.array(
        [[float(mpmath.atan(mpmath.mpf(v))) for v in row] for row in (0.02 * (image - 128)).tolist()]
    )
    t = 2 / np.pi * t
    return (255 * (t - t.min()) / (t.max() - t.min())).astype(np.uint8)


def test_levels_are_those_of_the_correctly_rounded_arctangent() -> None:
    values, corners = windows()
    assert np.array_equal(levels(values, corners), [exact(image) for image in canvases(values, corners)])


def test_a_window_that_covers_the_canvas_has_its_own_minimum() -> None:
    values = np.random.RandomState(3).uniform(5, 200, (2, CANVAS + 4, CANVAS + 2))
    corners = np.array([[-2, -1], [-4, -2]])
    expected = [exact(image) for image in canvases(values, corners)]
    assert np.array_equal(levels(values, corners), expected)
    assert (np.array(expected).min(axis=(1, 2)) == 0).all()


@pytest.mark.parametrize(
    "machine",
    [lambda x: np.arctan(x) * (1 + 2**-50), lambda x: np.arctan(x) * (1 - 2**-50), lambda x: -np.arctan(-x)],
)
def test_another_machine_gives_the_same_levels(
    machine: Callable[[np.ndarray], np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    values, corners = windows(1)
    expected = levels(values, corners)

    class OtherNumPy:
        """NumPy whose arctangent is some units in the last place off."""

        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        @staticmethod
        def arctan(x: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
            result = machine(x)
            if out is None:
                return result
            out[...] = result
            return out

    monkeypatch.setattr(contrast, "np", OtherNumPy())
    assert np.array_equal(levels(values, corners), expected)


def test_blocks_do_not_show() -> None:
    values, corners = windows(2)
    assert np.array_equal(levels(values, corners, block=1), levels(values, corners, block=4))


def test_an_even_image_is_black() -> None:
    assert not levels(np.zeros((1, 4, 4)), np.array([[3, 3]])).any()
