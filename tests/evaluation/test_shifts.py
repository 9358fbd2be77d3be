"""Consistency and flip rate, against ones counted image by image."""

import json
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from stirdata.errors import ParameterError
from stirdata.evaluation import flip_rate, shift_consistency

IMAGES = torch.from_numpy(np.random.RandomState(0).rand(9, 2, 10, 8).astype(np.float32))


def network(side=(10, 8)):
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(2 * side[0] * side[1], 4))


def moved(image, down, right, mode, size=None):
    """Return an image shifted, pixel by pixel."""
    _, height, width = image.shape
    if mode == "crop":
        return image[:, down : down + size, right : right + size]
    result = torch.zeros_like(image)
    for row, column in product(range(height), range(width)):
        if mode == "circular":
            result[:, (row + down) % height, (column + right) % width] = image[:, row, column]
        elif 0 <= row + down < height and 0 <= column + right < width:
            result[:, row + down, column + right] = image[:, row, column]
    return result


@pytest.mark.parametrize("mode", ["circular", "zero", "crop"])
@pytest.mark.parametrize("batch_size", [1, 4, 256])
def test_it_is_that_of_all_pairs(mode, batch_size):
    size = 5 if mode == "crop" else None
    model = network((5, 5)) if mode == "crop" else network()
    each = range(4) if mode == "crop" else range(-3, 4)
    shifts = list(product(each, each))
    found = shift_consistency(model, IMAGES, 3, mode, size, batch_size=batch_size)
    assert found.shifts.tolist() == [list(shift) for shift in shifts]
    wanted = []
    for image in IMAGES:
        with torch.no_grad():
            classes = [int(model(moved(image, *shift, mode, size)[None]).argmax()) for shift in shifts]
        wanted.append(np.mean([one == other for one, other in product(classes, classes)]))
        assert found.classes[len(wanted) - 1].tolist() == classes
    assert found.consistencies.tolist() == pytest.approx(wanted, abs=1e-12)
    assert found.consistency == pytest.approx(np.mean(wanted))
    assert len(set(wanted)) > 1
    assert json.loads(json.dumps(found.as_json()))["mode"] == mode
    assert f"{found.consistency:.4f}" in found.table()


def test_given_shifts_and_an_equivariant_network():
    torch.manual_seed(1)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, padding=1, padding_mode="circular"),
        torch.nn.ReLU(),
        torch.nn.AdaptiveMaxPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 4),
    )
    assert shift_consistency(model, IMAGES, 5).consistencies.tolist() == [1.0] * 9
    assert shift_consistency(model, IMAGES, [(0, 0), (-9, 7)]).consistency == 1.0
    assert shift_consistency(lambda x: torch.zeros(len(x), 3), IMAGES, 7, "zero").consistency == 1.0


def test_what_is_no_number_is_like_nothing(capsys):
    def broken(images):
        logits = torch.zeros(len(images), 3)
        logits[0] = float("nan")
        return logits

    found = shift_consistency(broken, IMAGES, [(0, 0), (1, 0)])
    assert found.consistencies.tolist() == [0.0] + [1.0] * 8
    assert found.as_json()["not_finite"] == 2
    assert "2 of 18 images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "shifts", "mode", "size", "what"),
    [
        (IMAGES, 3, "mirror", None, "unknown mode"),
        (IMAGES, -1, "zero", None, "no shifts"),
        (IMAGES, [(0, 0), (0, 0)], "zero", None, "no shifts"),
        (IMAGES, [(0, 0, 0)], "zero", None, "no shifts"),
        (IMAGES, "far", "zero", None, "no shifts"),
        (IMAGES, [(0, 8)], "zero", None, "larger than the images allow"),
        (IMAGES, [(-10, 0)], "circular", None, "larger than the images allow"),
        (IMAGES, 4, "crop", 5, "larger than the images allow"),
        (IMAGES, 3, "crop", None, "have a size"),
        (IMAGES, 3, "crop", 9, "have a size"),
        (IMAGES, 3, "zero", 5, "only crop has a size"),
        ((IMAGES * 255).to(torch.uint8), 3, "zero", None, "no images as a model takes them"),
        (IMAGES[0], 3, "zero", None, "no images as a model takes them"),
        (IMAGES[:0], 3, "zero", None, "no images as a model takes them"),
        (None, 3, "zero", None, "no images as a model takes them"),
    ],
)
def test_what_makes_no_sense(images, shifts, mode, size, what):
    with pytest.raises(ParameterError, match=what):
        shift_consistency(network(), images, shifts, mode, size)


@pytest.mark.parametrize("batch_size", [1, 256])
def test_flip_rate(batch_size):
    model = network()
    found = flip_rate(model, IMAGES, batch_size=batch_size)
    with torch.no_grad():
        for number, image in enumerate(IMAGES):
            own = int(model(image[None]).argmax())
            right = int(model(moved(image, 0, 1, "zero")[None]).argmax())
            larger = interpolate(image[None], (11, 9), mode="bicubic", align_corners=False)[:, :, 1:, 1:]
            assert bool(found.shifted[number]) == (right != own)
            assert bool(found.rescaled[number]) == (int(model(larger).argmax()) != own)
    assert found.shift == np.mean(found.shifted)
    assert found.scale == np.mean(found.rescaled)
    assert found.columns()["flip rate"] == [found.shift, found.scale]
    json.dumps(found.as_json())
    assert 0 < found.shift < 1
