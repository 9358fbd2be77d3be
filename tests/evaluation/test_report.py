"""Pictures of results, the most frequent mistakes, and the page that shows all of it."""

import csv
import io
import json
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from described import save_as
from PIL import Image
from stir_fixtures import small_frame, small_set

from stirdata import STIRDataset, evaluation
from stirdata.errors import MissingLibraryError, ParameterError
from stirdata.evaluation import Predictions, baselines, scale_generalization
from stirdata.evaluation.generalization import ScaleGeneralization
from stirdata.evaluation.mistakes import mistakes, sheet
from stirdata.evaluation.plots import Beside, drawn
from stirdata.evaluation.report import Report
from stirdata.evaluation.scales import Scales


@pytest.fixture
def dataset(tmp_path):
    frame = small_frame(classes=("a", "b", "<c>"), scales=(12, 9, 3), instances=4)
    return STIRDataset(save_as(tmp_path / "set.h5", small_set(frame)))


@pytest.fixture
def general():
    """A result at the 48 scales of STIR, 40 images of 4 classes at each."""
    confusion = np.zeros((2, 48, 4, 4), np.int64)
    for run in range(2):
        for scale in range(48):
            right = 10 - (scale // 8) - run
            confusion[run, scale] = np.eye(4, dtype=np.int64) * right
            confusion[run, scale, :, 1] += 10 - right
    return ScaleGeneralization(Scales(np.arange(17, 65)), confusion, np.zeros((2, 48), np.int64), ("a", "b"))


def results(general):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(2, 4)
    )
    images, labels = torch.rand(8, 1, 12, 12), torch.arange(8) % 4
    stir, table = baselines("stir", set="mnist", scenario="small2large"), baselines("stl10")
    return {
        "general": general,
        "accuracy": evaluation.accuracy(model, (images, labels), quiet=True),
        "beside": Beside(general, stir),
        "known": stir,
        "table": table,
        "comparison": general.compare(stir),
        "overall": general.compare(table),
        "equivariance": evaluation.equivariance_error(model, images, [0.5, 2], ["0", "1"], quiet=True),
        "consistency": evaluation.shift_consistency(model, images, 1, quiet=True),
        "flips": evaluation.flip_rate(model, images, quiet=True),
        "similarity": evaluation.feature_similarity(model, images, 16, 2, "0", quiet=True),
    }


def test_the_same_result_gives_the_same_bytes(general):
    pytest.importorskip("matplotlib")
    assert drawn(general, "svg") == drawn(general, "svg")


def test_every_result_draws_itself(general):
    pytest.importorskip("matplotlib")
    for name, result in results(general).items():
        picture = Image.open(io.BytesIO(drawn(result, "png"))).convert("L")
        assert picture.size == (1080, 660)
        assert 0.01 < (np.asarray(picture) < 128).mean() < 0.9, name


def test_a_picture_shows_what_it_is_of(general):
    pytest.importorskip("matplotlib")
    text = drawn(Beside(general, baselines("stir", set="mnist", scenario="small2large")), "svg").decode()
    for word in ("ensemble", "this network", "scales of training", "accuracy (%)", "scale (pixels)"):
        assert word in text


def test_names_are_shown_as_they_are():
    """Nothing in them is a formula, or left out of the legend."""
    pytest.importorskip("matplotlib")
    result = evaluation.EquivarianceError(
        np.array([0.5, 2.0]), {name: np.ones((2, 3)) for name in ("_conv", "a$b$", "$")}
    )
    text = drawn(result, "svg").decode()
    for name in ("_conv", "a$b$"):
        assert f"{name}</text>" in text


def test_what_is_infinite_is_no_json():
    result = evaluation.EquivarianceError(np.array([0.5]), {"a": np.array([[np.inf, 1.0]])})
    assert json.loads(json.dumps(result.as_json(), allow_nan=False))["errors"] == {"a": [[None, 1.0]]}


def test_plots_go_to_files(general, tmp_path):
    pytest.importorskip("matplotlib")
    for form, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        assert general.plot(tmp_path / f"own.{form}").read_bytes().startswith(start)
    with pytest.raises(ParameterError, match=r"\.svg or \.png or \.pdf"):
        general.plot(tmp_path / "own.jpg")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".pdf", ".png", ".svg"]


def test_without_matplotlib_it_is_asked_for(general, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingLibraryError, match=r"stirdata\[plot\]"):
        general.plot(tmp_path / "own.svg")


def test_the_row_of_the_published_table(general):
    rows = general.row(model="own", scenario="small2large", dataset="mnist")
    assert len(rows) == 48
    assert list(rows[0]) == [
        *("dataset", "scenario", "model", "scale", "accuracy_mean", "accuracy_std", "runs"),
    ]
    first, second = general.accuracies[:, 0].tolist()
    assert rows[0] == {
        "dataset": "mnist",
        "scenario": "small2large",
        "model": "own",
        "scale": 17,
        "accuracy_mean": (first + second) / 2,
        "accuracy_std": pytest.approx(abs(first - second) / 2**0.5),
        "runs": 2,
    }
    assert general.row(model="own", scenario="all2all")[0]["dataset"] == "a, b"


