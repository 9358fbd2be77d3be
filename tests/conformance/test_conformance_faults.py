"""Kills, full disks, damage, and what file systems leave behind: for every family in every form."""

import resource
import subprocess
import sys
from contextlib import contextmanager

import pytest
from leftovers import litter
from specimens import target_in, write

from stirdata.errors import StirdataError, TargetError
from stirdata.operations.verify import verify

KILLED = """\
import os, sys
from pathlib import Path
from stirdata import locks
from stirdata.executors import Workers
from stirdata.families import families
from stirdata.families.making import make_and_save

name, form, target, fatal = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
replace, calls = os.replace, []

def killing(*arguments, **options):
    calls.append(1)
    if len(calls) == fatal:
        os._exit(9)
    return replace(*arguments, **options)

os.replace = os.rename = killing
family = families()[name]
with Workers(1) as workers, locks.locked(target):
    make_and_save(family, family.specimen(), target, form, workers)
"""


def is_whole(target):
    return verify(target).ok


def test_killed_at_every_step_there_is_all_or_nothing(specimen, tmp_path):
    target, steps = target_in(tmp_path / "out", specimen.form), 0
    target.parent.mkdir()
    for fatal in range(1, 10):
        arguments = [specimen.family.name, specimen.form, str(target), str(fatal)]
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], timeout=60, check=False)
        assert done.returncode in (0, 9)
        assert not target.exists() or is_whole(target)
        if done.returncode == 0:
            break
        steps += 1
    assert steps >= 1
    assert is_whole(target)
    assert sorted(path.name for path in specimen.path.parent.iterdir()) == sorted(
        path.name for path in target.parent.iterdir()
    )


@contextmanager
def largest_file(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_leaves_nothing(specimen, tmp_path):
    largest = max(path.stat().st_size for path in specimen.files())
    for size in (0, 100, largest - 1):
        target = target_in(tmp_path / "out", specimen.form)
        with pytest.raises(TargetError), largest_file(size):
            write(specimen.family, specimen.form, target)
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def _data_files(specimen):
    files = [path for path in specimen.files() if "manifest" not in path.name and path.name != "SHA256SUMS"]
    by_size = sorted(files, key=lambda path: path.stat().st_size)
    return {by_size[0], by_size[len(by_size) // 2], by_size[-1]}


def test_damage_is_found(own_specimen):
    for path in sorted(_data_files(own_specimen)):
        content = path.read_bytes()
        places = sorted({0, 1, len(content) // 3, len(content) // 2, len(content) - 1})
        cut = [content[:place] for place in places]
        flipped = [content[:at] + bytes([content[at] ^ 16]) + content[at + 1 :] for at in places]
        for damaged in (*cut, *flipped, content + b"x"):
            path.write_bytes(damaged)
            report = verify(own_specimen.path)
            assert not report.ok
            assert report.identity is None or report.findings
        path.write_bytes(content)
        assert verify(own_specimen.path).ok


def test_loaders_of_damaged_files_raise_errors_of_ours_or_read_right(own_specimen):
    split = own_specimen.load().splits[0]
    right = own_specimen.load().to_torch(split).images
    for path in sorted(_data_files(own_specimen)):
        content = path.read_bytes()
        for place in (0, len(content) // 2, len(content) - 1):
            path.write_bytes(content[:place])
            try:
                images = own_specimen.load().to_torch(split).images
            except StirdataError:
                continue
            finally:
                path.write_bytes(content)
            assert images.equal(right)


def test_missing_and_extra_files_are_found(own_specimen):
    if own_specimen.path.is_file():
        pytest.skip("a file has no other files in it")
    victim = max(_data_files(own_specimen))
    content = victim.read_bytes()
    victim.unlink()
    assert any(finding.kind in ("missing", "unreadable") for finding in verify(own_specimen.path).findings)
    victim.write_bytes(content)
    (own_specimen.path / "notes.txt").write_text("mine")
    assert [(one.kind, one.name) for one in verify(own_specimen.path).findings] == [("extra", "notes.txt")]


def test_what_systems_leave_behind_is_no_part_of_it(own_specimen):
    folder = own_specimen.path if own_specimen.path.is_dir() else own_specimen.path.parent
    before = own_specimen.load().to_torch(own_specimen.load().splits[0]).images
    litter(folder)
    report = verify(own_specimen.path)
    assert report.ok
    assert own_specimen.load().to_torch(own_specimen.load().splits[0]).images.equal(before)
    if own_specimen.path.is_dir():
        assert any(".DS_Store" in remark for remark in report.remarks)
