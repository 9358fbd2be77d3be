"""Accuracy at every scale, against one counted image by image."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making import make_job

import stirdata
from stirdata.errors import NotEnoughMemoryError, ParameterError
from stirdata.evaluation import scale_generalization
from stirdata.families import families

CLASSES = 10


def network(channels=1, classes=CLASSES, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Conv2d(channels, 8, 5),
        torch.nn.BatchNorm2d(8),
        torch.nn.Dropout(0.5),
        torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(32, classes),
    )


def counted(model, images, labels, groups, names):
    """Return accuracy and confusion of each group, an image at a time."""
    model.eval()
    classes = CLASSES if labels.max() < CLASSES else int(labels.max()) + 1
    confusion = np.zeros((len(names), classes, classes), int)
    with torch.no_grad():
        for image, label, group in zip(images, labels, groups, strict=True):
            logits = model(image[None])[0].tolist()
            if group in names:
                confusion[names.index(group), label, logits.index(max(logits))] += 1
    return confusion


@pytest.fixture(params=[family for family in families().values() if family.scale], ids=lambda f: f.name)
def dataset(request, tmp_path):
    family = request.param
    target = tmp_path / f"set.{family.layout.forms[0]}"
    make_job(family.specimen(), target)
    return stirdata.load(target)


def test_every_family_is_evaluated(dataset):
    model = network(dataset.num_channels, dataset.num_classes)
    images, labels, scales, *_ = dataset.to_torch("test", latents=True)
    scales = scales.tolist()
    listed = sorted(set(scales))
    if len(listed) * dataset.num_classes > len(scales):
        found = scale_generalization(model, dataset, bins=[0.3, 0.5, 0.8, 1.0])
        ends = [0.3, 0.5, 0.8]
        groups = [max(end for end in ends if end <= scale) for scale in scales]
        listed = ends
        assert found.scales.tolist() == pytest.approx([0.4, 0.65, 0.9])
        assert found.groups.unit == "factor"
    else:
        found, groups = scale_generalization(model, dataset), scales
        assert found.scales.tolist() == listed
    wanted = counted(model, images, labels, groups, listed)
    if dataset.num_classes == CLASSES:
        assert found.confusion.tolist() == [wanted.tolist()]
    right = [int(np.trace(one)) for one in found.confusion[0]]
    assert found.counts.tolist() == [[groups.count(name) for name in listed]]
    assert found.accuracy.tolist() == [n / groups.count(name) for n, name in zip(right, listed, strict=True)]
    assert found.overall.tolist() == [sum(right) / len(groups)]
    assert found.titles == (f"{dataset.metadata['title']}, test",)


@pytest.mark.parametrize("options", [{"batch_size": 1}, {"batch_size": 7}, {"batch_size": 10**6}])
def test_batches_do_not_show(dataset, options):
    model = network(dataset.num_channels, dataset.num_classes)
    whole = scale_generalization(model, dataset)
    assert scale_generalization(model, dataset, **options).as_json() == whole.as_json()


def tensors(count=60, seed=0):
    values = np.random.RandomState(seed)
    images = torch.from_numpy(values.randint(0, 256, (count, 1, 12, 12)).astype(np.uint8))
    labels = torch.arange(count) % CLASSES
    scales = torch.from_numpy(np.repeat([17, 20, 33], count // 3))
    return images, labels, scales


FLOATS = (tensors()[0] / 255, *tensors()[1:])


def test_tensors_in_any_order_and_over_ranks():
    model, (images, labels, scales) = network(), tensors()
    whole = scale_generalization(model, (images, labels, scales))
    wanted = counted(model, images / 255, labels, scales.tolist(), [17, 20, 33])
    assert whole.confusion.tolist() == [wanted.tolist()]
    order = torch.from_numpy(np.random.RandomState(3).permutation(60))
    other = scale_generalization(model, (images[order], labels[order], scales[order]))
    assert other.as_json() == whole.as_json()
    floats = scale_generalization(model, (images / 255, labels, scales))
    assert floats.as_json() == whole.as_json()
    parts = [
        scale_generalization(model, (images, labels, scales), rank=rank, world_size=7) for rank in range(7)
    ]
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    assert together.confusion.tolist() == whole.confusion.tolist()
    assert sum(int(part.counts.sum()) for part in parts) == 60


def test_a_part_of_the_scales_is_that_part():
    model, given = network(), tensors()
    whole = scale_generalization(model, given)
    part = scale_generalization(model, given, scales=[33, 17])
    assert part.scales.tolist() == [17, 33]
    assert part.accuracy.tolist() == whole.accuracy[[0, 2]].tolist()
    with pytest.raises(ParameterError, match="no images of these scales") as told:
        scale_generalization(model, given, scales=[17, 18])
    assert told.value.got == "18"


def test_several_datasets_give_mean_and_deviation():
    model, every = network(), [tensors(seed=seed) for seed in range(3)]
    singles = [scale_generalization(model, one) for one in every]
    found = scale_generalization(model, every)
    accuracies = np.concatenate([single.accuracies for single in singles])
    assert found.accuracies.tolist() == accuracies.tolist()
    assert found.accuracy.tolist() == accuracies.mean(axis=0).tolist()
    assert found.std.tolist() == accuracies.std(axis=0, ddof=1).tolist()
    assert found.as_json()["std"] == found.std.tolist()
    assert singles[0].as_json()["std"] == [None, None, None]


def test_own_and_other_scales():
    model, given = network(), tensors()
    found = scale_generalization(model, given)
    scenario = SimpleNamespace(train=[17, 20], test=[33])
    over = found.over(scenario)
    right = np.trace(found.confusion[0], axis1=1, axis2=2)
    assert over["own"].tolist() == [(right[0] + right[1]) / 40]
    assert over["other"].tolist() == [right[2] / 20]
    assert set(found.over(SimpleNamespace(train=[17], test=[17]))) == {"own"}
    with pytest.raises(ParameterError, match="no such scales"):
        found.over(SimpleNamespace(train=[17, 18], test=[33]))


def test_tables_and_files(tmp_path):
    found = scale_generalization(network(), tensors())
    assert json.loads(json.dumps(found.as_json()))["unit"] == "pixels"
    path = found.to_csv(tmp_path / "a.csv")
    lines = path.read_text().splitlines()
    assert lines[0] == "scale (pixels),accuracy,images"
    assert [float(line.split(",")[1]) for line in lines[1:]] == found.accuracy.tolist()
    assert found.table().splitlines()[1].split() == ["17", f"{found.accuracy[0]:.4f}", "20"]


def test_a_constant_model_is_right_once_in_ten():
    def constant(images):
        return torch.zeros(len(images), CLASSES)

    assert scale_generalization(constant, tensors()).accuracy.tolist() == [0.1, 0.1, 0.1]


def test_logits_that_are_no_numbers_are_counted_and_told(capsys):
    def broken(images):
        logits = torch.zeros(len(images), CLASSES)
        logits[::2, 3] = float("nan")
        logits[1, 2] = float("inf")
        return logits

    found = scale_generalization(broken, tensors(), batch_size=20)
    assert found.not_finite.tolist() == [[11, 11, 11]]
    assert found.counts.tolist() == [[20, 20, 20]]
    assert "33 images were not all numbers" in capsys.readouterr().err


def test_everything_is_as_before():
    model = network()
    model[2].eval()
    before = [part.training for part in model.modules()]
    torch.backends.cudnn.benchmark = True
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()

    def noisy(images):
        torch.backends.cudnn.benchmark = False
        assert not torch.is_grad_enabled()
        assert not model[1].training
        return model(images) + torch.rand(1) + np.random.rand()

    holder = torch.nn.Module()
    holder.inner, holder.forward = model, noisy
    scale_generalization(holder, tensors())
    with pytest.raises(ZeroDivisionError):
        holder.forward = lambda images: 1 / 0
        scale_generalization(holder, tensors())
    assert [part.training for part in model.modules()] == before
    assert torch.is_grad_enabled()
    assert torch.backends.cudnn.benchmark
    assert torch.get_rng_state().equal(states[0])
    assert np.random.get_state()[1].tolist() == states[1]
    torch.backends.cudnn.benchmark = False


@pytest.mark.parametrize(
    ("model", "given", "options", "what"),
    [
        (3, tensors(), {}, "no model"),
        (lambda x: x, tensors(), {}, "does not return the logits"),
        (lambda x: torch.zeros(3, CLASSES), tensors(), {}, "does not return the logits"),
        (lambda x: [0] * len(x), tensors(), {}, "does not return the logits"),
        (lambda x: torch.zeros(len(x), 5), tensors(), {}, "too few logits"),
        (network(), tensors()[:2], {}, "have no scales"),
        (network(), tensors(), {"batch_size": 0}, "a batch has images"),
        (network(), tensors(), {"bins": 0}, "no bins"),
        (network(), tensors(), {"bins": [1, 1]}, "no bins"),
        (network(), tensors(), {"bins": [0, 1, 40]}, "no images of these scales"),
        (network(), tensors(), {"bins": 2, "scales": [17]}, "either scales or bins"),
        (network(), tensors(), {"scales": []}, "no images of these scales"),
        (network(), tensors(), {"device": "cuda:77"}, "device is not available"),
        (network(), tensors(), {"rank": 2, "world_size": 2}, "no such rank"),
        (network(), "path.h5", {}, "evaluated on by nothing"),
        (network(), [], {}, "no dataset"),
        (
            network(),
            (tensors()[0] / 255, *tensors()[1:]),
            {"normalize": (0.5, 0.5)},
            "as the model takes them",
        ),
    ],
)
def test_what_makes_no_sense(model, given, options, what):
    with pytest.raises(ParameterError, match=what):
        scale_generalization(model, given, **options)


def test_a_dataset_without_scales(tmp_path):
    make_job(families()["stl10"].specimen(), tmp_path / "a.h5")
    with pytest.raises(ParameterError, match="have no scales"):
        scale_generalization(network(3), stirdata.load(tmp_path / "a.h5"))
    with pytest.raises(ParameterError, match="without a label"):
        scale_generalization(network(3), stirdata.load(tmp_path / "a.h5"), "unlabeled")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
    ],
)
def test_too_little_memory_is_told(error):
    def model(images):
        raise error

    given = torch.zeros(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64), torch.ones(3)
    with pytest.raises(NotEnoughMemoryError, match=r"3 images(.|\n)*smaller batch_size"):
        scale_generalization(model, given, bins=1, quiet=True)
