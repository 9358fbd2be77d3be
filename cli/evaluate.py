"""``stirdata evaluate``: how a network does, beside what others published."""

from __future__ import annotations

import json
import shlex
import traceback
from pathlib import Path
from typing import Any

import click

from stirdata.errors import ParameterError, StirdataError
from stirdata.families import families

from . import options


def _trainings() -> str:
    """Return the names of all ways of training that families know."""
    known = {one.title: one.trainings() for one in families().values()}
    return "; ".join(f"{', '.join(names)} of {title}" for title, names in known.items() if names)


@click.command("evaluate")
@click.argument("paths", nargs=-1, required=True, type=options.FOLDER, metavar="DATASET...")
@click.option(
    "--model",
    metavar="MODEL",
    help="MODULE:FACTORY or FILE.py:FACTORY, called with num_classes and num_channels as far as it takes "
    "them; or a program: .pt2 by torch.export, .pt or .ts by TorchScript, .onnx. All of these are code that "
    "runs.",
)
@click.option(
    "--weights",
    type=options.FOLDER,
    metavar="FILE",
    help="Of what the factory makes: a state dict by torch.save, or .safetensors. Nothing is unpickled.",
)
@click.option(
    "--predictions",
    multiple=True,
    type=options.FOLDER,
    metavar="P.npy",
    help="Instead of a model: the classes (N,) or logits (N, classes) of the images, from any program; "
    "one for each dataset.",
)
@click.option(
    "--order",
    metavar="stored|published-shuffle",
    help="Of the predictions: of images that were not shuffled, scale by scale in the order of --scales; "
    "or as the training script published with arXiv 2211.10288 saves them.",
)
@click.option("--split", default="test", show_default=True, help="Which images.")
@click.option(
    "--scenario",
    help=f"How the network was trained, which says what published results it stands beside: {_trainings()}.",
)
@click.option(
    "--scales",
    type=options.ScaleValues(),
    help="Those that are evaluated, or were predicted.  [default: all; of predictions those that the "
    "scenario tests at]",
)
@click.option(
    "--bins",
    type=click.IntRange(min=1),
    help="Where every image has a factor of its own: into how many they are grouped.  [default: 7]",
)
@click.option(
    "--measures",
    type=options.Names(),
    help="Of generalization, accuracy, consistency, flips, equivariance, scale-index.  "
    "[default: generalization; accuracy where there are no scales]",
)
@click.option(
    "--layers", type=options.Names(), help="For equivariance and scale-index: parts of the model, by name."
)
@click.option(
    "--factors",
    type=options.Factors(),
    help="For equivariance: by which images are rescaled.  [default: the published pairs of scales, where "
    "the places of objects are known]",
)
@click.option(
    "--shifts",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="For consistency: all shifts of up to so many pixels, in both directions.",
)
@click.option(
    "--mode",
    type=click.Choice(["circular", "zero"]),
    default="circular",
    show_default=True,
    help="For consistency: what comes in is what left on the other side, or 0.",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    help="For consistency, flips, and equivariance with --factors: how many images are used, spread evenly.  "
    "[default: all]",
)
@click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Side of the images in pixels, where the family offers several.  [default: that of the scenario, "
    "else as stored]",
)
@click.option(
    "--normalize",
    is_flag=True,
    help="Normalise by the published mean and standard deviation, else by those of the training images.",
)
@click.option("--mean", type=options.Levels(), help="Normalise by these instead, in units of [0, 1].")
@click.option("--std", type=options.Levels(), help="Likewise; one number, or one per channel.")
@click.option("--device", help="Of torch, such as cuda.  [default: cpu]")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Images that the model gets at a time.",
)
@click.option(
    "--out",
    type=options.FOLDER,
    metavar="DIR",
    help="Folder for report.html, report.json, a CSV file per measure and, with stirdata[plot], pictures.",
)
@options.force
@options.as_json
@options.quiet
@click.pass_obj
def command(
    typed: tuple[str, ...],
    /,
    paths: tuple[Path, ...],
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    normalize: bool,
    out: Path | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **given: Any,
) -> None:
    """Say how a network does at every scale, and beside what others published.

    DATASET is a dataset of any family; several realizations of one give mean and standard deviation. The
    table goes to standard output.

    \b
    Examples:
      stirdata evaluate mnist.npz --model nets:cnn --weights cnn.pt --scenario small2large --out report
      stirdata evaluate mnist.npz --model cnn.pt2 --measures consistency --images 1000
      stirdata evaluate mnist.npz --predictions p.npy --order published-shuffle --scenario small2large
    """  # noqa: D301 - click reads the one that is no letter
    from stirdata.evaluation.models import own_traceback
    from stirdata.evaluation.plots import is_installed
    from stirdata.evaluation.report import check_target
    from stirdata.operations.evaluate import Choice, evaluate
    from stirdata.progress import say

    levels = _levels(normalize, mean, std)
    choice = Choice(
        **{name: value for name, value in given.items() if value is not None},
        normalize=levels,
        command=shlex.join(["stirdata", *typed]),
    )
    if out is not None:
        check_target(out)
    try:
        report = evaluate(paths, choice, quiet=quiet)
    except StirdataError:
        raise
    except Exception as error:
        inside = own_traceback(error)
        if inside is None:
            raise
        traceback.print_exception(type(error), error, inside.tb_next)
        say("stirdata: the model raised this error")
        raise click.exceptions.Exit(2) from error
    click.echo(json.dumps(report.as_json()) if as_json else report.text())
    if out is not None:
        already = report.save(out, force=force)
        if not quiet:
            say(f"{'already there' if already else 'written'}: {out / 'report.html'}")
            if not is_installed():
                say("without plots, which need matplotlib: pip install 'stirdata[plot]'")


def _levels(normalize: bool, mean: tuple[float, ...] | None, std: tuple[float, ...] | None) -> Any:
    """Return how images are normalised; one number stands for all channels."""
    if (mean is None) != (std is None) or (normalize and mean is not None):
        raise ParameterError(
            "images are normalised by mean and standard deviation",
            where="normalize",
            expected="--normalize alone, or --mean and --std",
        )
    if mean is None or std is None:
        return True if normalize else None
    return tuple(level[0] if len(level) == 1 else level for level in (mean, std))
