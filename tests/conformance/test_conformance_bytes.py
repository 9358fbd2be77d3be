"""The same bytes again, whatever the circumstances: for every family in every form."""

import hashlib
import json
import re
import zipfile
from pathlib import Path

import pytest
from specimens import target_in, write

from stirdata.families import families
from stirdata.operations.convert import convert

GOLDEN = Path(__file__).with_name("golden")


def listing(target):
    folder = target if target.is_dir() else target.parent
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_same_bytes_again_with_any_number_of_workers(specimen, tmp_path, workers):
    target = target_in(tmp_path, specimen.form)
    write(specimen.family, specimen.form, target, workers)
    assert listing(target) == listing(specimen.path)


def test_every_form_gives_every_other_one(specimen, tmp_path):
    for form in specimen.family.layout.forms:
        converted, made = target_in(tmp_path / f"to {form}", form), target_in(tmp_path / form, form)
        convert(specimen.path, _as_given(converted), workers=2)
        write(specimen.family, form, made)
        assert listing(converted) == listing(made), form


def _as_given(target):
    target.parent.mkdir()
    return target


def test_read_as_it_was_made(specimen):
    stored = _stored(specimen)
    assert list(stored.headers) == list(specimen.family.layout.names)
    found = stored.read(list(stored.headers))
    for name, array in specimen.arrays.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].tolist() == array.tolist(), name
        parts = [value for block in stored.blocks(name, 1000) for value in block.reshape(-1).tolist()]
        assert parts == array.reshape(-1).tolist(), name


def _stored(specimen):
    from stirdata.storage.stored import open_stored

    layout = specimen.family.layout
    return open_stored(specimen.path, layout.names, layout.tree if specimen.form == "png" else None)


def digests_of(target, form, streamed):
    """Return the digests of what does not depend on the machine: no versions, no deflated bytes."""
    found = {}
    for name, stored in listing(target).items():
        content = stored
        if name.endswith("manifest.json"):
            content = without_versions(stored.decode()).encode()
        elif name.endswith(".npz") and streamed:
            content = directory_of(target)
        if form == "png" and not name.endswith(("manifest.json", "SHA256SUMS", ".csv")):
            found["images"] = hashlib.sha256((found.get("images", "") + name).encode() + content).hexdigest()
        else:
            found[name] = hashlib.sha256(content).hexdigest()
    if streamed and form == "npz":  # their files' hashes differ with the deflate library
        del found["data.npz.manifest.json"], found["SHA256SUMS"]
    return found


def without_versions(text):
    """Return the text of a manifest without the versions, which are those of this machine."""
    found, count = re.subn(r'\n "versions": \{.*?\n \}', '\n "versions": {}', text, flags=re.DOTALL)
    assert count == 1
    return found


def directory_of(path):
    """Return what an archive says of its members other than their sizes, and their content."""
    with zipfile.ZipFile(path) as archive:
        facts = [
            (
                one.filename,
                one.date_time,
                one.compress_type,
                one.create_system,
                one.create_version,
                one.external_attr,
                one.flag_bits,
                one.comment.decode(),
                one.extra[:4].hex(),
            )
            for one in archive.infolist()
        ]
        return repr(facts).encode() + b"".join(archive.read(name) for name in archive.namelist())


def golden_digests(family, folder):
    """Return the digests of the small dataset of a family in all its forms."""
    found = {}
    for form in family.layout.forms:
        target = target_in(folder / form, form)
        write(family, form, target)
        found[form] = digests_of(target, form, bool(family.layout.streamed))
    return found


@pytest.mark.parametrize("family", families().values(), ids=lambda family: family.name)
def test_bytes_are_the_golden_ones(family, tmp_path):
    found, golden = golden_digests(family, tmp_path), GOLDEN / f"{family.name}.json"
    (tmp_path / golden.name).write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(golden.read_text()), (
        f"a change of bytes needs a reason and a Data line in the CHANGELOG; found: {tmp_path / golden.name}"
    )
