"""What a notebook shows of a dataset: facts, and a few of its images."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.imaging.sheet import Arrangement, draw
from stirdata.loading.records import rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.loading.dataset import ImageDataset

_MOST_CLASSES = 10
_MOST_SCALES = 4
_LISTED = 64
"""Different scales of which some are shown; where there are more, every image has its own."""


def as_html(dataset: ImageDataset) -> str:
    """Return a table of what a dataset is, and a sheet of images of its first split.

    The sheet has the first image of each class, at a few scales if many images have them.
    """
    left = "style='text-align:left'"
    facts = "".join(
        f"<tr><th {left}>{escape(name)}</th><td {left}>{escape(text)}</td></tr>"
        for name, text in _facts(dataset).items()
    )
    return f"<div><table>{facts}</table>{_picture(dataset)}</div>"


def _facts(dataset: ImageDataset) -> dict[str, str]:
    channels, height, width = dataset.image_shape
    counts = {split: len(dataset.targets(split)) for split in dataset.splits}
    found = {
        type(dataset).__name__: dataset.metadata["title"],
        "path": str(dataset.path),
        "images": f"{len(dataset):,} of {width} x {height} pixels, {'grey' if channels == 1 else 'colour'}",
        "splits": ", ".join(f"{split} {count:,}" for split, count in counts.items()),
        "classes": f"{dataset.num_classes}: {', '.join(dataset.classes)}",
    }
    scales = dataset.scale_of_images(dataset.splits[0])
    if scales is not None and len(scales):
        found["scales"] = f"{scales.min():.6g} to {scales.max():.6g} in {dataset.splits[0]}"
    return found | {"license": str(dataset.metadata.get("license", "unknown"))}


def _picture(dataset: ImageDataset) -> str:
    """Return an image element with a sheet; nothing where there is nothing to show."""
    from PIL import Image

    split, (_, height, width) = dataset.splits[0], dataset.image_shape
    labels, scales = dataset.targets(split), dataset.scale_of_images(dataset.splits[0])
    labelled = np.unique(labels[labels >= 0])[:_MOST_CLASSES]
    if height != width or not len(labelled):
        return ""
    different = np.unique(scales) if scales is not None else np.empty(0)
    chosen: NDArray[Any] = np.empty(0)
    if 1 < len(different) <= min(_LISTED, len(labels) // 2):
        spread = np.linspace(0, len(different) - 1, min(_MOST_SCALES, len(different)))
        chosen = different[spread.round().astype(int)]
    rows = [np.isclose(scales, scale) for scale in chosen] if scales is not None else []
    numbers = [
        [_first((labels == label) & row) for label in labelled]
        for row in rows or [np.ones(len(labels), bool)]
    ]
    flat = np.array([number for row in numbers for number in row])
    images = np.zeros((flat.size, *dataset.read(split, np.array([0])).shape[1:]), np.uint8)
    present = flat >= 0
    images[present] = rounded(dataset.read(split, flat[present]))
    names = tuple(f"{scale:.4g}" for scale in chosen) if rows else ("",)
    groups = tuple((dataset.classes[int(label)], 1) for label in labelled)
    sheet = draw(
        Arrangement(f"{split} of {dataset.metadata['title']}", names, groups, width),
        images.reshape(len(names), len(labelled), *images.shape[1:]),
    )
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    return f"<img alt='some images of {escape(split)}' src='data:image/png;base64,{data}'>"


def _first(where: NDArray[np.bool_]) -> int:
    """Return the first position that is true; -1 if none is."""
    return int(where.argmax()) if where.any() else -1
