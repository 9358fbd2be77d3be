"""``stirdata info``: a text that people read and JSON that programs read."""

import json

import pytest
from described import save_stir
from making import save_below
from stir_fixtures import small_frame, small_set

from stirdata.manifest import load, manifest_path

STIR_TEXT = """\
{path}
  family      STIR
  title       T
  dataset     stir-custom
  recipe      stir-custom, version 1
  seed        42
  parameters  scales [12, 7, …, 3], canvas 12
  format      npz, {size}
  images      36 of 12 x 12 pixels, grey
  splits      train 12, valid 12, test 12
  classes     2 with 6 images each in every split
              a, b
  scales      3 to 12 pixels, 3 different ones
  positions   left {left}, top {top} pixels
  arrays      imgs      uint8   (3, 3, 2, 2, 12, 12)
              lbls      int32   (3, 3, 2, 2)
              scls      int32   (3, 3, 2, 2)
              psts      int32   (3, 3, 2, 2, 2)
              metadata  str     (6, 2)
              lbldata   str     (2,)
  license     L
  citation    A long citation that does not fit into one line of the text, because it names a great
              many authors and a journal.
              Another one.
  metadata    description  D
              author       A
              version      1
              date         2026
  root digest {root}
  published?  no, or not known to stirdata
              by its manifest, not recomputed: stirdata verify proves it
"""
CITATION = (
    "A long citation that does not fit into one line of the text, because it names a great many authors and "
    "a journal."
)


@pytest.fixture
def stir(tmp_path):
    path = tmp_path / "a.npz"
    parameters = {"scales": [12, 7, 6, 5, 4, 9, 3], "canvas": 12}
    save_stir(path, parameters=parameters, citation=[CITATION, "Another one."])
    return path


def test_text(stirdata, stir):
    ran = stirdata("info", stir)
    positions = small_set().psts
    left, top = (f"{positions[..., axis].min()} to {positions[..., axis].max()}" for axis in (0, 1))
    size = stir.stat().st_size
    readable = f"{size / 1024:.1f} KiB ({size:,} bytes)"
    root = load(manifest_path(stir)).root
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == STIR_TEXT.format(path=stir, size=readable, left=left, top=top, root=root)


def test_lines_are_not_wide(stirdata, tmp_path):
    save_stir(tmp_path / "a.npz", small_set(small_frame(classes=tuple(f"class {n}" for n in range(90)))))
    lines = stirdata("info", tmp_path).lines[1:]
    assert max(map(len, lines)) <= 100


def test_text_of_mnist_scale(stirdata, tmp_path, small_realization):
    out = stirdata("info", save_below(tmp_path, "h5", small_realization)).out
    counts = [int((small_realization[f"{split}/labels"] == 3).sum()) for split in ("train", "val", "test")]
    assert "\n  splits      train 120, val 40, test 200\n" in out
    assert "\n              3 " + "".join(f"{count:>8}" for count in counts) + "\n" in out
    assert "\n  scales      factors from 0." in out
    assert "positions" not in out


def test_text_of_a_tree_without_scales(stirdata, tmp_path, small_realization):
    path = save_below(tmp_path, "png", small_realization)
    (path / "scales.csv").unlink()
    out = stirdata("info", path).out
    assert "\n  scales      unknown: PNG files without scales.csv\n" in out
    assert "\n  published?  unknown: the manifest does not fit" in out
    assert "scales.csv should have" in out


@pytest.mark.parametrize(("form", "dataset"), [("stir", "stir"), ("h5", "mnist-scale")])
def test_without_manifest_it_says_how_to_find_out(stirdata, tmp_path, small_realization, stir, form, dataset):
    path = stir if form == "stir" else save_below(tmp_path / "below", form, small_realization)
    manifest_path(path).unlink()
    ran = stirdata("info", path)
    assert ran.code == 0
    assert f"there is no manifest: stirdata verify --as {dataset} FILE tells" in ran.out
    assert "root digest" not in ran.out


def test_terminal_is_not_obedient_to_the_file(stirdata, tmp_path):
    save_stir(tmp_path / "a.npz", small_set(small_frame(classes=("\x1b[2Jgone", "b"))))
    out = stirdata("info", tmp_path / "a.npz").out
    assert "\x1b" not in out
    assert "\ufffd[2Jgone" in out


def test_json(stirdata, stir):
    ran = stirdata("info", stir, "--json")
    assert (ran.code, ran.err) == (0, "")
    value = json.loads(ran.out)
    assert (value["family"], value["dataset"], value["seed"], value["images"]) == (
        "STIR",
        "stir-custom",
        42,
        36,
    )
    assert value["latents"]["largest_scale"] == 12
    assert value["counts"]["valid"] == [6, 6]
    assert value["root"] == load(manifest_path(stir)).root


def test_errors(stirdata, stir, tmp_path):
    ran = stirdata("info", tmp_path / "b.npz")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("stirdata: there is no such file or folder\n")
    stir.write_bytes(stir.read_bytes()[:-30])
    ran = stirdata("info", stir)
    assert (ran.code, ran.out) == (2, "")
    assert "not a complete npz archive" in ran.err
    assert "Traceback" not in ran.err
