"""STIRDataset gives what the published loader gives, to the bit, and what people expect besides."""

from __future__ import annotations

import inspect
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stir_fixtures import small_frame, small_set
from stir_loading import FRAMES, REFERENCES, assert_same, published, reference_file, small_file
from torch.utils.data import DataLoader, TensorDataset

from stirdata import STIRDataset
from stirdata.errors import FormatError, ParameterError
from stirdata.families.stir import axes as stir

CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))
SPLITS = ("train", "valid", "test")
every_frame = pytest.mark.parametrize("name", list(FRAMES))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return made-up sets by name."""
    folder = tmp_path_factory.mktemp("sets")
    return {name: small_file(folder, name) for name in FRAMES}


def orders_of(scales: tuple[int, ...]) -> list[list[int]]:
    """Return lists of a set's scales: descending, ascending, mixed, one of them."""
    mixed = random.Random(1).sample(scales, max(1, len(scales) // 2))
    return [list(scales), sorted(scales), mixed, [scales[-1]]]


def assert_as_published(path: Path, device: str = "cpu") -> None:
    dataset = STIRDataset(path)
    present = tuple(dataset.scales[0, :, 0, 0].tolist())
    for split in SPLITS:
        for scales in orders_of(present):
            for shuffle in (False, True):
                expected = published(path, split, scales, shuffle)
                assert_same(dataset.to_numpy(split, scales, shuffle), expected[:2])
                assert_same(dataset.get_latents(split, scales, shuffle), expected[2:])
                tensors = dataset.to_torch(split, scales, shuffle, device, latents=True)
                assert {tensor.device.type for tensor in tensors} == {device}
                assert_same([tensor.cpu().numpy() for tensor in tensors], expected)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@every_frame
def test_made_up_sets_load_as_published(name: str, device: str, files: dict[str, Path]) -> None:
    assert_as_published(files[name], device)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("name", REFERENCES)
def test_parts_of_the_four_sets_load_as_published(name: str, device: str, tmp_path: Path) -> None:
    assert_as_published(reference_file(tmp_path, name), device)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scales=st.permutations(stir.SCALES).flatmap(lambda order: st.integers(1, 6).map(lambda n: order[:n])),
    split=st.sampled_from([*SPLITS, "val"]),
    shuffle=st.booleans(),
)
def test_any_scales_in_any_order(
    scales: list[int], split: str, shuffle: bool, files: dict[str, Path]
) -> None:
    dataset = STIRDataset(files["published"])
    expected = published(files["published"], split, scales, shuffle)
    assert_same(dataset.to_numpy(split, scales, shuffle), expected[:2])
    assert_same(dataset.get_latents(split, scales, shuffle), expected[2:])
    assert dataset.count(split, scales) == len(expected.labels)


def test_defaults_are_the_published_ones(files: dict[str, Path]) -> None:
    for method in (STIRDataset.to_numpy, STIRDataset.to_torch, STIRDataset.get_latents):
        parameters = list(inspect.signature(method).parameters.values())[1:4]
        assert [(parameter.name, parameter.default) for parameter in parameters] == [
            ("split", "train"),
            ("scales", range(64, 16, -1)),
            ("shuffle", True),
        ]
    assert inspect.signature(STIRDataset).parameters["path"].default == "emoji.npz"
    dataset = STIRDataset(files["published"])
    expected = published(files["published"], "train", range(64, 16, -1), True)
    assert_same(dataset.to_numpy(), expected[:2])
    assert_same([tensor.numpy() for tensor in dataset.to_torch()], expected[:2])
    assert_same(dataset.get_latents(), expected[2:])


def test_left_alone_scales_are_all_that_a_set_has(files: dict[str, Path]) -> None:
    dataset = STIRDataset(files["grey"])
    assert_same(dataset.to_numpy("test"), dataset.to_numpy("test", [12, 7, 3]))
    assert_same(dataset.to_numpy("test", None), dataset.to_numpy("test", [12, 7, 3]))
    with pytest.raises(ParameterError, match="no images of this scale"):
        dataset.to_numpy("test", range(64, 16, -1))


@every_frame
def test_facts_about_a_set(name: str, files: dict[str, Path]) -> None:
    dataset, frame = STIRDataset(str(files[name])), small_frame(**FRAMES[name])
    arrays = small_set(frame)
    assert dataset.path == files[name]
    assert len(dataset) == frame.count == dataset.labels.size
    assert dataset.count("val") * 3 == len(dataset)
    assert (dataset.num_classes, dataset.num_channels) == (len(frame.classes), frame.channels)
    assert dataset.classes == list(frame.classes) == dataset.labeldata.tolist()
    assert dataset.class_to_idx == {title: label for label, title in enumerate(frame.classes)}
    assert dataset.metadata == dict(arrays.metadata.tolist())
    assert type(dataset.metadata) is dict
    assert_same(
        (dataset.labels, dataset.scales, dataset.positions, dataset.labeldata),
        (arrays.lbls, arrays.scls, arrays.psts, arrays.lbldata),
    )


def test_the_representation_says_what_is_inside(files: dict[str, Path]) -> None:
    assert repr(STIRDataset(files["colour"])) == (
        f"STIRDataset({str(files['colour'])!r})\n"
        "  T: 36 images 3 x 12 x 12, license L\n"
        "  3 splits (train, valid, test) x 3 scales (3 to 12 pixels) x 2 classes x 2 instances"
    )


def test_public_arrays_are_read_only(files: dict[str, Path]) -> None:
    dataset = STIRDataset(files["grey"])
    for array in (dataset.labels, dataset.scales, dataset.positions, dataset.labeldata):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = array[...]


def test_changing_what_was_handed_out_changes_nothing(files: dict[str, Path]) -> None:
    dataset = STIRDataset(files["grey"])
    expected = published(files["grey"], "test", (7, 3), True)
    for tensors in (dataset.to_torch("test", (7, 3), latents=True), dataset.get_latents("test", (7, 3))):
        for tensor in tensors:
            tensor[...] = 99
    dataset.classes.clear()
    dataset.class_to_idx.clear()
    assert_same([part.numpy() for part in dataset.to_torch("test", (7, 3), latents=True)], expected)
    assert dataset.num_classes == 2


@every_frame
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_types_and_memory_formats(
    device: str, channels_last: bool, shuffle: bool, name: str, files: dict[str, Path]
) -> None:
    dataset = STIRDataset(files[name])
    expected = torch.from_numpy(dataset.to_numpy("test", None, shuffle)[0])
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.uint8):
        images, labels = dataset.to_torch(
            "test", None, shuffle, device, dtype=dtype, channels_last=channels_last
        )
        wanted = (expected * 255).round().to(dtype) if dtype == torch.uint8 else expected.to(dtype)
        assert images.dtype == dtype
        assert torch.equal(images.cpu(), wanted)
        layout = torch.channels_last if channels_last else torch.contiguous_format
        assert images.is_contiguous(memory_format=layout)
        assert labels.dtype == torch.int64


