"""Cards of every family in every form: Croissant without a warning, a page without the network."""

import json
import logging
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from stirdata.errors import FormatError
from stirdata.manifest import load as load_manifest
from stirdata.manifest import manifest_path
from stirdata.operations.card import NAMES, card


@pytest.fixture
def made(specimen, tmp_path):
    return card(specimen.path, tmp_path / "card", url="https://example.org/data", published="2026-11-27").path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.tools
def test_croissant_is_valid(specimen, made, caplog):
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    with caplog.at_level(logging.WARNING):
        found = croissant.Dataset(str(made / "croissant.json"))
    issues = found.metadata.ctx.issues
    assert not issues.errors
    cited = any(load_manifest(manifest_path(specimen.path)).citation)
    unknown = set() if cited else {"citeAs"}
    assert {warning.partition('" is rec')[0].rpartition("/")[2] for warning in issues.warnings} == unknown
    assert not [record for record in caplog.records if "@context" in record.getMessage()]
    loaded = specimen.load()
    splits = [
        row["splits/name"].decode() if isinstance(row["splits/name"], bytes) else row["splits/name"]
        for row in found.records("splits")
    ]
    assert splits == list(loaded.splits)
    names = [row["classes/name"] for row in found.records("classes")]
    assert [name.decode() if isinstance(name, bytes) else name for name in names] == loaded.classes


def test_croissant_says_what_there_is(specimen, made):
    told = json.loads((made / "croissant.json").read_text(encoding="utf-8"))
    loaded, manifest = specimen.load(), load_manifest(manifest_path(specimen.path))
    assert told["name"] == manifest.dataset
    assert manifest.root in told["description"]
    if len(manifest.files) <= 100:
        files = {entry["contentUrl"]: entry["sha256"] for entry in told["distribution"]}
        assert files == {entry.path: entry.sha256 for entry in manifest.files}
    else:
        (sums, *_) = told["distribution"]
        assert sums["contentUrl"] == "SHA256SUMS"
        assert sums["sha256"] == _sha256(specimen.path / "SHA256SUMS")
    sets = {entry["name"]: entry for entry in told["recordSet"]}
    assert set(sets) == {"splits", "classes", *loaded.splits}
    for split in loaded.splits:
        fields = {field["name"] for field in sets[split]["field"]}
        assert {"image", "label"} <= fields
        try:
            latents = loaded.latents(split)
        except FormatError:
            continue
        assert len(fields) >= 2 + len(latents)


def _sha256(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


class Page(HTMLParser):
    """Everything on a page that could name something elsewhere, and its text."""

    def __init__(self):
        super().__init__()
        self.named, self.scripts, self.text, self.open = [], 0, "", []

    def handle_starttag(self, tag, attrs):
        self.scripts += tag in ("script", "link", "iframe", "object")
        self.named += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_page_needs_nothing_and_says_everything(dataset, tmp_path):
    made = card(dataset.path, tmp_path / "card").path
    content = (made / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(content)
    assert not page.open
    assert page.scripts == 0
    assert all(value.startswith("data:image/png;base64,") for value in page.named)
    assert not re.search(r"url\(|@import", content)
    loaded, manifest = dataset.load(), load_manifest(manifest_path(dataset.path))
    for text in (
        loaded.metadata["title"],
        manifest.root,
        manifest.license,
        *loaded.classes,
        dataset.path.name,
    ):
        assert str(text) in page.text
    for entry in manifest.arrays.values():
        assert entry.sha256 in page.text
    assert f"{len(loaded):,}" in page.text


def test_same_card_again(dataset, tmp_path):
    made = card(dataset.path, tmp_path / "card", url="https://example.org/data", published="2026-11-27").path
    again = card(dataset.path, tmp_path / "again", url="https://example.org/data", published="2026-11-27")
    assert {name: (made / name).read_bytes() for name in NAMES} == {
        name: (again.path / name).read_bytes() for name in NAMES
    }
    assert sorted(path.name for path in made.iterdir()) == sorted(NAMES)


@pytest.mark.tools
def test_readme_has_a_head_that_is_read(dataset, tmp_path):
    made = card(dataset.path, tmp_path / "card").path
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    _, head, body = (made / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    manifest = load_manifest(manifest_path(dataset.path))
    assert told["license"] in ("cc0-1.0", "other")
    assert told["pretty_name"] == dataset.load().metadata["title"]
    assert manifest.root in body
    assert np.all([line.count("|") in (0, 3, 4) for line in body.splitlines()])
