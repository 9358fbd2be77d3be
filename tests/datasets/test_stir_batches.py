"""Batches of STIR sets: the selection's own images, grey and colour, at the scales asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from oracles import pillow_rescaled
from stir_loading import FRAMES, small_file

from stirdata import ScaleAugment, STIRDataset
from stirdata.datasets.streams import permutation
from stirdata.errors import ParameterError

every_frame = pytest.mark.parametrize("name", list(FRAMES))


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, STIRDataset]:
    """Return made-up sets by name."""
    folder = tmp_path_factory.mktemp("sets")
    return {name: STIRDataset(small_file(folder, name)) for name in FRAMES}


def some_scales(dataset: STIRDataset) -> list[int]:
    return sorted(set(dataset.scales.reshape(-1).tolist()))[:2]


@every_frame
@pytest.mark.parametrize("channels_last", [False, True])
def test_an_epoch_is_the_selection_in_another_order(
    name: str, channels_last: bool, datasets: dict[str, STIRDataset]
) -> None:
    dataset = datasets[name]
    scales = some_scales(dataset)
    whole = dataset.to_torch("valid", scales, shuffle=False, latents=True)
    options = {"latents": True, "seed": 4, "channels_last": channels_last}
    batches = dataset.batches("val", scales, 3, **options)
    members = torch.tensor(permutation(4, 0, len(whole)))
    for part, expected in zip(zip(*batches, strict=True), whole.tensors, strict=True):
        assert torch.equal(torch.cat(part), expected[members])


@every_frame
def test_augmented_images_are_those_of_pillow(name: str, datasets: dict[str, STIRDataset]) -> None:
    dataset, augment = datasets[name], ScaleAugment(0.5, 2.0, seed=1)
    stored = dataset.to_torch("train", some_scales(dataset), shuffle=False, dtype=torch.uint8)[:][0].numpy()
    factors = augment.factors(np.arange(len(stored)), 0)
    expected = np.stack([pillow_rescaled(plane, factors) for plane in stored.swapaxes(0, 1)], axis=1)
    batches = dataset.batches(
        "train", some_scales(dataset), 3, shuffle=False, dtype=torch.uint8, transform=augment
    )
    np.testing.assert_array_equal(torch.cat([pixels for pixels, _ in batches]).numpy(), expected)


@pytest.mark.parametrize(
    ("options", "where"),
    [({"batch_size": 0}, "batch_size"), ({"split": "all"}, "split"), ({"device": "nonsense"}, "device")],
)
def test_what_makes_no_sense_is_refused(
    options: dict[str, Any], where: str, datasets: dict[str, STIRDataset]
) -> None:
    dataset = next(iter(datasets.values()))
    with pytest.raises(ParameterError) as error:
        dataset.batches(**{"split": "train", "scales": some_scales(dataset), **options})
    assert error.value.where == where