LEVELS = [
    (0.5, 0.25),
    ((0.5,), (0.25,)),
    ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1]),
    (np.float32(0.5), torch.tensor(2)),
]


@pytest.mark.parametrize("normalize", LEVELS)
@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_normalised_images_are_those_of_numpy_in_float32(
    device: str, normalize: Any, files: dict[str, Path]
) -> None:
    length = len(normalize[0]) if isinstance(normalize[0], list | tuple) else 0
    dataset = STIRDataset(files["grey" if length == 1 else "colour"])
    images = dataset.to_numpy("test")[0]
    mean, std = (np.asarray(level, np.float32).reshape(-1, 1, 1) for level in normalize)
    expected = (images - mean) / std
    for options in ({}, {"channels_last": True}, {"dtype": torch.float16}):
        found = dataset.to_torch("test", device=device, normalize=normalize, **options)[0:][0]
        wanted = torch.from_numpy(expected).to(options.get("dtype", torch.float32))
        assert torch.equal(found.cpu(), wanted)


@pytest.mark.parametrize("name", ["grey", "colour"])
def test_mean_and_deviation_are_those_of_the_pixels(name: str, files: dict[str, Path]) -> None:
    dataset = STIRDataset(files[name])
    pixels = dataset.to_numpy("valid", (12, 3))[0].astype(np.float64)
    mean, std = dataset.mean_and_std("valid", (12, 3))
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 2, 3)), rtol=1e-6)
    images = dataset.to_torch("valid", (12, 3), normalize=(mean, std)).images.double()
    assert torch.allclose(images.mean(dim=(0, 2, 3)), torch.zeros(1).double(), atol=1e-6)
    assert torch.allclose(images.std(dim=(0, 2, 3), unbiased=False), torch.ones(1).double(), atol=1e-6)


