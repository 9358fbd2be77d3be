"""Writing: the old content or the new one, whatever fails in between."""

import errno
import os
from pathlib import Path

import pytest

from stirdata import atomic
from stirdata.errors import FormatError, TargetError, TargetExistsError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def old_file(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def old_folder(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    (path / "a").write_bytes(b"old")
    return path


def write(target):
    with atomic.new_file(target) as partial:
        partial.write_bytes(b"new")


def refuse(error):
    """Return a function that fails with an error, whatever it is called with."""

    def refused(*arguments, **options):
        raise error

    return refused


def test_new_file_appears_whole(tmp_path, content_of):
    with atomic.new_file(tmp_path / "data") as partial:
        partial.write_bytes(b"new")
        assert not (tmp_path / "data").exists()
        assert partial.parent == tmp_path
    assert content_of(tmp_path) == {"data": b"new"}


def test_new_file_replaces_the_old_one(tmp_path, old_file, content_of):
    with atomic.new_file(old_file) as partial:
        partial.write_bytes(b"new")
        assert old_file.read_bytes() == b"old"
    assert content_of(tmp_path) == {"data": b"new"}


@pytest.mark.parametrize("error", [FormatError("wrong"), KeyboardInterrupt(), ValueError("wrong")])
def test_old_file_survives_a_failing_body(tmp_path, old_file, content_of, error):
    with pytest.raises(type(error)), atomic.new_file(old_file) as partial:
        partial.write_bytes(b"ne")
        raise error
    assert content_of(tmp_path) == {"data": b"old"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_old_file_survives_a_full_disk(tmp_path, old_file, content_of, monkeypatch, step):
    with monkeypatch.context() as patched:
        patched.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), refuse(FULL))
        with pytest.raises(TargetError, match="the output cannot be written") as caught:
            write(old_file)
    assert caught.value.where == old_file
    assert caught.value.got == "No space left on device"
    assert caught.value.hint == "free some space or choose another folder"
    assert content_of(tmp_path) == {"data": b"old"}


def test_rests_of_a_killed_process_are_removed(tmp_path, content_of):
    (tmp_path / ".data.partial").write_bytes(b"half")
    write(tmp_path / "data")
    assert content_of(tmp_path) == {"data": b"new"}


def test_resumable_file_goes_on_until_it_is_whole(tmp_path, old_file, content_of):
    with pytest.raises(FormatError), atomic.resumable_file(old_file) as file:
        file.write(b"ne")
        raise FormatError("wrong")
    assert content_of(tmp_path) == {"data": b"old", ".data.partial": b"ne"}
    assert atomic.partial_of(old_file).read_bytes() == b"ne"
    with atomic.resumable_file(old_file) as file:
        assert file.read() == b"ne"
        file.write(b"w")
    assert content_of(tmp_path) == {"data": b"new"}


@pytest.mark.parametrize(
    ("error", "content"), [(FULL, b"ne"), (OSError(errno.EDQUOT, "quota"), b"ne"), (KeyboardInterrupt(), b"")]
)
def test_resumable_file_that_is_in_the_way_or_empty_is_removed(
    tmp_path, old_file, content_of, error, content
):
    expected = TargetError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected), atomic.resumable_file(old_file) as file:
        file.write(content)
        raise error
    assert content_of(tmp_path) == {"data": b"old"}


def test_resumable_file_does_not_replace_a_folder(tmp_path, old_folder, content_of):
    with (
        pytest.raises(TargetError, match="a folder is where a file should go"),
        atomic.resumable_file(old_folder),
    ):
        pytest.fail("the body must not run")
    assert content_of(tmp_path) == OLD


def test_new_files_appear_in_their_order(tmp_path, content_of, monkeypatch):
    replace, order = Path.replace, []

    def noted(self, target):
        order.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    with atomic.new_files(tmp_path / "b", tmp_path / "a") as partials:
        for number, partial in enumerate(partials):
            partial.write_bytes(b"%d" % number)
    assert order == ["b", "a"]
    assert content_of(tmp_path) == {"a": b"1", "b": b"0"}


