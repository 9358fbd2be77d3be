"""Random rescaling of batches has the bits of Pillow and depends on seed, epoch and image only."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from oracles import pillow_rescaled
from PIL import Image

from stirdata import Batches, ScaleAugment, ShiftAugment
from stirdata.errors import ParameterError
from stirdata.loading import augment as module
from stirdata.loading.augment import as_transform, doubled_pixels
from stirdata.sources.idx import DigitImages

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
devices = pytest.mark.parametrize("device", ["cpu", CUDA])


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)


def published_pipeline(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Rescale as the training scripts do: the image as RGB, through Pillow, back to grey."""
    factor, centre = 1 / scale, 28 * 0.5 + 0.5
    offset = factor * -centre + 0 * -centre + centre
    coefficients = (factor, 0.0, offset, 0.0, factor, offset)
    colour = Image.fromarray(image).convert("RGB")
    scaled = colour.transform((28, 28), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(scaled.convert("L"))


@devices
def test_pixels_are_those_of_the_published_transform_of_single_images(
    device: str, small_digits: DigitImages
) -> None:
    indices = np.random.RandomState(1).permutation(10_000)[:400]
    augment = ScaleAugment(0.5, 2.0, seed=3)
    images = torch.tensor(small_digits.images[:, None], device=device)
    result = augment(images, torch.tensor(indices, device=device), epoch=2)
    assert (result.dtype, result.device) == (torch.uint8, images.device)
    factors = augment.factors(indices, 2).tolist()
    for at, factor in enumerate(factors):
        expected = published_pipeline(small_digits.images[at], factor)
        np.testing.assert_array_equal(result[at, 0].cpu().numpy(), expected)


@devices
@pytest.mark.parametrize("shape", [(60, 3, 64, 64), (300, 1, 28, 28), (40, 1, 5, 5), (0, 1, 28, 28)])
@pytest.mark.parametrize("bounds", [(0.5, 2.0), (0.1, 0.3), (1.0, 1.0), (3.0, 9.0)])
def test_every_channel_is_rescaled_alike(
    device: str, shape: tuple[int, ...], bounds: tuple[float, float]
) -> None:
    images, indices = noise(*shape), np.arange(shape[0])
    augment = ScaleAugment(*bounds, seed=1)
    result = augment(torch.tensor(images, device=device), torch.tensor(indices, device=device), 0)
    assert tuple(result.shape) == shape
    for channel in range(shape[1]):
        if shape[0]:
            expected = pillow_rescaled(images[:, channel], augment.factors(indices, 0))
            np.testing.assert_array_equal(result[:, channel].cpu().numpy(), expected)


def test_arrays_give_arrays_of_the_same_bits() -> None:
    images, indices = noise(50, 2, 28, 28), np.arange(50)
    augment = ScaleAugment()
    result = augment(images, indices, 4)
    assert isinstance(result, np.ndarray)
    tensor = augment(torch.tensor(images), torch.tensor(indices), 4)
    np.testing.assert_array_equal(result, tensor.numpy())


def test_images_are_only_read() -> None:
    images = torch.tensor(noise(9, 1, 28, 28))
    before = images.clone()
    ScaleAugment()(images, torch.arange(9), 0)
    assert torch.equal(images, before)


def test_an_image_is_rescaled_alike_in_every_batch() -> None:
    images, indices = torch.tensor(noise(64, 1, 28, 28)), torch.arange(64) * 3
    augment = ScaleAugment(0.5, 2.0, seed=1)
    whole = augment(images, indices, 5)
    order = torch.tensor(np.random.RandomState(0).permutation(64))
    for part in torch.split(order, 7):
        assert torch.equal(augment(images[part], indices[part], 5), whole[part])


@pytest.mark.parametrize("bounds", [(0.1, 0.4), (0.5, 2.0)])
def test_what_is_computed_on_a_gpu_is_what_is_on_a_cpu(bounds: tuple[float, float]) -> None:
    """A CPU works in small blocks, a GPU does not."""
    images, factors = noise(300, 28, 28), ScaleAugment(*bounds).factors(np.arange(300), 0)
    tensors = torch.tensor(images), torch.tensor(factors)
    expected = module._rescaled(images, factors, 5_000)
    np.testing.assert_array_equal(module._rescaled(*tensors, 1 << 23).numpy(), expected)


@devices
def test_factors_are_float64_on_the_device_of_the_indices(device: str) -> None:
    indices = torch.arange(5000, device=device)
    factors = ScaleAugment(0.5, 2.0, seed=4).factors(indices, 1)
    assert (factors.dtype, factors.device, tuple(factors.shape)) == (torch.float64, indices.device, (5000,))
    expected = ScaleAugment(0.5, 2.0, seed=4).factors(np.arange(5000), 1)
    assert expected.dtype == np.float64
    np.testing.assert_array_equal(factors.cpu().numpy(), expected)


def test_factors_stay_what_they_were() -> None:
    """Training runs of the past depend on them: this test may never change."""
    factors = ScaleAugment(0.5, 2.0, seed=0).factors(np.array([0, 1, 9999]), 3)
    assert [factor.hex() for factor in factors.tolist()] == [
        "0x1.09b84ae64c77cp-1",
        "0x1.e8045ecec8ad8p+0",
        "0x1.5d1aba7cd9539p-1",
    ]


def test_factors_are_spread_evenly_between_the_bounds() -> None:
    factors = ScaleAugment(0.5, 2.0).factors(np.arange(60_000), 0)
    assert factors.min() >= 0.5
    assert factors.max() <= 2.0
    counts, _ = np.histogram(factors, bins=60, range=(0.5, 2.0))
    assert 800 < counts.min() <= counts.max() < 1200  # 1000 expected, standard deviation 31


@given(low=st.floats(1e-3, 10), ratio=st.floats(1, 1000))
@example(low=0.1, ratio=1 + 2**-52)
def test_no_number_of_the_stream_is_rounded_out_of_the_bounds(low: float, ratio: float) -> None:
    words = np.array([0, 1, 2**52, 2**53 - 1])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "random_words", lambda *_: words)
        factors = ScaleAugment(low, low * ratio).factors(np.arange(4), 0)
    assert factors[0] == low
    assert (np.diff(factors) >= 0).all()
    assert factors[-1] <= low * ratio


