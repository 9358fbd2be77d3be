"""A STIR set read piece by piece: the right pixels from every format, in whatever order they are wanted."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opened_set import OpenedSet, open_set
from stir_fixtures import small_frame, small_set

from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import InProcess
from stirdata.families.stir.axes import StirArrays
from stirdata.storage import deflated_npz, hdf5, image_bytes, npy

FORMS = ("published", "stored", "portions", "unlisted", "h5", "chunked", "folder", "big-endian", "turned")
SET = small_set()


def write(folder: Path, form: str, made: StirArrays = SET) -> Path:
    """Write a set in one of the forms that files have."""
    arrays = made.as_dict()
    path = folder / {"h5": "a.h5", "chunked": "a.h5", "folder": "a"}.get(form, "a.npz")
    if form == "portions":
        deflated_npz.write(path, arrays, InProcess())
    elif form == "h5":
        hdf5.write(path, arrays, {})
    elif form == "chunked":
        write_chunked(path, arrays)
    elif form == "folder":
        path.mkdir()
        for key, array in arrays.items():
            npy.write(path / f"{key}.npy", array)
    elif form == "unlisted":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(deflated_npz, "_LONGEST_FIELD", 0)
            deflated_npz.write(path, arrays, InProcess())
    elif form in ("big-endian", "turned"):
        small = {key: arrays[key] for key in ("lbls", "scls", "psts")}
        turn = {"big-endian": lambda array: array.astype(">i4"), "turned": np.asfortranarray}[form]
        np.savez_compressed(path, **(arrays | {key: turn(array) for key, array in small.items()}))
    else:
        (np.savez_compressed if form == "published" else np.savez)(path, **arrays)
    return path


def write_chunked(path: Path, arrays: dict[str, Any]) -> None:
    hdf5.write(path, {key: array for key, array in arrays.items() if key != "imgs"}, {})
    with h5py.File(path, "a") as file:
        file.create_dataset("imgs", data=arrays["imgs"], chunks=True, compression="gzip")


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a small set be cut as a large one is."""
    monkeypatch.setattr(deflated_npz, "_PORTION", 100)
    monkeypatch.setattr(image_bytes, "_PIECE", 70)
    monkeypatch.setattr(image_bytes, "_INPUT", 50)


def expected(split: int, row: int, made: StirArrays = SET) -> np.ndarray:
    images = made.imgs[split, row]
    return images.reshape(-1, *images.shape[2:])


def check(opened: OpenedSet, split: int, rows: list[int], made: StirArrays = SET) -> None:
    places = []
    for place, block in opened.blocks(split, rows):
        assert np.array_equal(block, expected(split, rows[place], made))
        places.append(place)
    assert [rows[place] for place in places] == sorted(rows)
    whole = opened.read(split, rows)
    assert whole.shape[0] == len(rows)
    for row, images in zip(rows, whole, strict=True):
        assert np.array_equal(images, expected(split, row, made))


@pytest.mark.parametrize("form", FORMS)
def test_every_selection_from_every_form(tmp_path: Path, form: str) -> None:
    opened = open_set(write(tmp_path, form))
    for split in range(3):
        for rows in ([0], [2], [2, 0], [1, 2, 0], []):
            check(opened, split, rows)
    assert [block.copy().tolist() for block in opened.every_block()] == [
        expected(split, row).tolist() for split in range(3) for row in range(3)
    ]


@pytest.mark.parametrize("form", FORMS)
def test_small_arrays_are_those_of_numpy_and_read_only(tmp_path: Path, form: str) -> None:
    opened = open_set(write(tmp_path, form))
    for found, right in ((opened.labels, SET.lbls), (opened.scales, SET.scls), (opened.positions, SET.psts)):
        assert np.array_equal(found, right)
        assert found.dtype == np.int32
        assert found.dtype.isnative
        assert not found.flags.writeable
    for key in ("metadata", "lbldata"):
        assert np.array_equal(opened.tables[key], getattr(SET, key))
        assert opened.tables[key].dtype == getattr(SET, key).dtype
    assert opened.metadata["title"] == "T"
    assert opened.frame.scales == (12, 7, 3)


def test_each_form_is_read_in_its_own_way(tmp_path: Path) -> None:
    kinds = {}
    for form in FORMS:
        (tmp_path / form).mkdir()
        kinds[form] = type(open_set(write(tmp_path / form, form)).images).__name__
    assert kinds == {
        "published": "DeflatedBytes",
        "stored": "PlainBytes",
        "portions": "PortionedBytes",
        "unlisted": "DeflatedBytes",
        "h5": "PlainBytes",
        "chunked": "_DataSetBytes",
        "folder": "PlainBytes",
        "big-endian": "DeflatedBytes",
        "turned": "DeflatedBytes",
    }


@pytest.mark.parametrize("form", ["published", "portions", "h5", "chunked", "folder"])
@settings(max_examples=20, deadline=None)
@given(
    classes=st.integers(1, 3), instances=st.integers(1, 3), channels=st.sampled_from([1, 3]), data=st.data()
)
def test_any_selection_equals_the_slices(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    classes: int,
    instances: int,
    channels: int,
    data: Any,
) -> None:
    frame = small_frame(classes=tuple("abc"[:classes]), instances=instances, channels=channels)
    made = small_set(frame)
    opened = open_set(write(tmp_path_factory.mktemp("set"), form, made))
    rows = data.draw(st.permutations(range(3)))[: data.draw(st.integers(0, 3))]
    check(opened, data.draw(st.integers(0, 2)), rows, made)


