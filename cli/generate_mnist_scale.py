"""``stirdata generate mnist-scale``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from stirdata.outputs import Outcome


@click.command("mnist-scale")
@click.option(
    "--seed", type=click.IntRange(0, options.LARGEST_SEED), help="Seed of one realization.  [default: 0]"
)
@click.option("--seeds", type=options.Seeds(), help="Seeds of several realizations; published are 0-5.")
@click.option("--min-scale", type=float, default=0.3, show_default=True, help="Smallest scale factor.")
@click.option("--max-scale", type=float, default=1.0, show_default=True, help="Largest scale factor.")
@click.option(
    "--source",
    type=click.Choice(["mnist", "synthetic"]),
    default="mnist",
    show_default=True,
    help="The digits: MNIST, or digits drawn by stirdata (no download; never used unless asked for).",
)
@click.option(
    "--source-dir",
    type=options.FOLDER,
    help="Folder with the four MNIST files.  [default: cache or download]",
)
@click.option(
    "--out", type=options.FOLDER, default=".", show_default=True, help="MNIST_scale/ is made in this folder."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["h5", "npz", "png"]),
    default="h5",
    show_default=True,
    help="HDF5 file, npz file, or the published tree of PNG files.",
)
@options.workers
@options.force
@options.as_json
@options.quiet
def command(
    seed: int | None,
    seeds: tuple[int, ...] | None,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    **parameters: Any,
) -> None:
    """Make realizations of MNIST-scale: 10,000 train, 2,000 val and 50,000 test images.

    Each digit is rescaled by a random factor and zero padded to 28 x 28. Seeds 0 to 5 with the default
    scales are the published realizations, to the bit.

    Written are MNIST_scale/seed_<seed>/scale_<min>_<max> + .h5, .npz or a folder, a manifest with the
    hash of everything, and SHA256SUMS. What is already there is verified and kept.

    Source: Sosnovik, Szmaja, Smeulders, ICLR 2020 (arXiv 1910.11093).
    """
    from stirdata.generation import MNISTScaleRequest, generate_mnist_scale
    from stirdata.progress import bar

    if seed is not None and seeds is not None:
        raise click.UsageError("give either --seed or --seeds, not both")
    request = MNISTScaleRequest(
        seeds=seeds or (seed or 0,), workers=options.worker_count(workers), quiet=quiet, **parameters
    )
    outcomes = []
    with bar(62_000 * len(request.seeds), "MNIST-scale", "image", quiet=quiet) as shown:
        for outcome in generate_mnist_scale(request, shown.advance):
            outcomes.append(outcome)
            if not quiet:
                shown.say(_message(outcome))
            if not as_json:
                _print_path(outcome.path)
    if as_json:
        click.echo(json.dumps({"outputs": [_as_json(outcome) for outcome in outcomes]}))


def _print_path(path: Path) -> None:
    click.echo(str(path))


def _message(outcome: Outcome) -> str:
    state = "already there, verified" if outcome.already_there else "made"
    text = f"seed {outcome.seed}: {state}, root digest {outcome.root}"
    if outcome.identity:
        text += f"\nseed {outcome.seed}: {outcome.identity.sentence()}"
    return text


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "path": str(outcome.path),
        "seed": outcome.seed,
        "already_there": outcome.already_there,
        "root": outcome.root,
        "published": outcome.identity.as_json() if outcome.identity else None,
    }