def test_none_of_several_files_changes_when_one_cannot_be_flushed(
    tmp_path, old_file, content_of, monkeypatch
):
    fsync, calls = os.fsync, []

    def second_fails(descriptor):
        calls.append(descriptor)
        if len(calls) == 2:
            raise FULL
        return fsync(descriptor)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(TargetError) as caught, atomic.new_files(old_file, tmp_path / "b") as partials:
        for partial in partials:
            partial.write_bytes(b"new")
    assert caught.value.where == tmp_path / "b"
    assert content_of(tmp_path) == {"data": b"old"}


def test_folder_is_not_taken_for_a_file(tmp_path, old_folder, content_of):
    with pytest.raises(TargetError, match="a folder is where a file should go") as caught:
        write(old_folder)
    assert caught.value.where == old_folder
    assert caught.value.hint == "move the folder away, or choose another output"
    assert content_of(tmp_path) == OLD


def fill(folder):
    (folder / "a").write_bytes(b"new")
    (folder / "sub").mkdir()
    (folder / "sub" / "b").write_bytes(b"b")


NEW = {"data": None, "data/a": b"new", "data/sub": None, "data/sub/b": b"b"}
OLD = {"data": None, "data/a": b"old"}


def test_new_folder_appears_whole(tmp_path, content_of):
    with atomic.new_folder(tmp_path / "data") as partial:
        fill(partial)
        assert not (tmp_path / "data").exists()
    assert content_of(tmp_path) == NEW


def test_new_folder_replaces_the_old_one(tmp_path, old_folder, content_of):
    with atomic.new_folder(old_folder) as partial:
        fill(partial)
        assert (old_folder / "a").read_bytes() == b"old"
    assert content_of(tmp_path) == NEW


def test_new_folder_replaces_a_file(tmp_path, old_file, content_of):
    with atomic.new_folder(old_file) as partial:
        fill(partial)
    assert content_of(tmp_path) == NEW


@pytest.mark.parametrize("error", [FormatError("wrong"), KeyboardInterrupt(), ValueError("wrong")])
def test_old_folder_survives_a_failing_body(tmp_path, old_folder, content_of, error):
    with pytest.raises(type(error)), atomic.new_folder(old_folder) as partial:
        fill(partial)
        raise error
    assert content_of(tmp_path) == OLD


@pytest.mark.parametrize("call", [1, 2])
def test_old_folder_survives_a_failing_rename(tmp_path, old_folder, content_of, monkeypatch, call):
    calls, rename = [], Path.rename

    def fails_once(self, target):
        calls.append(self)
        if len(calls) == call:
            raise FULL
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fails_once)
        with pytest.raises(TargetError, match="cannot be written"), atomic.new_folder(old_folder) as partial:
            fill(partial)
    assert len(calls) >= call
    assert content_of(tmp_path) == OLD


def test_folder_killed_between_its_two_renames_comes_back(tmp_path, old_folder, content_of):
    old_folder.rename(tmp_path / ".data.replaced")
    atomic.restore_folder(old_folder)
    assert content_of(tmp_path) == OLD


def test_folder_killed_after_its_two_renames_stays_the_new_one(tmp_path, content_of):
    (tmp_path / ".data.replaced").mkdir()
    (tmp_path / ".data.replaced" / "a").write_bytes(b"old")
    (tmp_path / "data").mkdir()
    fill(tmp_path / "data")
    atomic.restore_folder(tmp_path / "data")
    assert content_of(tmp_path) == NEW


def test_half_a_folder_of_a_killed_process_is_removed(tmp_path, content_of):
    (tmp_path / ".data.partial" / "deep").mkdir(parents=True)
    with atomic.new_folder(tmp_path / "data") as partial:
        fill(partial)
    assert content_of(tmp_path) == NEW


def test_existing_output_is_told_apart_from_a_parent_that_is_a_file(old_file):
    with pytest.raises(TargetExistsError, match="exists already") as caught, atomic.new_file(old_file):
        raise FileExistsError(errno.EEXIST, "File exists")
    assert caught.value.hint == "use --force to replace it"
