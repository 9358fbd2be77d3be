"""The page of a dataset: what it is, as one file of HTML."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.imaging import png
from stirdata.loading.records import Records, boxes, class_counts
from stirdata.manifest import Manifest
from stirdata.progress import size_in_words
from stirdata.sharing.about import About
from stirdata.sharing.page import cards, facts, image, page, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 35
_MOST_BARS = 64
_WIDTH, _HEIGHT = 720, 110
_MAP_WIDTH = 320
_RAMP = np.array([(13, 17, 60), (98, 32, 128), (196, 64, 104), (247, 152, 72), (252, 244, 186)], float)
"""Colours of the heat map from none to most, (red, green, blue)."""


def dataset_page(
    about: About,
    records: Records,
    sheet: bytes,
    *,
    reading: str,
    verifying: str,
    manifest: Manifest | None,
) -> bytes:
    """Return the page.

    Args:
        about: What the dataset is.
        records: Of the dataset.
        sheet: A PNG file with some of its images.
        reading: Python that reads it.
        verifying: Shell commands that prove it.
        manifest: Of the dataset, if it has one.
    """
    sections = [
        _head(about, records),
        image(sheet, f"some images of {about.title}"),
        *_scales(about, records),
        *_positions(records),
        _counts(records),
        f"<h2>Read it</h2>\n<pre>{escape(reading)}</pre>",
        f"<h2>Prove it</h2>\n<pre>{escape(verifying)}</pre>",
        *_origin(about, manifest),
        _terms(about),
    ]
    return page(about.title, "\n".join(sections), dark=True).encode()


def _head(about: About, records: Records) -> str:
    height, width, *colours = records.image_shape
    kind = "colour" if colours else "grey"
    shown = [(f"{sum(records.counts.values()):,}", "images"), (f"{width} × {height}", f"pixels, {kind}")]
    shown += [(f"{len(records.dataset.classes)}", "classes")]
    if about.files:
        shown.append((size_in_words(sum(entry.size for entry in about.files)), "on the disk"))
    return f'<h1>{escape(about.title)}</h1>\n<p class="sub">{escape(about.identity)}</p>\n{cards(shown)}'


def _scales(about: About, records: Records) -> Iterator[str]:
    """Yield how often scales occur, split by split."""
    found = {
        split: values
        for split in records.counts
        if (values := records.dataset.scale_of_images(split)) is not None
    }
    together = np.concatenate(list(found.values())) if found else np.empty(0)
    if not len(together):
        return
    different = np.unique(together)
    few = len(different) <= _MOST_BARS
    edges = np.linspace(together.min(), together.max(), _BINS + 1)
    yield f"<h2>Scales ({escape('pixels' if about.unit == 'pixels' else 'factor of rescaling')})</h2>"
    for split, values in found.items():
        heights = (
            [int((values == scale).sum()) for scale in different]
            if few
            else np.histogram(values, edges)[0].tolist()
        )
        if len(different) == 1:
            yield f"<p>{escape(split)}: {heights[0]:,} images of scale {different[0]:.6g}</p>"
            continue
        fewest, most = min(heights), max(heights)
        each = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
        caption = f"{split}: {together.min():.6g} (left) to {together.max():.6g}, {each} images per bar"
        yield f"<figure>{_bars(heights)}<figcaption>{escape(caption)}</figcaption></figure>"


def _bars(heights: list[int]) -> str:
    """Return bars as an SVG element."""
    most, step = max([*heights, 1]), _WIDTH / len(heights)
    bars = "".join(
        f'<rect x="{number * step + 0.5:.2f}" y="{_HEIGHT - height * _HEIGHT / most:.2f}" '
        f'width="{step - 1:.2f}" height="{height * _HEIGHT / most:.2f}" fill="var(--own)"/>'
        for number, height in enumerate(heights)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="how often scales occur">{bars}</svg>'
    )


def _positions(records: Records) -> Iterator[str]:
    counts = covered(records)
    if counts is None:
        return
    place = counts / max(int(counts.max()), 1) * (len(_RAMP) - 1)
    lower = np.minimum(place.astype(int), len(_RAMP) - 2)
    part = (place - lower)[..., None]
    colours = np.rint(_RAMP[lower] * (1 - part) + _RAMP[lower + 1] * part).astype(np.uint8)
    least, most = f"{counts.min():,} (dark)", f"{counts.max():,} (bright)"
    yield "<h2>Where objects are</h2>"
    yield image(png.stored(colours), "how many objects' boxes cover each pixel", width=_MAP_WIDTH)
    yield f'<p class="sub">Boxes that cover a pixel: {least} to {most}.</p>'


def covered(records: Records) -> NDArray[np.int64] | None:
    """Return how many objects' boxes cover each pixel: (height, width); None where boxes are not known."""
    height, width = records.image_shape[:2]
    corners = np.zeros((height + 1, width + 1), np.int64)
    for split in records.counts:
        found = boxes(records.known(split))
        if found is None:
            return None
        first, sizes = found
        (left, top), (right, bottom) = (
            np.clip(ends, 0, (width, height)).T for ends in (first, first + sizes)
        )
        for x, y, sign in ((left, top, 1), (right, bottom, 1), (left, bottom, -1), (right, top, -1)):
            np.add.at(corners, (y, x), sign)
    return np.asarray(corners.cumsum(0).cumsum(1)[:-1, :-1])


