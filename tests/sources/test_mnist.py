"""MNIST: found under all its names, accepted by its hash alone, fetched when allowed to."""

import gzip
import shutil

import numpy as np
import pytest
from leftovers import litter

from stirdata.errors import MissingFileError, SourceError, SourceUnavailableError
from stirdata.manifest import pinned
from stirdata.sources import mnist
from stirdata.transfer import remote


def same_digits(found, expected):
    np.testing.assert_array_equal(found.images, expected.images)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert (found.images.dtype, found.labels.dtype) == (np.uint8, np.uint8)


def load(folder, **options):
    return mnist.load(folder, quiet=True, **options)


def test_training_images_come_first_then_test_images(fake_mnist):
    same_digits(load(fake_mnist.folder), fake_mnist.digits)


@pytest.mark.parametrize("sign", ["-", "."])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
def test_found_under_all_names(fake_mnist, tmp_path, sign, end, place):
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    for part in mnist.PARTS:
        kind = "idx3" if part.endswith("images") else "idx1"
        content = fake_mnist.path(part).read_bytes() if end else fake_mnist.stream(part)
        (folder / f"{part}{sign}{kind}-ubyte{end}").write_bytes(content)
    same_digits(load(tmp_path), fake_mnist.digits)


def test_gzipped_again_by_someone_else_is_accepted(fake_mnist):
    path = fake_mnist.path("train-images")
    before = path.read_bytes()
    path.write_bytes(gzip.compress(fake_mnist.stream("train-images"), compresslevel=1, mtime=123))
    assert path.read_bytes() != before
    same_digits(load(fake_mnist.folder), fake_mnist.digits)


def test_what_systems_leave_behind_does_not_matter(fake_mnist):
    litter(fake_mnist.folder)
    same_digits(load(fake_mnist.folder), fake_mnist.digits)


def test_source_folder_does_not_exist(tmp_path):
    with pytest.raises(MissingFileError, match="the source folder does not exist") as caught:
        load(tmp_path / "absent")
    assert caught.value.where == tmp_path / "absent"
    assert caught.value.hint == "name a folder with the MNIST files"


def test_all_missing_files_are_named_at_once(fake_mnist):
    for part in ("train-labels", "t10k-images"):
        fake_mnist.path(part).unlink()
    with pytest.raises(MissingFileError, match="2 of the 4 MNIST files are missing") as caught:
        load(fake_mnist.folder)
    assert caught.value.where == fake_mnist.folder
    assert caught.value.expected == "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz"
    assert "leave out --source-dir" in caught.value.hint


def replace_stream(fake_mnist, part, stream):
    fake_mnist.path(part).write_bytes(gzip.compress(stream))
    return fake_mnist.path(part)


def test_file_that_is_not_mnist(fake_mnist):
    stream = bytearray(fake_mnist.stream("t10k-images"))
    stream[-1] ^= 1
    path = replace_stream(fake_mnist, "t10k-images", stream)
    with pytest.raises(SourceError, match="the file is not the original MNIST file") as caught:
        load(fake_mnist.folder)
    assert caught.value.where == path
    assert fake_mnist.facts["t10k-images"]["sha256_decompressed"] in caught.value.expected
    assert caught.value.got.startswith("sha256 ")
    assert "--source idx" in caught.value.hint


def test_images_and_labels_of_different_length(fake_mnist):
    stream = bytearray(fake_mnist.stream("train-labels")[:-1])
    stream[4:8] = (319).to_bytes(4, "big")
    path = replace_stream(fake_mnist, "train-labels", stream)
    with pytest.raises(SourceError, match="images and labels are of different length") as caught:
        load(fake_mnist.folder)
    assert caught.value.where == path
    assert (caught.value.expected, caught.value.got) == ("320 labels, one per image", "319 labels")


def test_images_in_place_of_labels(fake_mnist):
    path = replace_stream(fake_mnist, "train-labels", fake_mnist.stream("train-images"))
    with pytest.raises(SourceError, match="wrong magic number") as caught:
        load(fake_mnist.folder)
    assert (caught.value.where, caught.value.expected) == (path, "0x00000801")


def test_truncated_stream(fake_mnist):
    path = replace_stream(fake_mnist, "train-images", fake_mnist.stream("train-images")[:-1])
    with pytest.raises(SourceError, match="the IDX file is truncated") as caught:
        load(fake_mnist.folder)
    assert caught.value.where == path


