"""Equivariance errors, against ones computed image by image."""

import json

import numpy as np
import pytest
import torch
from making import make_job
from torch.nn.functional import interpolate

import stirdata
from stirdata.errors import ParameterError
from stirdata.evaluation import equivariance_error, equivariance_error_stir
from stirdata.evaluation.layers import captured, named_modules
from stirdata.families import families

IMAGES = torch.from_numpy(np.random.RandomState(0).rand(5, 2, 12, 12).astype(np.float32))


def network(channels=2):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 4, 3),
        torch.nn.ReLU(inplace=True),
        torch.nn.Conv2d(4, 3, 2),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )


def scaled(maps, factor):
    """Rescale one image's maps (C, H, W) and put them on the old canvas, pixel by pixel."""
    _, height, width = maps.shape
    h, w = round(factor * height), round(factor * width)
    large = interpolate(maps[None], (h, w), mode="bicubic", align_corners=False)[0]
    result = torch.zeros_like(maps)
    top, left = (height - h) // 2, (width - w) // 2
    for row in range(h):
        for column in range(w):
            if 0 <= top + row < height and 0 <= left + column < width:
                result[:, top + row, left + column] = large[:, row, column]
    return result


@pytest.mark.parametrize(("squared", "per_channel"), [(True, False), (False, True), (False, False)])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_any_images(squared, per_channel, batch_size):
    model = network().eval()
    features = {"0": model[:1], "2": model[:3]}
    factors = [0.5, 0.9, 1.0, 1.3]
    options = {"squared": squared, "per_channel": per_channel, "batch_size": batch_size}
    found = equivariance_error(model, IMAGES, factors, ["0", model[2]], **options)
    assert list(found.errors) == ["0", "2"]
    with torch.no_grad():
        for name, part in features.items():
            assert found.errors[name].shape == (4, 5)
            for number, factor in enumerate(factors):
                for at, image in enumerate(IMAGES):
                    wanted = scaled(part(image[None])[0], factor).double()
                    other = part(scaled(image, factor)[None])[0].double()
                    axes = (1, 2) if per_channel else (0, 1, 2)
                    above, below = ((wanted - other) ** 2).sum(axes), (wanted**2).sum(axes)
                    ratio = above / below if squared else above.sqrt() / below.sqrt()
                    assert found.errors[name][number, at] == pytest.approx(float(ratio.mean()), rel=1e-4)
            assert found.errors[name][2].max() < 1e-10
    assert found.mean("0").tolist() == found.errors["0"].mean(axis=1).tolist()
    assert found.std("2").tolist() == found.errors["2"].std(axis=1, ddof=1).tolist()
    assert list(found.columns()) == ["factor", "0", "2"]
    json.dumps(found.as_json())


def test_the_identity_is_equivariant():
    model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Flatten())
    found = equivariance_error(model, IMAGES, [0.4, 1.7], "0")
    assert found.errors["0"].tolist() == [[0.0] * 5] * 2
    black = equivariance_error(model, torch.zeros(2, 1, 8, 8), [0.5], "0", per_channel=True)
    assert black.errors["0"].tolist() == [[0.0, 0.0]]


def test_scale_axes_are_reduced():
    class Pyramid(torch.nn.Module):
        def forward(self, images):
            return torch.stack([images, images.flip(3), images * 2], dim=2)

    model = torch.nn.Sequential(Pyramid(), torch.nn.Flatten())
    found = equivariance_error(model, IMAGES, [0.5], "0")
    second = equivariance_error(model, IMAGES, [0.5], "0", reduce=lambda maps: maps[:, :, 0])
    assert second.errors["0"].tolist() == [[0.0] * 5]
    assert found.errors["0"].min() > 0
    with pytest.raises(ParameterError, match="no feature maps"):
        equivariance_error(model, IMAGES, [0.5], "0", reduce=lambda maps: maps.mean(dim=(2, 3, 4)))


