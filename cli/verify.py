"""``stirdata verify``: prove what a dataset is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stirdata.errors import StirdataError
from stirdata.families import asks

from . import options

if TYPE_CHECKING:
    from stirdata.operations.verify import Report


@click.command("verify")
@click.argument("paths", nargs=-1, required=True, type=options.FOLDER, metavar="PATH...")
@click.option(
    "--as",
    "as_dataset",
    type=click.Choice(asks()),
    help="Ask whether it is that dataset as published or pinned, or any of the family of this name; "
    "needs no manifest.",
)
@options.workers
@options.as_json
@options.quiet
def command(
    paths: tuple[Path, ...], as_dataset: str | None, workers: int | None, as_json: bool, quiet: bool
) -> None:
    """Recompute every hash of a dataset and compare it with its manifest.

    PATH is a .h5 or .npz file, the folder of a PNG tree or of npy files, a manifest, or a folder of such
    outputs. What is missing, extra or different is listed. Where the dataset is one of the six published
    realizations of MNIST-scale, the answer says so; a PNG tree with the right pixels from another PNG
    encoder is told apart from a wrong one. STIR sets are also checked against their schema, and
    compared with the pinned result.

    The exit code is 0 if everything is right, 1 if something differs, 2 if it cannot be told.
    """
    from stirdata.executors import Workers
    from stirdata.families.recognition import outputs_below
    from stirdata.operations.verify import verify
    from stirdata.progress import bar, say

    reports, failures = [], []
    with (
        Workers(options.worker_count(workers)) as places,
        bar(None, "verify", "image", quiet=quiet) as shown,
    ):
        for path in paths:
            try:
                for output in outputs_below(path):
                    report = verify(output, as_dataset=as_dataset, workers=places, advance=shown.advance)
                    reports.append(report)
                    if not as_json:
                        _print(report)
            except StirdataError as error:
                failures.append({"path": str(path), "error": str(error)})
                say(f"stirdata: {error}")
    if as_json:
        click.echo(json.dumps({"reports": [report.as_json() for report in reports], "errors": failures}))
    if failures:
        raise click.exceptions.Exit(2)
    if not all(report.ok for report in reports):
        raise click.exceptions.Exit(1)


def _print(report: Report) -> None:
    click.echo(f"{'ok' if report.ok else 'FAILED'}: {report.path}")
    if report.root:
        click.echo(f"  root digest {report.root}")
    if report.identity:
        click.echo(f"  {report.identity.sentence()}")
    for remark in report.remarks:
        click.echo(f"  {remark}")
    for finding in report.findings:
        click.echo(f"  {finding.sentence()}")
