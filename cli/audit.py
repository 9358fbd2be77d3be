"""``stirdata audit``: whether datasets are sound for an experiment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stirdata.operations import LEVELS

from . import options

if TYPE_CHECKING:
    from stirdata.operations.audit import Audited, Finding, Image, SplitFacts


@click.command("audit")
@click.argument("paths", nargs=-1, required=True, type=options.FOLDER, metavar="PATH...")
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS[::-1]),
    help="Exit with 1 for findings of this kind, or of one before it in this list.",
)
@click.option(
    "--near",
    type=float,
    metavar="LEVELS",
    help="Also tell images whose values differ on average by at most so many of 255 levels.",
)
@options.as_json
@options.quiet
def command(
    paths: tuple[Path, ...], fail_on: str | None, near: float | None, as_json: bool, quiet: bool
) -> None:
    """Say whether a dataset, or several that are used together, are sound for an experiment.

    PATH is a dataset of any family, as `stirdata info` takes it. Every image is read once and compared by a
    hash of its pixels.

    \b
    Findings are of three kinds:
      leak       images that are equal, or made of the same image of the source, in
                 two splits, or in the training split of one dataset and another
                 split of a second one
      blank      images that show nothing or are saturated, scales that the dataset
                 does not say it has, objects nowhere on the canvas
      imbalance  images that are there twice in a split, classes with less than half
                 as many images as another one

    The exit code is 0, or 1 if --fail-on says so, or 2 if a dataset cannot be read.
    """  # noqa: D301 - click needs the character
    from stirdata.operations.audit import audit
    from stirdata.progress import bar

    with bar(None, "audit", "image", quiet=quiet) as shown:
        found = audit(*paths, near=near, advance=shown.advance)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        for dataset in found.datasets:
            click.echo("\n".join(_described(dataset)))
        for finding in found.findings:
            click.echo("\n".join(_told(finding)))
        if not found.findings:
            click.echo("no findings")
    if fail_on and found.at_least(fail_on):
        raise click.exceptions.Exit(1)


def _described(dataset: Audited) -> Iterator[str]:
    yield f"{dataset.path}: {dataset.title}"
    for name, facts in dataset.splits.items():
        yield f"  {name}: {', '.join(_facts(facts))}"


def _facts(facts: SplitFacts) -> Iterator[str]:
    yield f"{facts.images:,} images"
    counts = facts.classes.values()
    if any(counts):
        fewest, most = min(counts), max(counts)
        each = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
        yield f"{each} in each of {len(counts)} classes"
    if facts.smallest_scale is not None:
        text = f"scales {facts.smallest_scale:.6g} to {facts.largest_scale:.6g}"
        several = set(facts.scales.values())
        if len(several) == 1:
            text += f" with {several.pop():,} images each"
        elif several:
            text += f" with {min(several):,} to {max(several):,} images"
        yield text


def _told(finding: Finding) -> Iterator[str]:
    yield f"{finding.level}: {finding.what}"
    shown = finding.examples
    if finding.twins:
        yield "  " + ", ".join(
            f"{_named(one)} = {_named(other)}" for one, other in zip(shown[::2], shown[1::2], strict=True)
        )
    elif shown:
        yield "  " + ", ".join(map(_named, shown))


def _named(image: Image) -> str:
    return f"{image.split}[{image.number}]"
