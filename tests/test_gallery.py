"""The gallery shows every benchmark, and what it shows is what is made."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image
from tour import README

from stirdata.families import recipes

DOCS = README.parent / "docs"
_spec = importlib.util.spec_from_file_location("gallery", DOCS / "gallery.py")
gallery = sys.modules["gallery"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(gallery)


def test_every_benchmark_is_in_it():
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    shown = {entry.recipe for entry in gallery.ENTRIES}
    for _, recipe in recipes():
        words = " ".join(recipe.command)
        assert recipe.name in shown or f"generate {words}" in page or recipe.command[-1] in gallery.OTHERS
    for name in shown:
        assert f"](gallery/{name}.png)" in page
    assert {path.stem for path in (DOCS / "gallery").iterdir()} == shown


def test_its_commands_are_commands(stirdata):
    for entry in gallery.ENTRIES:
        ran = stirdata("generate", *entry.command.split(), "--help")
        assert ran.code == 0, ran.err


@pytest.mark.parametrize("entry", gallery.ENTRIES, ids=lambda entry: entry.recipe)
def test_pictures_are_those_of_the_recipes(entry, tmp_path):
    with (
        Image.open(gallery.picture(entry, tmp_path)) as made,
        Image.open(DOCS / "gallery" / f"{entry.recipe}.png") as kept,
    ):
        assert np.array_equal(np.asarray(made), np.asarray(kept)), "run: python docs/gallery.py"


def test_the_page_is_written_by_it():
    page = [gallery.FOREWORD, *map(gallery.text_of, gallery.ENTRIES), gallery.OTHERS.lstrip("\n")]
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == "\n".join(page)
