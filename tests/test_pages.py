"""The pages: built without a warning, no broken link, nothing from the network, and they open from the disk.

The links of README and pages are checked without building them; building needs the extra ``docs``.
"""

import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from urllib.parse import unquote, urlsplit

import pytest
from tour import README

from stirdata import errors

ROOT = README.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target.partition("#")[0]).exists() or target.startswith("#"), target


def test_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_every_error_is_explained():
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    known = {name for name, kind in vars(errors).items() if isinstance(kind, type)} - {"StirdataError", "Any"}
    assert set(re.findall(r"^\| `(\w+Error)`", text, re.M)) == known


class Page(HTMLParser):
    """Identifiers, links, and what is loaded."""

    def __init__(self, path):
        super().__init__()
        self.names, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.names |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in ("script", "img", "iframe", "link"):
            self.loaded += [found[name] for name in ("src", "href") if name in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if any(find_spec(name) is None for name in ("mkdocs", "material", "mkdocstrings", "mkdocs_click")):
        pytest.skip("the extra docs is not installed")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return target


@pytest.mark.tools
def test_site_is_whole(site):
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert {path.stem for path in pages} >= {page.stem for page in PAGES}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in pages[target].names, f"{path.name}: {link}"


@pytest.mark.tools
def test_site_opens_from_the_disk(site):
    for path in site.rglob("*.html"):
        if path.name == "404.html":
            continue
        for resource in Page(path).loaded:
            parts = urlsplit(resource)
            assert not parts.scheme and not parts.netloc, f"{path.name}: {resource}"
            assert (path.parent / parts.path).exists(), f"{path.name}: {resource}"


@pytest.mark.tools
def test_reference_has_every_command_and_public_name(site):
    import stirdata.cli

    import stirdata

    commands = Page(site / "cli.html").names
    assert set(stirdata.cli.cli.list_commands(None)) <= commands
    api = (site / "api.html").read_text(encoding="utf-8")
    modules = {"families", "evaluation", "scenarios", "__version__"}
    for name in set(stirdata.__all__) - modules:
        assert re.search(rf'id="stirdata\.[\w.]*\b{name}"', api), name
    assert "Sentinel" not in (site / "cli.html").read_text(encoding="utf-8")