def test_equal_bounds_are_the_factor() -> None:
    assert set(ScaleAugment(0.7, 0.7).factors(np.arange(100), 0).tolist()) == {0.7}


def test_factors_differ_by_seed_epoch_and_image() -> None:
    factors = [
        ScaleAugment(seed=seed).factors(np.arange(100), epoch) for seed in range(4) for epoch in range(4)
    ]
    assert len(np.unique(np.concatenate(factors))) == 1600


def test_augmentations_are_values() -> None:
    augment = ScaleAugment(0.5, 2, seed=np.int64(3))
    assert augment == ScaleAugment(0.5, 2.0, 3) == pickle.loads(pickle.dumps(augment)) == copy.copy(augment)
    assert repr(augment) == "ScaleAugment(low=0.5, high=2.0, seed=3)"


@pytest.mark.parametrize("factor", [0, -0.5, float("nan"), float("inf"), "1", None, True, 1e-300])
@pytest.mark.parametrize("name", ["low", "high"])
def test_what_is_no_factor_is_refused(name: str, factor: Any) -> None:
    with pytest.raises(ParameterError, match="number above 0") as error:
        ScaleAugment(**{"low": 0.5, "high": 2.0, name: factor})
    assert (error.value.where, error.value.got) == (name, repr(factor))


def test_swapped_bounds_are_refused() -> None:
    with pytest.raises(ParameterError, match="smallest factor is above the largest"):
        ScaleAugment(2.0, 0.5)


@pytest.mark.parametrize("seed", [-1, 0.5, None])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(ParameterError, match="seed"):
        ScaleAugment(seed=seed)


@pytest.mark.parametrize("epoch", [-1, 0.5])
def test_what_is_no_epoch_is_refused(epoch: Any) -> None:
    with pytest.raises(ParameterError, match="epoch"):
        ScaleAugment().factors(torch.arange(3), epoch)


@pytest.mark.parametrize(
    "indices", [torch.arange(3.0), torch.arange(3, dtype=torch.int32), torch.arange(4).reshape(2, 2)]
)
def test_what_are_no_indices_is_refused(indices: torch.Tensor) -> None:
    with pytest.raises(ParameterError, match="no indices") as error:
        ScaleAugment().factors(indices, 0)
    assert str(tuple(indices.shape)) in str(error.value.got)


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(3, 28, 28, dtype=torch.uint8),
        torch.zeros(3, 1, 28, 27, dtype=torch.uint8),
        torch.zeros(3, 1, 28, 28),
    ],
)
def test_what_are_no_square_images_is_refused(images: torch.Tensor) -> None:
    with pytest.raises(ParameterError, match="no square 8-bit images"):
        ScaleAugment()(images, torch.arange(3), 0)


