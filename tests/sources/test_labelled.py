"""Labelled images of every source: counted, described, proven, and read as their layouts say."""

import gzip
import hashlib

import numpy as np
import pytest
from PIL import Image
from standins import (
    CIFAR_IMAGES,
    STL_COUNTS,
    UNLABELED,
    cifar_files,
    fake_cifar,
    fake_fashion,
    fake_stl,
    md5,
    stl_files,
    tar,
    unpack,
)

from stirdata.errors import MissingFileError, ParameterError, SourceError, SourceUnavailableError
from stirdata.manifest import pinned
from stirdata.sources import LABELLED, cifar10, mnist, stl10
from stirdata.sources.labelled import from_arrays, open_source


def all_of(subset):
    return subset.images(np.arange(len(subset)))


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def test_there_is_no_other():
    with pytest.raises(ParameterError, match="no source of this name") as told:
        open_source("imagenet")
    assert told.value.expected == ", ".join(LABELLED)


def test_mnist_is_as_it_always_was(fake_mnist):
    source = open_source("mnist", fake_mnist.folder)
    assert (source.name, source.shape, source.colour, source.uniform) == ("mnist", (28, 28), False, True)
    assert source.counts == {"train": 60_000, "test": 10_000}  # known before the files are read
    assert "proven" not in source.description
    assert all_of(source.read(True)["train"]).tolist() == fake_mnist.digits.images.tolist()


@pytest.fixture
def fashion(fake_mnist, tmp_path, monkeypatch):
    """Return a folder of the small digits as Fashion-MNIST's files, whose MD5 are taken for its own."""
    files = {part: fake_mnist.path(part).read_bytes() for part in pinned("fashion-mnist")["files"]}
    return fake_fashion(tmp_path, monkeypatch, files)


def test_fashion_mnist_is_proven_by_the_md5_of_its_files(fashion, fake_mnist):
    source = open_source("fashion-mnist", fashion)
    assert source.classes[-1] == "Ankle boot"
    assert source.description["md5"]["train-images"] == mnist.FASHION_MNIST.describe()["md5"]["train-images"]
    assert all_of(source.read(True)["train"]).tolist() == fake_mnist.digits.images.tolist()
    path = fashion / "t10k-labels-idx1-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content, 9, mtime=1))
    with pytest.raises(SourceError, match="not the original Fashion-MNIST file") as told:
        source.read(True)
    assert told.value.got == f"md5 {md5(path.read_bytes())}"
    assert told.value.expected.startswith("md5 ")
    assert "--source idx" in told.value.hint