def _counts(records: Records) -> str:
    classes = records.dataset.classes
    columns: dict[str, list[Any]] = {"class": [*classes, "all"]}
    for split, count in records.counts.items():
        labels = records.labels(split)
        each = class_counts(labels, len(classes)).tolist()
        columns[split] = [*each, count]
    several = [column for name, column in columns.items() if name != "class"]
    columns["all"] = [sum(values) for values in zip(*several, strict=True)]
    return f"<h2>Images per class and split</h2>\n{table(columns, cell=_number)}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _origin(about: About, manifest: Manifest | None) -> Iterator[str]:
    if manifest is None:
        yield "<h2>How it was made</h2>\n<p>It has no manifest.</p>"
        return
    lines: dict[str, list[str]] = {
        "dataset": [about.dataset],
        "recipe": [f"{manifest.recipe.get('name')}, version {manifest.recipe.get('version')}"],
        "seed": [str(manifest.seed)],
        **(
            {"parameters": [f"{name} {value}" for name, value in manifest.parameters.items()]}
            if manifest.parameters
            else {}
        ),
        "sources": about.material,
        "root digest": [manifest.root],
        "versions": [f"{name} {version}" for name, version in manifest.versions.items()],
    }
    yield f"<h2>How it was made</h2>\n{facts(lines)}"
    arrays = {
        "array": list(manifest.arrays),
        "type": [entry.dtype for entry in manifest.arrays.values()],
        "shape": [" × ".join(map(str, entry.shape)) for entry in manifest.arrays.values()],
        "SHA-256": [entry.sha256 for entry in manifest.arrays.values()],
    }
    yield f"<h2>Arrays</h2>\n{table(arrays, kind='text')}"
    listed = manifest.files[:100]
    files = {
        "file": [entry.path for entry in listed],
        "bytes": [f"{entry.size:,}" for entry in listed],
        "SHA-256": [entry.sha256 for entry in listed],
    }
    more = len(manifest.files) - len(listed)
    further = f"<p>and {more:,} files more, which the manifest lists</p>" if more else ""
    yield f"<h2>Files</h2>\n{table(files, kind='text')}{further}"


def _terms(about: About) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in about.citation)
    return f"<h2>License</h2>\n<p>{escape(about.license)}</p>" + (
        f"<h2>Citation</h2>\n<ul>{lines}</ul>" if lines else ""
    )
