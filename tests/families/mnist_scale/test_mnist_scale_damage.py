"""Loading MNIST-scale from what is missing, damaged, or something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import save_below
from numpy.typing import NDArray
from PIL import Image

from stirdata import MNISTScale
from stirdata.errors import FormatError, MissingFileError
from stirdata.storage import hdf5, npz

Arrays = dict[str, NDArray[Any]]

file_formats = pytest.mark.parametrize("form", ["h5", "npz"])


def write(target: Path, arrays: dict[str, Any]) -> Path:
    """Write arrays of any kind as a .h5 or .npz file."""
    if target.suffix == ".h5":
        hdf5.write(target, arrays, {})
    else:
        npz.write(target, {name.replace("/", "_"): np.asarray(array) for name, array in arrays.items()})
    return target


def read_everything(dataset: MNISTScale) -> None:
    for split in ("train", "val", "test"):
        dataset.to_numpy(split)
        dataset.get_latents(split)
        dataset.source_index(split)


def test_nothing_at_the_path_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such file or folder") as error:
        MNISTScale(tmp_path / "absent", seed=3)
    assert error.value.where == tmp_path / "absent"
    assert "stirdata generate mnist-scale --seed 3" in error.value.hint


def test_an_empty_folder_holds_no_realization(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no such realization") as error:
        MNISTScale(tmp_path)
    assert error.value.got == "no realization at all"
    assert "stirdata generate mnist-scale --seed 0" in error.value.hint


def test_another_seed_says_what_is_there(tmp_path: Path, small_realization: Arrays) -> None:
    save_below(tmp_path, "h5", small_realization, seed=7)
    save_below(tmp_path, "png", small_realization, seed=2)
    with pytest.raises(MissingFileError, match="no such realization") as error:
        MNISTScale(tmp_path, seed=3)
    for suffix in (".h5", ".npz", ""):
        expected = tmp_path / "MNIST_scale" / "seed_3" / f"scale_0.3_1.0{suffix}"
        assert str(expected) in str(error.value.expected).split(" or ")
    assert error.value.got == "seed_2/scale_0.3_1.0, seed_7/scale_0.3_1.0.h5"
    assert "--seed 3" in error.value.hint


def test_other_scales_say_what_is_there(tmp_path: Path, small_realization: Arrays) -> None:
    save_below(tmp_path, "npz", small_realization)
    with pytest.raises(MissingFileError, match="no such realization") as error:
        MNISTScale(tmp_path, seed=7, min_scale=0.5)
    assert "scale_0.5_1.0.h5" in str(error.value.expected)
    assert error.value.got == "seed_7/scale_0.3_1.0.npz"
    assert "--min-scale 0.5 --max-scale 1.0" in error.value.hint


def test_a_folder_by_the_right_name_but_empty_is_no_tree(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST_scale" / "seed_0" / "scale_0.3_1.0"
    folder.mkdir(parents=True)
    with pytest.raises(MissingFileError, match="holds no MNIST-scale") as error:
        MNISTScale(tmp_path)
    assert error.value.where == folder


@pytest.mark.parametrize("name", ["digits.txt", "digits", "digits.h5.gz"])
def test_files_of_other_kinds_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"something")
    with pytest.raises(FormatError, match="unknown kind of file") as error:
        MNISTScale(tmp_path / name)
    assert error.value.where == tmp_path / name
    assert error.value.expected == "an npz or HDF5 file"


@file_formats
@pytest.mark.parametrize("content", [b"", b"no such format", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_files_that_are_not_what_their_name_says(form: str, content: bytes, tmp_path: Path) -> None:
    target = tmp_path / f"mine.{form}"
    target.write_bytes(content)
    with pytest.raises(FormatError, match=r"not a complete|not what its name says") as error:
        MNISTScale(target).to_numpy("train")
    assert error.value.where == target
    assert error.value.hint


@file_formats
@given(part=st.floats(0, 1, exclude_max=True))
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_cut_anywhere_are_refused(
    form: str, part: float, tmp_path: Path, small_realization: Arrays
) -> None:
    target = write(tmp_path / f"mine.{form}", small_realization)
    content = target.read_bytes()
    target.write_bytes(content[: int(part * len(content))])
    with pytest.raises(FormatError) as error:
        read_everything(MNISTScale(target))
    assert error.value.where == target


def test_an_npz_with_a_flipped_bit_is_refused_by_its_checksum(
    tmp_path: Path, small_realization: Arrays
) -> None:
    target = write(tmp_path / "mine.npz", small_realization)
    content = bytearray(target.read_bytes())
    start = content.index(small_realization["val/images"].tobytes())
    content[start + 1000] ^= 4
    target.write_bytes(content)
    MNISTScale(target).to_numpy("train")
    with pytest.raises(FormatError, match=r"not a complete npz|the images in the file are damaged") as error:
        MNISTScale(target).to_numpy("val")
    assert "CRC" in str(error.value.got)


def test_pickled_objects_are_never_unpickled(tmp_path: Path, small_realization: Arrays) -> None:
    target = tmp_path / "mine.npz"
    arrays = {name.replace("/", "_"): array for name, array in small_realization.items()}
    np.savez(target, **arrays | {"train_labels": np.array([Path("a"), None], dtype=object)})
    with pytest.raises(FormatError, match="never unpickled") as error:
        MNISTScale(target).labels("train")
    assert error.value.where == f"{target}: train_labels.npy"


@file_formats
def test_lacking_arrays_are_named(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    del small_realization["val/scales"]
    dataset = MNISTScale(write(tmp_path / f"mine.{form}", small_realization))
    dataset.to_numpy("val")
    with pytest.raises(FormatError, match="lacks arrays") as error:
        dataset.get_latents("val")
    assert str(error.value.expected).replace("_", "/") == "val/scales"


WRONG: dict[str, tuple[str, Callable[[NDArray[Any]], Any]]] = {
    "images of floats": ("images", lambda array: array.astype(np.float32)),
    "signed images": ("images", lambda array: array.astype(np.int8)),
    "flat images": ("images", lambda array: array.reshape(-1, 784)),
    "narrow images": ("images", lambda array: array[:, :, 1:]),
    "coloured images": ("images", lambda array: array[..., None].repeat(3, axis=-1)),
    "a single number": ("images", lambda array: np.uint8(3)),
    "short labels": ("labels", lambda array: array.astype(np.int32)),
    "one-hot labels": ("labels", lambda array: np.eye(10, dtype=np.int64)[array]),
    "scales of half precision": ("scales", lambda array: array.astype(np.float16)),
    "a column of scales": ("scales", lambda array: array[:, None]),
    "long source indices": ("source_index", lambda array: array.astype(np.int64)),
    "one source index": ("source_index", lambda array: np.int32(3)),
}


@file_formats
@pytest.mark.parametrize("what", list(WRONG))
def test_arrays_of_other_types_and_shapes_are_refused(
    form: str, what: str, tmp_path: Path, small_realization: Arrays
) -> None:
    name, change = WRONG[what]
    arrays: dict[str, Any] = dict(small_realization)
    arrays[f"train/{name}"] = change(arrays[f"train/{name}"])
    target = write(tmp_path / f"mine.{form}", arrays)
    with pytest.raises(FormatError, match=f"train/{name} is not of MNIST-scale") as error:
        read_everything(MNISTScale(target))
    assert error.value.where == target
    expected = {"images": "uint8", "labels": "int64", "scales": "float64", "source_index": "int32"}[name]
    assert str(error.value.expected).startswith(expected)
    assert error.value.got != error.value.expected


@file_formats
def test_text_in_place_of_an_array_is_refused(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    arrays: dict[str, Any] = small_realization | {"val/images": "no images"}
    target = write(tmp_path / f"mine.{form}", arrays)
    with pytest.raises(FormatError, match=r"not of MNIST-scale|else than an array") as error:
        MNISTScale(target).to_numpy("val")
    assert error.value.where == target


@file_formats
def test_numbers_of_another_byte_order_are_read(form: str, tmp_path: Path, small_realization: Arrays) -> None:
    turned = {name: array.astype(array.dtype.newbyteorder(">")) for name, array in small_realization.items()}
    dataset = MNISTScale(write(tmp_path / f"mine.{form}", turned))
    for split in ("train", "val", "test"):
        assert dataset.labels(split).tolist() == small_realization[f"{split}/labels"].tolist()
        assert dataset.get_latents(split).tolist() == small_realization[f"{split}/scales"].tolist()
        assert dataset.labels(split).dtype.isnative


@file_formats
@pytest.mark.parametrize("label", [-1, 10, 2**40])
def test_labels_out_of_range_are_refused(
    form: str, label: int, tmp_path: Path, small_realization: Arrays
) -> None:
    small_realization["val/labels"][3] = label
    target = write(tmp_path / f"mine.{form}", small_realization)
    with pytest.raises(FormatError, match="val/labels is not of MNIST-scale") as error:
        MNISTScale(target).to_numpy("val")
    assert (error.value.where, error.value.expected) == (target, "labels from 0 to 9")
    assert str(label) in str(error.value.got).split(" to ")


@file_formats
@pytest.mark.parametrize("name", ["images", "labels", "scales", "source_index"])
def test_splits_whose_arrays_differ_in_length_are_refused(
    form: str, name: str, tmp_path: Path, small_realization: Arrays
) -> None:
    small_realization[f"val/{name}"] = small_realization[f"val/{name}"][:-1]
    target = write(tmp_path / f"mine.{form}", small_realization)
    with pytest.raises(FormatError, match="val/images is not of MNIST-scale") as error:
        read_everything(MNISTScale(target))
    assert error.value.where == target
    assert f"39 val/{name}" in str(error.value.got).split(", ")
    assert "40 val/" in str(error.value.got)


def test_a_damaged_png_file_is_named(tmp_path: Path, small_realization: Arrays) -> None:
    folder = save_below(tmp_path, "png", small_realization)
    victim = sorted((folder / "val").glob("*/*.png"))[5]
    victim.write_bytes(victim.read_bytes()[:60])
    with pytest.raises(FormatError, match="damaged") as error:
        MNISTScale(folder).to_numpy("train")
    assert error.value.where == victim


@pytest.mark.parametrize(("mode", "size"), [("RGB", (28, 28)), ("L", (27, 28)), ("1", (28, 28))])
def test_png_files_of_other_kinds_are_named(
    mode: str, size: tuple[int, int], tmp_path: Path, small_realization: Arrays
) -> None:
    folder = save_below(tmp_path, "png", small_realization)
    victim = sorted((folder / "train").glob("*/*.png"))[0]
    Image.new(mode, size).save(victim)
    with pytest.raises(FormatError, match="the image is of another kind") as error:
        MNISTScale(folder).to_numpy("train")
    assert error.value.where == victim
    assert mode in str(error.value.got)


def test_a_label_folder_above_9_is_refused(tmp_path: Path, small_realization: Arrays) -> None:
    folder = save_below(tmp_path, "png", small_realization)
    (folder / "test" / "9").rename(folder / "test" / "10")
    with pytest.raises(FormatError, match="does not belong") as error:
        MNISTScale(folder).to_numpy("test")
    assert Path(str(error.value.where)).parent == folder / "test" / "10"


@pytest.mark.parametrize("rows", [["seed", "7"], [["seed", "seven"]], [[["seed", "7"]]]])
def test_damaged_metadata_of_an_npz_file(tmp_path: Path, small_realization: Arrays, rows: Any) -> None:
    path = tmp_path / "scale_0.3_1.0.npz"
    arrays = {name.replace("/", "_"): array for name, array in small_realization.items()}
    npz.write(path, {**arrays, "metadata": np.array(rows)})
    with pytest.raises(FormatError, match="the metadata are not rows of a name and a value"):
        _ = MNISTScale(path).metadata