@pytest.mark.parametrize("indices", [torch.arange(4), torch.arange(3, device="meta")])
def test_indices_that_do_not_fit_are_refused(indices: torch.Tensor) -> None:
    with pytest.raises(ParameterError, match="not those of the images"):
        ScaleAugment()(torch.zeros(3, 1, 28, 28, dtype=torch.uint8), indices, 0)


def test_a_device_without_float64_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Metal:
        type = "mps"

    monkeypatch.setattr(module, "device", lambda _: Metal())
    with pytest.raises(ParameterError, match="no float64"):
        ScaleAugment().factors(torch.arange(3), 0)


def test_doubling_comes_after_the_other_transform() -> None:
    images, indices = torch.tensor(noise(20, 1, 28, 28)), torch.arange(20)
    scaled = ScaleAugment()(images, indices, 1)
    for result, small in (
        (as_transform([ScaleAugment(), doubled_pixels])(images, indices, 1), scaled),
        (doubled_pixels(images, indices, 1), images),
    ):
        upsampled = torch.nn.Upsample(scale_factor=2)(small.float()).to(torch.uint8)
        assert torch.equal(result, upsampled)


def pictures(mode: str, count: int = 40) -> list[Image.Image]:
    shape = (count, 28, 28) if mode == "L" else (count, 28, 28, 3)
    return [
        Image.fromarray(image) for image in np.random.RandomState(5).randint(0, 256, shape).astype(np.uint8)
    ]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pillow_images_by_index_get_the_pixels_of_batches(mode: str) -> None:
    augment, images = ScaleAugment(0.5, 2.0, seed=3), pictures(mode)
    stacked = np.stack([np.asarray(image) for image in images])
    planes = stacked[:, None] if mode == "L" else stacked.transpose(0, 3, 1, 2)
    expected = augment(np.ascontiguousarray(planes), np.arange(len(images)), 2)
    for index, image in enumerate(images):
        result = augment(image, index, epoch=2)
        assert (result.mode, result.size) == (mode, (28, 28))
        found = np.asarray(result)
        found = found[None] if mode == "L" else found.transpose(2, 0, 1)
        np.testing.assert_array_equal(found, expected[index])


def test_pillow_images_without_index_follow_the_random_numbers_of_torch() -> None:
    augment, (image, *_) = ScaleAugment(0.5, 2.0), pictures("L")
    torch.manual_seed(11)
    first = [np.asarray(augment(image)) for _ in range(3)]
    assert not np.array_equal(first[0], first[1])
    torch.manual_seed(11)
    factors = [float(torch.rand((), dtype=torch.float64)) * 1.5 + 0.5 for _ in range(3)]
    for found, factor in zip(first, factors, strict=True):
        expected = pillow_rescaled(np.asarray(image)[None], np.array([factor]))[0]
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "image", [Image.new("L", (28, 27)), Image.new("1", (28, 28)), Image.new("RGBA", (4, 4))]
)
def test_other_pillow_images_are_refused(image: Image.Image) -> None:
    with pytest.raises(ParameterError, match="no square 8-bit image"):
        ScaleAugment()(image)


@pytest.mark.parametrize("index", [-1, 1.5, "a"])
def test_an_index_that_is_none_is_refused(index: Any) -> None:
    with pytest.raises(ParameterError) as error:
        ScaleAugment()(pictures("L")[0], index)
    assert error.value.where == "indices"


def random_affine(image: Image.Image, factor: float, centre: tuple[float, float]) -> Image.Image:
    """Do what torchvision's ``RandomAffine(0, scale=…, interpolation=BICUBIC, center=…)`` does to an image.

    Source: the documented transform: scaling about a centre, of which Pillow takes the inverse.
    """
    x, y = centre
    step = 1.0 / factor
    inverse = (step, 0.0, step * -x + x, 0.0, step, step * -y + y)
    return image.transform(image.size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)


def test_the_obvious_port_gives_other_pixels_and_a_shifted_centre_the_published_ones() -> None:
    augment, images = ScaleAugment(0.5, 2.0, seed=1), pictures("L", 500)
    factors = augment.factors(np.arange(len(images)), 0)
    published = [np.asarray(augment(image, index)) for index, image in enumerate(images)]
    pairs = list(zip(images, factors.tolist(), strict=True))
    obvious = [np.asarray(random_affine(image, factor, (14.0, 14.0))) for image, factor in pairs]
    shifted = [np.asarray(random_affine(image, factor, (14.5, 14.5))) for image, factor in pairs]
    assert sum(map(np.array_equal, published, shifted)) == len(images)
    assert sum(map(np.array_equal, published, obvious)) <= 1