def test_the_most_frequent_mistakes(dataset):
    """Counted by hand: at scale 9 all of class 0 are taken for 2, at 3 one of class 1 is no number."""
    labels, scales = dataset.targets("test"), dataset.latents("test")["scales"]
    classes = labels.copy()
    classes[(scales == 9) & (labels == 0)] = 2
    classes[np.flatnonzero((scales == 9) & (labels == 1))[:2]] = 0
    alone = np.flatnonzero((scales == 3) & (labels == 1))[0]
    classes[alone] = -1
    order = np.random.RandomState(0).permutation(len(labels))
    order = np.sort(order)
    found = Predictions(classes[order], order, 3)
    like = scale_generalization(found, dataset, quiet=True)
    wrong = mistakes([found], [dataset], like=like)
    first = np.flatnonzero((scales == 9) & (labels == 0))[0]
    told = [(one.scale, one.label, one.predicted, one.count) for one in wrong.every]
    assert told == [(3, 1, -1, 1), (9, 0, 2, 4), (9, 1, 0, 2)]
    assert [one.position for one in wrong.every][:2] == [alone, first]
    assert wrong.columns()["predicted"] == ["no number", "<c>", "a"]
    picture = np.asarray(Image.open(io.BytesIO(sheet(wrong, [dataset]))).convert("L"))
    image = dataset.read("test", np.array([first]))[0].repeat(2, 0).repeat(2, 1)
    rows, columns = np.array(picture.shape) - image.shape
    assert any(
        (picture[top : top + 24, left : left + 24] == image).all()
        for top in range(0, rows + 1)
        for left in range(0, columns + 1)
        if picture[top, left] == image[0, 0]
    )


def test_mistakes_of_several_runs_are_added(dataset):
    labels = dataset.targets("test")
    found = [
        Predictions(
            np.where(np.arange(len(labels)) < count, (labels + 1) % 3, labels), np.arange(len(labels))
        )
        for count in (2, 3)
    ]
    every = mistakes(found, [dataset, dataset]).every
    assert sum(one.count for one in every) == 5
    assert {one.scale for one in every} == {""}
    right = Predictions(labels, np.arange(len(labels)))
    assert sheet(mistakes([right], [dataset]), [dataset]) is None


class Page(HTMLParser):
    """Collects what a page is made of; fails where an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.addresses = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "br", "img", "path", "use", "rect", "line"):
            self.open.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        if tag not in ("path", "use", "rect", "line"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href", "xlink:href")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def report(general, dataset):
    known = baselines("stir", set="mnist", scenario="small2large")
    labels = dataset.targets("test")
    wrong = mistakes([Predictions((labels + 1) % 3, np.arange(len(labels)))], [dataset])
    return Report(
        title="A <set> & more, test",
        facts={"command": ["stirdata evaluate <x>"], "dataset": ["one", "root digest abc"]},
        results={"generalization": general, "mistakes": wrong},
        published=known,
        comparison=general.compare(known),
        scenario="small2large",
        parts={"own": 0.9, "other": 0.5},
        sheet=sheet(wrong, [dataset]),
        notes=("Mind this.",),
    )


def test_the_page_has_everything_and_needs_no_network(report):
    files = report.files()
    page = Page(files["report.html"].decode())
    text = " ".join(page.words)
    for word in ("A <set> & more, test", "stirdata evaluate <x>", "root digest abc", "Mind this.", "<c>"):
        assert word in text
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert any(address.startswith("data:") for address in page.addresses)
    assert not re.search(rb"<script|@import|url\(http", files["report.html"])


def test_what_is_compared_is_shown_once(report):
    twice = replace(
        report, results={**report.results, "accuracy": evaluation.Accuracy(np.eye(4)[None], np.zeros(1))}
    )
    assert twice.page({}).count("Beside what others published") == 1


def test_the_files_of_a_report(report):
    pytest.importorskip("matplotlib")
    files = report.files()
    assert sorted(files) == [
        *("comparison.csv", "comparison.png", "comparison.svg"),
        *("generalization.csv", "generalization.png", "generalization.svg"),
        *("mistakes.csv", "mistakes.png", "report.html", "report.json"),
    ]
    content = json.loads(files["report.json"])
    assert content["schema"] == "stirdata/evaluation/1"
    assert content["parts"] == {"own": 0.9, "other": 0.5}
    rows = list(csv.reader(io.StringIO(files["generalization.csv"].decode())))
    assert rows[0] == ["scale (pixels)", "accuracy", "std", "images"]
    assert len(rows) == 49
    assert "accuracy at the scales of training 0.9000, at other scales 0.5000" in report.text()


def test_without_matplotlib_a_report_has_all_but_pictures(report, monkeypatch):
    monkeypatch.setattr("stirdata.evaluation.report.is_installed", lambda: False)
    files = report.files()
    assert not [name for name in files if name.endswith(".svg")]
    assert [name for name in files if name.endswith(".png")] == ["mistakes.png"]
    assert "<svg" not in Page(files["report.html"].decode()).words
