"""``stirdata cache``: what is in the cache, whether it is right, and removing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options
from .lazy import ProposingGroup

if TYPE_CHECKING:
    from stirdata.operations.cache import Entry


@click.group("cache", cls=ProposingGroup, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Say, prove and remove what is in the cache.

    The cache is the folder named by STIRDATA_HOME, else one that the system has for it. Files that stirdata
    has not put there, and everything behind links, are never touched.
    """


@command.command("list")
@options.as_json
def _list(as_json: bool) -> None:
    """Say what is in the cache: every file with its size and state. Nothing is read."""
    from stirdata.cache import cache_folder
    from stirdata.operations.cache import contents

    _show(cache_folder(), contents(), as_json=as_json)


def _show(folder: Path, entries: Sequence[Entry], *, as_json: bool) -> None:
    """Print the files of the cache, and their sizes in sum."""
    from stirdata.progress import size_in_words

    total = sum(entry.size for entry in entries)
    if as_json:
        files = [entry.as_json() for entry in entries]
        click.echo(json.dumps({"folder": str(folder), "size": total, "files": files}))
        return
    for entry in entries:
        name = entry.path.relative_to(folder)
        click.echo(f"{size_in_words(entry.size):>8}  {name}  {entry.state}")
    click.echo(f"{size_in_words(total):>8}  {folder}")


@command.command("verify")
@options.as_json
@options.quiet
def _verify(as_json: bool, quiet: bool) -> None:
    """Prove every file in the cache by its pinned hash, or by the lock file beside it.

    The exit code is 0 if all of them are right, 1 if a file is damaged or cannot be proven. A damaged file
    is brought again after stirdata cache clean, or by stirdata fetch … --force.
    """
    from stirdata.cache import cache_folder
    from stirdata.operations.cache import contents, verify_contents
    from stirdata.progress import bar

    total = sum(entry.size for entry in contents() if entry.group is not None)
    with bar(total, "cache", "B", quiet=quiet) as shown:
        entries = verify_contents(advance=shown.advance)
    _show(cache_folder(), entries, as_json=as_json)
    if not all(entry.right for entry in entries):
        raise click.exceptions.Exit(1)


@command.command("clean")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def _clean(names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Remove files from the cache that can be brought or made again; ask first.

    NAME is one of those that stirdata cache list shows, such as mnist; all of them by default. Unfinished
    downloads go with them. The lock files of published files stay, so that the next fetch brings the same
    bytes, and so does every file that is not stirdata's own.
    """
    from stirdata.cache import cache_folder
    from stirdata.operations.cache import cleanable, remove
    from stirdata.progress import say, size_in_words

    entries = cleanable(names)
    size = size_in_words(sum(entry.size for entry in entries))
    for entry in entries:
        say(f"{size_in_words(entry.size):>8}  {entry.path}")
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
    from stirdata.progress import say

    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to be asked: use --yes to remove the files")
    try:
        if click.confirm(question, err=True):
            return
    except click.Abort:  # the input has ended, or Ctrl-C
        say("")
    say("nothing was removed")
    raise click.exceptions.Exit(1)
