"""The icons: found in a folder, in the cache, or downloaded; never another file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from leftovers import litter
from stir_fixtures import SVG, data

from stirdata.digest import sha256_of_bytes
from stirdata.errors import MissingFileError, SourceError, SourceUnavailableError
from stirdata.families.stir.emoji import ICONS
from stirdata.manifest import pinned
from stirdata.sources import fontawesome

ICON = {name: SVG.format(f"<title>{name}</title>").encode() for name in ("one", "two", "three")}


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves a folder without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def icons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write three icons that stirdata takes for those of Font Awesome; return their folder."""
    folder = tmp_path / "icons" / "svgs" / "regular"
    folder.mkdir(parents=True)
    for name, content in ICON.items():
        (folder / f"{name}.svg").write_bytes(content)
    facts: dict[str, Any] = {
        **pinned("fontawesome"),
        "mirrors": ["http://127.0.0.1:9/"],
        "files": {name: {"size": len(svg), "sha256": sha256_of_bytes(svg)} for name, svg in ICON.items()},
    }
    monkeypatch.setattr(fontawesome, "pinned", lambda name: facts)
    return folder


@pytest.fixture
def mirror(icons: Path) -> Iterator[str]:
    """Serve the icons on this machine; return the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(icons)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("up", [0, 1, 2])
def test_a_folder_may_be_named_at_three_levels(icons: Path, up: int) -> None:
    folder = [icons, *icons.parents][up]
    assert fontawesome.load(folder) == ICON


def test_what_systems_leave_behind_does_not_matter(icons: Path) -> None:
    litter(icons.parents[1])
    assert fontawesome.load(icons.parents[1]) == ICON


def test_all_missing_icons_are_named(icons: Path) -> None:
    (icons / "one.svg").unlink()
    (icons / "three.svg").unlink()
    with pytest.raises(MissingFileError, match=r"(?s)2 of the 3 icons.*one\.svg, three\.svg"):
        fontawesome.load(icons.parents[1])
    with pytest.raises(MissingFileError, match="does not exist"):
        fontawesome.load(icons / "nowhere")


def test_another_icon_and_a_harmful_one_are_refused(icons: Path) -> None:
    (icons / "two.svg").write_bytes(ICON["one"])
    with pytest.raises(SourceError, match=r"(?s)not the icon two.*two\.svg"):
        fontawesome.load(icons)
    (icons / "two.svg").write_text(SVG.format("<script/>"))
    with pytest.raises(SourceError, match="active content"):
        fontawesome.load(icons)


def test_icons_are_downloaded_once(
    icons: Path, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fontawesome.pinned("fontawesome"), "mirrors", [mirror])
    cache = tmp_path / "cache"
    assert fontawesome.load(cache=cache, quiet=True) == ICON
    monkeypatch.setitem(fontawesome.pinned("fontawesome"), "mirrors", ["http://127.0.0.1:9/"])
    assert fontawesome.load(cache=cache, quiet=True) == ICON
    assert fontawesome.load(cache=cache, download=False) == ICON


def test_a_wrong_download_is_not_kept(
    icons: Path, mirror: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fontawesome.pinned("fontawesome"), "mirrors", [mirror])
    (icons / "three.svg").write_bytes(ICON["one"])
    with pytest.raises(SourceUnavailableError, match="not the icon three"):
        fontawesome.load(cache=tmp_path / "cache", quiet=True)
    assert not list((tmp_path / "cache").rglob("*three*"))


def test_without_network_it_says_what_to_do(icons: Path, tmp_path: Path) -> None:
    for download in (True, False):
        with pytest.raises(SourceUnavailableError, match=r"(?s)--source-dir.*STIRDATA_HOME"):
            fontawesome.load(cache=tmp_path / "empty", download=download, quiet=True)


def test_the_pinned_icons_are_those_of_the_recipe() -> None:
    assert tuple(fontawesome.names()) == ICONS
    assert len(ICONS) == 36
    assert set(fontawesome.describe()["sha256"]) == set(ICONS)


def test_the_real_icons_are_accepted() -> None:
    assert list(fontawesome.load(data("fontawesome"))) == list(ICONS)
