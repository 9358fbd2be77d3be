"""``stirdata diff``: how two files or folders differ."""

from __future__ import annotations

import json
from pathlib import Path

import click

from . import options


@click.command("diff")
@click.argument("first", type=options.FOLDER, metavar="A")
@click.argument("second", type=options.FOLDER, metavar="B")
@options.as_json
def command(first: Path, second: Path, as_json: bool) -> None:
    """Compare the arrays of A and B, value by value.

    Both are .npz or .h5 files or folders of .npy files, of whatever content, or trees of PNG files of
    MNIST-scale.

    Per array: equal or not, how many values differ, by how much at most, and where first. Compression
    does not matter, nor does the order of the arrays.

    The exit code is 0 if all arrays are equal, 1 if any differs, 2 if they cannot be compared.
    """
    from stirdata.operations.diff import compare_files

    differences = compare_files(first, second)
    equal = all(difference.equal for difference in differences)
    if as_json:
        click.echo(json.dumps({"equal": equal, "arrays": [entry.as_json() for entry in differences]}))
    else:
        for entry in differences:
            click.echo(entry.sentence())
    if not equal:
        raise click.exceptions.Exit(1)
