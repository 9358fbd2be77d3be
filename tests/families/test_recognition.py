"""Telling datasets by names and headers, and what to say where there is none."""

import numpy as np
import pytest
from described import save_stir
from making import save_below
from stir_fixtures import small_set

from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.families.recognition import recognize
from stirdata.manifest import manifest_path


def test_stir_file_and_its_manifest(tmp_path):
    path = tmp_path / "a.npz"
    save_stir(path)
    for named in (path, manifest_path(path), tmp_path):
        found = recognize(named)
        assert (found.path, found.family.title, found.stored.form) == (path, "STIR", "npz")
        assert found.stored.headers["imgs"].shape == (3, 3, 2, 2, 12, 12)


def test_folder_of_npy_files(tmp_path):
    for name, array in small_set().as_dict().items():
        np.save(tmp_path / f"{name}.npy", array)
    found = recognize(tmp_path)
    assert (found.path, found.family.title, found.stored.form) == (tmp_path, "STIR", "npy")


@pytest.mark.parametrize("form", ["h5", "npz", "png"])
def test_mnist_scale(tmp_path, small_realization, form):
    path = save_below(tmp_path, form, small_realization)
    for named in (path, manifest_path(path), tmp_path, path.parent):
        found = recognize(named)
        assert (found.path, found.family.title, found.stored.form) == (path, "MNIST-scale", form)
    assert list(found.stored.headers)[:2] == ["train/images", "train/labels"]
    assert found.stored.headers["train/images"].shape == (120, 28, 28)


def test_file_without_manifest_in_a_folder(tmp_path):
    save_stir(tmp_path / "a.npz")
    manifest_path(tmp_path / "a.npz").unlink()
    (tmp_path / "other.npz").write_bytes(b"no dataset")
    assert recognize(tmp_path).path == tmp_path / "a.npz"


def test_several_in_a_folder(tmp_path, small_realization):
    save_stir(tmp_path / "a.npz")
    save_below(tmp_path, "h5", small_realization)
    with pytest.raises(ParameterError, match="several datasets in this folder") as caught:
        recognize(tmp_path)
    assert caught.value.got == "MNIST_scale/seed_7/scale_0.3_1.0.h5, a.npz"


def test_many_in_a_folder_are_counted(tmp_path):
    for number in range(9):
        save_stir(tmp_path / f"{number}.npz")
    with pytest.raises(ParameterError) as caught:
        recognize(tmp_path)
    assert caught.value.got == "0.npz, 1.npz, 2.npz, 3.npz, 4.npz, 5.npz, 6.npz, 7.npz, … (9 in all)"


def test_missing_file_with_a_close_name(tmp_path):
    save_stir(tmp_path / "mnist.npz")
    with pytest.raises(MissingFileError, match="there is no such file or folder") as caught:
        recognize(tmp_path / "mnits.npz")
    assert caught.value.got == "files of a similar name: mnist.npz"
    with pytest.raises(MissingFileError) as caught:
        recognize(tmp_path / "else" / "x.h5")
    assert caught.value.got is None


def test_manifest_of_a_dataset_that_is_gone(tmp_path):
    save_stir(tmp_path / "a.npz")
    (tmp_path / "a.npz").unlink()
    with pytest.raises(MissingFileError) as caught:
        recognize(manifest_path(tmp_path / "a.npz"))
    assert caught.value.where == tmp_path / "a.npz"
    with pytest.raises(MissingFileError, match="there is no dataset in this folder"):
        recognize(tmp_path)


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_unknown_kind_of_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"text")
    with pytest.raises(FormatError) as caught:
        recognize(tmp_path / name)
    assert caught.value.expected == "an npz or HDF5 file"


def test_file_is_told_by_its_content(tmp_path):
    save_stir(tmp_path / "a.npz")
    (tmp_path / "a.npz").rename(tmp_path / "download")
    assert recognize(tmp_path / "download").stored.form == "npz"


def test_arrays_of_something_else(tmp_path):
    np.savez(tmp_path / "a.npz", first=np.zeros(2), second=np.zeros(2))
    with pytest.raises(FormatError, match="no dataset that stirdata knows") as caught:
        recognize(tmp_path / "a.npz")
    assert caught.value.got == "first, second"
    np.savez(tmp_path / "a.npz")
    with pytest.raises(FormatError) as caught:
        recognize(tmp_path / "a.npz")
    assert caught.value.got == "no arrays"


def test_truncated_file(tmp_path):
    save_stir(tmp_path / "a.npz")
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:-50])
    with pytest.raises(FormatError, match="not a complete npz archive"):
        recognize(tmp_path / "a.npz")


def test_empty_folder(tmp_path):
    with pytest.raises(MissingFileError, match="there is no dataset in this folder"):
        recognize(tmp_path)


def test_arrays_of_other_things_beside_the_only_dataset_do_not_matter(tmp_path):
    save_stir(tmp_path / "a.npz")
    np.save(tmp_path / "notes.npy", np.array([{}], object), allow_pickle=True)
    assert recognize(tmp_path).path == tmp_path / "a.npz"
