"""``stirdata diff``: per array equal or not, how many, by how much, where first."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stir_fixtures import run

from stirdata.comparison import compare


def test_integers_do_not_wrap_around() -> None:
    one = np.array([[0, 255, 7], [1, 1, 1]], np.uint8)
    other = np.array([[255, 0, 7], [1, 2, 1]], np.uint8)
    found = compare("a", one, other)
    assert (found.equal, found.count, found.largest, found.first) == (False, 3, 255.0, (0, 0))
    extremes = np.iinfo(np.int64)
    found = compare("a", np.array([extremes.min]), np.array([extremes.max]))
    assert found.largest == float(2**64 - 1)


@pytest.mark.parametrize(
    ("one", "other", "count", "largest"),
    [
        (np.array([1.0, np.nan]), np.array([1.5, np.nan]), 1, 0.5),
        (np.array([np.nan]), np.array([1.0]), 1, None),
        (np.array([np.inf]), np.array([np.inf]), 0, None),
        (np.array([True, False]), np.array([True, True]), 1, 1.0),
        (np.array(["a", "bc"]), np.array(["a", "bcd"]), 1, None),
        (np.array(["a"]), np.array(["a"], "<U9"), 0, None),
        (np.zeros((0, 3)), np.zeros((0, 3)), 0, None),
    ],
)
def test_every_kind_of_value(one: np.ndarray, other: np.ndarray, count: int, largest: float | None) -> None:
    found = compare("a", one, other)
    assert (found.count, found.largest, found.equal) == (count, largest, count == 0)


def test_shapes_and_types_are_compared_first() -> None:
    assert "shape (2,) against (3,)" in compare("a", np.zeros(2), np.zeros(3)).sentence()
    assert "dtype uint8 against int32" in compare("a", np.zeros(2, "u1"), np.zeros(2, "i4")).sentence()


def test_the_command_tells_and_exits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(one, x=np.arange(4), y=np.zeros(2), only=np.zeros(1))
    np.savez_compressed(other, y=np.zeros(2), x=np.array([0, 1, 5, 3]))
    assert run(capsys, "diff", one, one).code == 0
    differs = run(capsys, "diff", one, other)
    assert differs.code == 1
    assert "x: 1 of 4 values differ, by at most 3, first at (2,): 2 against 5" in differs.out
    assert "y: equal" in differs.out
    assert f"only: only in {one}" in differs.out
    result = json.loads(run(capsys, "diff", "--json", other, one).out)
    assert not result["equal"]
    assert result["arrays"][1]["first"] == [2]
    (tmp_path / "c.npz").write_bytes(b"nonsense")
    assert run(capsys, "diff", one, tmp_path / "c.npz").code == 2
    assert run(capsys, "diff", one, tmp_path / "none.npz").code == 2
