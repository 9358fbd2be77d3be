"""Batches of STIR sets: the images, labels and latents of the selection, with the options of to_torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stir_loading import small_file

from stirdata import STIRDataset


@pytest.mark.parametrize("name", ["grey", "colour"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"dtype": torch.uint8},
        {"channels_last": True},
        {"normalize": (0.5, 0.25)},
        {"dtype": torch.float16},
    ],
)
def test_batches_in_order_are_the_selection(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path, name))
    batches = dataset.batches("test", scales=(3, 12), batch_size=3, shuffle=False, latents=True, **options)
    found = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    expected = dataset.to_torch("test", (3, 12), shuffle=False, latents=True, **options)
    for part, whole in zip(found, expected, strict=True):
        assert part.dtype == whole.dtype
        assert torch.equal(part, whole)


def test_epochs_have_orders_of_their_own_and_ranks_share_them(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path))
    images = dataset.to_torch("train", shuffle=False).images
    batches = dataset.batches("train", batch_size=12, seed=3)
    first, second = (next(iter(batches))[0] for _ in range(2))
    assert not torch.equal(first, second)
    assert sorted(map(bytes, first.numpy())) == sorted(map(bytes, images.numpy()))
    ranks = [dataset.batches("train", batch_size=6, seed=3, rank=rank, world_size=2) for rank in range(2)]
    parts = torch.cat([next(iter(part))[0] for part in ranks])
    assert sorted(map(bytes, parts.numpy())) == sorted(map(bytes, images.numpy()))
