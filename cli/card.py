"""``stirdata card``: a page, a dataset card and Croissant of a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import click

from . import options


@click.command("card")
@click.argument("source", type=options.FOLDER, metavar="PATH")
@click.option("--out", type=options.FOLDER, required=True, metavar="DIR", help="Folder for the three files.")
@click.option("--url", default="", help="Where it is published.  [default: the page of the article]")
@click.option(
    "--published",
    default="",
    metavar="YYYY-MM-DD",
    help="When it was published.  [default: the year of the article]",
)
@options.force
@options.as_json
@options.quiet
def command(
    source: Path, out: Path, url: str, published: str, force: bool, as_json: bool, quiet: bool
) -> None:
    """Write what says what the dataset PATH is, to be published beside its files.

    \b
      README.md       a dataset card, with the head that Hugging Face reads
      croissant.json  the same for machines: files with SHA-256, records, license,
                      citation
      index.html      a page: images, scales, places, counts, how to read and to
                      prove it; one file that needs nothing from the network

    What they say of files is what the manifest says; `stirdata verify` proves it.
    """  # noqa: D301 - click needs the character
    from stirdata.operations.card import card
    from stirdata.progress import say

    made = card(source, out, url=url, published=published, force=force)
    if not quiet:
        for note in made.notes:
            say(note)
        say("already there" if made.already_there else f"made {', '.join(made.files)}")
    click.echo(json.dumps(made.as_json()) if as_json else str(made.path))