def test_leaving_early_leaves_no_thread_or_file(tmp_path: Path) -> None:
    import gc
    import threading

    before = threading.active_count()
    for form in ("published", "portions", "h5"):
        (tmp_path / form).mkdir()
        blocks = open_set(write(tmp_path / form, form)).blocks(0, [0, 1, 2])
        next(blocks)
        del blocks
        gc.collect()  # an open file would be a warning, and so an error
        assert threading.active_count() == before


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_changed_is_told(tmp_path: Path, form: str) -> None:
    path = write(tmp_path, form)
    opened = open_set(path)
    pixels = path / "imgs.npy" if path.is_dir() else path
    pixels.write_bytes(pixels.read_bytes() + b" ")
    if form != "chunked":
        with pytest.raises(FormatError, match="changed since it was opened"):
            opened.read(0, [0])
    pixels.unlink()
    with pytest.raises(MissingFileError):
        list(opened.blocks(0, [0]))


def digest_in_process(item: tuple[OpenedSet, Path, int]) -> list[int]:
    """Read a scale with an object from another process, and with one made here."""
    opened, path, row = item
    sums = [int(block.astype(np.int64).sum()) for _, block in opened.blocks(row % 3, [row, (row + 1) % 3])]
    return [*sums, int(open_set(path).read(row % 3, [row])[0].astype(np.int64).sum())]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize(("method", "processes"), [("fork", 10), ("spawn", 2)])
def test_several_processes_read_one_file(tmp_path: Path, method: str, processes: int) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    paths = []
    for form in ("h5", "published", "portions", "chunked"):
        (tmp_path / form).mkdir()
        paths.append(write(tmp_path / form, form))
    items = [(open_set(path), path, number % 3) for path in paths for number in range(5)]
    right = [digest_in_process(item) for item in items]
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(digest_in_process, items)) == right


@pytest.mark.parametrize("form", FORMS)
def test_objects_can_be_pickled(tmp_path: Path, form: str) -> None:
    check(pickle.loads(pickle.dumps(open_set(write(tmp_path, form)))), 2, [1, 0])


READ_ONE = """
import resource, sys
from pathlib import Path
from opened_set import open_set
open_set(Path(sys.argv[2])).read(0, [0])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
opened = open_set(Path(sys.argv[1]))
for _, block in opened.blocks(2, [39]):
    pass
unit = 1 if sys.platform == "darwin" else 1024
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs the module resource")
@pytest.mark.parametrize("form", ["published", "portions", "h5"])
def test_memory_is_a_few_blocks(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    frame = small_frame(instances=50, scales=tuple(range(64, 24, -1)), canvas=64)
    imgs = np.zeros(frame.shape + frame.image_shape, np.uint8)
    made = StirArrays(
        **(small_set(small_frame(instances=50, scales=frame.scales, canvas=64)).as_dict() | {"imgs": imgs})
    )
    (tmp_path / "small").mkdir()
    paths = [write(tmp_path, form, made), write(tmp_path / "small", form)]
    command = [sys.executable, "-c", READ_ONE, *map(str, paths)]
    paths_of_modules = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=paths_of_modules)
    assert imgs.nbytes > 45e6
    assert int(done.stdout) < 16e6


def flipped(path: Path, places: list[int]) -> None:
    content = bytearray(path.read_bytes())
    for place in places:
        content[place % len(content)] ^= 1 << place % 8
    path.write_bytes(content)


@pytest.mark.parametrize("form", ["published", "stored", "portions"])
@settings(max_examples=150, deadline=None)
@given(places=st.lists(st.integers(0, 10**6), min_size=1, max_size=2), cut=st.booleans())
def test_damaged_bytes_give_an_error_or_the_right_pixels(
    tmp_path_factory: pytest.TempPathFactory, form: str, places: list[int], cut: bool
) -> None:
    path = write(tmp_path_factory.mktemp("set"), form)
    if cut:
        path.write_bytes(path.read_bytes()[: places[0] % path.stat().st_size])
    else:
        flipped(path, places)
    try:
        opened = open_set(path)
        blocks = [block.copy() for block in opened.every_block()]
    except FormatError:
        return
    for number, block in enumerate(blocks):
        assert np.array_equal(block, expected(*divmod(number, 3)))


def test_every_flipped_bit_in_a_portion_that_is_read_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, "portions")
    whole, opened, facts = path.read_bytes(), open_set(path), path.stat()
    images = opened.images
    assert isinstance(images, image_bytes.PortionedBytes)
    first = images.part.offset + images.portions[0].offset
    for place in range(first + 1, first + images.portions[0].length - 5, 3):  # its first bit means: the last
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        with pytest.raises(FormatError, match="are damaged"):
            opened.read(0, [0])
        check(opened, 0, [1, 2])  # which do not need that portion


def lists(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the places of the numbers that say where the portions of the images are."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        extra = archive.getinfo("imgs.npy").extra
    start = content.rindex(extra) + 28
    for place in range(start, start + len(extra) - 28):
        yield place, content


def test_a_wrong_list_of_portions_gives_an_error_or_the_same_pixels(tmp_path: Path) -> None:
    path = write(tmp_path, "portions")
    outcomes = set()
    for place, content in list(lists(path)):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        try:
            opened = open_set(path)
            check(opened, 0, [0, 1, 2])
            check(opened, 2, [2])
            outcomes.add(type(opened.images).__name__)
        except FormatError:
            outcomes.add("error")
    assert {"DeflatedBytes", "error"} <= outcomes
