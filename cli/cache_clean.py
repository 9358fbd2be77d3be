"""``stirdata cache clean``."""

from __future__ import annotations

import json
import sys

import click

from . import options


@click.command("clean")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def command(names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Remove files from the cache that can be brought or made again; ask first.

    NAME is stir, mnist, fontawesome or synthetic; all of them by default. Unfinished downloads go with
    them. The lock file of the published STIR files stays, so that the next fetch brings the same bytes, and
    so does every file that is not stirdata's own.
    """
    from stirdata.cache import cache_folder
    from stirdata.cache_contents import cleanable, remove
    from stirdata.progress import size_in_words

    entries = cleanable(names)
    size = size_in_words(sum(entry.size for entry in entries))
    for entry in entries:
        click.echo(f"{size_in_words(entry.size):>8}  {entry.path}", err=True)
    if entries and not yes:
        _ask(f"Remove {_files(len(entries))}, {size}, from {cache_folder()}?")
    removed = remove(entries)
    if as_json:
        paths = [str(entry.path) for entry in entries]
        click.echo(json.dumps({"folder": str(cache_folder()), "removed": paths, "size": removed}))
    else:
        click.echo(f"removed {_files(len(entries))}, {size_in_words(removed)}")


def _files(number: int) -> str:
    return f"{number} file" if number == 1 else f"{number} files"


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: use --yes to remove the files")
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:  # the input has ended, or Ctrl-C
        click.echo(err=True)
    click.echo("nothing was removed", err=True)
    raise click.exceptions.Exit(1)
