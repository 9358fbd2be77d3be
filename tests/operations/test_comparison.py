"""``stirdata diff``: per array equal or not, how many, by how much, where first."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from making import save_below
from stir_fixtures import run

from stirdata.errors import FormatError
from stirdata.operations.diff import compare, compare_files
from stirdata.storage import hdf5


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


@pytest.mark.parametrize(("first", "second"), list(permutations(["h5", "npz", "png"], 2)))
def test_a_realization_equals_itself_in_every_format(
    tmp_path: Path, small_realization: dict[str, np.ndarray], first: str, second: str
) -> None:
    one, other = (save_below(tmp_path, form, small_realization) for form in (first, second))
    found = compare_files(one, other)
    assert all(difference.equal for difference in found)
    assert {difference.name for difference in found} >= set(small_realization)
    assert ("metadata" in {difference.name for difference in found}) == ("png" not in (first, second))
    changed = {name: array.copy() for name, array in small_realization.items()}
    changed["val/images"][0, 14, 14] ^= 1
    another = save_below(tmp_path / "changed", second, changed, seed=8)
    differing = {difference.name for difference in compare_files(one, another) if not difference.equal}
    assert differing == {"val/images"} | (set() if "png" in (first, second) else {"metadata"})


def test_folders_without_arrays_are_not_equal_to_anything(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(1))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_bytes(b"")
    for one, other in permutations([tmp_path / "a.npz", tmp_path / "folder"]):
        with pytest.raises(FormatError, match="no arrays to compare"):
            compare_files(one, other)


def test_files_are_told_by_their_content(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "a.hdf5", {"x": np.zeros(1)}, {})
    np.savez(tmp_path / "a.npz", x=np.zeros(1))
    assert [difference.equal for difference in compare_files(tmp_path / "a.hdf5", tmp_path / "a.npz")] == [
        True
    ]
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(FormatError, match="unknown kind of file"):
        compare_files(tmp_path / "picture.png", tmp_path / "a.npz")
