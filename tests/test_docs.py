"""The blocks of the pages are run, one after the other, as somebody would type them."""

import re
import warnings
from pathlib import Path

import pytest
from described import save_as
from stir_fixtures import small_frame, small_set

PAGE = Path(__file__).parents[1] / "docs" / "evaluation.md"


def blocks(heading):
    """Return the Python blocks of a section; those before the first one have the title's name."""
    text = re.split(r"^#+ ", PAGE.read_text(encoding="utf-8"), flags=re.M)
    (section,) = [part for part in text if part.startswith(heading)]
    return re.findall(r"^```python\n(.*?)^```$", section, re.M | re.S)


@pytest.fixture
def names(tmp_path):
    """What the page says at its beginning, of a small set with the scales of STIR."""
    frame = small_frame(scales=tuple(range(64, 16, -1)), canvas=64, instances=1)
    namespace = {
        "PATH": save_as(tmp_path / "mnist.h5", small_set(frame)),
        "FOLDER": tmp_path / "report",
        "__name__": "page",
    }
    (start,) = blocks("In your training code")
    exec(start, namespace)
    return namespace


def test_the_plain_loop(names, capsys):
    found = blocks("A plain loop")
    assert len(found) == 4
    for block in found:
        exec(block, names)
    assert re.fullmatch(r"0 [\d.]+\n1 [\d.]+\n\d+ of 12\n", capsys.readouterr().out)
    assert names["model"].training
    assert (names["FOLDER"] / "report.html").is_file()


def test_lightning(names):
    pytest.importorskip("lightning")
    (block,) = blocks("Lightning")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(block, names)
    assert set(names["trainer"].callback_metrics) == {"valid_own", "valid_other"}
