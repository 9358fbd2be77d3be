"""STIR trafficsign: the published result on the stand-in pictures, and every way an object can be unfit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import photographs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import Mapillary, at_scales, encoded, enough_signs, pixels, sign, write_zip

from stirdata.errors import ParameterError, SourceError
from stirdata.executors import InProcess, processes
from stirdata.families.stir import trafficsign as recipe
from stirdata.families.stir.axes import SCALES, StirArrays
from stirdata.families.stir.crops import NO_ROOM, NOT_COLOUR, OTHER_SIZE, OUTSIDE, Plan, render
from stirdata.families.stir.objects import NOT_NEEDED, TOO_FEW, TOO_SMALL
from stirdata.families.stir.schema import check
from stirdata.sources import mapillary

DATA = Path(os.environ.get("STIRDATA_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def plan_of(folder: Path, seed: int = 42) -> Plan:
    return recipe.plan(mapillary.load(folder), seed)


def made_from(plan: Plan) -> StirArrays:
    return render(plan, recipe.rows(), InProcess())


@pytest.fixture(scope="module")
def corpus() -> Plan:
    if not (DATA / "corpus/mapillary").is_dir():
        pytest.skip(f"no stand-in pictures in {DATA}; set STIRDATA_TEST_DATA to the folder of the test data")
    return plan_of(DATA / "corpus/mapillary")


@pytest.fixture(scope="module")
def made(corpus: Plan) -> StirArrays:
    """Return the set at the scales of the reference."""
    return made_from(at_scales(corpus, (64, 45, 32, 17)))


@pytest.fixture(scope="module")
def reference() -> Iterator[dict[str, Any]]:
    path = DATA / "reference/stir_trafficsign.npz"
    if not path.is_file():
        pytest.skip(f"no reference in {DATA}; set STIRDATA_TEST_DATA to the folder of the test data")
    with np.load(path, allow_pickle=False) as archive:
        yield dict(archive)


@pytest.mark.parametrize("key", ["imgs", "lbls", "scls", "psts"])
def test_equals_what_the_published_recipe_makes(
    key: str, made: StirArrays, reference: dict[str, Any]
) -> None:
    assert reference["scales"].tolist() == [64, 45, 32, 17]
    sample = getattr(made, key)[np.ix_(range(3), range(4), reference["classes"], reference["instances"])]
    np.testing.assert_array_equal(sample, reference[key])
    assert made.lbldata.tolist() == reference["lbldata"].tolist()


def test_fits_the_schema_and_boxes_are_inside(made: StirArrays, corpus: Plan) -> None:
    check(made.as_dict(), frame=at_scales(corpus, (64, 45, 32, 17)).frame)
    assert (corpus.positions >= 0).all()
    sizes = np.array(corpus.frame.scales)[:, None, None, None]
    assert (corpus.positions + sizes <= 64).all()


def test_every_object_is_accounted_for(corpus: Plan) -> None:
    report = corpus.report
    assert report.taken + sum(report.left_out.values()) == 652
    assert [entry.name for entry in report.classes if entry.qualified] == list(corpus.frame.classes)
    assert report.lines()[0].startswith("3 of 5 classes qualified: information--parking--g1")


def test_again_is_the_same_and_another_seed_is_not(tmp_path: Path) -> None:
    enough_signs().write(tmp_path)
    first, again, other = (plan_of(tmp_path, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.windows, again.windows)
    assert (first.windows != other.windows).any()
    with pytest.raises(ParameterError, match="seed"):
        plan_of(tmp_path, -1)


def test_sets_take_turns_from_the_largest_down(tmp_path: Path) -> None:
    signs = enough_signs(count=90)
    plan = plan_of(signs.write(tmp_path))
    assert plan.frame.shape == (3, 48, 1, 25)
    # At scale 64 the resized pictures are the smaller, the larger the object is.
    widths = plan.windows[:, 0, 0, :, 0].T.ravel()
    assert (np.diff(widths) >= 0).all()
    assert plan.report.left_out == {NOT_NEEDED: 15}


def test_one_object_is_all_of_its_crop_at_every_scale(tmp_path: Path) -> None:
    """Signs are painted red, so that the box can be found in the pixels."""
    signs = enough_signs()
    for key, entry in signs.annotations.items():
        picture = np.zeros((photographs.SIDE, photographs.SIDE, 3), np.uint8)
        for item in entry["objects"]:
            box = {name: int(value) for name, value in item["bbox"].items()}
            picture[box["ymin"] : box["ymax"], box["xmin"] : box["xmax"]] = 255, 0, 0
        signs.pictures[key] = encoded(photographs.Image.fromarray(picture), "JPEG", quality=95)
    made = made_from(plan_of(signs.write(tmp_path)))
    for place in np.ndindex(3, 48, 1, 25):
        left, top = made.psts[place]
        box = made.imgs[place][top : top + SCALES[place[1]], left : left + SCALES[place[1]], 0]
        assert box[2:-2, 2:-2].min() > 150, place


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "smaller than the canvas": (sign(5, 5, 68, 68), TOO_SMALL),
    "not square": (sign(5, 5, 105, 110), recipe.NOT_SQUARE),
    "reversed": (sign(105, 5, 5, 105), recipe.EMPTY),
    "reversed both ways": (sign(105, 105, 5, 5), recipe.EMPTY),
    "empty": (sign(5, 5, 5, 5), recipe.EMPTY),
    "outside on the right": (sign(400, 5, 500, 105), OUTSIDE),
    "outside on the left": (sign(-50, 5, 50, 105), OUTSIDE),
    "outside below": (sign(5, 1000, 105, 1100), OUTSIDE),
    "outside above": (sign(5, -1000, 105, -900), OUTSIDE),
    "unnamed": (sign(5, 5, 105, 105, "other-sign"), recipe.NO_CLASS),
    "of a rare class": (sign(5, 5, 105, 105, "rare"), TOO_FEW),
}


@pytest.mark.parametrize("case", UNFIT)
def test_unfit_objects_are_left_out_and_counted(case: str, tmp_path: Path) -> None:
    unfit, reason = UNFIT[case]
    signs = enough_signs()
    expected = plan_of(signs.write(tmp_path / "without"))
    signs.add("unfit", [unfit])
    plan = plan_of(signs.write(tmp_path / "with"))
    assert plan.report.left_out == {reason: 1}
    np.testing.assert_array_equal(plan.windows, expected.windows)


@pytest.mark.parametrize(
    ("picture", "size", "reason"),
    [
        (encoded(pixels(420, 420).convert("L"), "JPEG"), {}, NOT_COLOUR),
        (encoded(pixels(420, 420).convert("CMYK"), "JPEG"), {}, NOT_COLOUR),
        (encoded(pixels(421, 420), "JPEG"), {}, OTHER_SIZE),
        (encoded(pixels(200, 420), "JPEG"), {"width": 200}, NO_ROOM),
        (encoded(pixels(420, 200), "JPEG"), {"height": 200}, NO_ROOM),
    ],
)
def test_objects_in_unfit_pictures(picture: bytes, size: dict[str, int], reason: str, tmp_path: Path) -> None:
    signs = enough_signs()
    signs.add("unfit", [sign(5, 5, 105, 105), sign(10, 10, 115, 115)], picture, **size)
    plan = plan_of(signs.write(tmp_path))
    assert plan.report.left_out == {reason: 2}
    assert plan.report.taken == 75


def test_a_class_of_74_does_not_qualify(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no class has 75(.|\n)*stop has 74"):
        plan_of(enough_signs(count=74).write(tmp_path))


def test_no_objects_at_all(tmp_path: Path) -> None:
    empty = Mapillary()
    empty.add("a", [])
    with pytest.raises(SourceError, match=r"no class has 75(.|\n)*no objects at all"):
        plan_of(empty.write(tmp_path))


def test_corrupt_picture_stops_the_run(tmp_path: Path) -> None:
    signs = enough_signs()
    signs.pictures["pic016"] = signs.pictures["pic016"][:2000]
    plan = plan_of(signs.write(tmp_path))
    with pytest.raises(SourceError, match=r"corrupt(.|\n)*pic016\.jpg in .*train\.1\.zip"):
        made_from(plan)


def test_corrupt_picture_in_a_worker(tmp_path: Path) -> None:
    signs = enough_signs()
    signs.pictures["pic016"] = signs.pictures["pic016"][:2000]
    plan = plan_of(signs.write(tmp_path))
    with pytest.raises(SourceError, match=r"pic016\.jpg in .*train\.1\.zip"), processes(2) as executor:
        render(plan, recipe.rows(), executor)


def test_archive_with_a_dangerous_name(tmp_path: Path) -> None:
    enough_signs().write(tmp_path)
    write_zip(tmp_path / "val.zip", {"../../evil.jpg": b""})
    with pytest.raises(SourceError, match="leads out of the folder"):
        plan_of(tmp_path)


@given(
    length=st.integers(40, 3000),
    start=st.integers(-4, 2900),
    extent=st.integers(64, 900),
)
def test_ranges_are_the_published_ones_where_those_are_not_empty(
    length: int, start: int, extent: int
) -> None:
    found = recipe._axis(length, start, extent)
    for number, scale in enumerate(SCALES):
        resized, edge = round(length * scale / extent), round(start * scale / extent)
        low, high = max(0, edge + scale - 64), min(resized - 64, edge)
        assert found.resized[number] == resized
        if low <= high:
            assert (found.low[number], found.high[number], found.edge[number]) == (low, high, edge)
    if not found.problem:
        scales = np.array(SCALES)
        assert (found.low >= 0).all()
        assert (found.low <= found.high).all()
        assert (found.high + 64 <= found.resized).all()
        for begin in (found.low, found.high):
            assert (begin <= found.edge).all()
            assert (found.edge + scales <= begin + 64).all()
    elif start >= 0 and start + extent <= length:
        assert min(found.resized) < 64  # nothing inside the picture is refused for another reason
