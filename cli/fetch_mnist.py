"""``stirdata fetch mnist``."""

from __future__ import annotations

from typing import Any

import click

from . import fetch_options, raw_command


@click.command("mnist")
@fetch_options.shared_options
def command(**parameters: Any) -> None:
    """Bring the four original MNIST files, 11.6 MB.

    The commands that need them look into the cache; with --dest they are told by --source-dir DIR. Every
    file is accepted by the SHA-256 of its decompressed content. The last lines printed are the paths.
    """
    raw_command.run("mnist", **parameters)
