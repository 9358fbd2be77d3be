"""``stirdata cache verify``."""

from __future__ import annotations

import click

from . import options
from .cache_list import show


@click.command("verify")
@options.as_json
@options.quiet
def command(as_json: bool, quiet: bool) -> None:
    """Prove every file in the cache by its pinned hash, or by the lock file beside it.

    The exit code is 0 if all of them are right, 1 if a file is damaged or cannot be proven. A damaged file
    is brought again after stirdata cache clean, or by stirdata fetch … --force.
    """
    from stirdata.cache import cache_folder
    from stirdata.cache_contents import contents, verify_contents
    from stirdata.progress import bar

    total = sum(entry.size for entry in contents() if entry.group is not None)
    with bar(total, "cache", "B", quiet=quiet) as shown:
        entries = verify_contents(advance=shown.advance)
    show(cache_folder(), entries, as_json=as_json)
    if not all(entry.right for entry in entries):
        raise click.exceptions.Exit(1)
