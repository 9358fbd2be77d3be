"""Features of an object at every place of a canvas, against ones compared place by place."""

import json

import numpy as np
import pytest
import torch

from stirdata.errors import ParameterError
from stirdata.evaluation import feature_similarity

IMAGES = torch.from_numpy(np.random.RandomState(0).rand(5, 1, 6, 6).astype(np.float32))


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(inplace=True), torch.nn.Flatten())


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize(("anchor", "at"), [("centre", (1, 1)), ((0, 3), (0, 3))])
def test_place_by_place(batch_size, anchor, at):
    model = network()
    found = feature_similarity(model, IMAGES, 13, 2, "1", anchor, background=0.5, batch_size=batch_size)
    places = [0, 2, 4, 6]
    assert found.places.tolist() == places
    assert found.anchor == at

    def features(image, top, left):
        canvas = torch.full((1, 1, 13, 13), 0.5)
        canvas[0, :, top : top + 6, left : left + 6] = image
        with torch.no_grad():
            return model[:2](canvas).reshape(-1).double().numpy()

    for number, image in enumerate(IMAGES):
        wanted = features(image, places[at[0]], places[at[1]])
        for row, top in enumerate(places):
            for column, left in enumerate(places):
                other = features(image, top, left)
                cosine = wanted @ other / np.sqrt((wanted @ wanted) * (other @ other))
                assert found.similarities[number, row, column] == pytest.approx(cosine, rel=1e-6)
        assert found.similarities[number][at] == pytest.approx(1.0)
    assert np.array_equal(found.map, found.similarities.mean(axis=0))
    assert [len(column) for column in found.columns().values()] == [16, 16, 16]
    json.dumps(found.as_json())


def test_pooled_features_of_a_shift_equivariant_network_are_alike():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1, padding_mode="circular"), torch.nn.AdaptiveAvgPool2d(1)
    )
    found = feature_similarity(model, IMAGES, 16, 1, "1")
    assert found.map.min() > 1 - 1e-6


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"canvas": 5}, "canvas is smaller"),
        ({"canvas": "wide"}, "canvas is smaller"),
        ({"stride": 0}, "places are apart"),
        ({"anchor": "corner"}, "no such place"),
        ({"anchor": (0, 9)}, "no such place"),
        ({"layer": "7"}, "no such layer"),
        ({"layer": ["0", "1"]}, "those of one layer"),
        ({"images": IMAGES[:, :, :5]}, "canvas is smaller"),
    ],
)
def test_what_makes_no_sense(options, what):
    given = {"images": IMAGES, "canvas": 10, "stride": 2, "layer": "0", **options}
    with pytest.raises(ParameterError, match=what):
        feature_similarity(network(), **given)
