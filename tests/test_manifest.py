"""Manifests: stable text, a root digest that sees every change, and refusal of dangerous ones."""

import json
import string
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.errors import ManifestError, MissingFileError
from stirdata.manifest import (
    SCHEMA,
    ArrayEntry,
    FileEntry,
    Manifest,
    check_relative,
    checksum_lines,
    describe_array,
    describe_file,
    files_below,
    is_leftover,
    load,
    manifest_path,
)

HASH = "0123456789abcdef" * 4
MANIFEST = Manifest(
    dataset="mnist-scale",
    recipe={"name": "mnist-scale", "version": 1},
    parameters={"min_scale": 0.3, "max_scale": 1.0},
    seed=7,
    sources=[{"name": "mnist", "sha256": {"train-images": HASH}}],
    files=[FileEntry("scale_0.3_1.0.h5", 123, HASH)],
    arrays={"train/images": ArrayEntry("|u1", (5, 28, 28), HASH)},
    license="CC BY-SA 3.0",
    citation=["A. Author. A Title. 2020."],
    checksums={"md5_of_png_files": "0" * 32},
    versions={"numpy": "2.0"},
)


@pytest.fixture
def written(tmp_path):
    """Write content as a manifest and return its path."""

    def write(content):
        path = tmp_path / "manifest.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def with_right_root(**changes):
    """Return the content of a manifest in which the root digest fits the changed fields."""
    changed = replace(MANIFEST, **changes)
    return json.loads(changed.dumps())


