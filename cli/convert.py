"""``stirdata convert``: write a dataset in another format."""

from __future__ import annotations

from pathlib import Path

import click

from . import options


@click.command("convert")
@click.argument("source", type=options.FOLDER)
@click.argument("target", type=click.Path())
@options.workers
@options.force
@options.as_json
@options.quiet
def command(source: Path, target: str, workers: int | None, force: bool, as_json: bool, quiet: bool) -> None:
    """Write the dataset SOURCE as TARGET; the format is told by the ends of their names.

    .h5 and .npz are files. A name without such an end, with a slash at its end, or of a folder that exists
    is a folder: of PNG files for families that have them, of npy files for others. The source is verified
    while it is read, and the bytes are those that `stirdata generate` would have written. A source without
    a manifest gets one that names the file it came from, if it says enough of itself.
    """
    from stirdata.operations.convert import convert
    from stirdata.progress import bar

    with bar(None, "convert", "image", quiet=quiet) as shown:
        outcome = convert(
            source, target, force=force, workers=options.worker_count(workers), advance=shown.advance
        )
    options.tell(outcome, as_json=as_json, quiet=quiet)