def test_something_else_than_a_path_is_refused() -> None:
    with pytest.raises(ParameterError, match="no path"):
        STIRDataset(None)  # type: ignore[arg-type]


def test_stored_images_are_those_of_the_file(files: dict[str, Path]) -> None:
    for name in ("grey", "colour"):
        imgs = small_set(small_frame(**FRAMES[name])).imgs
        dataset = STIRDataset(files[name])
        found = dataset.stored(dataset.select("test", (3, 12)))
        assert_same([found], [imgs[2][[2, 0]].reshape(-1, *imgs.shape[4:])])
        assert_same([dataset.images], [imgs])
        assert not dataset.images.flags.writeable


def test_the_result_is_a_tensor_dataset_and_unpacks(files: dict[str, Path]) -> None:
    dataset = STIRDataset(files["grey"])
    result = dataset.to_torch("train", (7, 3))
    assert isinstance(result, TensorDataset)
    assert len(result) == 8
    images, labels = result
    assert result.tensors == (images, labels) == (result.images, result.labels)
    assert torch.equal(result[5][0], images[5])
    assert repr(result) == "SelectedTensors(float32 (8, 1, 12, 12), int64 (8,), device='cpu')"
    batches = list(DataLoader(result, batch_size=3))
    assert torch.equal(torch.cat([batch[0] for batch in batches]), images)
    assert torch.equal(torch.cat([batch[1] for batch in batches]), labels)


def test_with_latents_there_are_four_tensors(files: dict[str, Path]) -> None:
    images, labels, scales, positions = STIRDataset(files["grey"]).to_torch("train", 7, latents=True)
    assert [len(part) for part in (images, labels, scales, positions)] == [4] * 4
    assert (scales.dtype, positions.dtype, positions.shape) == (torch.int32, torch.int32, (4, 2))
    assert scales.tolist() == [7] * 4


def test_datasets_and_results_can_be_pickled(files: dict[str, Path], monkeypatch: Any) -> None:
    monkeypatch.chdir(files["grey"].parent)
    dataset = STIRDataset("grey.npz")
    content = pickle.dumps(dataset)
    assert len(content) < 2000
    monkeypatch.chdir("/")  # where a worker may find itself
    again = pickle.loads(content)
    assert again.metadata == dataset.metadata
    assert_same((again.labels, again.positions), (dataset.labels, dataset.positions))
    result = again.to_torch("test")
    copied = pickle.loads(pickle.dumps(result))
    assert isinstance(copied, TensorDataset)
    assert type(copied) is type(result)
    assert_same([part.numpy() for part in copied], [part.numpy() for part in result])


def test_the_working_directory_may_change(files: dict[str, Path], monkeypatch: Any) -> None:
    monkeypatch.chdir(files["grey"].parent)
    dataset = STIRDataset(files["grey"].name)
    assert dataset.path == Path(files["grey"].name)
    monkeypatch.chdir("/")
    assert_same(dataset.to_numpy(), STIRDataset(files["grey"]).to_numpy())
    assert_same(pickle.loads(pickle.dumps(dataset)).to_numpy(), dataset.to_numpy())


def test_the_default_device_of_torch_is_not_asked(files: dict[str, Path]) -> None:
    """Data sets are told where images go; "meta" stands for a GPU here, and holds no values at all."""
    dataset = STIRDataset(files["colour"])
    with torch.device("meta"):
        results = [*dataset.to_torch(dtype=torch.float16, normalize=(0.5, 0.5), latents=True)]
        results += next(iter(dataset.batches(dtype=torch.float16, reuse=True)))
        results += dataset.view(latents=True)[0][::3]
        results += [dataset.to_torch().images]
    assert {result.device.type for result in results} == {"cpu"}


def test_a_damaged_file_is_told_when_opening_or_reading(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FormatError) as error:
        STIRDataset(path)
    assert error.value.where == path
