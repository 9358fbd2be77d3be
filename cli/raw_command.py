"""What ``stirdata fetch mnist`` and ``stirdata fetch fontawesome`` share."""

from __future__ import annotations

from typing import Any

import click

from . import fetch_options


def run(source: str, *, as_json: bool, quiet: bool, **parameters: Any) -> None:
    """Fetch raw material and print its files."""
    from stirdata.manifest import pinned
    from stirdata.raw_download import RawRequest, fetch_raw

    facts, files = pinned(source), []
    if not quiet:
        click.echo(f"{facts['title']}: license {facts['license']}", err=True)
    with fetch_options.resumable():
        for file in fetch_raw(RawRequest(source, quiet=quiet, **parameters)):
            fetch_options.report(file, as_json=as_json, quiet=quiet)
            files.append(fetch_options.file_as_json(file))
    if as_json:
        fetch_options.print_json(files, license=facts["license"], citation=[facts["citation"]])
