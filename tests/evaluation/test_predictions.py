"""What a model says, asked here or read from a file, in every order."""

import hashlib
import json

import numpy as np
import pytest
import torch
from described import save_as
from stir_fixtures import small_frame, small_set

from stirdata import MNISTScale, STIRDataset
from stirdata.errors import FormatError, MissingFileError, ParameterError
from stirdata.evaluation import (
    Predictions,
    accuracy,
    predict,
    read_predictions,
    scale_generalization,
)
from stirdata.storage import hdf5

SCALES = (12, 9, 7, 3)


class Brightness(torch.nn.Module):
    """Says of an image a class that depends on nothing but its pixels."""

    def forward(self, images):
        value = (images.double().sum(dim=(1, 2, 3)) * 1000).round().long() % 3
        return torch.nn.functional.one_hot(value.clamp(max=1), 2).float()


@pytest.fixture
def dataset(tmp_path):
    frame = small_frame(scales=SCALES, instances=6)
    return STIRDataset(save_as(tmp_path / "set.h5", small_set(frame)))


def saved(tmp_path, values):
    np.save(tmp_path / "prediction.npy", values)
    return tmp_path / "prediction.npy"


@pytest.mark.parametrize("order", ["stored", "published-shuffle"])
@pytest.mark.parametrize("scales", [None, [3, 9], [9, 3, 12]])
@pytest.mark.parametrize("kind", ["classes", "logits"])
def test_what_was_saved_in_an_order_is_what_the_model_says(dataset, tmp_path, order, scales, kind):
    """As a training script does it: images from the loader, predictions into a file."""
    model = Brightness()
    chosen = {} if scales is None else {"scales": scales}
    images, labels = dataset.to_torch("test", shuffle=order != "stored", **chosen)
    logits = model(images)
    path = saved(tmp_path, (logits.argmax(dim=1) if kind == "classes" else logits).numpy())
    found = read_predictions(path, dataset, order=order, scales=scales)
    wanted = scale_generalization(model, dataset, scales=scales, quiet=True)
    result = scale_generalization(found, dataset, quiet=True)
    assert (result.confusion == wanted.confusion).all()
    assert result.scales.tolist() == sorted(scales or SCALES)
    right = (logits.argmax(dim=1) == labels).double().mean().item()
    assert accuracy(found, dataset, quiet=True).accuracy == pytest.approx(right, abs=1e-12)
    told = result.as_json()["predictions"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == [{"file": path.name, "sha256": digest, "split": "test", "order": order, "scales": scales}]
    json.dumps(result.as_json())


def test_the_order_matters(dataset, tmp_path):
    images, _ = dataset.to_torch("test", shuffle=True)
    path = saved(tmp_path, Brightness()(images).argmax(dim=1).numpy())
    right, wrong = (
        scale_generalization(read_predictions(path, dataset, order=order), dataset, quiet=True)
        for order in ("published-shuffle", "stored")
    )
    assert (right.confusion != wrong.confusion).any()


def test_predictions_asked_once_serve_every_measure_of_accuracy(dataset):
    found = predict(Brightness(), dataset, quiet=True)
    assert len(found) == len(dataset.targets("test"))
    assert accuracy(found, dataset).confusion.sum() == len(found)
    some = predict(Brightness(), dataset, scales=[7, 12], quiet=True)
    assert set(dataset.latents("test")["scales"][some.positions].tolist()) == {7, 12}
    assert (some.classes == found.classes[some.positions]).all()
    assert scale_generalization([found, found], [dataset, dataset]).runs == 2


@pytest.mark.parametrize(
    ("values", "options", "what"),
    [
        (np.zeros(5, int), {}, "another number of images"),
        (np.zeros(48, int), {"order": "shuffled"}, "unknown order"),
        (np.zeros(48, int), {"scales": [3]}, "another number of images"),
        (np.zeros((48, 3)), {}, "another number of logits"),
        (np.full(48, 2), {}, "no classes of the dataset"),
        (np.full(48, -1), {}, "no classes of the dataset"),
        (np.zeros(48), {}, "these are no predictions"),
        (np.zeros((48, 2), int), {}, "these are no predictions"),
        (np.zeros((2, 48)).astype(str), {}, "these are no predictions"),
        (np.zeros(48, int), {"split": "tests"}, "split"),
        (np.zeros(48, int), {"scales": [4]}, "scale"),
    ],
)
def test_wrong_predictions(dataset, tmp_path, values, options, what):
    with pytest.raises((ParameterError, FormatError), match=what):
        read_predictions(saved(tmp_path, values), dataset, **{"order": "stored", **options})


def test_files_that_are_none(dataset, tmp_path):
    with pytest.raises(MissingFileError):
        read_predictions(tmp_path / "none.npy", dataset, order="stored")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(FormatError, match="no file of predictions"):
        read_predictions(tmp_path / "text.npy", dataset, order="stored")
    np.save(tmp_path / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    with pytest.raises(FormatError, match="no file of predictions"):
        read_predictions(tmp_path / "objects.npy", dataset, order="stored")


def test_numbers_that_are_none_count_as_wrong(dataset, tmp_path):
    logits = np.zeros((48, 2), np.float32)
    logits[:, 1] = 1
    logits[0, 0] = np.nan
    found = read_predictions(saved(tmp_path, logits), dataset, order="stored")
    result = accuracy(found, dataset, quiet=True)
    assert result.not_finite.tolist() == [1]
    assert result.accuracy == (dataset.targets("test")[1:] == 1).sum() / 48


def test_predictions_of_something_else(dataset):
    found = Predictions(np.zeros(100, np.int64), np.arange(100))
    with pytest.raises(ParameterError, match="of other images"):
        accuracy(found, dataset)
    with pytest.raises(ParameterError, match="predictions of its own"):
        accuracy([predict(Brightness(), dataset, quiet=True)], [dataset, dataset])
    classes = Predictions(np.full(3, 7), np.arange(3))
    with pytest.raises(ParameterError, match="too few logits"):
        accuracy(classes, dataset)


@pytest.fixture
def realization(small_realization, tmp_path):
    hdf5.write(tmp_path / "own.h5", small_realization, {})
    return tmp_path / "own.h5"


def test_scales_choose_nothing_of_what_cannot_be_chosen(realization, tmp_path):
    dataset = MNISTScale(realization)
    path = saved(tmp_path, dataset.targets("test"))
    assert accuracy(read_predictions(path, dataset, order="stored"), dataset).accuracy == 1
    with pytest.raises(ParameterError, match="not chosen by their scales"):
        read_predictions(path, dataset, order="stored", scales=[0.5])


def test_doubled_pixels(realization):
    """The regime of 56 pixels: what the model gets is what the loader hands out."""
    dataset, seen = MNISTScale(realization), []

    def model(images):
        seen.append(images)
        return torch.zeros(len(images), 10)

    result = scale_generalization(model, dataset, bins=2, size=56, normalize=True, quiet=True)
    assert torch.equal(torch.cat(seen), dataset.to_torch("test", size=56, normalize=True).tensors[0])
    assert result.groups.edges is not None
    for wrong in (40, 112):
        with pytest.raises(ParameterError, match="unknown image size"):
            accuracy(model, dataset, size=wrong)


def test_a_size_of_what_has_one(dataset):
    accuracy(Brightness(), dataset, size=12, quiet=True)
    with pytest.raises(ParameterError, match="no images of this size"):
        accuracy(Brightness(), dataset, size=56)
    with pytest.raises(ParameterError, match="only datasets have sizes"):
        accuracy(Brightness(), (torch.zeros(2, 1, 4, 4), torch.zeros(2)), size=4)


def test_accuracy_over_ranks_and_runs(dataset):
    model = Brightness()
    whole = accuracy(model, [dataset, dataset], quiet=True)
    parts = [accuracy(model, [dataset, dataset], rank=rank, world_size=3, quiet=True) for rank in range(3)]
    assert ((parts[0] + parts[1] + parts[2]).confusion == whole.confusion).all()
    assert (whole.runs, whole.std) == (2, 0)
    assert whole.accuracies[0] == whole.accuracy
    assert whole.columns()["images"] == [48, 48]
    with pytest.raises(ParameterError, match="other classes or runs"):
        whole + accuracy(model, dataset, quiet=True)
    assert np.isnan(accuracy(model, dataset, quiet=True).std)
