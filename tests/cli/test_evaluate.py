"""``stirdata evaluate`` as it is typed, and with everything that can be wrong."""

import json
import sys

import numpy as np
import pytest
import torch
from described import save_as
from stir_fixtures import small_frame, small_set

from stirdata import MNISTScale, STIRDataset, evaluation
from stirdata.storage import hdf5

NETWORKS = """
import torch

def network(num_classes, num_channels):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(num_channels, 4, 5), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3),
        torch.nn.Flatten(), torch.nn.Linear(36, num_classes),
    )

def raises():
    raise RuntimeError("my own error")

def missing():
    raise OSError(2, "mine", "gone.txt")

def other_images():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5, 2))

def other_classes():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4096, 7))
"""


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A working directory with a set of all scales of STIR, a network and its weights."""
    frame = small_frame(scales=tuple(range(64, 16, -1)), canvas=64, instances=1)
    arrays = small_set(frame)
    save_as(tmp_path / "mnist.h5", arrays)
    (tmp_path / "nets.py").write_text(NETWORKS)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("nets", None)


@pytest.fixture
def titled(work):
    """The same set under the name of a published one."""
    frame = small_frame(scales=tuple(range(64, 16, -1)), canvas=64, instances=1)
    arrays = small_set(frame)
    arrays.metadata[0, 1] = "STIR mnist"
    (work / "mnist.h5").unlink()
    save_as(work / "mnist.h5", arrays)
    return work


def test_a_report_beside_what_others_published(titled, stirdata):
    pytest.importorskip("matplotlib")
    model = evaluation.load_model("nets:network", num_classes=2, num_channels=1)
    torch.save({name: value * 2 for name, value in model.state_dict().items()}, "net.pt")
    command = ["evaluate", "mnist.h5", "--model", "nets:network", "--weights", "net.pt"]
    command += ["--scenario", "small2large", "--out", "report", "--batch-size", "7"]
    ran = stirdata(*command)
    assert ran.code == 0, ran.err
    assert "written: report/report.html" in ran.err
    dataset = STIRDataset("mnist.h5")
    model.load_state_dict(torch.load("net.pt", weights_only=True))
    wanted = evaluation.scale_generalization(model, dataset, quiet=True)
    content = json.loads((titled / "report" / "report.json").read_text())
    found = content["results"]["generalization"]
    assert found["accuracy"] == wanted.accuracy.tolist()
    assert found["confusion"] == wanted.confusion.tolist()
    assert content["parts"]["own"] == wanted.at(range(17, 33))[0]
    known = evaluation.baselines("stir", set="mnist", scenario="small2large")
    assert content["comparison"] == wanted.compare(known).as_json()
    assert content["evaluated"]["command"][0].startswith("stirdata evaluate mnist.h5 --model")
    assert content["evaluated"]["dataset"][1].startswith("no manifest; SHA-256 of the file ")
    assert wanted.table() in ran.out
    names = {path.name for path in (titled / "report").iterdir()}
    assert {"report.html", "report.json", "generalization.csv", "generalization.svg"} <= names
    again = stirdata(*command)
    assert (again.code, "already there" in again.err) == (0, True)


def test_another_report_is_replaced_when_told_to(titled, stirdata):
    command = ["evaluate", "mnist.h5", "--model", "nets:network", "--out", "report"]
    assert stirdata(*command, "--scales", "17-20").code == 0
    other = stirdata(*command, "--scales", "30")
    assert (other.code, "is another report" in other.err) == (2, True)
    assert "30" in other.out, "what was found is not lost"
    assert stirdata(*command, "--scales", "30", "--force").code == 0
    content = json.loads((titled / "report" / "report.json").read_text())
    assert content["results"]["generalization"]["scales"] == [30]
    assert content["notes"] == ["A scenario puts the result beside what others published."]


@pytest.mark.parametrize("order", ["stored", "published-shuffle"])
def test_predictions_of_any_program(titled, stirdata, order):
    model = evaluation.load_model("nets:network", num_classes=2, num_channels=1)
    dataset = STIRDataset("mnist.h5")
    images, _ = dataset.to_torch("test", range(33, 65), order != "stored")
    with torch.no_grad():
        np.save("prediction.npy", model(images).numpy())
    command = ["evaluate", "mnist.h5", "--predictions", "prediction.npy", "--scenario", "small2large"]
    ran = stirdata(*command, "--order", order, "--json", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    content = json.loads(ran.out)
    wanted = evaluation.scale_generalization(model, dataset, scales=range(33, 65), quiet=True)
    assert content["results"]["generalization"]["confusion"] == wanted.confusion.tolist()
    assert list(content["parts"]) == ["other"]
    assert f"order {order}; scales 33, 34," in content["evaluated"]["predictions"][0]


def test_every_measure(work, stirdata):
    command = ["evaluate", "mnist.h5", "--model", "nets:network", "--layers", "0,1", "--shifts", "1"]
    measures = "generalization,accuracy,consistency,flips,equivariance"
    ran = stirdata(*command, "--measures", measures, "--images", "10", "--json", "--quiet")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)["results"]
    assert list(found) == [*measures.split(","), "mistakes"]
    assert len(found["consistency"]["consistencies"]) == 10
    assert found["equivariance"]["pairs"][0] == [64, 49]
    model = evaluation.load_model("nets:network", num_classes=2, num_channels=1)
    dataset = STIRDataset("mnist.h5")
    images = dataset.to_torch("test", shuffle=False).tensors[0]
    chosen = images[np.arange(10) * len(images) // 10]
    wanted = evaluation.shift_consistency(model, chosen, 1, quiet=True)
    assert found["consistency"] == wanted.as_json()
    ran = stirdata(*command, "--measures", "equivariance", "--factors", "0.5,2", "--json", "--mean", "0.5",
                   "--std", "0.25", "--quiet")  # fmt: skip
    assert ran.code == 0, ran.err
    wanted = evaluation.equivariance_error(model, (images - 0.5) / 0.25, [0.5, 2], ["0", "1"], quiet=True)
    assert json.loads(ran.out)["results"]["equivariance"] == wanted.as_json()


def test_parts_of_the_images_add_up(work, monkeypatch, stirdata):
    command = [
        "evaluate",
        "mnist.h5",
        "--model",
        "nets:network",
        "--layers",
        "0",
        "--factors",
        "0.5",
        "--json",
    ]
    command += ["--measures", "consistency,flips,equivariance", "--quiet"]
    whole = stirdata(*command).out
    monkeypatch.setattr("stirdata.operations.evaluate._AT_ONCE", 7)
    assert json.loads(stirdata(*command).out)["results"] == json.loads(whole)["results"]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ([], "either a model or its predictions"),
        (["--model", "nets:network", "--predictions", "p.npy"], "either a model or its predictions"),
        (["--model", "nets:netwrok"], "did you mean network"),
        (["--model", "nets:network", "--measures", "accurate"], "unknown measure"),
        (["--model", "nets:network", "--measures", "equivariance"], "layers have to be named"),
        (["--model", "nets:network", "--measures", "equivariance", "--layers", "9"], "no such layer"),
        (["--model", "nets:network", "--scenario", "small2big"], "small2large, mid2rest"),
        (["--model", "nets:network", "--scales", "12"], "no images of these scales"),
        (["--model", "nets:network", "--device", "nowhere"], "device"),
        (["--model", "nets:network", "--size", "56"], "no images of this size"),
        (["--model", "nets:network", "--mean", "0.5"], "--mean and --std"),
        (["--model", "nets:network", "--mean", "a", "--std", "1"], "numbers such as"),
        (["--model", "nets:network", "--weights", "none.pt"], "no such file"),
        (["--model", "nets:other_classes"], "does not return the logits"),
        (["--predictions", "p.npy"], "which is not guessed"),
        (["--predictions", "p.npy", "--order", "stored"], "no such file"),
        (
            ["--predictions", "p.npy", "--order", "stored", "--measures", "flips"],
            "predictions are not enough",
        ),
        (["--model", "nets:network", "--out", "."], "is no report"),
    ],
)
def test_wrong_input(work, stirdata, options, what):
    before = set(work.iterdir())
    ran = stirdata("evaluate", "mnist.h5", *options, "--quiet")
    assert (ran.code, ran.out) == (2, "")
    assert what in ran.err
    assert set(work.iterdir()) - before <= {work / "__pycache__"}


@pytest.mark.parametrize(
    ("factory", "error"),
    [
        ("raises", "RuntimeError: my own error"),
        ("missing", "FileNotFoundError: [Errno 2] mine"),
        ("other_images", "RuntimeError: mat1 and mat2"),
    ],
)
def test_the_errors_of_a_model_are_its_own(work, stirdata, factory, error):
    ran = stirdata("evaluate", "mnist.h5", "--model", f"nets:{factory}", "--quiet", "--out", "report")
    assert ran.code == 2
    assert error in ran.err
    assert "fault of stirdata" not in ran.err
    assert "operations" not in ran.err, "the traceback begins with the model's own code"
    assert not (work / "report").exists()


def test_the_regime_of_doubled_pixels_beside_its_errors(work, stirdata, small_realization):
    hdf5.write(work / "own.h5", small_realization, {"source": "mnist"})
    command = ["evaluate", "own.h5", "--model", "nets:network", "--normalize", "--bins", "2", "--quiet"]
    found = json.loads(stirdata(*command, "--scenario", "56+", "--json").out)
    assert found["evaluated"]["size"] == ["56"]
    dataset = MNISTScale("own.h5")
    model = evaluation.load_model("nets:network", num_classes=10, num_channels=1)
    wanted = evaluation.accuracy(model, dataset, size=56, normalize=True, quiet=True)
    known = evaluation.baselines("mnist-scale", scenario="56+")
    assert found["comparison"] == wanted.compare(known).as_json()
    assert found["parts"] == {}
    hdf5.write(work / "drawn.h5", small_realization, {"source": "synthetic"})
    command[1] = "drawn.h5"
    drawn = json.loads(stirdata(*command, "--scenario", "28", "--json").out)
    assert (drawn["comparison"], drawn["notes"]) == (
        None,
        ["Nothing is published of networks on this dataset."],
    )
    assert json.loads(stirdata(*command, "--json").out)["notes"] == []


def test_datasets_that_are_no_realizations_of_one(work, stirdata):
    save_as(work / "other.h5", small_set(small_frame()))
    ran = stirdata("evaluate", "mnist.h5", "other.h5", "--model", "nets:network", "--quiet")
    assert (ran.code, "realizations of one" in ran.err) == (2, True)
    both = ["evaluate", "mnist.h5", "mnist.h5", "--model", "nets:network", "--quiet", "--json"]
    ran = stirdata(*both)
    assert json.loads(ran.out)["results"]["generalization"]["std"] == [0.0] * 48
    ran = stirdata(*both, "--measures", "flips")
    assert (ran.code, "one dataset at a time" in ran.err) == (2, True)


def test_a_full_disk_leaves_nothing(work, stirdata, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    ran = stirdata("evaluate", "mnist.h5", "--model", "nets:network", "--quiet", "--out", "report")
    assert (ran.code, "free some space" in ran.err) == (2, True)
    assert not [path for path in work.iterdir() if "report" in path.name and not path.name.endswith(".lock")]
