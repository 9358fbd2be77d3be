"""Sets of one's own: true boxes, and no image that changes because of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stir_fixtures import DISC, needs_cairo, picture_folder

from stirdata.errors import ParameterError, SourceError
from stirdata.executors import InProcess, processes
from stirdata.families.stir import CustomParameters
from stirdata.families.stir import custom as stir_custom
from stirdata.families.stir import schema as stir_schema
from stirdata.families.stir.axes import StirArrays
from stirdata.families.stir.custom import generate, position, select
from stirdata.sources.class_folders import PictureFile, find

ROWS = {"title": "T", "description": "D", "author": "A", "license": "L"}
SMALL: dict[str, Any] = {"scales": (16, 9, 5), "canvas": 20}


def made(folder: Path, workers: int = 1, **options: Any) -> StirArrays:
    chosen = CustomParameters(Path(), **(SMALL | options))
    selection = select(find(folder).classes, chosen)
    with processes(workers) as executor:
        return generate(selection, chosen, ROWS, executor=executor, workers=workers)


@settings(max_examples=25, deadline=None)
@given(
    scales=st.sets(st.integers(1, 24), min_size=1, max_size=4),
    room=st.integers(0, 9),
    seed=st.integers(0, 2**32 - 1),
    background=st.sampled_from(["black", "white"]),
    flags=st.tuples(st.booleans(), st.booleans()),
    side=st.integers(1, 40),
)
def test_the_box_encloses_the_object_and_is_inside_the_canvas(
    tmp_path_factory: pytest.TempPathFactory,
    scales: set[int],
    room: int,
    seed: int,
    background: str,
    flags: tuple[bool, bool],
    side: int,
) -> None:
    folder = picture_folder(tmp_path_factory.mktemp("own"), {"a": 3, "b": 4}, side)
    axis = tuple(sorted(scales, reverse=True))
    options = {"scales": axis, "canvas": axis[0] + room, "seed": seed, "background": background}
    arrays = made(folder, shared=flags[0], grey=flags[1], **options)
    frame = stir_schema.check(arrays.as_dict())
    assert frame.scales == axis
    empty = 0 if background == "black" else 255
    for place in frame.draw_order():
        image = arrays.imgs[place]
        filled = (image != empty) if frame.channels == 1 else (image != empty).any(axis=2)
        rows, columns = np.nonzero(filled)
        left, top = arrays.psts[place]
        scale = arrays.scls[place]
        assert left <= columns.min() and columns.max() < left + scale <= frame.canvas
        assert top <= rows.min() and rows.max() < top + scale <= frame.canvas
        # The pictures are opaque, so their longer side fills the box.
        assert max(np.ptp(rows), np.ptp(columns)) == scale - 1


def test_adding_a_class_changes_no_other_image(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"dogs": 6, "owls": 6})
    before = made(tmp_path, instances=2)
    picture_folder(tmp_path, {"cats": 6})
    after = made(tmp_path, instances=2)
    assert after.lbldata.tolist() == ["cats", "dogs", "owls"]
    assert np.array_equal(after.imgs[:, :, 1:], before.imgs)
    assert np.array_equal(after.psts[:, :, 1:], before.psts)


def test_other_scales_and_fewer_instances_change_no_image(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"a": 6})
    whole = made(tmp_path, instances=2)
    part = made(tmp_path, instances=1, scales=(9,))
    assert np.array_equal(part.imgs[:, 0], whole.imgs[:, 1, :, :1])


def test_workers_and_runs_do_not_show(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"a": 6, "b": 6})
    expected = made(tmp_path, instances=2)
    for workers in (1, 2):
        again = made(tmp_path, workers, instances=2)
        for key, array in expected.as_dict().items():
            assert np.array_equal(getattr(again, key), array)


def test_the_seed_moves_the_pictures(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"a": 3})
    assert not np.array_equal(made(tmp_path, seed=1).psts, made(tmp_path, seed=2).psts)


def test_pictures_go_to_the_sets_in_turn(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(7):
        Image.new("L", (4, 4), 100 + number).save(tmp_path / "a" / f"{number}.png")
    arrays = made(tmp_path, grey=True)
    assert arrays.imgs.max(axis=(4, 5))[:, 0, 0].tolist() == [[100, 103], [101, 104], [102, 105]]
    shared = made(tmp_path, grey=True, shared=True, instances=2)
    assert shared.imgs.max(axis=(4, 5))[:, 0, 0].tolist() == [[100, 101]] * 3


def test_positions_are_frozen() -> None:
    """They are a promise: every file made before would change with them."""
    drawn = [position(42, "cats/tom.png", name, 17, 64) for name in ("train", "valid", "test")]
    assert drawn == [(33, 9), (11, 36), (11, 21)]


def test_positions_are_even() -> None:
    drawn = np.array([position(0, str(number), "train", 5, 8) for number in range(4_000)])
    counts = np.bincount(drawn.ravel(), minlength=4)
    assert counts.shape == (4,)
    assert (abs(counts - 2_000) < 200).all()


def test_too_few_pictures_are_named_by_class(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"many": 9, "one": 1, "two": 2})
    with pytest.raises(SourceError, match=r"(?s)one has 1, two has 2.*--shared"):
        made(tmp_path, instances=1)
    assert made(tmp_path, shared=True).imgs.shape[3] == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"canvas": 0}, "canvas"),
        ({"canvas": 5_000}, "canvas"),
        ({"scales": (21,)}, "scales"),
        ({"scales": (5, 0)}, "scales"),
        ({"scales": ()}, "scales"),
        ({"scales": (9, 5, 5)}, "scales"),
        ({"background": "green"}, "background"),
        ({"instances": 0}, "instances"),
        ({"seed": -1}, "seed"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], name: str) -> None:
    pictures = [PictureFile(Path(f"{number}.png"), f"a/{number}.png") for number in range(3)]
    with pytest.raises(ParameterError, match=name):
        select({"a": pictures}, CustomParameters(Path(), **(SMALL | options)))


def test_a_corrupt_picture_is_named_from_a_worker_too(tmp_path: Path) -> None:
    picture_folder(tmp_path, {"a": 3})
    (tmp_path / "a" / "1.png").write_bytes(b"\x89PNG nonsense")
    for workers in (1, 2):
        with pytest.raises(SourceError, match=r"(?s)corrupt.*1\.png"):
            made(tmp_path, workers)


def test_the_edge_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (8, 4), (9, 99, 199)).save(tmp_path / "a" / "x.png")
    arrays = made(tmp_path, shared=True, background="edge")
    assert (arrays.imgs == np.array([9, 99, 199])).all()


@needs_cairo
def test_svg_files_are_drawn_at_every_scale(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "disc.svg").write_bytes(DISC)
    arrays = made(tmp_path, shared=True, background="white")
    options = CustomParameters(Path(), **(SMALL | {"shared": True, "background": "white"}))
    frame = select(find(tmp_path).classes, options).frame
    for place in frame.draw_order():
        left, top = arrays.psts[place]
        half = frame.scales[place.scale] // 2
        assert (arrays.imgs[place][top + half, left + half] == 0).all()


def test_every_picture_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture_folder(tmp_path, {"a": 3})
    read = []
    original = stir_custom.read
    monkeypatch.setattr(
        stir_custom, "read", lambda picture: read.append(picture.identity) or original(picture)
    )
    options = CustomParameters(Path(), **(SMALL | {"shared": True}))
    generate(select(find(tmp_path).classes, options), options, ROWS, executor=InProcess())
    assert sorted(read) == ["a/0.png", "a/1.png", "a/2.png"]
