"""The cache of the synthetic digits: drawn once, checked always, no obstacle when it cannot be written."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from stirdata import locks
from stirdata.digest import sha256_of_array
from stirdata.errors import SourceError
from stirdata.manifest import pinned
from stirdata.sources import synthetic, synthetic_cache
from stirdata.storage import npz


@pytest.fixture
def drawn(small_digits, monkeypatch):
    """Let drawing give the small digits; return the list of the calls."""
    calls = []

    def draw_all(workers, advance):
        calls.append(workers)
        advance(len(small_digits.images))
        return small_digits.images, small_digits.labels

    hashes = {name: sha256_of_array(array) for name, array in vars(small_digits).items()}
    monkeypatch.setattr(synthetic, "draw_all", draw_all)
    monkeypatch.setitem(pinned("synthetic"), "sha256", hashes)
    return calls


@pytest.fixture
def load(small_digits, tmp_path):
    """Load with the cache in ``cache``; fail unless it gives the small digits."""

    def run(**options):
        digits = synthetic_cache.load(cache=tmp_path / "cache", quiet=True, **options)
        np.testing.assert_array_equal(digits.images, small_digits.images)
        np.testing.assert_array_equal(digits.labels, small_digits.labels)

    return run


def cached(tmp_path):
    return tmp_path / "cache" / "synthetic" / f"digits-{pinned('synthetic')['version']}.npz"


def test_drawn_once_then_kept(drawn, load, tmp_path, content_of):
    load(workers=3)
    name = cached(tmp_path).relative_to(tmp_path).as_posix()
    assert list(content_of(tmp_path)) == ["cache", "cache/synthetic", name]
    before = content_of(tmp_path)
    load()
    assert drawn == [3]
    assert content_of(tmp_path) == before


def test_variable_names_the_cache(drawn, monkeypatch, tmp_path):
    monkeypatch.setenv("STIRDATA_HOME", str(tmp_path / "cache"))
    synthetic_cache.load(quiet=True)
    assert cached(tmp_path).is_file()


@pytest.mark.parametrize("damage", ["cut", "other", "text", "empty"])
def test_damaged_cache_is_drawn_again(drawn, load, tmp_path, damage, small_digits):
    load()
    content = cached(tmp_path).read_bytes()
    if damage == "other":
        npz.write(cached(tmp_path), {"images": small_digits.images[::-1], "labels": small_digits.labels})
    else:
        cached(tmp_path).write_bytes({"cut": content[:-9], "text": b"no npz", "empty": b""}[damage])
    load()
    assert drawn == [1, 1]
    assert cached(tmp_path).read_bytes() == content


def test_another_process_may_have_drawn_them_meanwhile(drawn, load, tmp_path, monkeypatch):
    load()
    content = cached(tmp_path).read_bytes()
    cached(tmp_path).unlink()
    locked = locks.locked

    def locked_late(target):
        target.write_bytes(content)
        return locked(target)

    monkeypatch.setattr(locks, "locked", locked_late)
    load()
    assert drawn == [1]


def test_cache_that_is_a_file(drawn, load, tmp_path, content_of):
    (tmp_path / "cache").write_bytes(b"a file")
    load()
    assert drawn == [1]
    assert content_of(tmp_path) == {"cache": b"a file"}


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_cache_that_cannot_be_written(drawn, load, tmp_path, monkeypatch, content_of, code):
    def refused(*arguments, **options):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", refused)
        load()
    assert drawn == [1]
    assert content_of(tmp_path) == {}


def test_cache_on_a_full_disk_costs_no_second_drawing(drawn, load, tmp_path, monkeypatch, content_of):
    def refused(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refused)
        load()
    assert drawn == [1]
    assert [name for name, content in content_of(tmp_path).items() if content is not None] == []


def test_machine_that_draws_other_digits_is_told(drawn, load, tmp_path, monkeypatch, content_of):
    monkeypatch.setitem(pinned("synthetic"), "sha256", {"images": "0" * 64, "labels": "0" * 64})
    with pytest.raises(SourceError, match="are not the pinned ones") as caught:
        load()
    assert caught.value.expected == {"images": "0" * 64, "labels": "0" * 64}
    assert set(caught.value.got) == {"images", "labels"}
    assert caught.value.got != caught.value.expected
    assert "please report it" in caught.value.hint
    assert content_of(tmp_path) == {}


def test_description_says_that_it_is_no_mnist():
    description = synthetic_cache.describe()
    assert description["name"] == "synthetic"
    assert set(description["sha256"]) == {"images", "labels"}
    assert description["license"]
    assert description["citation"]
