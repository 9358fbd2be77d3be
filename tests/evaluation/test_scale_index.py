"""The scale index that modules choose, against one averaged image by image."""

import json
import math

import numpy as np
import pytest
import torch

from stirdata.errors import ParameterError
from stirdata.evaluation import scale_index_correlation


class Pool(torch.nn.Module):
    """Pools over the scales of a small pyramid, and keeps which one was the largest."""

    def forward(self, images):
        pyramid = torch.stack([images, images.flip(2), images.flip(3)], dim=2)
        values, self.indices = pyramid.max(dim=2)
        return values


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.head = Pool(), torch.nn.Flatten()

    def forward(self, images):
        return self.head(self.pool(images))


VALUES = np.random.RandomState(0)
IMAGES = torch.from_numpy(VALUES.randint(0, 256, (40, 1, 8, 8)).astype(np.uint8))
SCALES = torch.from_numpy(VALUES.permutation(np.repeat([17, 20, 33, 40], 10)))
GIVEN = (IMAGES, torch.arange(40) % 10, SCALES)


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_means_and_correlations(batch_size):
    model = Network()
    found = scale_index_correlation(model, GIVEN, "pool", batch_size=batch_size)
    means = []
    for scale in (17, 20, 33, 40):
        each = []
        for image in IMAGES[scale == SCALES]:
            model(image[None] / 255)
            each.append(model.pool.indices.double().mean().item())
        means.append(np.mean(each))
    assert found.indices["pool"].tolist() == pytest.approx(means, rel=1e-12)
    assert found.pearson("pool") == pytest.approx(np.corrcoef([17, 20, 33, 40], means)[0, 1])
    ranks = np.argsort(np.argsort(means))
    assert found.spearman("pool") == pytest.approx(np.corrcoef(range(4), ranks)[0, 1])
    assert list(found.columns()) == ["scale (pixels)", "pool"]
    json.dumps(found.as_json())
    part = scale_index_correlation(model, GIVEN, model.pool, scales=[33, 17])
    assert part.indices["pool"].tolist() == pytest.approx([means[0], means[2]])


def test_equal_indices_have_mean_ranks_and_no_correlation():
    class Fixed(torch.nn.Module):
        def forward(self, images):
            known = {tuple(image.flatten().tolist()): int(scale) for image, scale in levels}
            self.indices = torch.tensor(
                [self.chosen[known[tuple(image.flatten().tolist())]] for image in images]
            )
            return images

    levels = [(image.float() / 255, scale) for image, scale in zip(IMAGES, SCALES, strict=True)]
    model = torch.nn.Sequential(Fixed())
    model[0].chosen = {17: 1, 20: 3, 33: 3, 40: 0}
    found = scale_index_correlation(model, GIVEN, "0")
    assert found.indices["0"].tolist() == [1, 3, 3, 0]
    assert found.spearman("0") == pytest.approx(np.corrcoef([1, 2, 3, 4], [2, 3.5, 3.5, 1])[0, 1])
    model[0].chosen = dict.fromkeys((17, 20, 33, 40), 2)
    same = scale_index_correlation(model, GIVEN, "0")
    assert math.isnan(same.pearson("0"))
    assert same.as_json()["pearson"] == {"0": None}


@pytest.mark.parametrize(
    ("given", "modules", "what"),
    [
        (GIVEN, "head", "keeps no indices"),
        (GIVEN, "heat", "no such layer"),
        (GIVEN[:2], "pool", "have no scales"),
    ],
)
def test_what_makes_no_sense(given, modules, what):
    with pytest.raises(ParameterError, match=what):
        scale_index_correlation(Network(), given, modules)
