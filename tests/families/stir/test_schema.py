"""One schema: whatever breaks it is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stir_fixtures import small_frame, small_set

from stirdata.errors import FormatError
from stirdata.families.stir import schema as stir_schema

Arrays = dict[str, Any]


def content() -> Arrays:
    return {key: array.copy() for key, array in small_set().as_dict().items()}


def test_a_set_fits_and_tells_its_frame() -> None:
    assert stir_schema.problems(content()) == []
    assert stir_schema.problems(content(), small_frame()) == []
    assert stir_schema.check(content()) == replace(small_frame(), square=False)
    colour = small_set(small_frame(channels=3)).as_dict()
    assert stir_schema.check(colour).channels == 3


def outside(arrays: Arrays) -> None:
    arrays["psts"][1, 2, 0, 1] = (10, 0)


def negative(arrays: Arrays) -> None:
    arrays["psts"][0, 0, 0, 0] = (-1, 0)


def other_scale(arrays: Arrays) -> None:
    arrays["scls"][2, 1, 1, 0] = 8


def other_label(arrays: Arrays) -> None:
    arrays["lbls"][2, 1, 1, 0] = 0


def ascending(arrays: Arrays) -> None:
    for key in ("imgs", "scls", "psts"):
        arrays[key] = arrays[key][:, ::-1]


def scale_zero(arrays: Arrays) -> None:
    arrays["scls"][:, 2] = 0


def rows_renamed(arrays: Arrays) -> None:
    arrays["metadata"][0, 0] = "name"


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (outside, "psts"),
        (negative, "psts"),
        (other_scale, "scls"),
        (other_label, "lbls"),
        (ascending, "scls"),
        (scale_zero, "scls"),
        (rows_renamed, "metadata"),
        (lambda arrays: arrays.pop("lbldata"), "lbldata"),
        (lambda arrays: arrays.update(imgs=arrays["imgs"].astype(np.float32)), "imgs"),
        (lambda arrays: arrays.update(imgs=arrays["imgs"][:2]), "imgs"),
        (lambda arrays: arrays.update(imgs=arrays["imgs"][..., :5]), "imgs"),
        (lambda arrays: arrays.update(lbls=arrays["lbls"].astype(np.int64)), "lbls"),
        (lambda arrays: arrays.update(psts=arrays["psts"][..., 0]), "psts"),
        (lambda arrays: arrays.update(metadata=arrays["metadata"][:5]), "metadata"),
        (lambda arrays: arrays.update(lbldata=np.array([1, 2])), "lbldata"),
        (lambda arrays: arrays.update(lbldata=np.array(["a"])), "lbldata"),
    ],
)
def test_what_breaks_the_schema_is_named(damage: Callable[[Arrays], object], name: str) -> None:
    arrays = content()
    damage(arrays)
    found = stir_schema.problems(arrays, None if "psts" not in arrays else _square(arrays))
    assert name in [problem.name for problem in found]
    with pytest.raises(FormatError, match="is not that of a STIR set"):
        stir_schema.check(arrays, "file.npz", None if stir_schema.problems(arrays) else _square(arrays))


def _square(arrays: Arrays) -> Any:
    if stir_schema.problems(arrays):
        return None
    return replace(stir_schema.frame_of(arrays), square=True)


def test_other_axes_than_wanted_are_named() -> None:
    wanted = small_frame(scales=(12, 7, 4), classes=("a", "c"), instances=3)
    names = {problem.name for problem in stir_schema.problems(content(), wanted)}
    assert names == {"scls", "lbldata", "imgs"}


def test_boxes_that_are_longer_than_wide_may_reach_over_in_one_direction() -> None:
    arrays = content()
    arrays["psts"][0, 1, 0, 0] = (10, 2)
    assert stir_schema.problems(arrays) == []
    assert stir_schema.problems(arrays, small_frame())[0].name == "psts"
    arrays["psts"][0, 1, 0, 0] = (10, 9)
    assert stir_schema.problems(arrays)[0].name == "psts"


def test_big_endian_files_fit() -> None:
    arrays = content()
    arrays["psts"] = arrays["psts"].astype(">i4")
    assert stir_schema.problems(arrays) == []
