"""Labels to one-hot rows and back, for as many classes as a set has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from stir_loading import small_file

from stirdata import STIRDataset
from stirdata.errors import ParameterError
from stirdata.families.stir import loader as one_hot


@given(
    labels=hnp.arrays(
        st.sampled_from([np.int64, np.int32, np.uint8]),
        hnp.array_shapes(min_dims=0),
        elements=st.integers(0, 4),
    )
)
def test_there_and_back(labels: Any) -> None:
    encoded = one_hot._encode(labels, 5)
    assert (encoded.dtype, encoded.shape) == (np.int64, (*labels.shape, 5))
    assert (encoded.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(np.take_along_axis(encoded, labels[..., None].astype(np.int64), -1), 1)
    np.testing.assert_array_equal(one_hot._decode(encoded, 5), labels)


def test_tensors_stay_tensors(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    labels = dataset.to_torch("train").labels
    encoded = dataset.encode_labels(labels)
    assert isinstance(encoded, torch.Tensor)
    assert (encoded.dtype, tuple(encoded.shape)) == (torch.int64, (len(labels), 2))
    assert torch.equal(encoded, torch.nn.functional.one_hot(labels, 2))
    assert torch.equal(dataset.decode_labels(encoded), labels)
    scores = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        assert torch.equal(dataset.decode_labels(scores.to(dtype)), scores.to(dtype).argmax(dim=-1))


@pytest.mark.parametrize(
    ("labels", "got"),
    [
        ([0, 2], "2 (1 outside)"),
        ([[-1, 5]], "-1 (2 outside)"),
        (torch.tensor([3]), "3 (1 outside)"),
    ],
)
def test_labels_out_of_range(labels: Any, got: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="a label is out of range") as error:
        STIRDataset(small_file(tmp_path)).encode_labels(labels)
    assert (error.value.where, error.value.expected, error.value.got) == (
        "labels",
        "integers from 0 to 1",
        got,
    )


@pytest.mark.parametrize(
    ("labels", "got"), [([0.0, 1.0], "type float64"), ([True], "type bool"), ("a", "type <U1")]
)
def test_labels_that_are_no_integers(labels: Any, got: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="labels are integers") as error:
        STIRDataset(small_file(tmp_path)).encode_labels(labels)
    assert (error.value.expected, error.value.got) == ("integers from 0 to 1", got)
    assert "class_to_idx" in error.value.hint


@pytest.mark.parametrize("encoded", [[[1, 0, 0]], 1, [], ["a", "b"], torch.zeros(2, 3)])
def test_what_is_not_encoded_for_these_classes(encoded: Any, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no encoded labels") as error:
        STIRDataset(small_file(tmp_path)).decode_labels(encoded)
    assert (error.value.where, error.value.expected) == ("encoded", "numbers of shape (…, 2)")
