"""``stirdata convert``: write a dataset in another format."""

from __future__ import annotations

import json
from pathlib import Path

import click

from . import options


@click.command("convert")
@click.argument("source", type=options.FOLDER)
@click.argument("target", type=options.FOLDER)
@options.workers
@options.force
@options.as_json
@options.quiet
def command(source: Path, target: Path, workers: int | None, force: bool, as_json: bool, quiet: bool) -> None:
    """Write the dataset SOURCE as TARGET; the format is told by the ends of their names.

    .h5 and .npz are files, a name without such an end is a folder: a PNG tree for MNIST-scale, npy files
    for a STIR set. The source is verified while it is read, and the bytes are those that `stirdata
    generate` would have written. MNIST-scale needs its manifest; a STIR set without one gets one that
    names the file it came from.
    """
    from stirdata.conversion import convert
    from stirdata.progress import bar

    with bar(None, "convert", "image", quiet=quiet) as shown:
        outcome = convert(
            source, target, force=force, workers=options.worker_count(workers), advance=shown.advance
        )
    if not quiet:
        state = "already there, verified" if outcome.already_there else "made"
        click.echo(f"{state}, root digest {outcome.root}", err=True)
    if as_json:
        result = {"path": str(target), "already_there": outcome.already_there, "root": outcome.root}
        click.echo(json.dumps(result))
    else:
        click.echo(str(target))
