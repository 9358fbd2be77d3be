"""PNG trees: the published layout, and every way in which a tree can be wrong."""

import csv
import errno
import hashlib
import io
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stirdata.errors import FormatError, MissingFileError
from stirdata.executors import InProcess, Workers
from stirdata.families.mnist_scale import LAYOUT
from stirdata.storage import image_tree

SPLITS = ("train", "test", "val")


@pytest.fixture
def tree(tmp_path, small_realization):
    """Write the small realization as a PNG tree."""
    folder = tmp_path / "tree"
    folder.mkdir()
    image_tree.write(folder, small_realization, LAYOUT.tree, Workers(1))
    return folder


def read(folder):
    return image_tree.read(folder, LAYOUT.tree, InProcess())


def png(array, **options):
    """Return an array as PNG bytes."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", **options)
    return stream.getvalue()


def test_layout_is_the_published_one(tree, small_realization, content_of):
    expected, number = {"scales.csv"}, 0
    for split in SPLITS:
        for label in small_realization[f"{split}/labels"]:
            expected.add(f"{split}/{label}/{number}.png")
            number += 1
    found = {name for name, content in content_of(tree).items() if content is not None}
    assert found == expected


def test_files_are_what_pillow_makes_of_the_pixels(tree, small_realization):
    images = small_realization["train/images"]
    for number in (0, 17, 119):
        label = small_realization["train/labels"][number]
        assert (tree / f"train/{label}/{number}.png").read_bytes() == png(images[number])


def test_scales_are_beside_the_images(tree, small_realization):
    with (tree / "scales.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["path", "label", "scale", "source_index"]
    assert len(rows) == 1 + 360
    first = small_realization
    assert rows[1] == [
        f"train/{first['train/labels'][0]}/0.png",
        str(first["train/labels"][0]),
        repr(float(first["train/scales"][0])),
        str(first["train/source_index"][0]),
    ]
    assert b"\r" not in (tree / "scales.csv").read_bytes()


def test_arrays_come_back(tree, small_realization):
    arrays, _ = read(tree)
    assert set(arrays) == set(small_realization)
    for name, array in small_realization.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype


def test_tree_without_scales_has_pixels_and_labels(tree):
    (tree / "scales.csv").unlink()
    arrays, digest = read(tree)
    assert set(arrays) == {f"{split}/{name}" for split in SPLITS for name in ("images", "labels")}
    assert len(digest.files) == 360


def test_digest_is_that_of_the_files(tmp_path, small_realization):
    folder = tmp_path / "tree"
    folder.mkdir()
    written = image_tree.write(folder, small_realization, LAYOUT.tree, Workers(1))
    _, found = read(folder)
    assert written == found
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))
    md5 = hashlib.md5(b"".join((folder / path).read_bytes() for path in paths)).hexdigest()
    assert written.md5 == md5
    assert [entry.path for entry in written.files] == sorted([*paths, "scales.csv"])
    for entry in written.files[:3]:
        content = (folder / entry.path).read_bytes()
        assert (entry.size, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_progress_counts_every_image_once(tmp_path, small_realization):
    (tmp_path / "tree").mkdir()
    written, found = [], []
    image_tree.write(tmp_path / "tree", small_realization, LAYOUT.tree, Workers(1), written.append)
    image_tree.read(tmp_path / "tree", LAYOUT.tree, InProcess(), found.append)
    assert (sum(written), sum(found)) == (360, 360)


def test_nothing_is_written_any_more_when_writing_ends_early(tmp_path, small_realization, monkeypatch):
    monkeypatch.setattr(image_tree, "_BATCH", 2)

    def stop(count):
        raise KeyboardInterrupt

    with Workers(2) as workers:
        with pytest.raises(KeyboardInterrupt):
            image_tree.write(tmp_path, small_realization, LAYOUT.tree, workers, stop)
        written = len(list(tmp_path.rglob("*.png")))
        workers.processes().submit(abs, 1).result()
        assert 2 <= written < 360
        assert len(list(tmp_path.rglob("*.png"))) == written


def test_workers_and_batches_do_not_show(tree, tmp_path, small_realization, monkeypatch, content_of):
    monkeypatch.setattr(image_tree, "_BATCH", 7)
    (tmp_path / "again").mkdir()
    with Workers(3) as workers:
        digest = image_tree.write(tmp_path / "again", small_realization, LAYOUT.tree, workers)
        arrays, _ = image_tree.read(tmp_path / "again", LAYOUT.tree, workers.threads())
    assert content_of(tmp_path / "again") == content_of(tree)
    assert digest == read(tree)[1]
    np.testing.assert_array_equal(arrays["test/images"], small_realization["test/images"])


def test_other_encoder_shows_in_the_md5_alone(tree):
    arrays, digest = read(tree)
    for path in tree.rglob("*.png"):
        path.write_bytes(png(np.asarray(Image.open(path)), compress_level=1))
    others, other = read(tree)
    np.testing.assert_array_equal(others["train/images"], arrays["train/images"])
    assert other.md5 != digest.md5


@pytest.mark.parametrize("missing", ["train", "test", "val", "."])
def test_no_tree(tree, missing):
    shutil.rmtree(tree / missing)
    with pytest.raises(MissingFileError, match="this is no tree of PNG files") as caught:
        read(tree)
    assert caught.value.where == tree
    assert caught.value.expected == "the folders train, test and val"
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["train/0/notes.txt", "val/3/a.png", "test/x/1.png", "train/0/-1.png", "val/.hidden/1.png"]
)
def test_file_that_does_not_belong(tree, name):
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_bytes(b"")
    with pytest.raises(FormatError, match="a file does not belong into the tree") as caught:
        read(tree)
    assert caught.value.where == tree / name
    assert caught.value.got == name
    assert caught.value.expected == f"{name.partition('/')[0]}/<label>/<number>.png"
    assert caught.value.hint == "move it elsewhere"


def any_image(tree):
    return min(tree.glob("train/*/*.png"))


GREY = np.zeros((28, 28), np.uint8)
DAMAGED = {
    "empty": b"",
    "text": b"not an image",
    "signature": png(GREY)[:8],
    "header": png(GREY)[:30],
    "pixels": png(np.arange(784, dtype=np.uint8).reshape(28, 28))[:-40],
    "checksum": png(GREY).replace(b"IHDR\x00", b"IHDR\x01"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_damaged_image(tree, kind):
    path = any_image(tree)
    path.write_bytes(DAMAGED[kind])
    with pytest.raises(FormatError, match="the PNG file is damaged") as caught:
        read(tree)
    assert caught.value.where == path
    assert caught.value.got


@pytest.mark.parametrize("at", range(8, 90, 3))
def test_flipped_bytes_of_an_image_are_never_a_fault(tree, at):
    path = any_image(tree)
    content = bytearray(png(np.arange(784, dtype=np.uint8).reshape(28, 28)))
    content[at] ^= 0x55
    path.write_bytes(content)
    try:
        arrays, _ = read(tree)
    except FormatError as error:
        assert error.where == path
    else:  # other pixels, which the hashes tell
        assert arrays["train/images"].shape == (120, 28, 28)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (png(np.zeros((27, 28), np.uint8)), "('L', (28, 27))"),
        (png(np.zeros((28, 28, 3), np.uint8)), "('RGB', (28, 28))"),
        (png(np.zeros((28, 28), np.uint16)), "('I;16', (28, 28))"),
        (png(np.zeros((28, 28), bool)), "('1', (28, 28))"),
    ],
)
def test_image_of_another_kind(tree, content, got):
    path = any_image(tree)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="the image is of another kind") as caught:
        read(tree)
    assert (caught.value.where, caught.value.expected) == (path, "8-bit grey, 28 x 28")
    assert caught.value.got == got


def test_other_image_format_under_the_name(tree):
    stream = io.BytesIO()
    Image.fromarray(GREY).save(stream, "BMP")
    any_image(tree).write_bytes(stream.getvalue())
    with pytest.raises(FormatError, match="the PNG file is damaged"):
        read(tree)


def test_image_that_says_it_is_huge(tree):
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    content = png(GREY)
    path = any_image(tree)
    path.write_bytes(content[:12] + header + zlib.crc32(header).to_bytes(4, "big") + content[33:])
    with pytest.raises(FormatError, match="the PNG file is damaged") as caught:
        read(tree)
    assert caught.value.where == path
    assert "exceeds limit" in caught.value.got


def test_folder_in_place_of_an_image(tree):
    path = any_image(tree)
    path.unlink()
    path.mkdir()
    with pytest.raises(FormatError, match="the PNG file cannot be read") as caught:
        read(tree)
    assert (caught.value.where, caught.value.got) == (path, "Is a directory")


def test_image_that_may_not_be_read(tree, monkeypatch):
    path, read_bytes = any_image(tree), Path.read_bytes

    def refused(self):
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read_bytes(self)

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(FormatError, match="the PNG file cannot be read") as caught:
        read(tree)
    assert (caught.value.where, caught.value.got) == (path, "Permission denied")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"path,label\ntrain/0/1.png,0\n",
        b"path,label,scale,source_index\ntrain/0/1.png,0,much,5\n",
        b"path,label,scale,source_index\ntrain/0/1.png,0\n",
        b"path,label,scale,source_index\ntrain/0/1.png,0,0.5,1.5\n",
    ],
)
def test_scales_that_cannot_be_read(tree, text):
    (tree / "scales.csv").write_bytes(text)
    with pytest.raises(FormatError) as caught:
        read(tree)
    assert caught.value.where == tree / "scales.csv"
    if text:
        assert caught.value.what == "scales.csv cannot be read"
        assert caught.value.expected == "path,label,scale,source_index"


def test_scales_that_list_too_little(tree):
    lines = (tree / "scales.csv").read_text().splitlines(keepends=True)
    (tree / "scales.csv").write_text("".join(lines[:5] + lines[6:]))
    with pytest.raises(FormatError, match=r"scales\.csv does not list every image") as caught:
        read(tree)
    assert caught.value.expected == lines[5].partition(",")[0]


def test_source_index_beyond_every_image(tree):
    lines = (tree / "scales.csv").read_text().splitlines(keepends=True)
    lines[1] = lines[1].rpartition(",")[0] + ",99999999999\n"
    (tree / "scales.csv").write_text("".join(lines))
    with pytest.raises(FormatError, match="a source index beyond every image") as caught:
        read(tree)
    assert caught.value.where == tree / "scales.csv"


@pytest.mark.parametrize("name", ["train/99999999999999999999/1.png", "val/10/1.png"])
def test_label_beyond_the_digits(tree, name):
    (tree / name).parent.mkdir()
    (tree / name).write_bytes(png(GREY))
    with pytest.raises(FormatError, match="a file does not belong into the tree") as caught:
        read(tree)
    assert caught.value.where == tree / name