words = st.text(string.printable + "äß漢", max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
names = st.text(string.ascii_letters + string.digits + "._- ", min_size=1, max_size=12).filter(
    lambda name: name not in (".", "..")
)
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
manifests = st.builds(
    Manifest,
    dataset=words,
    recipe=st.dictionaries(words, values, max_size=3),
    parameters=st.dictionaries(words, values, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    sources=st.lists(st.dictionaries(words, values, max_size=3), max_size=2),
    files=st.lists(st.builds(FileEntry, names, st.integers(0, 2**60), hashes), max_size=4),
    arrays=st.dictionaries(
        words, st.builds(ArrayEntry, words, st.lists(st.integers(0, 9)).map(tuple), hashes), max_size=4
    ),
    license=words,
    citation=st.lists(words, max_size=2),
    checksums=st.dictionaries(words, words, max_size=2),
    versions=st.dictionaries(words, words, max_size=2),
)


@given(manifests)
def test_load_returns_what_was_dumped(tmp_path_factory, manifest):
    path = tmp_path_factory.getbasetemp() / "round_trip.json"
    path.write_text(manifest.dumps(), encoding="ascii")
    assert load(path) == manifest


def test_text_is_always_the_same_and_one_line_per_file_and_array():
    text = MANIFEST.dumps()
    assert text == MANIFEST.dumps()
    assert json.loads(text)["schema"] == SCHEMA
    lines = text.splitlines()
    assert sum('"path"' in line for line in lines) == 1
    assert sum('"train/images"' in line for line in lines) == 1
    assert text.endswith("}\n")


def test_text_does_not_depend_on_the_order_in_which_it_was_asked():
    before = MANIFEST.dumps()
    assert MANIFEST.root == json.loads(before)["root"]
    assert MANIFEST.dumps() == before


@pytest.mark.parametrize("name", [entry.name for entry in fields(Manifest) if entry.name != "versions"])
def test_root_digest_depends_on_every_field_but_the_versions(name):
    other = {"seed": 8, "dataset": "x", "license": "x"}.get(name)
    if other is None:
        other = [] if isinstance(getattr(MANIFEST, name), list) else {}
    assert replace(MANIFEST, **{name: other}).root != MANIFEST.root


def test_root_digest_leaves_out_the_versions():
    assert replace(MANIFEST, versions={"numpy": "9"}).root == MANIFEST.root


def test_missing_manifest(tmp_path):
    with pytest.raises(MissingFileError, match="there is no manifest") as caught:
        load(tmp_path / "manifest.json")
    assert caught.value.where == tmp_path / "manifest.json"


@pytest.mark.parametrize("text", ["", "{", "not json", '{"a": 1,}', "\x00", '"' * 3, "[" * 100_000])
def test_invalid_json(written, text):
    path = written(text)
    with pytest.raises(ManifestError, match="the manifest is not valid JSON") as caught:
        load(path)
    assert caught.value.where == path
    assert caught.value.got


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xff\xfe\xfa{}")
    with pytest.raises(ManifestError, match="the manifest is not valid JSON"):
        load(path)


@pytest.mark.parametrize("content", [{}, [], 3, None, {"schema": "stirdata/manifest/2"}, {"schema": 1}])
def test_unknown_schema(written, content):
    path = written(content)
    with pytest.raises(ManifestError, match="unknown schema") as caught:
        load(path)
    assert caught.value.where == path
    assert caught.value.expected == SCHEMA
    assert caught.value.hint == "a newer stirdata may be needed"


@pytest.mark.parametrize("name", [*[entry.name for entry in fields(Manifest)], "root"])
def test_missing_field_is_named(written, name):
    content = json.loads(MANIFEST.dumps())
    del content[name]
    with pytest.raises(ManifestError, match="the manifest lacks fields") as caught:
        load(written(content))
    assert caught.value.expected == name


def test_changed_by_hand(written):
    content = json.loads(MANIFEST.dumps()) | {"seed": 8}
    with pytest.raises(ManifestError, match="its root digest does not fit its content") as caught:
        load(written(content))
    assert caught.value.expected == MANIFEST.root
    assert caught.value.got == replace(MANIFEST, seed=8).root
    assert "generate the dataset again" in caught.value.hint


@pytest.mark.parametrize(
    "files", [None, 3, {"a": 1}, ["a"], [{"path": "a"}], [{"path": "a", "size": 1, "sha256": "", "more": 1}]]
)
def test_files_listed_wrongly(written, files):
    content = json.loads(MANIFEST.dumps()) | {"files": files}
    with pytest.raises(ManifestError, match="lists files or arrays wrongly"):
        load(written(content))


@pytest.mark.parametrize("arrays", [None, [], {"a": None}, {"a": {"dtype": "|u1"}}, {"a": 3}])
def test_arrays_listed_wrongly(written, arrays):
    content = json.loads(MANIFEST.dumps()) | {"arrays": arrays}
    with pytest.raises(ManifestError, match="lists files or arrays wrongly"):
        load(written(content))


@given(st.sampled_from([entry.name for entry in fields(Manifest)]), values)
def test_any_value_in_any_field_is_refused_or_taken_but_never_a_fault(tmp_path_factory, name, value):
    path = tmp_path_factory.getbasetemp() / "any_value.json"
    path.write_text(json.dumps(json.loads(MANIFEST.dumps()) | {name: value}))
    try:
        manifest = load(path)
    except ManifestError as error:
        assert error.where == path
    else:
        assert getattr(manifest, name) == value or name == "versions"


@pytest.mark.parametrize("depth", [10, 100, 500, 900, 2000])
def test_nested_deeply(written, depth):
    content = json.dumps(json.loads(MANIFEST.dumps()) | {"parameters": {"deep": "here"}})
    path = written(content.replace('"here"', "[" * depth + "]" * depth))
    with pytest.raises(ManifestError, match=r"root digest|nested too deeply|not valid JSON"):
        load(path)


@pytest.mark.parametrize(
    ("name", "value", "got"), [("seed", "7", "str"), ("recipe", [], "list"), ("sources", {}, "dict")]
)
def test_field_of_the_wrong_type(written, name, value, got):
    path = written(with_right_root(**{name: value}))
    with pytest.raises(ManifestError, match=f"a wrong value in the field {name}") as caught:
        load(path)
    assert (caught.value.where, caught.value.got) == (path, got)


DANGEROUS = [
    *["/etc/passwd", "//server/share", "..", "../a", "a/../../b", "a/..", "./../a", "", ".", "/"],
    *["C:\\Windows", "c:a", "\\a", "\\\\server\\share", "..\\a", "a\\..\\b", "C:/a"],
]


@pytest.mark.parametrize("name", [*DANGEROUS, None, 3, ["a"]])
def test_path_out_of_the_folder(written, name):
    path = written(with_right_root(files=[FileEntry(name, 1, HASH)]))
    with pytest.raises(ManifestError, match="a path leads out of the folder") as caught:
        load(path)
    assert caught.value.where == path
    assert caught.value.expected == "a relative path without .."
    assert caught.value.got == repr(name)
    assert caught.value.hint == "do not trust this manifest"


@given(st.lists(names, min_size=1, max_size=4), st.sampled_from("/\\"))
def test_paths_below_the_folder_are_taken(parts, sign):
    check_relative(sign.join(parts), Path("manifest.json"))


@given(st.lists(names | st.sampled_from(["..", ".", "/", "C:", ""]), max_size=5), st.sampled_from("/\\"))
def test_whatever_is_taken_stays_in_the_folder(parts, sign):
    name = sign.join(parts)
    try:
        check_relative(name, Path("manifest.json"))
    except ManifestError:
        return
    folder = Path("/somewhere/data")
    joined = Path(*(folder / name.replace("\\", "/")).parts)
    assert folder in joined.parents
    assert ".." not in joined.parts


def test_where_the_manifest_of_an_output_is(tmp_path):
    assert manifest_path(tmp_path) == tmp_path / "manifest.json"
    assert manifest_path(tmp_path / "a.h5") == tmp_path / "a.h5.manifest.json"


def test_entries_describe_files_and_arrays(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert describe_file(tmp_path / "a", "sub/a") == FileEntry("sub/a", 3, sha256)
    entry = describe_array(np.frombuffer(b"abc", np.uint8).reshape(1, 3))
    assert entry == ArrayEntry("|u1", (1, 3), sha256)


def test_checksum_lines_are_those_of_sha256sum():
    assert checksum_lines(MANIFEST.files * 2) == f"{HASH}  scale_0.3_1.0.h5\n" * 2


LEFTOVERS = [
    # macOS
    *(
        ".DS_Store",
        "._0.png",
        "._.DS_Store",
        ".AppleDouble/0.png",
        ".AppleDB",
        ".AppleDesktop",
        ".LSOverride",
    ),
    *(".Spotlight-V100/Store-V2/0.png", ".Trashes", ".fseventsd/no_log", ".TemporaryItems", ".apdisk"),
    *(
        ".localized",
        ".VolumeIcon.icns",
        ".DocumentRevisions-V100",
        "__MACOSX/._0.png",
        ".metadata_never_index",
    ),
    *(".com.apple.timemachine.donotpresent", ".com.apple.timemachine.supported", ".smbdeleteAAA1234"),
    *("Icon\r", "Icon\uf00d", "Network Trash Folder/0.png", "Temporary Items", ":2eDS_Store", ":2e_0.png"),
    # Windows
    *("Thumbs.db", "thumbs.DB", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "Desktop.ini"),
    *("$RECYCLE.BIN/S-1-5-21/0.png", "$Recycle.Bin", "System Volume Information/IndexerVolumeGuid"),
    *("Thumbs.db:encryptable", "0.png:Zone.Identifier"),
    # network storage
    *("@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", "#recycle/0.png", "#snapshot", "@tmp", "@SynoResource"),
    *("0.png@SynoEAStream", "0.png@SynoResource", "@Recycle/0.png", "@Recently-Snapshot"),
    *(".@__thumb/s1000.png", ".@__qini", ".@upload_cache"),
    # Linux and network file systems
    *(".directory", ".Trash-1000/files/0.png", ".Trash", ".nfs000000000002a4f100000001", ".__afs1A2B"),
    *(".fuse_hidden0000002a00000001", ".snapshot/hourly.0/0.png", "~snapshot", ".zfs/snapshot", "lost+found"),
]


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_systems_leave_behind_is_known_in_every_folder(name):
    assert is_leftover(Path(name))
    assert is_leftover(Path("train/3") / name)


@pytest.mark.parametrize(
    "name",
    [
        *("0.png", "train/0/0.png", "scales.csv", "manifest.json", "SHA256SUMS", ".gitkeep", ".hidden/0.png"),
        *("notes.txt~", "icon", "Icon.png", "thumbs.png", "recycled/0.png", "trash/0.png", "directory.png"),
        *("snapshot/0.png", "@", "0@eaDir.png", "my.DS_Store", "desktop.ini.txt", ".nfs", ".nfs-guide", "._"),
        *(".out.h5.partial", ".out.h5.lock", ".trash-"),
    ],
)
def test_what_people_put_there_is_no_leftover(name):
    assert not is_leftover(Path(name))


def test_files_below_a_folder_in_order_and_apart_from_leftovers(tmp_path):
    for name in ("b.png", "a/2.png", "a/10.png", "a.png", ".DS_Store", "a/Thumbs.db", "@eaDir/b.png/x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty" / ".Trashes").mkdir(parents=True)
    files, leftovers = files_below(tmp_path)
    assert files == [tmp_path / name for name in ("a/10.png", "a/2.png", "a.png", "b.png")]
    assert leftovers == [tmp_path / name for name in (".DS_Store", "@eaDir", "a/Thumbs.db", "empty/.Trashes")]


def test_a_dataset_within_a_snapshot_is_whole(tmp_path):
    folder = tmp_path / ".snapshot" / "daily.0"
    folder.mkdir(parents=True)
    (folder / "0.png").touch()
    assert files_below(folder) == ([folder / "0.png"], [])


def test_files_below_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        files_below(tmp_path / "missing")
