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
    type=click.Choice(["train", "valid", "val", "test"]),
    default="train",
    show_default=True,
    help="Which images; valid and val are the same.",
)
@click.option(
    "--classes", type=options.Labels(), help="Labels, one row each, such as 0-7.  [default: the first ten]"
)
@click.option(
    "--scales",
    type=options.Scales(),
    help="STIR: sizes in pixels, such as 17,32,64.  [default: six from the smallest to the largest]",
)
@click.option(
    "--instances",
    type=options.Instances(),
    help="STIR: which instances of each class, such as 0-3.  [default: the first two]",
)
@click.option(
    "--columns",
    type=click.IntRange(min=1),
    help="MNIST-scale: images per class, from the smallest to the largest scale factor.  [default: 12]",
)
@click.option("--boxes", is_flag=True, help="STIR: draw the box of each object around it.")
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
    split: str,
    classes: tuple[int, ...] | None,
    scales: tuple[int, ...] | None,
    instances: tuple[int, ...] | None,
    columns: int | None,
    boxes: bool,
    zoom: int,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Draw some images of every class of a dataset, with labels, as a PNG file.

    PATH is a STIR set (.npz, .h5, a folder of .npy files) or a realization of MNIST-scale (.h5, .npz, a
    tree of PNG files). In a STIR set, columns are scales; in MNIST-scale, the images of a class are in
    the order of their scale factors, which are written below them. The same images give the same
    bytes on every machine.
    """
    from stirdata.contact_sheet import Choice, save

    choice = Choice(split, classes, scales, instances, columns, boxes, zoom)
    sheet = save(path, out, choice, force=force)
    if not quiet:
        state = "already there" if sheet.already_there else "made"
        click.echo(f"{state}, {sheet.width} x {sheet.height} pixels", err=True)
    click.echo(json.dumps(sheet.as_json()) if as_json else str(sheet.path))
