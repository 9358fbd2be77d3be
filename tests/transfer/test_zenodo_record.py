"""Records of Zenodo: both forms of their JSON, names that are refused, and whatever else may come."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stirdata.errors import SourceError, StirdataError
from stirdata.transfer.zenodo_record import LARGEST_FILE, Record, RecordFile, name_problem, parse

SITE = "https://zenodo.org"
ADDRESS = f"{SITE}/api/records/346365"
MD5 = "7e479156b3545479cefae3e95c42ddbf"


def entry(**changes):
    link = {"self": f"{ADDRESS}/files/emoji.npz/content"}
    facts = {"key": "emoji.npz", "size": 3738, "checksum": f"md5:{MD5}", "links": link}
    facts |= changes
    return {name: value for name, value in facts.items() if value is not ...}


def content(*entries, **changes):
    facts = {"id": 346365, "recid": "346365", "conceptrecid": "346364", "doi": "10.5072/zenodo.346365"}
    facts |= {"metadata": {"title": "T", "license": {"id": "cc-by-4.0"}}, "files": list(entries), **changes}
    return {name: value for name, value in facts.items() if value is not ...}


def test_record_of_today():
    assert parse(content(entry()), ADDRESS, SITE) == Record(
        id="346365",
        concept="346364",
        doi="10.5072/zenodo.346365",
        title="T",
        license="cc-by-4.0",
        files={"emoji.npz": RecordFile("emoji.npz", 3738, MD5, f"{ADDRESS}/files/emoji.npz/content")},
    )


def test_record_of_october_2023():
    old = {"filename": "my file.npz", "filesize": 3738, "checksum": MD5.upper()}
    old["links"] = {"self": f"{SITE}/api/files/bucket/my%20file.npz"}
    (file,) = parse(content(old), ADDRESS, SITE).files.values()
    url = f"{SITE}/records/346365/files/my%20file.npz?download=1"
    assert file == RecordFile("my file.npz", 3738, MD5, url)


@pytest.mark.parametrize("absent", ["conceptrecid", "doi", "metadata", "recid"])
def test_what_may_be_absent(absent):
    record = parse(content(entry(), **{absent: ...}), ADDRESS, SITE)
    assert record.id == "346365"
    assert list(record.files) == ["emoji.npz"]


def test_number_may_be_text_or_in_recid():
    assert parse(content(id="12"), ADDRESS, SITE).id == "12"
    assert parse(content(id=...), ADDRESS, SITE).id == "346365"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "text",
        3,
        {},
        content(id=None, recid=...),
        content(id=True),
        content(id=-1),
        content(id="../1"),
        content(id=1.5),
        content(files=...),
        content(files={}),
        content(files="x"),
        content("x"),
        content(entry(size=-1)),
        content(entry(size=True)),
        content(entry(size="3738")),
        content(entry(size=1.5)),
        content(entry(size=float("nan"))),
        content(entry(size=float("inf"))),
        content(entry(size=LARGEST_FILE + 1)),
        content(entry(size=10**400)),
        content(entry(size=...)),
        content(entry(checksum=...)),
        content(entry(checksum=None)),
        content(entry(checksum="md5:xyz")),
        content(entry(checksum=f"sha256:{MD5}")),
        content(entry(checksum=f"md5:{MD5}0")),
        content(entry(), entry()),
        content(entry(), entry(key="EMOJI.npz")),
        content(entry(links={"self": "http://zenodo.org/emoji.npz/content"})),
        content(entry(links={"self": "file:///etc/passwd/content"})),
        content(entry(links={"self": "https://[/content"})),
    ],
    ids=lambda value: json.dumps(value)[-60:],
)
def test_what_is_no_record_is_told(wrong):
    with pytest.raises(SourceError, match="no record of Zenodo") as caught:
        parse(wrong, ADDRESS, SITE)
    assert caught.value.where == ADDRESS
    assert caught.value.expected
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("links", [..., None, {}, {"self": None}, {"self": "page"}, [], "x"])
def test_address_is_built_where_none_is_linked(links):
    (file,) = parse(content(entry(links=links)), ADDRESS, SITE).files.values()
    assert file.url == f"{SITE}/records/346365/files/emoji.npz?download=1"


DANGEROUS = [
    "../evil",
    "a/../../evil",
    "/etc/passwd",
    "//host/share",
    "C:\\evil",
    "C:evil",
    "..\\evil",
    "a\\b",
    "a\0b",
    "a\nb",
    "",
    ".",
    "..",
    "a//b",
    "a/",
    "./a",
    "NUL",
    "nul.npz",
    "con",
    "COM1.txt",
    "lpt¹",
    "folder/aux",
    "emoji.npz.",
    "emoji.npz ",
    " emoji.npz",
    "emoji.npz:stream",
    "what?",
    "\ud800",
    "x" * 256,
    None,
    3,
    ["a"],
]


@pytest.mark.parametrize("key", DANGEROUS, ids=repr)
def test_dangerous_names_are_refused(key):
    assert name_problem(key)
    with pytest.raises(SourceError, match="dangerous name") as caught:
        parse(content(entry(), entry(key=key)), ADDRESS, SITE)
    assert repr(key)[:200] in caught.value.got
    assert "do not trust" in caught.value.hint


@pytest.mark.parametrize(
    "key", ["emoji.npz", "my file.npz", "owner/project-v1.0.zip", "ä.npz", "..a", "a..b"]
)
def test_usual_names_are_not(key):
    assert name_problem(key) == ""
    assert list(parse(content(entry(key=key)), ADDRESS, SITE).files) == [key]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(DANGEROUS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
file_values = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["emoji.npz", "a b"]) | json_values,
        "filename": json_values,
        "size": st.integers(0, 9) | json_values,
        "filesize": json_values,
        "checksum": st.sampled_from([MD5, f"md5:{MD5}"]) | json_values,
        "links": st.fixed_dictionaries({"self": json_values | st.just("x/content")}) | json_values,
    },
)
record_values = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 9) | json_values,
        "recid": json_values,
        "conceptrecid": json_values,
        "doi": json_values,
        "metadata": json_values,
        "files": st.lists(file_values, max_size=3) | json_values,
    },
)


@given(json_values | record_values)
def test_any_json_is_a_record_or_refused(value):
    try:
        record = parse(value, ADDRESS, SITE)
    except StirdataError as error:
        assert str(error)
        return
    assert record.id.isdecimal()
    for key, file in record.files.items():
        assert name_problem(key) == ""
        assert 0 <= file.size <= LARGEST_FILE
        assert len(file.md5) == 32
        assert file.url.startswith("https://")
