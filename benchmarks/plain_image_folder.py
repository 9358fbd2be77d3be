"""The plain way to read a PNG tree for training: every image decoded and transformed when its turn comes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset

from stirdata.families.mnist_scale.loader import MEAN, STD


class ImageFolder(Dataset[tuple[torch.Tensor, int]]):
    """Images of a folder of one folder per class: opened as RGB, made grey, floats, and normalised.

    Args:
        folder: Of one split.
        scales: Smallest and largest factor of a random rescaling before all else, or None for none.
    """

    def __init__(self, folder: Path, scales: tuple[float, float] | None = None) -> None:
        self.files = sorted(folder.rglob("*.png"))
        self.labels = [int(file.parent.name) for file in self.files]
        self.scales = scales

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.files[index]) as file:
            image = file.convert("RGB")
        if self.scales is not None:
            image = rescaled(image, random.uniform(*self.scales))
        values = torch.from_numpy(np.array(image.convert("L")))[None].to(torch.float32).div(255)
        return values.sub_(MEAN).div_(STD), self.labels[index]


def rescaled(image: Image.Image, scale: float) -> Image.Image:
    """Rescale an image of 28 x 28 pixels about the published centre."""
    factor = 1 / scale
    offset = factor * -14.5 + 14.5
    coefficients = (factor, 0.0, offset, 0.0, factor, offset)
    return image.transform((28, 28), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
