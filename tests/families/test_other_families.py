"""Files of one family that are opened with the loader of the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stir_loading import small_file

from stirdata import MNISTScale, STIRDataset
from stirdata.errors import FormatError, MissingFileError


def test_a_file_of_mnist_scale_is_refused_by_the_loader_of_stir(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez(path, train_images=np.zeros((1, 28, 28), np.uint8), train_labels=np.zeros(1, np.int64))
    with pytest.raises(FormatError, match="this is no STIR set") as error:
        STIRDataset(path)
    assert error.value.where == path
    assert "stirdata.load opens datasets of every family" in error.value.hint


def test_a_stir_set_is_refused_by_the_loader_of_mnist_scale_when_it_is_opened(tmp_path: Path) -> None:
    path = small_file(tmp_path)
    with pytest.raises(FormatError, match="is not of MNIST-scale") as error:
        MNISTScale(path)
    assert (error.value.where, error.value.got) == (path, "imgs, lbls, scls, psts, lbldata")
    assert "stirdata.load opens datasets of every family" in error.value.hint


def test_damaged_and_strange_files_keep_their_errors(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    np.savez(path, something=np.zeros(3))
    with pytest.raises(FormatError, match="arrays are missing"):
        STIRDataset(path)
    whole = small_file(tmp_path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FormatError) as error:
        STIRDataset(path)
    assert "stirdata.load" not in str(error.value)
    with pytest.raises(MissingFileError):
        STIRDataset(tmp_path / "absent.npz")
