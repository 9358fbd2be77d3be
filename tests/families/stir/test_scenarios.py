"""The published evaluation scenarios, and scenarios of one's own."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stir_loading import assert_same, published, small_file

from stirdata import STIRDataset, scenarios
from stirdata.errors import ParameterError
from stirdata.families.stir.scenarios import Scenario

PUBLISHED = {
    "small2large": (list(range(17, 33)), list(range(33, 65))),
    "mid2rest": (list(range(33, 49)), [*range(17, 33), *range(49, 65)]),
    "large2small": (list(range(49, 65)), list(range(17, 49))),
    "all2all": (list(range(17, 65)), list(range(17, 65))),
}


@pytest.mark.parametrize(("number", "name"), list(enumerate(PUBLISHED, 1)))
def test_the_four_by_number_by_name_and_by_attribute(number: int, name: str) -> None:
    scenario = getattr(scenarios, name)
    assert scenarios.get(number) is scenarios.get(name) is scenarios.ALL[name] is scenario
    assert scenarios.get(np.int64(number)) is scenario
    train, test = PUBLISHED[name]
    assert (scenario.name, list(scenario.train), list(scenario.valid), list(scenario.test)) == (
        name,
        train,
        train,
        test,
    )


@pytest.mark.parametrize("which", [0, 5, -1, "small", "1", None, 1.0, True])
def test_unknown_scenarios(which: Any) -> None:
    with pytest.raises(ParameterError, match="unknown scenario") as error:
        scenarios.get(which)
    assert error.value.expected == "1 small2large, 2 mid2rest, 3 large2small, 4 all2all"
    assert error.value.got == repr(which)


@pytest.mark.parametrize("name", PUBLISHED)
def test_one_call_gives_all_three_selections(name: str, tmp_path: Path) -> None:
    path = small_file(tmp_path, "published")
    train, test = PUBLISHED[name]
    found = getattr(scenarios, name)(STIRDataset(path), latents=True)
    assert found._fields == ("train", "valid", "test")
    for part, split, scales in (("train", "train", train), ("valid", "valid", train), ("test", "test", test)):
        expected = published(path, split, scales, shuffle=part == "train")
        assert_same([tensor.numpy() for tensor in getattr(found, part)], expected)


def test_options_go_to_all_three(tmp_path: Path) -> None:
    dataset = STIRDataset(small_file(tmp_path, "published"))
    found = scenarios.mid2rest(dataset, "cpu", shuffle=False, dtype=torch.float16, normalize=(0.5, 0.5))
    assert [part.images.dtype for part in found] == [torch.float16] * 3
    assert [len(part.tensors) for part in found] == [2] * 3
    expected = dataset.to_torch(
        "train", range(33, 49), shuffle=False, dtype=torch.float16, normalize=(0.5, 0.5)
    )
    assert torch.equal(found.train.images, expected.images)


def test_test_images_come_scale_by_scale(tmp_path: Path) -> None:
    found = scenarios.large2small(STIRDataset(small_file(tmp_path, "published")), latents=True)
    scales = found.test.tensors[2].reshape(len(scenarios.large2small.test), -1)
    assert scales.unique(dim=1)[:, 0].tolist() == list(scenarios.large2small.test)


def test_a_scenario_of_ones_own(tmp_path: Path) -> None:
    own = Scenario("own", [7], np.array([7]), (scale for scale in (3, 12)))  # type: ignore[arg-type]
    assert (own.train, own.valid, own.test) == ((7,), (7,), (3, 12))
    found = own(STIRDataset(small_file(tmp_path)))
    assert [len(part) for part in found] == [4, 4, 8]
    assert pickle.loads(pickle.dumps(own)) == own


def test_testing_where_one_trains_must_be_wanted() -> None:
    with pytest.raises(ParameterError, match="tests at scales that it trains at") as error:
        Scenario("own", range(17, 30), range(17, 30), range(28, 65))
    assert (error.value.where, error.value.got) == ("scenario own", "28, 29")
    assert "allow_overlap=True" in error.value.hint
    wanted = Scenario("own", range(17, 30), range(17, 30), range(28, 65), allow_overlap=True)
    assert wanted.test == range(28, 65)


@pytest.mark.parametrize("scales", [[], range(0), [17.0], [True], [17, 17], 17, "17", [[17]], None])
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_a_scenario_needs_scales(part: str, scales: Any) -> None:
    parts: dict[str, Any] = {"train": [17], "valid": [18], "test": [19], part: scales}
    with pytest.raises(ParameterError, match="needs scales") as error:
        Scenario("own", **parts)
    assert (error.value.where, error.value.got) == (part, repr(scales))


def test_only_stir_sets_are_selected_from() -> None:
    with pytest.raises(ParameterError, match="selects from a STIR set"):
        scenarios.small2large("mnist.npz")  # type: ignore[arg-type]


def test_scales_that_the_set_lacks(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="no images of this scale"):
        scenarios.small2large(STIRDataset(small_file(tmp_path)))
