"""``stirdata export``: write a dataset for other tools."""

from __future__ import annotations

from pathlib import Path

import click

from stirdata.sharing import FORMS, SHARD_SIZE

from . import options


@click.command("export")
@click.argument("source", type=options.FOLDER, metavar="PATH")
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--to", "form", required=True, type=click.Choice(list(FORMS)), help="What TARGET will be.")
@click.option(
    "--shard-size",
    type=click.IntRange(min=1),
    default=SHARD_SIZE,
    show_default=True,
    help="Images per file at most, where a split may be several files.",
)
@click.option("--lossy", is_flag=True, help="Go on where the form cannot hold all that the dataset has.")
@click.option("--unverified", is_flag=True, help="Export a dataset that has no manifest, or differs from it.")
@options.workers
@options.force
@options.as_json
@options.quiet
def command(
    source: Path,
    target: Path,
    form: str,
    shard_size: int,
    lossy: bool,
    unverified: bool,
    workers: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write the dataset PATH as the folder TARGET, for other tools.

    \b
      imagefolder  PNG files in a folder per split and class, and metadata.csv
      webdataset   tar archives of PNG files with labels and latents
      parquet      Parquet files, as Hugging Face's load_dataset reads them
      huggingface  a folder for Hugging Face's load_from_disk
      numpy        a .npy file per array
      torch        a .pt file of tensors per split, for torch.load

    With them go README.md (a dataset card that says how to read them), dataset.json (classes, splits, what
    the columns mean, license, citation), a manifest and SHA256SUMS, by which `stirdata verify TARGET` proves
    them. The dataset is verified before. The images are the same in all forms, to the bit.
    """  # noqa: D301 - click needs the character
    from stirdata.operations.export import export
    from stirdata.progress import bar, say

    with bar(None, "export", "image", quiet=quiet) as shown:
        outcome = export(
            source,
            target,
            form,
            shard_size=shard_size,
            lossy=lossy,
            unverified=unverified,
            force=force,
            workers=options.worker_count(workers),
            advance=shown.advance,
        )
    if not quiet:
        for note in outcome.notes:
            say(note)
    options.tell(outcome, as_json=as_json, quiet=quiet)
