"""Published figures, and a result beside them."""

import csv
import json
import math

import numpy as np
import pytest
import torch

from stirdata.errors import ParameterError
from stirdata.evaluation import accuracy, baselines, scale_generalization
from stirdata.families.stir import scenarios

SETS = ("emoji", "mnist", "trafficsign", "aerial")


def test_every_figure_is_the_published_one(test_data):
    path = test_data / "baselines" / "stir_scale_generalization.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    count = 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    known = {(name, one): baselines("stir", set=name, scenario=one) for name in SETS for one in scenarios.ALL}
    for row in rows:
        found = known[row["dataset"], row["scenario"]]
        model, scale = found.models.index(row["model"]), int(row["scale"]) - 17
        assert found.scales[scale] == int(row["scale"])
        assert found.mean[model, scale] == float(row["accuracy_mean"])
        assert found.std[model, scale] == float(row["accuracy_std"])
        assert found.runs[model] == int(row["runs"])
        count += 1
    assert count == len(rows) == sum(found.mean.size for found in known.values())


@pytest.mark.parametrize("scenario", scenarios.ALL.values(), ids=lambda scenario: scenario.name)
def test_trained_scales_are_those_of_the_scenario(scenario):
    found = baselines("stir", set="mnist", scenario=scenario.name)
    assert sorted(found.trained) == sorted(scenario.train)
    assert found.columns()["scale (pixels)"] == list(range(17, 65))
    json.dumps(found.as_json())


def result_of(right):
    """Return the result of a network that is right at some share of ten images of each scale."""
    scales = sorted(right)
    labels = torch.tensor([label for _ in scales for label in range(10)])
    wrong = [label >= round(10 * right[scale]) for scale in scales for label in range(10)]
    images = torch.tensor([(label + one) % 10 for label, one in zip(labels.tolist(), wrong, strict=True)])

    def model(pixels):
        return torch.nn.functional.one_hot(pixels.flatten().long(), 10).float()

    given = images[:, None, None, None].float(), labels, torch.tensor(np.repeat(scales, 10))
    return scale_generalization(model, given)


def test_beside_the_published_ones():
    known = baselines("stir", set="mnist", scenario="small2large")
    result = result_of({17: 0.9, 32: 0.8, 33: 0.5, 64: 0.1})
    found = result.compare(known)
    at = [0, 15], [16, 47]
    for part, columns, own in (("trained", at[0], 0.85), ("others", at[1], 0.3)):
        wanted = known.mean[:, columns].mean(axis=1)
        assert found.own[part] == pytest.approx(own)
        assert found.published[part].tolist() == pytest.approx(wanted.tolist())
        assert found.rank(part) == 1 + sum(value > own for value in wanted)
        assert found.difference(part).tolist() == pytest.approx((100 * (own - wanted)).tolist())
    table = found.columns()
    assert table["model"] == ["this network", *known.models]
    assert table["points (trained)"][0] is None
    assert "this network" in found.table()
    assert json.loads(json.dumps(found.as_json()))["rank"]["others"] == found.rank("others")


def test_best_and_worst():
    known = baselines("stir", set="emoji", scenario="small2large")
    assert result_of({20: 1.0, 40: 1.0}).compare(known).rank("others") == 1
    assert result_of({20: 0.0, 40: 0.0}).compare(known).rank("others") == 12
    assert list(result_of({20: 0.5}).compare(known).own) == ["trained"]


def test_what_is_not_published():
    for options in ({"set": "leaves"}, {"scenario": "none"}, {"of": "cifar"}):
        given = {"of": "stir", "set": "mnist", "scenario": "all2all", **options}
        with pytest.raises(ParameterError, match="nothing is published"):
            baselines(given.pop("of"), **given)
    known = baselines("stir", set="mnist", scenario="all2all")
    with pytest.raises(ParameterError, match="not published") as told:
        result_of({16: 0.5, 17: 0.5}).compare(known)
    assert told.value.got == "16"
    assert not math.isnan(result_of({17: 0.5}).compare(known).own["trained"])


def test_every_figure_of_the_tables_is_the_published_one(test_data):
    path = test_data / "baselines" / "sesn_tables.json"
    if not path.is_file():
        pytest.skip(f"no {path}")
    tables = json.loads(path.read_text())
    errors, count = tables["mnist_scale_error_percent"], 0
    for reproduced, runs in ((False, 6), (True, 3)):
        models = errors["reproduced" if reproduced else "published"]
        for number, regime in enumerate(errors["regimes"]):
            found = baselines("mnist-scale", scenario=regime, reproduced=reproduced)
            wanted = {name: row[number] for name, row in models.items() if name != "note" and row[number]}
            assert dict(zip(found.models, zip(found.mean, found.std, strict=True), strict=True)) == {
                name: tuple(pair) for name, pair in wanted.items()
            }
            assert (found.runs, found.measure) == (runs, "error (%)")
            count += len(wanted)
    assert count == 40 + 24
    for number, regime in enumerate(["28", "56"]):
        found = baselines("mnist-scale-seconds", scenario=regime)
        wanted = tables["mnist_scale_seconds_per_epoch"]["published"]
        assert dict(zip(found.models, found.mean, strict=True)) == {
            name: row[number] for name, row in wanted.items()
        }
    for reproduced in (False, True):
        found = baselines("stl10", reproduced=reproduced)
        wanted = tables["stl10_error_percent"]["reproduced" if reproduced else "published"]
        assert dict(zip(found.models, found.mean, strict=True)) == wanted
        assert np.isnan(found.std).all()


def test_a_result_beside_a_table():
    """An error of 2.05 % is better than the best published one, 2.08."""
    images, labels = torch.zeros(2000, 1, 2, 2), torch.zeros(2000, dtype=torch.int64)
    labels[:41] = 1
    found = accuracy(lambda x: torch.tensor([[1.0, 0.0]]).expand(len(x), 2), (images, labels), quiet=True)
    beside = found.compare(baselines("mnist-scale", scenario="28"))
    assert beside.own == {"all": 1 - 41 / 2000}
    assert beside.rank("all") == 1
    assert beside.difference("all")[beside.models.index("SESN Vector")] == pytest.approx(2.08 - 2.05)
    json.dumps(beside.as_json())
    with pytest.raises(ParameterError, match="no errors over all images"):
        found.compare(baselines("mnist-scale-seconds", scenario="28"))
    with pytest.raises(ParameterError, match="no errors over all images"):
        found.compare(baselines("stir", set="mnist", scenario="small2large"))


@pytest.mark.parametrize(
    "names",
    [
        {"of": "mnist-scale"},
        {"of": "mnist-scale", "scenario": "29"},
        {"of": "mnist-scale", "scenario": "28", "set": "mnist"},
        {"of": "mnist-scale-seconds", "scenario": "28", "reproduced": True},
        {"of": "stl10", "scenario": "28"},
        {"of": "stir", "set": "mnist", "scenario": "small2large", "reproduced": True},
    ],
)
def test_tables_that_are_not_there(names):
    with pytest.raises(ParameterError):
        baselines(**names)
