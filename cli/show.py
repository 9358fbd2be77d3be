"""``stirdata show``: a labelled contact sheet of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import click

from . import options


@click.command("show")
@click.argument("path", type=options.FOLDER, metavar="PATH")
@click.option("--out", type=options.FOLDER, required=True, metavar="SHEET.png", help="Picture to write.")
@click.option(
    "--split",
    help="Which images; valid, val and validation are the same.  [default: train, or the first there is]",
)
@click.option(
    "--classes", type=options.Labels(), help="Labels, one row each, such as 0-7.  [default: the first ten]"
)
@click.option(
    "--scales",
    type=options.ScaleValues(),
    help="Where there are a few scales: those shown, such as 17,32,64.  "
    "[default: six from the smallest to the largest]",
)
@click.option(
    "--instances",
    type=options.Instances(),
    help="Where there are a few scales: which images of each, such as 0-3.  [default: the first two]",
)
@click.option(
    "--columns",
    type=click.IntRange(min=1),
    help="Where every image has its own scale: images per class, from small to large.  [default: 12]",
)
@click.option(
    "--boxes", is_flag=True, help="Draw the box of each object around it, where positions are known."
)
@click.option(
    "--zoom",
    type=click.IntRange(1, 16),
    default=2,
    show_default=True,
    help="How many pixels wide every pixel becomes.",
)
@options.force
@options.as_json
@options.quiet
def command(
    path: Path,
    out: Path,
    split: str | None,
    classes: tuple[int, ...] | None,
    scales: tuple[float, ...] | None,
    instances: tuple[int, ...] | None,
    columns: int | None,
    boxes: bool,
    zoom: int,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw some images of every class of a dataset, with labels, as a PNG file.

    PATH is a dataset of any family (a .h5 or .npz file, a folder of .npy files, a tree of PNG files). Where
    it has a few scales, columns are scales; where every image has its own, the images of a class are in
    the order of their scales, which are written below them. The same images give the same bytes on every
    machine.
    """
    from stirdata.operations.show import Choice, save
    from stirdata.progress import say

    choice = Choice(split, classes, scales, instances, columns, boxes, zoom)
    sheet = save(path, out, choice, force=force)
    if not quiet:
        state = "already there" if sheet.already_there else "made"
        say(f"{state}, {sheet.width} x {sheet.height} pixels")
    click.echo(json.dumps(sheet.as_json()) if as_json else str(sheet.path))