def test_any_idx_files_are_read_and_named_as_not_proven(tmp_path):
    images = np.random.RandomState(0).randint(0, 256, (9, 5, 4)).astype(np.uint8)
    labels = np.array([0, 3, 1] * 3, np.uint8)
    for prefix, part in (("train", slice(6)), ("t10k", slice(6, 9))):
        (tmp_path / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images[part]))
        (tmp_path / f"{prefix}-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[part])))
    source = open_source("idx", tmp_path)
    assert (source.counts, source.shape, source.classes) == (
        {"train": 6, "test": 3},
        (5, 4),
        ("0", "1", "2", "3"),
    )
    assert source.description["proven"] is False
    assert source.description["sha256"]["t10k-images"] == hashlib.sha256(idx(images[6:])).hexdigest()
    found = source.read(True)
    assert found["train"].images(np.array([5, 0])).tolist() == images[[5, 0]].tolist()
    assert found["test"].labels.tolist() == labels[6:].tolist()
    assert found["test"].sizes.tolist() == [[5, 4]] * 3
    (tmp_path / "train-images-idx3-ubyte").unlink()
    with pytest.raises(MissingFileError, match="1 IDX files are missing"):
        open_source("idx", tmp_path)
    (tmp_path / "train-labels.idx1-ubyte.gz").unlink()
    assert open_source("idx", tmp_path).counts == {"test": 3}
    (tmp_path / "t10k-labels.idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels[:2])))
    with pytest.raises(SourceError, match="of different length"):
        open_source("idx", tmp_path)


def test_idx_and_folder_need_a_folder():
    for name in ("idx", "folder"):
        with pytest.raises(ParameterError, match="needs a folder"):
            open_source(name)


@pytest.mark.parametrize("form", ["archive", "unpacked", "inside"])
def test_cifar10_is_red_green_and_blue_row_by_row(tmp_path, monkeypatch, form):
    folder = fake_cifar(tmp_path, monkeypatch)
    if form != "archive":
        (tmp_path / "cifar-10-binary.tar.gz").unlink()
        unpack(tmp_path, cifar_files())
        folder = tmp_path / cifar10.FOLDER if form == "inside" else tmp_path
    source = open_source("cifar10", folder)
    assert (source.shape, source.counts) == ((32, 32, 3), {"train": 5 * CIFAR_IMAGES, "test": CIFAR_IMAGES})
    assert source.description.get("proven", True) is (form == "archive")
    assert source.description.keys() & {"md5", "sha256"} == ({"md5"} if form == "archive" else {"sha256"})
    found = source.read(True)
    raw = b"".join(list(cifar_files().values())[:5])
    image = all_of(found["train"])[33]
    for row, column, channel in ((0, 0, 0), (3, 7, 1), (31, 31, 2)):
        assert image[row, column, channel] == raw[33 * 3073 + 1 + channel * 1024 + row * 32 + column]
    assert found["train"].labels.tolist() == [*range(10)] * 10
    assert all_of(found["test"]).flags.c_contiguous


def test_a_cifar10_that_is_another_or_cut_short(tmp_path, monkeypatch):
    path = fake_cifar(tmp_path, monkeypatch) / "cifar-10-binary.tar.gz"
    content = path.read_bytes()
    for damaged in (
        content[: len(content) // 2],
        content[:-1],
        content + b"x",
        b"",
        b"no archive at all" * 99,
    ):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match="not the official archive of CIFAR-10") as told:
            open_source("cifar10", tmp_path).read(True)
        assert (told.value.expected, told.value.got) == (f"md5 {md5(content)}", f"md5 {md5(damaged)}")
    path.unlink()
    unpack(tmp_path, cifar_files())
    (tmp_path / cifar10.FOLDER / "data_batch_3.bin").write_bytes(b"short")
    with pytest.raises(SourceError, match="another size") as told:
        open_source("cifar10", tmp_path)
    assert told.value.got == "5 bytes"
    (tmp_path / cifar10.FOLDER / "data_batch_3.bin").unlink()
    with pytest.raises(MissingFileError, match="1 of the 6 CIFAR-10 files"):
        open_source("cifar10", tmp_path)


@pytest.mark.parametrize("name", ["cifar-10-batches-py", "data_batch_1", "cifar-10-python.tar.gz"])
def test_the_pickled_cifar10_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x04.")
    with pytest.raises(SourceError, match="pickled") as told:
        open_source("cifar10", tmp_path)
    assert "cifar-10-binary.tar.gz" in told.value.expected


def test_archives_that_are_nowhere(tmp_path):
    for name in ("cifar10", "stl10"):
        with pytest.raises(MissingFileError):
            open_source(name, tmp_path).read(True)
        with pytest.raises(SourceUnavailableError, match="is not available") as told:
            open_source(name).read(True)
        assert "--source-dir" in told.value.hint


@pytest.mark.parametrize("form", ["archive", "unpacked", "inside"])
def test_stl10_is_column_by_column(tmp_path, monkeypatch, form):
    folder = fake_stl(tmp_path, monkeypatch)
    if form != "archive":
        (tmp_path / "stl10_binary.tar.gz").unlink()
        unpack(tmp_path, stl_files())
        folder = tmp_path / stl10.FOLDER if form == "inside" else tmp_path
    source = open_source("stl10", folder)
    assert (source.shape, source.counts) == ((96, 96, 3), STL_COUNTS)
    assert set(source.description["md5"]) == {"train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"}
    found = source.read(True)
    raw = stl_files()[f"{stl10.FOLDER}/test_X.bin"]
    image = all_of(found["test"])[11]
    for row, column, channel in ((0, 0, 0), (3, 70, 1), (95, 95, 2)):
        assert image[row, column, channel] == raw[11 * 27648 + channel * 9216 + column * 96 + row]
    assert found["train"].labels.tolist() == [at % 10 for at in range(12)]  # the files count from 1
    blocks = list(stl10.unlabeled(folder))
    whole = np.concatenate(blocks)
    assert whole.tolist() == stl10.images_of(stl_files()[f"{stl10.FOLDER}/unlabeled_X.bin"]).tolist()
    assert len(whole) == UNLABELED


def test_a_changed_stl10_is_told_by_its_file(tmp_path, monkeypatch):
    folder = fake_stl(tmp_path, monkeypatch)
    files = stl_files()
    name = f"{stl10.FOLDER}/train_y.bin"
    files[name] = files[name][:-1] + b"\x01"
    tar(tmp_path / "stl10_binary.tar.gz", files)
    with pytest.raises(SourceError, match=r"train_y\.bin is not the original") as told:
        open_source("stl10", folder).read(True)
    assert told.value.got == f"md5 {md5(files[name])}"
    content = (tmp_path / "stl10_binary.tar.gz").read_bytes()
    (tmp_path / "stl10_binary.tar.gz").write_bytes(content[: len(content) // 3])
    with pytest.raises(SourceError, match="damaged or cut short"):
        open_source("stl10", folder).read(True)
    with pytest.raises(SourceError):
        list(stl10.unlabeled(folder))


@pytest.mark.parametrize(
    "text", [b"", b"1 2 3", b"1 2 3 4 5\n" * 2 + b"1 2 3 4 99999", b"\xff", b"a b c d e\n" * 3]
)
def test_folds_that_are_none(monkeypatch, text):
    monkeypatch.setattr(stl10, "FOLDS", (3, 5))
    with pytest.raises(SourceError, match="fold_indices"):
        stl10.fold_indices(text, "here")


def picture(path, size, colour=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.RandomState(len(path.name)).randint(0, 256, (*size, *((3,) if colour else ())))
    Image.fromarray(values.astype(np.uint8)).save(path)
    return values.astype(np.uint8)


def test_a_folder_is_ordered_by_names_as_text(tmp_path):
    wanted = [picture(tmp_path / "test" / name, (4, 6)) for name in ("a/10.png", "a/9.png", "b/x.png")]
    picture(tmp_path / "train" / "c" / "1.png", (5, 5))
    source = open_source("folder", tmp_path)
    assert (source.classes, source.counts) == (("a", "b", "c"), {"train": 1, "test": 3})
    assert (source.shape, source.uniform, source.colour) == ((5, 6), False, False)
    assert list(source.description["sha256"]) == [
        "train/c/1.png",
        "test/a/10.png",
        "test/a/9.png",
        "test/b/x.png",
    ]
    found = source.read(True)["test"]
    assert [image.tolist() for image in all_of(found)] == [image.tolist() for image in wanted]
    assert (found.labels.tolist(), found.sizes.tolist()) == ([0, 0, 1], [[4, 6]] * 3)


def test_a_folder_without_splits_is_all_test_and_colour_if_any_is(tmp_path):
    grey = picture(tmp_path / "a" / "1.png", (4, 4))
    colour = picture(tmp_path / "b" / "long.png", (4, 4), colour=True)
    source = open_source("folder", tmp_path)
    assert (source.counts, source.shape, source.uniform) == ({"test": 2}, (4, 4, 3), True)
    first, second = all_of(source.read(True)["test"])
    assert first.tolist() == np.repeat(grey[:, :, None], 3, axis=2).tolist()
    assert second.tolist() == colour.tolist()


def test_a_folder_with_what_is_no_image(tmp_path):
    picture(tmp_path / "a" / "1.png", (4, 4))
    (tmp_path / "a" / "2.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    with pytest.raises(SourceError, match="no pixels"):
        open_source("folder", tmp_path)
    (tmp_path / "a" / "2.svg").unlink()
    (tmp_path / "a" / "2.png").write_bytes(b"not a png")
    with pytest.raises(SourceError, match="corrupt or of an unknown format"):
        open_source("folder", tmp_path)


GOOD = np.zeros((3, 4, 5), np.uint8)


@pytest.mark.parametrize(
    ("images", "labels", "classes"),
    [
        ({}, {}, ()),
        ({"test": GOOD}, {"train": np.arange(3)}, ()),
        ({"other": GOOD}, {"other": np.arange(3)}, ()),
        ({"test": GOOD.astype(float)}, {"test": np.arange(3)}, ()),
        ({"test": GOOD[0]}, {"test": np.arange(4)}, ()),
        ({"test": np.zeros((3, 4, 5, 2), np.uint8)}, {"test": np.arange(3)}, ()),
        ({"test": GOOD[:0]}, {"test": np.arange(0)}, ()),
        ({"test": GOOD}, {"test": np.arange(4)}, ()),
        ({"test": GOOD}, {"test": np.array([0, 1, -1])}, ()),
        ({"test": GOOD}, {"test": np.array([0.0, 1, 2])}, ()),
        ({"test": GOOD}, {"test": np.arange(3)}, ("a", "b")),
        ({"train": GOOD, "test": GOOD[:, :3]}, {"train": np.arange(3), "test": np.arange(3)}, ()),
    ],
)
def test_arrays_that_do_not_fit(images, labels, classes):
    with pytest.raises(ParameterError):
        from_arrays(images, labels, classes)


def test_arrays():
    source = from_arrays({"test": GOOD}, {"test": np.array([1, 0, 1])})
    assert (source.classes, source.counts, source.shape) == (("0", "1"), {"test": 3}, (4, 5))
    assert set(source.description["sha256"]) == {"test/images", "test/labels"}
