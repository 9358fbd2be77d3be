"""``stirdata info``: what a dataset is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stirdata.operations.info import Content, Information, Latents

_COLUMN = 12
_WIDTH = 100
_LONG_LIST = 6
_MOST_DOUBTS = 5
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@click.command("info")
@click.argument("path", type=options.FOLDER, metavar="PATH")
@options.as_json
def command(path: Path, as_json: bool) -> None:
    """Tell what a dataset is: images, classes, scales, license, citation, and where it comes from.

    PATH is a dataset of any family (a .h5 or .npz file, a folder of .npy files, a tree of PNG files), the
    manifest of one, or a folder with one of them in it.

    Headers, small arrays and the manifest are read, no image is, and nothing is hashed: whether it is a
    published or pinned dataset is told by its manifest. `stirdata verify` proves it.
    """
    from stirdata.operations.info import information

    found = information(path)
    if as_json:
        click.echo(json.dumps(found.as_json()))
        return
    click.echo(str(found.path))
    for name, text in _facts(found):
        click.echo("\n".join(_aligned(name, text)))


def _facts(found: Information) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every line; continued lines have no name."""
    content = found.content
    yield "family", found.family
    yield "title", found.title
    yield from _origin(found)
    yield "format", f"{found.form}, {_readable(found.size)} ({found.size:,} bytes)"
    yield from _images(content)
    if content.latents is not None:
        yield from _latents(content.latents)
    elif found.form == "png":
        yield "scales", "unknown: PNG files without scales.csv"
    shapes = ((name, f"{header.dtype:<7} {header.shape}") for name, header in content.arrays.items())
    yield from _table("arrays", shapes)
    yield "license", found.license
    for number, line in enumerate(found.citation):
        yield "" if number else "citation", line
    yield from _table("metadata", _further_metadata(found))
    yield from _identity(found)


def _table(name: str, rows: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield rows of two columns as lines, the first of them with the name of the fact."""
    listed = list(rows)
    widest = max((len(left) for left, _ in listed), default=0)
    for number, (left, right) in enumerate(listed):
        yield "" if number else name, f"{left:<{widest}}  {right}"


def _further_metadata(found: Information) -> Iterator[tuple[str, str]]:
    """Yield what the file says of itself, without what the lines above say with the same words."""
    above = {"title": found.title, "license": found.license, "citation": "\n".join(found.citation)}
    for name, value in found.content.metadata.items():
        if above.get(name) != value:
            yield name, " ".join(str(value).split("\n"))


def _origin(found: Information) -> Iterator[tuple[str, str]]:
    if found.manifest is None:
        return
    manifest = found.manifest
    yield "dataset", manifest.dataset
    yield "recipe", f"{manifest.recipe.get('name')}, version {manifest.recipe.get('version')}"
    yield "seed", str(manifest.seed)
    if manifest.parameters:
        yield (
            "parameters",
            ", ".join(f"{name} {_brief(value)}" for name, value in manifest.parameters.items()),
        )


def _brief(value: Any) -> str:
    """Return a parameter as text, a long list by its ends."""
    if isinstance(value, list) and len(value) > _LONG_LIST:
        return f"[{value[0]}, {value[1]}, …, {value[-1]}]"
    return str(value)


def _images(content: Content) -> Iterator[tuple[str, str]]:
    height, width, *channels = content.image_shape
    kind = "colour" if channels else "grey"
    yield "images", f"{content.images:,} of {width} x {height} pixels, {kind}"
    labelled = {split: counts for split, counts in content.counts.items() if any(counts)}
    without = {split: "" if split in labelled else " without labels" for split in content.splits}
    yield "splits", ", ".join(f"{split} {count:,}{without[split]}" for split, count in content.splits.items())
    numbers = {count for counts in labelled.values() for count in counts}
    if len(numbers) == 1:
        yield "classes", f"{len(content.classes)} with {numbers.pop():,} images each in every split"
        yield "", ", ".join(content.classes)
    else:
        yield "classes", f"{len(content.classes)}, with images in " + ", ".join(labelled)
        widest = max(map(len, content.classes))
        for label, name in enumerate(content.classes):
            row = "".join(f"{counts[label]:>8,}" for counts in labelled.values())
            yield "", f"{name:<{widest}} {row}"


def _latents(latents: Latents) -> Iterator[tuple[str, str]]:
    smallest, largest = latents.smallest_scale, latents.largest_scale
    text = f"{smallest} to {largest} pixels"
    if latents.unit == "factor":
        text = f"factors from {smallest:.6f} to {largest:.6f}"
    different = latents.different_scales
    yield "scales", text if different is None else f"{text}, {different} different ones"
    if latents.left is not None and latents.top is not None:
        left, top = (f"{first} to {last}" for first, last in (latents.left, latents.top))
        yield "positions", f"left {left}, top {top} pixels"


def _identity(found: Information) -> Iterator[tuple[str, str]]:
    if found.manifest is None:
        yield "published?", f"unknown, there is no manifest: stirdata verify --as {found.ask} FILE tells"
        return
    yield "root digest", found.manifest.root
    if found.doubts:
        yield "published?", "unknown: the manifest does not fit, stirdata verify tells more"
        for doubt in found.doubts[:_MOST_DOUBTS]:
            yield "", doubt
        return
    text = "no, or not known to stirdata" if found.identity is None else found.identity.sentence()
    yield "published?", text
    yield "", "by its manifest, not recomputed: stirdata verify proves it"


def _aligned(name: str, text: str) -> list[str]:
    """Return the lines of a fact, the text in a column of its own and broken at spaces.

    A file may hold anything: what a terminal would obey is replaced.
    """
    import textwrap

    text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    indent = " " * (_COLUMN + 2)
    if "  " in text:  # a row of a table
        return [f"  {name:<{_COLUMN}}{text}"]
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"  {name:<{_COLUMN}}",
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _readable(size: int) -> str:
    """Return a number of bytes in the unit that people use for it."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"
