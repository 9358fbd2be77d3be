"""A window computed by itself has the pixels of resizing all and cutting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from stirdata.errors import ParameterError
from stirdata.imaging import crop
from stirdata.imaging.crop import Window, crops_resized, lanczos, window_weights

SIDE = 16


def picture(width: int, height: int, seed: int, *, harsh: bool = False) -> NDArray[np.uint8]:
    """Return noise; a harsh one has only 0 and 255, so that the filter overshoots both ways."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.where(values > 127, 255, 0).astype(np.uint8) if harsh else values


def whole(values: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize all by Pillow, along x first: since Pillow 13 ``resize`` chooses the order by the factors."""
    wide = Image.fromarray(values).resize((width, values.shape[0]), Image.Resampling.LANCZOS)
    return np.asarray(wide.resize((width, height), Image.Resampling.LANCZOS))


def window_of(values: NDArray[np.uint8], *windows: Window, side: int = SIDE) -> NDArray[np.uint8]:
    def read(left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        assert 0 <= left < right <= values.shape[1]
        assert 0 <= top < bottom <= values.shape[0]
        return values[top:bottom, left:right]

    return crops_resized(read, (values.shape[1], values.shape[0]), windows, side)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_window_is_the_slice_of_the_whole(data: st.DataObject) -> None:
    width, height = (data.draw(st.integers(1, 160)) for _ in "xy")
    resized = tuple(data.draw(st.integers(SIDE, 200)) for _ in "xy")
    left, top = (data.draw(st.integers(0, length - SIDE)) for length in resized)
    values = picture(width, height, data.draw(st.integers(0, 99)), harsh=data.draw(st.booleans()))
    expected = whole(values, *resized)[top : top + SIDE, left : left + SIDE]
    np.testing.assert_array_equal(window_of(values, Window(*resized, left, top))[0], expected)


@pytest.mark.parametrize("size", [(700, 700), (701, 523), (64, 64), (1500, 90)])
def test_windows_of_the_size_of_stir(size: tuple[int, int]) -> None:
    values = picture(*size, seed=3)
    windows = [Window(round(size[0] * f), round(size[1] * f), 0, 0) for f in (1.0, 0.99, 0.7, 1.4)]
    windows = [window for window in windows if min(window[:2]) >= 64]
    windows += [Window(w, h, w - 64, h - 64) for w, h, _, _ in windows]
    for window, pixels in zip(windows, window_of(values, *windows, side=64), strict=True):
        part = (slice(window.top, window.top + 64), slice(window.left, window.left + 64))
        np.testing.assert_array_equal(pixels, whole(values, *window[:2])[part])


@pytest.mark.parametrize("name", ["BLOCK_VALUES", "_PRODUCT", "_BATCH"])
def test_portions_do_not_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values = picture(300, 200, seed=5)
    windows = [Window(60 + n, 40 + n, n, n) for n in range(20)]
    expected = window_of(values, *windows)
    monkeypatch.setattr(crop, name, 1)
    np.testing.assert_array_equal(window_of(values, *windows), expected)


def test_reads_only_what_the_window_needs() -> None:
    asked: list[tuple[int, int, int, int]] = []

    def read(*box: int) -> NDArray[np.uint8]:
        asked.append(box)
        return np.zeros((box[3] - box[1], box[2] - box[0], 3), np.uint8)

    crops_resized(read, (1000, 1000), [Window(500, 500, 200, 300)], SIDE)
    reach = 2 * crop.LOBES  # source pixels, at a factor of 2
    assert min(left for left, *_ in asked) >= 400 - reach
    assert max(right for _, _, right, _ in asked) <= 400 + 2 * SIDE + reach
    assert min(top for _, top, *_ in asked) >= 600 - reach
    assert max(bottom for *_, bottom in asked) <= 600 + 2 * SIDE + reach


@pytest.mark.parametrize(
    "window", [Window(20, 20, 5, 0), Window(20, 20, 0, 5), Window(20, 20, -1, 0), Window(8, 20, 0, 0)]
)
def test_window_outside_is_refused(window: Window) -> None:
    with pytest.raises(ParameterError, match="not inside the resized picture"):
        window_of(picture(10, 10, 0), window)


def test_lanczos_is_that_of_the_definition() -> None:
    x = np.linspace(-3.5, 3.5, 7001)
    expected = np.where(abs(x) <= 3, np.sinc(x) * np.sinc(x / 3), 0)
    np.testing.assert_allclose(lanczos(x), expected, rtol=0, atol=5e-15)


@given(
    size=st.integers(1, 3000),
    resized=st.integers(SIDE, 3000),
)
@settings(max_examples=100, deadline=None)
def test_weights_sum_to_one(size: int, resized: int) -> None:
    (axis,) = window_weights([size], [resized], [(resized - SIDE) // 2], SIDE)
    sums = np.concatenate([weights.sum(axis=0) for _, _, weights in axis.groups(SIDE)])
    # Each weight is rounded by half of 2**-22 at most.
    np.testing.assert_allclose(sums, 1, rtol=0, atol=len(axis.blocks[0]) * 2**-23)


def test_no_windows_are_no_pixels() -> None:
    assert window_of(picture(10, 10, 0)).shape == (0, SIDE, SIDE, 3)
