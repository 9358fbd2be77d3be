"""What notebooks show of datasets."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from making import save_dataset, whole
from PIL import Image

from stirdata.executors import Workers
from stirdata.families import families
from stirdata.imaging.sheet import PAPER
from stirdata.storage.forms import Description


class Cells(HTMLParser):
    """Collects the text of cells, and how often each element is opened and closed."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def shown(dataset: Any) -> tuple[dict[str, str], list[Image.Image]]:
    """Return the facts and the pictures that a notebook shows."""
    text = dataset._repr_html_()
    cells = Cells()
    cells.feed(text)
    assert cells.open == []
    data = re.findall(r"src='data:image/png;base64,([^']*)'", text)
    pictures = [Image.open(io.BytesIO(base64.b64decode(one))) for one in data]
    return dict(zip(cells.texts[::2], cells.texts[1::2], strict=True)), pictures


def made(name: str, folder: Path, change: Any = lambda arrays: None) -> Any:
    family = families()[name]
    job = family.specimen()
    with Workers(1) as workers:
        arrays = {
            key: np.array(whole(array)) for key, array in job.make(workers, lambda count: None).arrays.items()
        }
    change(arrays)
    save_dataset(folder / "set.h5", arrays, job.description)
    return family.loader()(folder / "set.h5")


@pytest.mark.parametrize("name", sorted(families()))
def test_every_family_shows_facts_and_a_sheet(name: str, tmp_path: Path) -> None:
    dataset = made(name, tmp_path)
    facts, (picture,) = shown(dataset)
    assert facts[type(dataset).__name__] == dataset.metadata["title"]
    assert facts["path"] == str(dataset.path)
    assert facts["images"].startswith(f"{len(dataset):,} of ")
    assert all(split in facts["splits"] for split in dataset.splits)
    pixels = np.asarray(picture)
    assert pixels.shape[2] == 3
    assert (pixels[0, 0] == PAPER).all()
    first = dataset.read(dataset.splits[0], np.array([int(dataset.targets(dataset.splits[0]).argmin())]))[0]
    side = len(first)
    expected = np.clip(np.rint(first), 0, 255).astype(np.uint8)
    expected = expected if expected.ndim == 3 else np.repeat(expected[..., None], 3, axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side, 3))[:, :, 0]
    assert (windows == expected).all(axis=(2, 3, 4)).any()


def test_scales_are_rows_where_many_images_have_each(tmp_path: Path) -> None:
    stir = made("stir", tmp_path)
    side, scales = stir.image_shape[1], np.unique(stir.latents("train")["scales"])
    assert shown(stir)[1][0].height > len(scales) * side > 2 * side
    digits = made("mnist-scale", tmp_path)  # every image has its own
    assert shown(digits)[1][0].height < 3 * digits.image_shape[1]


def test_what_a_file_says_is_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    family = families()["mnist-scale"]
    attributes = family.attributes

    def evil(description: Description) -> dict[str, Any]:
        return {**attributes(description), "license": "<script>alert('&')</script>"}

    monkeypatch.setattr(family, "attributes", evil)
    dataset = made("mnist-scale", tmp_path)
    assert "<script>" not in dataset._repr_html_()
    assert shown(dataset)[0]["license"] == "<script>alert('&')</script>"


def test_without_labels_there_is_no_sheet(tmp_path: Path) -> None:
    def unlabel(arrays: Any) -> None:
        arrays["train/images"] = arrays["train/images"][:0]
        for kind in ("labels", "scales", "source_index"):
            arrays[f"train/{kind}"] = arrays[f"train/{kind}"][:0]

    facts, pictures = shown(made("mnist-scale", tmp_path, unlabel))
    assert pictures == []
    assert facts["splits"].startswith("train 0, ")
