"""STIR aerial: the published result on the stand-in pictures, and every way an object can be unfit."""

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
from photographs import Dota, at_scales, encoded, enough_ships, line, pixels

from stirdata.errors import SourceError
from stirdata.executors import InProcess
from stirdata.families.stir import aerial as recipe
from stirdata.families.stir.axes import SCALES, StirArrays
from stirdata.families.stir.crops import NOT_COLOUR, OUTSIDE, Plan, render
from stirdata.families.stir.objects import NOT_NEEDED, TOO_FEW, TOO_SMALL
from stirdata.families.stir.schema import check
from stirdata.sources import dota

DATA = Path(os.environ.get("STIRDATA_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")


def plan_of(folder: Path, seed: int = 42) -> Plan:
    return recipe.plan(dota.load(folder), seed)


def made_from(plan: Plan) -> StirArrays:
    return render(plan, recipe.rows(), InProcess())


@pytest.fixture(scope="module")
def corpus() -> Plan:
    if not (DATA / "corpus/dota").is_dir():
        pytest.skip(f"no stand-in pictures in {DATA}; set STIRDATA_TEST_DATA to the folder of the test data")
    return plan_of(DATA / "corpus/dota")


@pytest.fixture(scope="module")
def made(corpus: Plan) -> StirArrays:
    """Return the set at the scales of the reference."""
    return made_from(at_scales(corpus, (64, 45, 32, 17)))


@pytest.fixture(scope="module")
def reference() -> Iterator[dict[str, Any]]:
    path = DATA / "reference/stir_aerial.npz"
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


def test_fits_the_schema(made: StirArrays, corpus: Plan) -> None:
    check(made.as_dict(), frame=at_scales(corpus, (64, 45, 32, 17)).frame)
    assert not corpus.frame.square


def test_boxes_of_the_objects_are_inside_the_canvas(tmp_path: Path) -> None:
    """Objects are painted red, so that boxes, half as high as wide, can be found in the pixels."""
    ships = enough_ships()
    for name, text in ships.texts.items():
        picture = np.zeros((photographs.SIDE, photographs.SIDE, 3), np.uint8)
        for entry in text.decode().splitlines()[2:]:
            left, top, right, _, _, bottom = (int(float(word)) for word in entry.split()[:6])
            picture[top:bottom, left:right] = 255, 0, 0
        ships.pictures[name] = encoded(photographs.Image.fromarray(picture), "PNG")
    made = made_from(plan_of(ships.write(tmp_path)))
    for place in np.ndindex(3, 48, 1, 25):
        left, top = made.psts[place]
        box = made.imgs[place][top : top + SCALES[place[1]] // 2, left : left + SCALES[place[1]], 0]
        assert box.shape[1] >= SCALES[place[1]] - 1, place
        assert box[2:-2, 2:-2].min() > 150, place


def test_every_object_is_accounted_for(corpus: Plan) -> None:
    report = corpus.report
    assert report.taken + sum(report.left_out.values()) == 714
    assert [entry.name for entry in report.classes if entry.qualified] == ["plane", "ship", "tennis-court"]


def test_sets_take_turns_from_the_largest_down(tmp_path: Path) -> None:
    plan = plan_of(enough_ships(count=90).write(tmp_path))
    widths = plan.windows[:, 0, 0, :, 0].T.ravel()
    assert (np.diff(widths) >= 0).all()
    assert plan.report.left_out == {NOT_NEEDED: 15}


UNFIT = {
    "smaller than the canvas": (line(5, 5, 68, 68), TOO_SMALL),
    "empty": (line(5, 5, 5, 5), recipe.EMPTY),
    "flat": (line(5, 5, 85, 5), recipe.EMPTY),
    "too large for its picture": (line(5, 5, 90, 20), recipe.PICTURE_TOO_SMALL),
    "outside on the right": (line(350, 5, 421, 50), recipe.CORNER_OUTSIDE),
    "outside below": (line(5, 400, 76, 421), recipe.CORNER_OUTSIDE),
    "outside on the left": (line(-10, 5, 61, 50), OUTSIDE),
    "outside above": (line(5, -10, 76, 50), OUTSIDE),
    "of a rare class": (line(5, 5, 76, 76, "rare"), TOO_FEW),
}


@pytest.mark.parametrize("case", UNFIT)
def test_unfit_objects_are_left_out_and_counted(case: str, tmp_path: Path) -> None:
    unfit, reason = UNFIT[case]
    ships = enough_ships(size=64)
    expected = plan_of(ships.write(tmp_path / "without"))
    ships.add("unfit", [unfit])
    plan = plan_of(ships.write(tmp_path / "with"))
    assert plan.report.left_out == {reason: 1}
    np.testing.assert_array_equal(plan.windows, expected.windows)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_objects_in_pictures_without_three_channels(mode: str, tmp_path: Path) -> None:
    ships = enough_ships()
    ships.add("unfit", [line(5, 5, 80, 80)], encoded(pixels(420, 420).convert(mode), "PNG"))
    assert plan_of(ships.write(tmp_path)).report.left_out == {NOT_COLOUR: 1}


def test_picture_too_small_for_the_canvas(tmp_path: Path) -> None:
    # Five times as long as the object is enough, and leaves 5 * 17 pixels at the smallest scale.
    ships = enough_ships()
    ships.add("unfit", [line(5, 5, 80, 80)], encoded(pixels(420, 310), "PNG"))
    assert plan_of(ships.write(tmp_path)).report.left_out == {recipe.PICTURE_TOO_SMALL: 1}


def test_a_class_of_74_does_not_qualify(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no class has 75(.|\n)*ship has 74"):
        plan_of(enough_ships(count=74).write(tmp_path))


def test_no_objects_at_all(tmp_path: Path) -> None:
    empty = Dota()
    empty.add("a", [])
    with pytest.raises(SourceError, match="no objects at all"):
        plan_of(empty.write(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_corrupt_picture_stops_the_run(damage: str, tmp_path: Path) -> None:
    ships = enough_ships()
    content = bytearray(ships.pictures["P0016"])
    if damage == "flip":
        content[len(content) // 2] ^= 0xFF
    ships.pictures["P0016"] = bytes(content if damage == "flip" else content[: len(content) // 2])
    plan = plan_of(ships.write(tmp_path))
    with pytest.raises(SourceError, match=r"corrupt(.|\n)*P0016\.png in .*part2\.zip"):
        made_from(plan)


@given(
    length=st.integers(40, 3000),
    start=st.integers(-4, 2900),
    extent=st.integers(1, 900),
    longer=st.integers(0, 300),
)
def test_ranges_are_the_published_ones_where_those_are_not_empty(
    length: int, start: int, extent: int, longer: int
) -> None:
    size = max(64, extent + longer)
    found = recipe._axis(length, start, start + extent, size)
    for number, scale in enumerate(SCALES):
        factor = scale / size
        resized, edge, end = (round(value * factor) for value in (length, start, start + extent))
        low, high = max(0, end - 64), min(resized - 64, edge)
        if low <= high:
            assert (found.low[number], found.high[number], found.edge[number]) == (low, high, edge)
        if not found.problem:
            assert 0 <= found.low[number] <= found.high[number] <= resized - 64
            for begin in (found.low[number], found.high[number]):
                assert begin <= found.edge[number]
                assert min(found.edge[number] + end - edge, found.edge[number] + 64) <= begin + 64