@devices
@pytest.mark.parametrize("beyond", ["zeros", "circular", "mirror"])
@pytest.mark.parametrize("shape", [(40, 3, 9, 6), (5, 1, 28, 28), (0, 1, 4, 4), (30, 1, 2, 2)])
def test_shifted_images_show_what_is_beyond(device: str, beyond: str, shape: tuple[int, ...]) -> None:
    images, indices, shift = noise(*shape), np.arange(shape[0]) * 7, ShiftAugment(3, seed=1, beyond=beyond)
    result = shift(torch.tensor(images, device=device), torch.tensor(indices, device=device), 2)
    np.testing.assert_array_equal(result.cpu().numpy(), shift(images, indices, 2))
    shifts = shift.shifts(indices, 2)
    for image, found, (down, right) in zip(images, result.cpu().numpy(), shifts.tolist(), strict=True):
        if beyond == "circular":
            expected = np.roll(image, (down, right), axis=(1, 2))
        else:
            room = [(0, 0), (6, 6), (6, 6)]
            padded = np.pad(image, room, mode="symmetric") if beyond == "mirror" else np.pad(image, room)
            expected = padded[:, 6 - down :, 6 - right :][:, : shape[2], : shape[3]]
        np.testing.assert_array_equal(found, expected)


def test_shifts_are_spread_evenly_and_belong_to_the_image() -> None:
    shifts = ShiftAugment(2).shifts(np.arange(50_000), 0)
    counts = np.unique(shifts, axis=0, return_counts=True)[1]
    assert len(counts) == 25
    assert 1800 < counts.min() <= counts.max() < 2200  # 2000 expected, standard deviation 44
    part = np.array([49_999, 3, 17])
    np.testing.assert_array_equal(ShiftAugment(2).shifts(part, 0), shifts[part])
    assert (ShiftAugment(2).shifts(np.arange(50_000), 1) != shifts).any(axis=1).mean() > 0.9
    assert (ShiftAugment(2, seed=1).shifts(np.arange(50_000), 0) != shifts).any(axis=1).mean() > 0.9
    assert not ShiftAugment(0).shifts(np.arange(9), 0).any()


def test_shifts_stay_what_they_were() -> None:
    """Training runs of the past depend on them: this test may never change."""
    shifts = ShiftAugment(100, seed=0).shifts(np.array([0, 1, 9999]), 3)
    assert shifts.tolist() == [[25, 86], [86, 34], [-13, 3]]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pillow_images_are_shifted_too(mode: str) -> None:
    image = Image.fromarray(noise(8, 6, 3)).convert(mode)
    shift = ShiftAugment(3, seed=2, beyond="circular")
    ((down, right),) = shift.shifts(np.array([5]), 1).tolist()
    expected = np.roll(np.asarray(image), (down, right), (0, 1))
    np.testing.assert_array_equal(np.asarray(shift(image, 5, 1)), expected)
    torch.manual_seed(0)
    assert len({shift(image).tobytes() for _ in range(30)}) > 10
    with pytest.raises(ParameterError, match="8-bit"):
        shift(image.convert("RGBA"))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"max_shift": -1}, "max_shift"),
        ({"max_shift": 1.5}, "max_shift"),
        ({"max_shift": 1, "seed": -1}, "seed"),
        ({"max_shift": 1, "beyond": "edge"}, "beyond"),
    ],
)
def test_shifts_that_make_no_sense(options: dict[str, Any], where: str) -> None:
    with pytest.raises(ParameterError) as told:
        ShiftAugment(**options)
    assert told.value.where == where


def test_several_are_applied_in_turn() -> None:
    images, indices = torch.tensor(noise(20, 1, 28, 28)), torch.arange(20)
    scale, shift = ScaleAugment(0.5, 2, seed=1), ShiftAugment(4, seed=1)
    batches = Batches(
        images, indices, batch_size=20, shuffle=False, dtype=torch.uint8, augment=[scale, shift]
    )
    for epoch, expected in enumerate(shift(scale(images, indices, at), indices, at) for at in range(2)):
        ((pixels, _),) = batches
        assert torch.equal(pixels, expected), epoch
    for wrong in ([], [scale, 3], "scale"):
        with pytest.raises(ParameterError, match="called"):
            Batches(images, indices, batch_size=20, augment=wrong)
