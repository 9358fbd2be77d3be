"""Cards: what is there is left alone, what cannot be told is said; pictures of places and scales."""

import json

import numpy as np
import pytest
from making import small_dataset

from stirdata.errors import MissingFileError, ParameterError, TargetError, TargetExistsError
from stirdata.families import families
from stirdata.operations.card import NAMES, card
from stirdata.sharing.card import license_id
from stirdata.sharing.croissant import authors_of, license_url, page_of, year_of


@pytest.fixture
def source(tmp_path):
    return small_dataset(tmp_path)


def test_beside_the_dataset(source):
    """The folder of the dataset is the place for its card; nothing else there is touched."""
    before = {path: path.read_bytes() for path in source.parent.iterdir() if path.is_file()}
    assert not card(source, source.parent).already_there
    assert card(source, source.parent).already_there
    assert all(path.read_bytes() == content for path, content in before.items())


def test_other_files_are_not_replaced_unasked(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "README.md").write_text("mine")
    with pytest.raises(TargetExistsError, match=r"README\.md"):
        card(source, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["README.md"]
    card(source, tmp_path / "out", force=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(NAMES)


def test_wrong_arguments(source, tmp_path):
    with pytest.raises(ParameterError, match="no date"):
        card(source, tmp_path / "out", published="yesterday")
    with pytest.raises(ParameterError, match="no address"):
        card(source, tmp_path / "out", url="example.org")
    with pytest.raises(MissingFileError):
        card(tmp_path / "none.h5", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(TargetError, match="a file is where a folder"):
        card(source, tmp_path / "file")


def test_without_a_manifest_it_says_so(source, tmp_path):
    source.with_name("data.h5.manifest.json").unlink()
    made = card(source, tmp_path / "out")
    assert any("no manifest" in note for note in made.notes)
    told = json.loads((made.path / "croissant.json").read_text(encoding="utf-8"))
    assert "distribution" not in told
    assert {entry["name"] for entry in told["recordSet"]} == {"splits", "classes"}
    assert "It has no manifest" in (made.path / "index.html").read_text(encoding="utf-8")


def test_by_command(stirdata, source, tmp_path):
    ran = stirdata("card", source, "--out", tmp_path / "out", "--published", "2026", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["files"] == list(NAMES)
    told = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert told["datePublished"] == "2026"
    ran = stirdata("card", source, "--out", tmp_path / "out")
    assert (ran.code, "is another file" in ran.err) == (2, True)
    assert stirdata("card", tmp_path / "none.h5", "--out", tmp_path / "out").code == 2


@pytest.mark.parametrize(
    ("citation", "authors", "year", "page"),
    [
        (
            "T. Altstidl, A. Nguyen. Just a Matter of Scale? IJCNN, 2023. arXiv:2211.10288.",
            ["T. Altstidl", "A. Nguyen"],
            "2023",
            "https://arxiv.org/abs/2211.10288",
        ),
        (
            "Y. LeCun, C. J. C. Burges. The MNIST database of handwritten digits, 1998.",
            ["Y. LeCun", "C. J. C. Burges"],
            "1998",
            "",
        ),
        ("F. Köferl, J.-P. van den Berg. A study. 2020.", ["F. Köferl", "J.-P. van den Berg"], "2020", ""),
        ("", [], "", ""),
        ("My own pictures", [], "", ""),
    ],
)
def test_citations_are_understood(citation, authors, year, page):
    assert (authors_of(citation), year_of(citation), page_of(citation)) == (authors, year, page)


def test_licenses_have_addresses():
    for family in families().values():
        for name in {family.license}:
            assert license_url(name)
    assert license_url("CC BY-NC-SA 4.0") == "https://creativecommons.org/licenses/by-nc-sa/4.0/"
    assert license_url("not stated by its makers") == "not stated by its makers"
    assert license_id("CC BY-NC-SA 4.0") == "cc-by-nc-sa-4.0"
    assert license_id("not stated by its makers") == "other"


def test_heat_map_counts_boxes(tmp_path):
    """Two boxes on a canvas of 4 x 6 pixels, one of which leaves it."""
    from stirdata.loading.records import Records
    from stirdata.sharing import dataset_page

    folder = tmp_path / "set"
    folder.mkdir()
    arrays = {
        "test_images": np.zeros((2, 4, 6), np.uint8),
        "test_labels": np.array([0, 1]),
        "test_factors": np.array([1.0, 2.0]),
        "test_positions": np.array([[0, 0], [4, 2]], np.int32),
        "test_sizes": np.array([[3, 2], [5, 5]], np.int32),
        "test_source_index": np.array([0, 1], np.int32),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    dataset = families()["scaled"].loader()(folder)
    expected = np.zeros((4, 6), int)
    expected[:2, :3] += 1
    expected[2:, 4:] += 1
    assert np.array_equal(dataset_page.covered(Records(dataset)), expected)
