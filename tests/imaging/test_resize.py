"""Resizing: the pixels of Pillow, torch and SciPy, the same on NumPy and torch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stirdata.imaging import resize as module
from stirdata.imaging.fitting import on_canvases
from stirdata.imaging.resize import FILTERS, resize

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def noise(*shape, seed=0):
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def by_pillow(images, height, width):
    """Resize along x, then along y; Pillow itself has another order where that is quicker."""

    def one(image):
        across = Image.fromarray(image).resize((width, image.shape[0]), Image.Resampling.BICUBIC)
        return np.asarray(across.resize((width, height), Image.Resampling.BICUBIC))

    return np.stack([one(image) for image in images])


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 80),
    st.integers(1, 80),
    st.floats(0.1, 4),
    st.floats(0.1, 4),
    st.booleans(),
    st.integers(0, 9),
)
def test_bicubic_has_the_pixels_of_pillow(height, width, down, across, colour, seed):
    images = noise(2, height, width, *((3,) if colour else ()), seed=seed)
    size = max(1, round(height * down)), max(1, round(width * across))
    assert np.array_equal(resize(images, *size), by_pillow(images, *size))


@pytest.mark.parametrize("factor", [0.1, 0.5, 2**-0.25, 1, 2**0.25, 1.5, 2, 4])
@pytest.mark.parametrize("side", [28, 32, 96])
def test_bicubic_of_squares_is_one_call_of_pillow(side, factor):
    images, size = noise(3, side, side, 3), round(side * factor)
    once = [
        np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) for image in images
    ]
    assert np.array_equal(resize(images, size, size), np.stack(once))
    extremes = np.where(images > 127, 255, 0).astype(np.uint8)
    assert np.array_equal(resize(extremes, size, size), by_pillow(extremes, size, size))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 4), st.booleans())
def test_bilinear_is_that_of_torch_but_for_halves(height, width, factor, colour):
    """Torch may join a product and a sum into one operation, which shows where a level ends in a half."""
    images = noise(2, height, width, *((3,) if colour else ()))
    size = max(1, round(height * factor)), max(1, round(width * factor))
    planes = torch.from_numpy(images).double()
    planes = planes.permute(0, 3, 1, 2) if colour else planes[:, None]
    wanted = torch.nn.functional.interpolate(
        planes, size, mode="bilinear", align_corners=False, antialias=False
    )
    wanted = (wanted.permute(0, 2, 3, 1) if colour else wanted[:, 0]).numpy()
    found = resize(images, *size, "bilinear")
    differs = found != np.rint(wanted)
    assert (np.abs(wanted[differs] % 1 - 0.5) < 1e-9).all()
    assert (np.abs(found - wanted) < 0.5 + 1e-9).all()


def test_spline_is_that_of_scipy():
    """Required: at most 1 in 10,000 values off, by one level. Measured: 7 in a million, all at halves."""
    ndimage = pytest.importorskip("scipy.ndimage")
    off = values = 0
    for side in (2, 5, 28, 32, 33):
        for factor in [*np.random.RandomState(side).uniform(0.1, 3, 12), 0.3, 0.5, 0.99, 1, 2]:
            images = noise(3, side, side, seed=side)
            exact = np.stack([ndimage.zoom(image / 255, factor, order=3) for image in images])
            if not exact.size:
                continue
            found = resize(images, *exact.shape[1:], "spline")
            wanted = np.rint(np.clip(exact, 0, 1) * 255)
            assert np.abs(found - wanted).max() <= 1
            off, values = off + (found != wanted).sum(), values + found.size
    assert off <= values / 10_000


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("size", [(11, 40), (32, 32), (70, 9)])
def test_tensors_give_the_same_bits(name, size, device):
    for shape in ((5, 32, 32), (5, 32, 32, 3)):
        images = noise(*shape)
        tensor = resize(torch.from_numpy(images).to(device), *size, name)
        assert tensor.device.type == device
        assert tensor.cpu().numpy().tolist() == resize(images, *size, name).tolist()


@pytest.mark.parametrize("name", FILTERS)
def test_blocks_do_not_show(name, monkeypatch):
    images = noise(7, 20, 20, 3)
    expected = resize(images, 31, 13, name)
    monkeypatch.setattr(module, "_BLOCK", 1)
    monkeypatch.setattr(module, "_ONE_THREAD", 1)
    assert np.array_equal(resize(images, 31, 13, name), expected)
    assert resize(images[:0], 31, 13, name).shape == (0, 31, 13, 3)


@pytest.mark.parametrize("name", FILTERS)
def test_the_same_size_is_the_same_image(name):
    assert np.array_equal(resize(noise(3, 9, 9), 9, 9, name), noise(3, 9, 9))


@pytest.mark.parametrize("wrong", [(0, 5, "bicubic"), (5, -1, "bicubic"), (5, 5, "lanczos")])
def test_arguments_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match="images of shape"):
        resize(noise(2, 4, 4), *wrong)


PADDED = {"edge": "edge", "mirror": "symmetric"}


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 20),
    st.sampled_from(["black", "white", "edge", "mirror"]),
    st.booleans(),
    st.data(),
)
def test_pictures_on_canvases_are_padded_and_cut(height, width, canvas, background, colour, draw):
    pictures = noise(3, height, width, *((3,) if colour else ()))
    each = st.tuples(st.integers(-15, 25), st.integers(-15, 25))
    positions = draw.draw(st.lists(each, min_size=3, max_size=3))
    if draw.draw(st.booleans()):
        positions = [positions[0]] * 3
    found = on_canvases(pictures, np.array(positions), canvas, background)
    for picture, canvas_found, (left, top) in zip(pictures, found, positions, strict=True):
        room = [(60, 60), (60, 60), (0, 0)][: picture.ndim]
        if background in PADDED:
            padded = np.pad(picture, room, mode=PADDED[background])
        else:
            padded = np.pad(picture, room, constant_values={"black": 0, "white": 255}[background])
        assert np.array_equal(canvas_found, padded[60 - top :, 60 - left :][:canvas, :canvas])
