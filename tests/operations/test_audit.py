"""Whether datasets are sound: planted faults are found and no others, as by a comparison of all pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import save, save_dataset

import stirdata
from stirdata.errors import MissingFileError, ParameterError
from stirdata.families import families
from stirdata.operations.audit import Audit, Image, audit

Arrays = dict[str, Any]


@pytest.fixture
def arrays() -> Arrays:
    """Return a realization of 40, 20 and 30 images of noise."""
    job = families()["mnist-scale"].specimen()
    return {name: np.array(array) for name, array in _made(job).items()}


def _made(job: Any) -> Any:
    from stirdata.executors import Workers

    with Workers(1) as workers:
        return job.make(workers, lambda count: None).arrays


@pytest.fixture
def audited(tmp_path: Path) -> Callable[..., Audit]:
    """Return a function that writes realizations as 0.h5, 1.h5, … and audits them."""

    def run(*several: Arrays, form: str = "h5", near: float | None = None) -> Audit:
        for number, arrays in enumerate(several):
            save(tmp_path / f"{number}.{form}", arrays)
        return audit(*(tmp_path / f"{number}.{form}" for number in range(len(several))), near=near)

    return run


def told(found: Audit, tmp_path: Path) -> list[tuple[str, int, str]]:
    return [(one.level, one.count, one.what.replace(f"{tmp_path}/", "")) for one in found.findings]


def test_a_sound_set_has_no_findings_and_its_facts(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    found = audited(arrays)
    assert found.findings == ()
    (dataset,) = found.datasets
    assert (dataset.path, dataset.title) == (str(tmp_path / "0.h5"), "MNIST-scale")
    assert {name: facts.images for name, facts in dataset.splits.items()} == {
        "train": 40,
        "val": 20,
        "test": 30,
    }
    train, scales = dataset.splits["train"], arrays["train/scales"]
    assert list(train.classes.values()) == np.bincount(arrays["train/labels"], minlength=10).tolist()
    assert (train.smallest_scale, train.largest_scale) == (scales.min(), scales.max())
    assert (train.blank, train.saturated) == (0, 0)


def test_equal_images_are_found_wherever_they_are(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    arrays["test/images"][7] = arrays["test/images"][8] = arrays["train/images"][3]
    arrays["val/images"][5] = arrays["val/images"][2]
    found = audited(arrays)
    assert told(found, tmp_path) == [
        ("leak", 2, "test of 0.h5 shares 2 images with train of 0.h5"),
        ("imbalance", 1, "val of 0.h5 has 1 image more than once"),
        (
            "imbalance",
            1,
            "test of 0.h5 has 1 image more than once",
        ),
    ]
    path = str(tmp_path / "0.h5")
    assert found.findings[0].examples == (
        Image(path, "test", 7),
        Image(path, "train", 3),
        Image(path, "test", 8),
        Image(path, "train", 3),
    )
    assert found.findings[1].examples == (Image(path, "val", 5), Image(path, "val", 2))


def test_images_that_show_nothing_are_not_told_as_equal(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    arrays["train/images"][:2] = 0
    arrays["test/images"][4] = 0
    arrays["test/images"][9] = 255
    found = audited(arrays)
    assert told(found, tmp_path) == [
        ("blank", 2, "train of 0.h5 has 2 images of one level only"),
        ("blank", 2, "test of 0.h5 has 2 images of one level only"),
    ]
    assert [image.number for image in found.findings[1].examples] == [4, 9]
    assert found.datasets[0].splits["test"].blank == 2
    assert found.datasets[0].splits["test"].saturated == 1


@pytest.mark.parametrize(("values", "count"), [(391, 0), (392, 1)])
def test_saturated_is_half_of_the_values(audited: Any, arrays: Arrays, values: int, count: int) -> None:
    image = np.arange(784) % 250
    image[:values] = 255
    arrays["val/images"][6] = image.reshape(28, 28)
    found = audited(arrays)
    assert found.datasets[0].splits["val"].saturated == count
    assert [(one.level, one.count, one.examples[0].number) for one in found.findings] == [
        ("blank", 1, 6)
    ] * count


def test_a_scale_that_was_not_declared(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    arrays["train/scales"][[3, 5]] = 0.29, 1.01
    arrays["train/scales"][[6, 7]] = 0.3, 1.0
    what = "train of 0.h5 has 2 images at a scale that the dataset does not say it has"
    assert told(audited(arrays), tmp_path) == [("blank", 2, what)]


def test_classes_that_are_missing_or_rare(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    arrays["val/labels"][:] = np.arange(20) % 9
    found = told(audited(arrays), tmp_path)
    assert found == [("imbalance", 3, "val of 0.h5 has 0 images of 9 and 3 of 0")]
    assert set(arrays["val/labels"].tolist()) == set(range(9))


def test_images_of_the_same_original(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    arrays["test/source_index"][[1, 2, 3]] = arrays["train/source_index"][[10, 10, 20]]
    what = "test of 0.h5 shares 2 images of the source with train of 0.h5, in 3 images of its own"
    assert told(audited(arrays), tmp_path) == [("leak", 3, what)]


def test_two_sets_are_asked_what_one_trains_and_the_other_tests(
    audited: Any, arrays: Arrays, tmp_path: Path
) -> None:
    other = {name: array.copy() for name, array in arrays.items()}
    for split in ("train", "val", "test"):
        other[f"{split}/images"] = np.roll(other[f"{split}/images"], 1, axis=2)
        other[f"{split}/source_index"] += 1000
    assert audited(arrays, other).findings == ()
    other["train/images"][0] = arrays["train/images"][0]  # trained on twice
    other["test/images"][0] = arrays["test/images"][0]  # tested on twice
    assert audited(arrays, other).findings == ()
    other["test/images"][1] = arrays["train/images"][1]
    arrays["val/source_index"][2] = other["train/source_index"][2]
    assert told(audited(arrays, other), tmp_path) == [
        ("leak", 1, "test of 1.h5 shares 1 image with train of 0.h5"),
        (
            "leak",
            1,
            "val of 0.h5 shares 1 image of the source with train of 1.h5, in 1 image of its own",
        ),
    ]


def test_an_object_beyond_the_canvas(tmp_path: Path) -> None:
    family = families()["scaled"]
    job = family.specimen()
    arrays = {name: np.array(array) for name, array in _whole(_made(job)).items()}
    target = tmp_path / "set.h5"
    side = arrays["train/images"].shape[1]
    arrays["train/positions"][0] = side, 0
    arrays["train/positions"][1] = -arrays["train/sizes"][1]
    arrays["train/positions"][2] = 1 - arrays["train/sizes"][2]
    save_dataset(target, arrays, job.description)
    flaws = [one for one in audit(target).findings if "nowhere on the canvas" in one.what]
    assert [(one.level, one.count, [image.number for image in one.examples]) for one in flaws] == [
        ("blank", 2, [0, 1])
    ]


def _whole(arrays: Any) -> Any:
    from making import whole

    return {name: whole(array) for name, array in arrays.items()}


@given(data=st.data())
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_are_those_of_comparing_all_pairs(data: Any, arrays: Arrays, tmp_path_factory: Any) -> None:
    """Of few different images, among them blank ones, in random places of two sets."""
    few = np.random.RandomState(0).randint(0, 256, (6, 28, 28)).astype(np.uint8)
    few[0] = 0
    folder, several = tmp_path_factory.mktemp("audit"), []
    for number in range(2):
        made = {name: array.copy() for name, array in arrays.items()}
        for split, count in (("train", 40), ("val", 20), ("test", 30)):
            chosen = data.draw(st.lists(st.integers(0, 5), max_size=count))
            made[f"{split}/images"][: len(chosen)] = few[chosen]
            made[f"{split}/images"][len(chosen) :, 0, 0] = np.arange(count - len(chosen)) + 100 * number
            made[f"{split}/source_index"][:] += 1000 * number
        several.append(made)
        save(folder / f"{number}.h5", made)

    def images(place: tuple[int, str]) -> list[bytes]:
        array = several[place[0]][f"{place[1]}/images"]
        return [image.tobytes() for image in array if image.min() != image.max()]

    expected = {}
    places = [(number, split) for number in range(2) for split in ("train", "val", "test")]
    for at, one in enumerate(places):
        again = len(images(one)) - len(set(images(one)))
        expected[one, one] = again
        for other in places[at + 1 :]:
            pair = (one, other)
            if one[0] != other[0]:
                if (one[1] == "train") == (other[1] == "train"):
                    continue
                pair = (one, other) if one[1] == "train" else (other, one)
            expected[pair] = sum(image in set(images(pair[0])) for image in images(pair[1]))
    found: dict[Any, int] = {}
    for finding in audit(folder / "0.h5", folder / "1.h5").findings:
        if finding.twins:
            twin, original = finding.examples[0], finding.examples[1]
            key = tuple((int(Path(image.path).stem), image.split) for image in (original, twin))
            found[key] = finding.count
    assert found == {pair: count for pair, count in expected.items() if count}


def test_images_that_are_nearly_equal(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    """A level more in three quarters of the values; what is equal, or of one level only, is told as such."""
    arrays["train/images"][3] = np.minimum(arrays["train/images"][3], 254)
    nearly = arrays["train/images"][3].copy()
    nearly[:21] += 1
    arrays["test/images"][0], arrays["test/images"][7] = 9, nearly
    arrays["test/images"][8] = arrays["train/images"][3]
    arrays["val/images"][1] = 10
    found = told(audited(arrays, near=0.75), tmp_path)
    like = "but for 0.75 levels on average or less"
    assert found == [
        ("leak", 1, "test of 0.h5 shares 1 image with train of 0.h5"),
        ("leak", 1, f"test of 0.h5 has 1 image like one in train of 0.h5, {like}"),
        ("blank", 1, "val of 0.h5 has 1 image of one level only"),
        ("blank", 1, "test of 0.h5 has 1 image of one level only"),
        ("imbalance", 1, f"test of 0.h5 has 1 image like an earlier one there, {like}"),
    ]
    twins = [image.number for image in audited(arrays, near=0.75).findings[1].examples]
    assert twins == [7, 3]
    assert not [one for one in told(audited(arrays, near=0.74), tmp_path) if "like" in one[2]]


@pytest.mark.parametrize("near", [0, -1, float("nan"), float("inf"), "2"])
def test_a_difference_that_is_none_is_refused(audited: Any, arrays: Arrays, near: Any) -> None:
    with pytest.raises(ParameterError, match="no difference of levels"):
        audited(arrays, near=near)


def test_levels_include_the_worse_ones(audited: Any, arrays: Arrays) -> None:
    arrays["test/images"][7] = arrays["train/images"][3]
    arrays["test/images"][8] = 0
    found = audited(arrays)
    assert [len(found.at_least(level)) for level in ("leak", "blank", "imbalance")] == [1, 2, 2]
    with pytest.raises(ParameterError, match="unknown level"):
        found.at_least("worse")


def test_a_tree_without_its_table_is_audited_as_far_as_it_goes(
    audited: Any, arrays: Arrays, tmp_path: Path
) -> None:
    arrays["test/images"][7] = arrays["train/images"][3]
    save(tmp_path / "tree", arrays)
    (tmp_path / "tree" / "scales.csv").unlink()
    found = audit(tmp_path / "tree")
    assert [(one.level, one.count) for one in found.findings] == [("leak", 1)]
    assert found.datasets[0].splits["train"].smallest_scale is None


def test_bad_paths_are_told(audited: Any, arrays: Arrays, tmp_path: Path) -> None:
    audited(arrays)
    with pytest.raises(ParameterError, match="nothing to audit"):
        audit()
    with pytest.raises(ParameterError, match="named twice"):
        audit(tmp_path / "0.h5", tmp_path / ".." / tmp_path.name / "0.h5")
    with pytest.raises(MissingFileError):
        audit(tmp_path / "1.h5")
    assert stirdata.audit is audit


def test_the_command(audited: Any, arrays: Arrays, tmp_path: Path, stirdata: Any) -> None:
    audited(arrays)
    sound = stirdata("audit", tmp_path / "0.h5", "--fail-on", "imbalance")
    assert sound.code == 0
    assert sound.lines[0] == f"{tmp_path / '0.h5'}: MNIST-scale"
    assert sound.lines[1].startswith("  train: 40 images, 4 in each of 10 classes, scales 0.")
    assert sound.lines[-1] == "no findings"
    arrays["test/images"][7] = arrays["test/images"][8] = arrays["train/images"][3]
    arrays["test/images"][9] = 0
    audited(arrays)
    for level, code in ((None, 0), ("leak", 1), ("blank", 1), ("imbalance", 1)):
        flag = ("--fail-on", level) if level else ()
        assert stirdata("audit", tmp_path / "0.h5", *flag).code == code
    lines = stirdata("audit", tmp_path / "0.h5").lines
    assert lines[4:6] == [
        f"leak: test of {tmp_path / '0.h5'} shares 2 images with train of {tmp_path / '0.h5'}",
        "  test[7] = train[3], test[8] = train[3]",
    ]
    assert lines[-1] == "  test[8] = test[7]"
    told = json.loads(stirdata("audit", tmp_path / "0.h5", "--json").out)
    assert [finding["level"] for finding in told["findings"]] == ["leak", "blank", "imbalance"]
    assert told["datasets"][0]["splits"]["test"]["blank"] == 1
    assert stirdata("audit", tmp_path / "0.h5", "--near", "1").lines[:-1] == lines[:-1]
    assert stirdata("audit", tmp_path / "0.h5", "--near", "0").code == 2
    assert stirdata("audit", tmp_path / "none.h5").code == 2
    assert stirdata("audit").code == 2
