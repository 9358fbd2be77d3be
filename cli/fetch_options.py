"""What the commands of ``stirdata fetch`` share: their options, and printing what came."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from . import INTERRUPTED, options

if TYPE_CHECKING:
    from stirdata.transfer.fetch import Fetched

Command = Callable[..., Any]

_OPTIONS = [
    click.option(
        "--dest", type=options.FOLDER, metavar="DIR", help="Folder for the files.  [default: cache]"
    ),
    click.option(
        "--mirror",
        "mirrors",
        multiple=True,
        metavar="URL",
        help="Folder on a server that has the files, tried before the known ones; may be repeated.",
    ),
    click.option(
        "--offline",
        is_flag=True,
        default=None,
        help="Make no connection: what is there is verified, what is not is an error (exit code 3).",
    ),
    click.option(
        "--force", is_flag=True, help="Replace other files that have the names of the fetched ones."
    ),
    options.as_json,
    options.quiet,
]


def shared_options(command: Command) -> Command:
    """Give a command the options that all kinds of fetching have."""
    for decorator in reversed(_OPTIONS):
        command = decorator(command)
    return command


@contextmanager
def resumable() -> Iterator[None]:
    """Say on Ctrl-C that what has come is kept, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("stirdata: interrupted; the next run goes on from where this one stopped", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


def report(file: Fetched, *, as_json: bool, quiet: bool) -> None:
    """Print one file that is there now."""
    if not quiet:
        state = "already there, verified" if file.already_there else "fetched, verified"
        click.echo(f"{file.path.name}: {state}, sha256 {file.sha256}", err=True)
    if not as_json:
        click.echo(str(file.path))


def file_as_json(file: Fetched) -> dict[str, Any]:
    """Return a file as JSON values."""
    return {
        "path": str(file.path),
        "size": file.size,
        "sha256": file.sha256,
        "already_there": file.already_there,
        "url": file.url,
    }


def print_json(files: list[dict[str, Any]], **facts: Any) -> None:
    """Print what came as one JSON object."""
    click.echo(json.dumps({"files": files, **facts}))
