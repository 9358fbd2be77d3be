"""``stirdata generate stir custom``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options
from .stir_command import run, shared_options


@click.command("custom")
@shared_options("custom", "Folder with one folder of pictures per class.", source_required=True)
@click.option(
    "--scales", type=options.Scales(), default="17-64", show_default=True, help="Sizes of the box in pixels."
)
@click.option("--canvas", type=int, default=64, show_default=True, help="Side of the images in pixels.")
@click.option(
    "--instances",
    type=click.IntRange(min=1),
    help="Pictures per class and set.  [default: as many as the smallest class has]",
)
@click.option(
    "--background",
    type=click.Choice(["black", "white", "edge"]),
    default="black",
    show_default=True,
    help="What is around the picture; edge continues the picture's edge pixels.",
)
@click.option(
    "--shared", is_flag=True, help="Show the same pictures in all three sets, at other positions, as emoji."
)
@click.option("--grey", is_flag=True, help="Make grey images instead of colour.")
@click.option("--title", default="STIR custom", show_default=True, help="For the metadata.")
@click.option("--author", default="unknown", show_default=True, help="For the metadata.")
@click.option("--license", default="unknown", show_default=True, help="Of the pictures, for the metadata.")
def command(
    out: Path,
    source_dir: Path,
    seed: int,
    workers: int | None,
    quiet: bool,
    scales: tuple[int, ...],
    canvas: int,
    instances: int | None,
    background: str,
    shared: bool,
    grey: bool,
    title: str,
    author: str,
    license: str,  # noqa: A002 - it is the name of the option
    **how: Any,
) -> None:
    """Make a set of your own pictures: the scales, placement and file format of STIR.

    DIR holds one folder per class, with images or SVG files of any size; square ones fill their box,
    others are centred in it. A class's pictures go to train, valid and test in turn, in the order of
    their names. Every position is derived from the seed, the class, the file, the set and the scale:
    adding a class changes no other image.

    SVG files need the extra: pip install 'stirdata[emoji]', and the cairo library.
    """
    from stirdata.families.stir.custom import CustomOptions
    from stirdata.stir_sets import CustomAbout, StirRequest, custom_job

    count = options.worker_count(workers)
    custom = CustomOptions(scales[::-1], canvas, instances, seed, background, shared, grey)
    about = CustomAbout(title, author, license)
    job = custom_job(StirRequest(source_dir, seed, count, quiet), custom, about)
    run(job, out, workers=count, quiet=quiet, **how)
