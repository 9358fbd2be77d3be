"""Loading MNIST-scale: the same content from every format, and clear errors for what is none."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from making import NAMES, save_below
from numpy.typing import NDArray

from stirdata import MNISTScale
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.families.mnist_scale import FAMILY, Parameters, describe
from stirdata.families.mnist_scale.recipe import SplitSizes
from stirdata.manifest import manifest_path
from stirdata.storage import hdf5, npz

Arrays = dict[str, NDArray[Any]]
SPLITS = ("train", "val", "test")

every_format = pytest.mark.parametrize("form", list(NAMES))
file_formats = pytest.mark.parametrize("form", ["h5", "npz"])


def loaded(folder: Path, form: str, arrays: Mapping[str, NDArray[Any]]) -> MNISTScale:
    """Write the arrays and open them."""
    return MNISTScale(save_below(folder, form, arrays))


@every_format
def test_tensors_are_the_stored_levels_in_255ths(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    for split in SPLITS:
        images, labels = dataset.to_torch(split)
        stored = small_realization[f"{split}/images"]
        expected = (stored.astype(np.float32) / np.float32(255))[:, None]
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        np.testing.assert_array_equal(images.numpy(), expected)
        np.testing.assert_array_equal(labels.numpy(), small_realization[f"{split}/labels"])
    levels = np.unique(np.concatenate([small_realization[f"{split}/images"] for split in SPLITS]))
    assert levels.tolist() == list(range(256))


@every_format
@pytest.mark.parametrize("options", [{}, {"size": 56}, {"normalize": True}, {"size": 56, "normalize": True}])
def test_arrays_are_the_tensors(
    form: str, options: dict[str, Any], tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    for split in SPLITS:
        arrays, tensors = dataset.to_numpy(split, **options), dataset.to_torch(split, **options)
        assert [array.dtype.name for array in arrays] == ["float32", "int64"]
        for array, tensor in zip(arrays, tensors, strict=True):
            np.testing.assert_array_equal(array, tensor.numpy())


def test_size_56_doubles_every_pixel(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    small, large = dataset.to_numpy("train")[0], dataset.to_numpy("train", size=56)[0]
    assert large.shape == (len(small), 1, 56, 56)
    rows, columns = np.meshgrid(np.arange(56) // 2, np.arange(56) // 2, indexing="ij")
    np.testing.assert_array_equal(large, small[:, :, rows, columns])


@pytest.mark.parametrize("size", [28, 56])
def test_normalised_images_are_centred_by_the_published_numbers(
    size: int, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    plain = dataset.to_numpy("val", size=size)[0]
    expected = (plain - np.float32(0.0607)) / np.float32(0.2161)
    np.testing.assert_array_equal(dataset.to_numpy("val", size=size, normalize=True)[0], expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_holds_the_same_values(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    for options in ({}, {"size": 56}, {"normalize": True}):
        for there, here in zip(
            dataset.to_torch("test", device="cuda", **options),
            dataset.to_numpy("test", **options),
            strict=True,
        ):
            assert there.device.type == "cuda"
            np.testing.assert_array_equal(there.cpu().numpy(), here)


@every_format
def test_stored_arrays_are_handed_out_as_stored(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    for split in SPLITS:
        for name, array in (
            ("images", dataset.images(split)),
            ("labels", dataset.labels(split)),
            ("scales", dataset.get_latents(split)),
            ("source_index", dataset.source_index(split)),
        ):
            stored = small_realization[f"{split}/{name}"]
            assert array.dtype == stored.dtype
            np.testing.assert_array_equal(array, stored)
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def test_changing_what_was_handed_out_changes_nothing(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "npz", small_realization)
    for images, labels in (dataset.to_torch("val"), dataset.to_numpy("val")):
        images[:], labels[:] = 0.5, 3
    np.testing.assert_array_equal(dataset.images("val"), small_realization["val/images"])
    np.testing.assert_array_equal(dataset.labels("val"), small_realization["val/labels"])


@every_format
def test_length_names_and_representation(
    form: str, tmp_path: Path, small_realization: Arrays, small_sizes: SplitSizes
) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    assert len(dataset) == sum(small_sizes)
    assert dataset.labeldata == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert repr(dataset) == f"MNISTScale({str(dataset.path)!r})"


def test_valid_is_another_name_of_val(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    np.testing.assert_array_equal(dataset.to_numpy("valid")[0], dataset.to_numpy("val")[0])
    np.testing.assert_array_equal(dataset.get_latents("valid"), small_realization["val/scales"])
    assert len(dataset.view("valid")) == len(small_realization["val/labels"])


@every_format
def test_pickled_datasets_leave_their_arrays_behind(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    for split in SPLITS:
        dataset.to_numpy(split)
    content = pickle.dumps(dataset)
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.path == dataset.path
    np.testing.assert_array_equal(again.to_numpy("test")[0], dataset.to_numpy("test")[0])
    assert dataset.images("test") is not None


@every_format
def test_metadata_is_that_of_the_manifest(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    described = describe(Parameters(seed=7))
    metadata = dataset.metadata
    assert len(metadata.pop("root")) == 64
    assert metadata == FAMILY.attributes(described)
    assert metadata == {
        "title": "MNIST-scale",
        "dataset": "mnist-scale",
        "recipe": "mnist-scale/1",
        "seed": 7,
        "min_scale": 0.3,
        "max_scale": 1.0,
        "source": "mnist",
        "license": "CC BY-SA 3.0",
        "citation": "\n".join(described.citation),
    }


@file_formats
def test_metadata_without_manifest_is_that_of_the_file(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    dataset = loaded(tmp_path, form, small_realization)
    manifest_path(dataset.path).unlink()
    expected = FAMILY.attributes(describe(Parameters(seed=7)))
    assert dataset.metadata == expected


def test_metadata_of_a_bare_tree_is_its_title(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "png", small_realization)
    manifest_path(dataset.path).unlink()
    assert dataset.metadata == {"title": "MNIST-scale"}


@every_format
def test_a_path_may_name_the_output_or_a_folder_above_it(
    form: str, tmp_path: Path, small_realization: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = save_below(tmp_path, form, small_realization)
    monkeypatch.chdir(tmp_path)
    for path in (output, tmp_path, tmp_path / "MNIST_scale", Path(), Path("MNIST_scale")):
        for spelled in (path, str(path)):
            dataset = MNISTScale(spelled, seed=7)
            assert dataset.path.resolve() == output.resolve()
            np.testing.assert_array_equal(dataset.labels("val"), small_realization["val/labels"])
    monkeypatch.chdir(tmp_path / "MNIST_scale")
    assert MNISTScale(os.curdir, seed=7).path.resolve() == output.resolve()


def test_a_file_is_taken_before_a_tree(tmp_path: Path, small_realization: Arrays) -> None:
    for form in ("png", "npz", "h5"):
        output = save_below(tmp_path, form, small_realization)
        assert MNISTScale(tmp_path, seed=7).path == output


def test_seed_and_scales_choose_below_a_root(tmp_path: Path, small_realization: Arrays) -> None:
    paths = [save_below(tmp_path, "h5", small_realization, seed=seed) for seed in (0, 3)]
    other = paths[0].with_name("scale_0.5_2.0.h5")
    other.write_bytes(paths[0].read_bytes())
    assert MNISTScale(tmp_path).path == paths[0]
    assert MNISTScale(tmp_path, seed=3).path == paths[1]
    assert MNISTScale(tmp_path, min_scale=0.5, max_scale=2).path == other


def test_a_tree_of_the_original_script_has_no_scales(tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "png", small_realization)
    for name in ("scales.csv", "manifest.json", "SHA256SUMS"):
        (dataset.path / name).unlink()
    for split in SPLITS:
        np.testing.assert_array_equal(dataset.images(split), small_realization[f"{split}/images"])
        np.testing.assert_array_equal(dataset.labels(split), small_realization[f"{split}/labels"])
        for ask in (dataset.get_latents, dataset.source_index):
            with pytest.raises(FormatError, match="scale factors") as error:
                ask(split)
            assert error.value.where == dataset.path
            assert "scales.csv" in str(error.value.expected)
            assert "stirdata verify" in error.value.hint


@file_formats
def test_only_what_is_asked_for_is_read(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    """Opening reads the headers, so a file that was deleted is missed by what has not been read."""
    dataset = loaded(tmp_path, form, small_realization)
    dataset.images("train")
    dataset.path.unlink()
    np.testing.assert_array_equal(dataset.images("train"), small_realization["train/images"])
    with pytest.raises(MissingFileError):
        dataset.images("val")


@file_formats
def test_files_without_manifest_and_by_any_name_are_read(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    target = tmp_path / f"mine.{form}"
    if form == "h5":
        hdf5.write(target, small_realization, {})
    else:
        npz.write(target, {name.replace("/", "_"): array for name, array in small_realization.items()})
    np.testing.assert_array_equal(MNISTScale(target).images("val"), small_realization["val/images"])


@pytest.mark.parametrize("split", ["Train", "", "testing", None, 0])
def test_unknown_splits_are_refused(split: Any, tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    for ask in (dataset.to_torch, dataset.to_numpy, dataset.get_latents, dataset.images, dataset.view):
        with pytest.raises(ParameterError, match="unknown split") as error:
            ask(split)
        assert error.value.where == "split"
        assert error.value.expected == "train, val, test"
        assert error.value.got == repr(split)


@pytest.mark.parametrize("size", [0, 27, 112, -28, "28", None])
def test_unknown_sizes_are_refused(size: Any, tmp_path: Path, small_realization: Arrays) -> None:
    dataset = loaded(tmp_path, "h5", small_realization)
    for ask in (dataset.to_torch, dataset.to_numpy):
        with pytest.raises(ParameterError, match="unknown image size") as error:
            ask("train", size=size)
        assert (error.value.where, error.value.expected, error.value.got) == ("size", "28 or 56", size)


def test_unknown_devices_are_refused(tmp_path: Path, small_realization: Arrays) -> None:
    with pytest.raises(ParameterError, match="device is not available") as error:
        loaded(tmp_path, "h5", small_realization).to_torch("train", device="cuda:99")
    assert (error.value.where, error.value.got) == ("device", "cuda:99")


@every_format
def test_a_file_of_another_realization_than_asked_for_is_refused(
    form: str, tmp_path: Path, small_realization: Arrays
) -> None:
    path = save_below(tmp_path, form, small_realization)
    assert MNISTScale(path, seed=7, min_scale=0.3).metadata["seed"] == 7
    for wanted in ({"seed": 2}, {"min_scale": 0.5}, {"max_scale": 2.0}):  # type: dict[str, Any]
        with pytest.raises(ParameterError, match="another realization") as caught:
            MNISTScale(path, **wanted)
        ((key, value),) = wanted.items()
        assert caught.value.expected == f"{key} {value}"


def test_something_else_than_a_path_is_refused() -> None:
    with pytest.raises(ParameterError, match="no path"):
        MNISTScale(None)  # type: ignore[arg-type]
