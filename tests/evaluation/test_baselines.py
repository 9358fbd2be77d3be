"""Published figures, and a result beside them."""

import csv
import json
import math

import numpy as np
import pytest
import torch

from stirdata.errors import ParameterError
from stirdata.evaluation import baselines, scale_generalization
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
