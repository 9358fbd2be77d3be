"""Random rescaling of STIR sets, grey and colour, in batches of a selection."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from oracles import pillow_rescaled
from stir_loading import FRAMES, small_file

from stirdata import ScaleAugment, STIRDataset

every_frame = pytest.mark.parametrize("name", list(FRAMES))


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, STIRDataset]:
    """Return made-up sets by name."""
    folder = tmp_path_factory.mktemp("sets")
    return {name: STIRDataset(small_file(folder, name)) for name in FRAMES}


def some_scales(dataset: STIRDataset) -> list[int]:
    return sorted(set(dataset.scales.reshape(-1).tolist()))[:2]


@every_frame
def test_augmented_images_are_those_of_pillow(name: str, datasets: dict[str, STIRDataset]) -> None:
    dataset, augment = datasets[name], ScaleAugment(0.5, 2.0, seed=1)
    stored = dataset.to_torch("train", some_scales(dataset), shuffle=False, dtype=torch.uint8)[:][0].numpy()
    factors = augment.factors(np.arange(len(stored)), 0)
    expected = np.stack([pillow_rescaled(plane, factors) for plane in stored.swapaxes(0, 1)], axis=1)
    batches = dataset.batches(
        "train",
        scales=some_scales(dataset),
        batch_size=3,
        shuffle=False,
        dtype=torch.uint8,
        augment=augment,
    )
    np.testing.assert_array_equal(torch.cat([pixels for pixels, _ in batches]).numpy(), expected)
