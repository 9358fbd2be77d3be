"""The vectorised rescaling has the bits of Pillow, on NumPy arrays and on torch tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import pillow_rescaled

from stirdata.imaging.bicubic import rescale
from stirdata.sources.idx import DigitImages

Rescale = Callable[..., NDArray[np.uint8]]


def with_numpy(images: NDArray[np.uint8], scales: NDArray[np.float64], **options: Any) -> NDArray[np.uint8]:
    """Rescale NumPy arrays."""
    return rescale(images, scales, **options)


def with_torch(images: NDArray[np.uint8], scales: NDArray[np.float64], **options: Any) -> NDArray[np.uint8]:
    """Rescale torch tensors, and return a NumPy array."""
    return rescale(torch.tensor(images), torch.tensor(scales), **options).numpy()


both = pytest.mark.parametrize("rescaled", [with_numpy, with_torch])


def noise(count: int, side: int = 28, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.RandomState(seed).randint(0, 256, (count, side, side)).astype(np.uint8)


def random_scales(count: int, seed: int = 2) -> NDArray[np.float64]:
    """Return factors from 0.05 to 3, as many below 0.4 as above it."""
    exponents = np.random.RandomState(seed).uniform(np.log(0.05), np.log(3), count)
    return np.exp(exponents)


@both
def test_noise_at_random_scales_has_the_bits_of_pillow(rescaled: Rescale) -> None:
    images, scales = noise(4000), random_scales(4000)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
def test_extreme_contrasts_have_the_bits_of_pillow(rescaled: Rescale) -> None:
    """Black and white next to each other make the cubic overshoot, which has to be cut at 0 and 255."""
    images = np.where(noise(1000) < 128, 0, 255).astype(np.uint8)
    scales = random_scales(1000)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
def test_digits_at_random_scales_have_the_bits_of_pillow(
    rescaled: Rescale, mnist_digits: DigitImages
) -> None:
    members = np.random.RandomState(3).permutation(70_000)[:4000]
    images, scales = mnist_digits.images[members], random_scales(4000)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
@pytest.mark.parametrize("side", [1, 2, 3, 5, 27, 29, 64])
def test_other_sizes_have_the_bits_of_pillow(rescaled: Rescale, side: int) -> None:
    images, scales = noise(120, side), random_scales(120)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
@pytest.mark.parametrize("scale", [0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
def test_exact_factors_have_the_bits_of_pillow(rescaled: Rescale, scale: float) -> None:
    """Where 1/s is exact, sample points lie on pixels and on the very border of the image."""
    images, scales = noise(20), np.full(20, scale)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
@pytest.mark.parametrize("distance", [13.5, 14.5])
def test_sample_points_on_the_border_have_the_bits_of_pillow(rescaled: Rescale, distance: float) -> None:
    """From the centre it is 14.5 pixels to the first border, which is inside, and 13.5 to the last."""
    scales = np.arange(1, 15) / distance
    images = noise(14)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
def test_scale_one_changes_nothing(rescaled: Rescale) -> None:
    images = noise(10)
    np.testing.assert_array_equal(rescaled(images, np.ones(10)), images)


@both
@pytest.mark.parametrize("scale", [1e-9, 0.01])
def test_a_tiny_scale_leaves_one_pixel_of_an_even_canvas(rescaled: Rescale, scale: float) -> None:
    """The published centre, half a pixel off, is the middle of a pixel of a canvas with even sides."""
    images = noise(3)
    expected = np.zeros_like(images)
    expected[:, 14, 14] = images[:, 14, 14]
    result = rescaled(images, np.full(3, scale))
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal(result, pillow_rescaled(images, np.full(3, scale)))


@both
@pytest.mark.parametrize("scale", [1e-300, 1e-17, 1e-15, 1e-14])
def test_a_scale_lost_in_rounding_still_has_the_bits_of_pillow(rescaled: Rescale, scale: float) -> None:
    images, scales = noise(3), np.full(3, scale)
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
def test_a_tiny_scale_leaves_nothing_of_an_odd_canvas(rescaled: Rescale) -> None:
    images, scales = noise(3, side=27) | 1, np.full(3, 0.01)
    result = rescaled(images, scales)
    assert not result.any()
    np.testing.assert_array_equal(result, pillow_rescaled(images, scales))


@both
def test_half_size_is_every_second_pixel_on_black(rescaled: Rescale) -> None:
    """About 14.5 the sample points fall on pixels; about the true centre they would fall between them."""
    images = noise(10)
    expected = np.zeros_like(images)
    expected[:, 7:21, 7:21] = images[:, ::2, ::2]
    np.testing.assert_array_equal(rescaled(images, np.full(10, 0.5)), expected)


@both
@given(
    count=st.integers(0, 30),
    block=st.integers(1, 40),
    workers=st.integers(1, 4),
    side=st.sampled_from([4, 9, 28]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=40)
def test_blocks_and_workers_never_show_in_the_result(
    rescaled: Rescale, count: int, block: int, workers: int, side: int, seed: int
) -> None:
    images, scales = noise(count, side, seed), random_scales(count, seed)
    alone = [rescaled(images[at : at + 1], scales[at : at + 1])[0] for at in range(count)]
    expected = np.array(alone, np.uint8).reshape(images.shape)
    np.testing.assert_array_equal(rescaled(images, scales, block=block, workers=workers), expected)


@both
@given(scale=st.floats(0.05, 3), seed=st.integers(0, 2**32 - 1), side=st.integers(1, 32))
@settings(deadline=None, max_examples=150)
def test_any_scale_and_size_has_the_bits_of_pillow(
    rescaled: Rescale, scale: float, seed: int, side: int
) -> None:
    images, scales = noise(1, side, seed), np.array([scale])
    np.testing.assert_array_equal(rescaled(images, scales), pillow_rescaled(images, scales))


@both
@given(
    data=st.data(),
    side=st.sampled_from([1, 3, 8, 28]),
    low=st.sampled_from([1e-17, 0.05, 0.5]),
    crop=st.booleans(),
    block=st.integers(1, 9),
)
@settings(max_examples=60)
def test_content_anywhere_has_the_bits_of_pillow(
    rescaled: Rescale, data: st.DataObject, side: int, low: float, crop: bool, block: int
) -> None:
    """Blank images, single pixels, lines, content that touches one border or another."""
    count = data.draw(st.integers(1, 8))
    images = np.zeros((count, side, side), np.uint8)
    for image in images:
        rows, columns = (sorted(data.draw(st.tuples(*[st.integers(0, side)] * 2))) for _ in range(2))
        part = image[slice(*rows), slice(*columns)]
        part[...] = noise(1, side, data.draw(st.integers(0, 99)))[0][: part.shape[0], : part.shape[1]]
    scales = np.array(data.draw(st.lists(st.floats(low, 3), min_size=count, max_size=count)))
    result = rescaled(images, scales, crop=crop, block=block)
    np.testing.assert_array_equal(result, pillow_rescaled(images, scales))


def test_arguments_are_only_read() -> None:
    images, scales = noise(20), random_scales(20)
    images_before, scales_before = images.copy(), scales.copy()
    images.flags.writeable = scales.flags.writeable = False
    result = rescale(images, scales, block=8)
    assert result.flags.writeable
    np.testing.assert_array_equal(images, images_before)
    np.testing.assert_array_equal(scales, scales_before)
    tensors = torch.tensor(images_before), torch.tensor(scales_before)
    rescale(*tensors, block=8)
    np.testing.assert_array_equal(tensors[0].numpy(), images_before)
    np.testing.assert_array_equal(tensors[1].numpy(), scales_before)


def test_strided_images_are_rescaled_as_their_copies() -> None:
    images, scales = noise(40)[::-2, :, ::-1], random_scales(40)[::-2]
    expected = pillow_rescaled(images.copy(), scales.copy())
    np.testing.assert_array_equal(rescale(images, scales), expected)
    turned = images.transpose(0, 2, 1)
    expected = pillow_rescaled(turned.copy(), scales.copy())
    for crop in (True, False):
        np.testing.assert_array_equal(rescale(turned, scales, crop=crop), expected)
        tensors = torch.tensor(images.copy()).transpose(1, 2), torch.tensor(scales.copy())
        np.testing.assert_array_equal(rescale(*tensors, crop=crop).numpy(), expected)


def test_the_result_is_of_the_library_of_the_arguments() -> None:
    array = rescale(noise(3), random_scales(3))
    assert isinstance(array, np.ndarray)
    assert (array.dtype, array.shape) == (np.uint8, (3, 28, 28))
    images = torch.tensor(noise(3))
    tensor = rescale(images, torch.tensor(random_scales(3)))
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.dtype, tensor.shape, tensor.device) == (torch.uint8, (3, 28, 28), images.device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("block", [256, 16_384])
def test_a_gpu_gives_the_bits_of_pillow_and_keeps_them_there(block: int) -> None:
    images, scales = noise(4000), random_scales(4000)
    on_device = torch.tensor(images, device="cuda")
    result = rescale(on_device, torch.tensor(scales, device="cuda"), block=block)
    assert result.device == on_device.device
    np.testing.assert_array_equal(result.cpu().numpy(), pillow_rescaled(images, scales))


@both
@pytest.mark.parametrize(("count", "block"), [(0, 4), (1, 4), (8, 4), (9, 4), (9, 100)])
@pytest.mark.parametrize("workers", [1, 3])
def test_advance_counts_every_image_once(rescaled: Rescale, count: int, block: int, workers: int) -> None:
    counts: list[int] = []
    rescaled(noise(count), random_scales(count), block=block, workers=workers, advance=counts.append)
    assert sum(counts) == count
    assert len(counts) == -(-count // block)


@both
@pytest.mark.parametrize(
    ("images", "scales"),
    [
        ((3, 28, 27), (3,)),
        ((28, 28), (28,)),
        ((3, 1, 28, 28), (3,)),
        ((3, 28, 28), (2,)),
        ((3, 28, 28), (3, 1)),
        ((3, 28, 28), ()),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    rescaled: Rescale, images: tuple[int, ...], scales: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="must have shapes") as error:
        rescaled(np.zeros(images, np.uint8), np.ones(scales))
    assert str(images) in str(error.value)
    assert str(scales) in str(error.value)


@pytest.mark.parametrize("block", [0, -1])
def test_a_block_without_images_is_refused(block: int) -> None:
    with pytest.raises(ValueError, match="block"):
        rescale(noise(3), random_scales(3), block=block)
