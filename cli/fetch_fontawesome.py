"""``stirdata fetch fontawesome``."""

from __future__ import annotations

from typing import Any

import click

from . import fetch_options, raw_command


@click.command("fontawesome")
@fetch_options.shared_options
def command(**parameters: Any) -> None:
    """Bring the 36 icons of Font Awesome Free 5.15.3 that STIR emoji is made from.

    generate stir emoji looks into the cache; with --dest it is told by --source-dir DIR. Every icon is
    accepted by its SHA-256. The last lines printed are the paths.
    """
    raw_command.run("fontawesome", **parameters)