def test_decompression_bomb(fake_mnist):
    path = fake_mnist.path("train-images")
    path.write_bytes(gzip.compress(fake_mnist.stream("train-images") + bytes(1 << 24)))
    with pytest.raises(SourceError, match="longer than its header says") as caught:
        load(fake_mnist.folder)
    assert caught.value.where == path


@pytest.fixture
def cache(fake_mnist, tmp_path):
    """Return a cache folder that holds the fake MNIST."""
    shutil.copytree(fake_mnist.folder, tmp_path / "cache" / "mnist")
    return tmp_path / "cache"


def test_cache_is_used_without_a_connection(fake_mnist, cache):
    same_digits(load(None, cache=cache), fake_mnist.digits)


def test_cache_of_the_variable_is_used(fake_mnist, cache, monkeypatch):
    monkeypatch.setenv("STIRDATA_HOME", str(cache))
    same_digits(load(None), fake_mnist.digits)


def test_neither_cache_nor_network(fake_mnist, tmp_path, content_of):
    with pytest.raises(SourceUnavailableError, match="MNIST is not available") as caught:
        load(None, cache=tmp_path / "cache")
    assert caught.value.where == tmp_path / "cache" / "mnist"
    assert caught.value.got.count("Connection refused") == len(pinned("mnist")["mirrors"])
    for way_out in ("--source-dir", "STIRDATA_HOME", "--source synthetic"):
        assert way_out in caught.value.hint
    assert content_of(tmp_path) == {}


def test_downloading_is_off(fake_mnist, tmp_path):
    with pytest.raises(SourceUnavailableError, match="downloading is off"):
        load(None, cache=tmp_path, download=False)


def test_what_is_missing_is_downloaded_and_checked(fake_mnist, cache, monkeypatch):
    absent = {part: fake_mnist.path(part).read_bytes() for part in ("train-labels", "t10k-images")}
    for part in absent:
        (cache / "mnist" / fake_mnist.facts[part]["name"]).unlink()
    asked = []

    def serve(urls, target, *, check, limit, **others):
        asked.append(list(urls))
        part = target.name[:12].rstrip("-")
        target.write_bytes(gzip.compress(b"another file"))
        with pytest.raises(SourceError, match="not the original MNIST file"):
            check(target)
        target.write_bytes(absent[part])
        check(target)
        assert len(absent[part]) <= limit

    monkeypatch.setattr(remote, "fetch", serve)
    same_digits(load(None, cache=cache), fake_mnist.digits)
    names = [fake_mnist.facts[part]["name"] for part in absent]
    assert asked == [[mirror + name for mirror in pinned("mnist")["mirrors"]] for name in names]


def test_description_names_what_is_needed_to_get_it_again():
    description = mnist.describe()
    assert description["name"] == "mnist"
    assert set(description["sha256"]) == set(mnist.PARTS)
    assert description["sha256"]["train-images"].startswith("ba891046e6505d7a")
    assert description["license"] == "CC BY-SA 3.0"
    assert "LeCun" in description["citation"]


def test_mirrors_are_encrypted():
    assert len(pinned("mnist")["mirrors"]) >= 2
    assert all(url.startswith("https://") and url.endswith("/") for url in pinned("mnist")["mirrors"])


def test_the_original_files(mnist_digits):
    assert mnist_digits.images.shape == (70_000, 28, 28)
    assert mnist_digits.labels.shape == (70_000,)
    counts = np.bincount(mnist_digits.labels)
    assert counts.tolist() == [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]


def test_the_original_files_are_described_truly(mnist_dir):
    for facts in pinned("mnist")["files"].values():
        path = mnist_dir / facts["name"]
        assert path.stat().st_size == facts["size"]
        assert len(gzip.decompress(path.read_bytes())) == facts["size_decompressed"]


def test_damaged_file_in_the_cache_is_to_be_deleted(fake_mnist, tmp_path):
    folder = tmp_path / "cache" / "mnist"
    shutil.copytree(fake_mnist.folder, folder)
    damaged = folder / fake_mnist.path("train-images").name
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(SourceError, match="the gzip stream is truncated, in the cache") as caught:
        mnist.load(cache=tmp_path / "cache", quiet=True)
    assert caught.value.where == damaged
    assert caught.value.hint == "delete this file; it is downloaded again when it is needed"
