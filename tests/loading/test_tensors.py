"""From stored uint8 to what a network takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stirdata.errors import ParameterError
from stirdata.loading import tensors
from stirdata.loading.tensors import checked_device, doubled, to_float

EVERY_LEVEL = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_levels_become_their_255th_parts(device: str) -> None:
    values = to_float(torch.tensor(EVERY_LEVEL, device=device))
    assert (values.dtype, values.device.type) == (torch.float32, device)
    expected = EVERY_LEVEL.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(values.cpu().numpy(), expected)


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_normalised_levels_are_those_of_numpy_in_float32(device: str) -> None:
    values = to_float(torch.tensor(EVERY_LEVEL, device=device), 0.0607, 0.2161)
    assert values.dtype == torch.float32
    unit = EVERY_LEVEL.astype(np.float32) / np.float32(255)
    expected = (unit - np.float32(0.0607)) / np.float32(0.2161)
    assert expected.dtype == np.float32
    np.testing.assert_array_equal(values.cpu().numpy(), expected)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("shape", [(6000, 1, 28, 28), (2, 1, 2400, 2400), (0, 1, 28, 28), (1,), (0,)])
def test_many_and_few_images_have_the_values_of_one(device: str, shape: tuple[int, ...]) -> None:
    """Millions of pixels are converted in several pieces, which must not show."""
    images = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    table = (np.arange(256, dtype=np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.3)
    values = to_float(torch.tensor(images, device=device), 0.5, 0.3)
    assert (values.dtype, tuple(values.shape), values.device.type) == (torch.float32, shape, device)
    np.testing.assert_array_equal(values.cpu().numpy(), table[images])


def test_strided_images_have_the_values_of_their_copies() -> None:
    images = torch.tensor(EVERY_LEVEL).reshape(16, 4, 4).permute(0, 2, 1)[::3]
    assert torch.equal(to_float(images), to_float(images.contiguous()))


def test_conversion_only_reads_its_argument() -> None:
    images = torch.tensor(EVERY_LEVEL)
    to_float(images, 0.5, 0.5)
    np.testing.assert_array_equal(images.numpy(), EVERY_LEVEL)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("shape", [(28, 28), (3, 28, 28), (2, 1, 5, 7), (0, 1, 5, 7)])
def test_doubling_repeats_every_pixel(device: str, shape: tuple[int, ...]) -> None:
    images = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    result = doubled(torch.tensor(images, device=device)).cpu().numpy()
    assert result.shape == (*shape[:-2], 2 * shape[-2], 2 * shape[-1])
    for row in (0, 1):
        for column in (0, 1):
            np.testing.assert_array_equal(result[..., row::2, column::2], images)


def test_doubling_takes_images_in_any_layout() -> None:
    images = torch.tensor(EVERY_LEVEL).reshape(4, 8, 8).permute(0, 2, 1)[::2]
    assert torch.equal(doubled(images), doubled(images.contiguous()))


def test_doubling_with_the_steps_of_other_devices_gives_the_same() -> None:
    images = torch.tensor(EVERY_LEVEL).reshape(2, 2, 8, 8)
    assert torch.equal(tensors._doubled_by_torch(images), doubled(images))


@pytest.mark.parametrize("levels", [(), (0.5, [0.1, 0.2, 0.3])])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_conversion_with_the_steps_of_other_devices_gives_the_same(
    dtype: torch.dtype, levels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = torch.tensor(np.random.RandomState(0).randint(0, 256, (9, 3, 6, 5)).astype(np.uint8))
    here = to_float(images, *levels, dtype=dtype)
    converter = tensors.Converter(images.device, *levels, dtype=dtype, in_one_thread=False)
    monkeypatch.setattr(converter, "_most_pixels", 200)
    assert torch.equal(converter(images), here)


def test_doubling_is_the_nearest_neighbour_of_pillow() -> None:
    image = np.random.RandomState(0).randint(0, 256, (28, 28)).astype(np.uint8)
    expected = Image.fromarray(image).resize((56, 56), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(doubled(torch.tensor(image)).numpy(), np.asarray(expected))


@pytest.mark.parametrize("device", [torch.device("cuda"), "cuda"])
def test_a_gpu_has_its_number(device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of torch tell the free memory only of GPUs with a number."""
    made = SimpleNamespace(device=torch.device("cuda", 0))
    monkeypatch.setattr(torch, "empty", lambda *_, **__: made)
    assert checked_device(device) == torch.device("cuda", 0)


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu")])
def test_the_cpu_is_the_default_device(device: Any) -> None:
    assert checked_device(device) == torch.device("cpu")


@pytest.mark.parametrize("device", ["nonsense", "cuda:99", "cpu:x", 3.5, "hpu", "meta"])
def test_a_device_that_is_not_there_is_refused(device: Any) -> None:
    with pytest.raises(ParameterError, match="not available") as error:
        checked_device(device)
    assert error.value.where == "device"
    assert error.value.got == device
    assert "cpu" in str(error.value.expected).split(" or ")
    assert error.value.hint


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("levels", [(None, None), (0.1307, 0.3081), ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))])
@pytest.mark.parametrize("channels_last", [False, True])
def test_one_pass_gives_the_bits_of_two(dtype: Any, levels: Any, channels_last: bool) -> None:
    """As on a GPU, for all levels that there are, in every layout of memory."""
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).expand(5, 3, 16, 16)
    options = {"dtype": dtype, "channels_last": channels_last}
    for stored in (images, images.contiguous(memory_format=torch.channels_last), images.mT):
        converters = [
            tensors.Converter(images.device, *levels, in_one_thread=False, **options) for _ in range(2)
        ]
        converters[1]._in_one_pass = True
        found, wanted = (converter(stored) for converter in converters[::-1])
        assert torch.equal(found, wanted)
        assert found.stride() == wanted.stride()