@pytest.fixture
def stir(tmp_path):
    make_job(families()["stir"].specimen(), tmp_path / "set.npz")
    return stirdata.load(tmp_path / "set.npz")


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("input_range", [1.0, 255])
def test_pairs_of_scales(stir, batch_size, input_range):
    scales = sorted(set(stir.get_latents("test")[0].tolist()), reverse=True)
    big, middle, small = scales[0], scales[1], scales[-1]
    model = network(stir.num_channels).eval()
    pairs = ((big, middle),)
    found = equivariance_error_stir(model, stir, ["0"], pairs, input_range=input_range, batch_size=batch_size)
    assert found.pairs == ((big, middle), (middle, big))
    images, labels = stir.to_torch("test", shuffle=False)
    all_scales, positions = stir.get_latents("test", shuffle=False)
    classes = stir.num_classes
    instances = len(labels) // classes // len(scales)
    assert found.errors["0"].shape == (classes, instances, 2)
    side = images.shape[-1]
    with torch.no_grad():
        for label in range(classes):
            for instance in range(instances):
                parts = {}
                for scale in (big, middle):
                    at = np.flatnonzero((labels.numpy() == label) & (all_scales == scale))[instance]
                    maps = model[:1](images[at][None] * input_range)[0]
                    left, top = positions[at]
                    size = scale - (side - maps.shape[-1])
                    parts[scale] = maps[:, top : top + size, left : left + size]
                for number, (one, other) in enumerate(found.pairs):
                    resized = interpolate(
                        parts[other][None], parts[one].shape[1:], mode="bicubic", align_corners=False
                    )[0]
                    error = ((parts[one] - resized) ** 2).sum() / (parts[one] ** 2).sum()
                    assert found.errors["0"][label, instance, number] == pytest.approx(float(error), rel=1e-4)
    assert found.columns()["scales"] == [f"{big} from {middle}", f"{middle} from {big}"]
    json.dumps(found.as_json())
    if small <= 3:
        with pytest.raises(ParameterError, match="too small for a scale"):
            equivariance_error_stir(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 5)), stir, "0", ((big, small),))


def test_other_pairs_are_told(stir):
    model = network(stir.num_channels)
    for pairs in ((), 3, (("a", "b"),)):
        with pytest.raises(ParameterError, match="no pairs of scales"):
            equivariance_error_stir(model, stir, "0", pairs)
    with pytest.raises(ParameterError, match="no images of this scale") as told:
        equivariance_error_stir(model, stir, "0")
    assert told.value.got == 64


def test_a_dataset_without_positions(tmp_path):
    make_job(families()["mnist-scale"].specimen(), tmp_path / "set.h5")
    with pytest.raises(ParameterError, match="no scales and positions"):
        equivariance_error_stir(network(1), stirdata.load(tmp_path / "set.h5"), "0")


@pytest.mark.parametrize(
    ("model", "layers", "factors", "what"),
    [
        (network(), "3.conv", [1], "no such layer"),
        (network(), torch.nn.ReLU(), [1], "no such layer"),
        (network(), [], [1], "no layer is asked for"),
        (lambda images: images, "0", [1], "only torch modules"),
        (network(), "4", [1], "no feature maps"),
        (network(), "0", [], "numbers above 0"),
        (network(), "0", [0], "numbers above 0"),
        (network(), "0", [float("nan")], "numbers above 0"),
        (network(), "0", 2, "numbers above 0"),
    ],
)
def test_what_makes_no_sense(model, layers, factors, what):
    with pytest.raises(ParameterError, match=what):
        equivariance_error(model, IMAGES, factors, layers)


def test_close_names_and_hooks_that_are_taken_away():
    model = torch.nn.Sequential()
    model.add_module("features", torch.nn.Conv2d(2, 3, 3))
    model.add_module("rest", torch.nn.Flatten())
    with pytest.raises(ParameterError) as told:
        equivariance_error(model, IMAGES, [1], "feature")
    assert "did you mean features?" in told.value.hint
    with pytest.raises(ZeroDivisionError), captured(named_modules(model, "features")):
        assert model.features._forward_hooks
        raise ZeroDivisionError
    assert not model.features._forward_hooks
