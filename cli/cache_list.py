"""``stirdata cache list``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import options

if TYPE_CHECKING:
    from stirdata.cache_contents import Entry


@click.command("list")
@options.as_json
def command(as_json: bool) -> None:
    """Say what is in the cache: every file with its size and state. Nothing is read."""
    from stirdata.cache import cache_folder
    from stirdata.cache_contents import contents

    show(cache_folder(), contents(), as_json=as_json)


def show(folder: Path, entries: Sequence[Entry], *, as_json: bool) -> None:
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
