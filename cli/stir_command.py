"""What the commands of ``stirdata generate stir`` share: their options, and running a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import options

if TYPE_CHECKING:
    from stirdata.outputs import Outcome
    from stirdata.stir_generation import Checked
    from stirdata.stir_sets import StirJob

Command = Callable[..., Any]


def shared_options(
    name: str, source_help: str, *, source_required: bool = False
) -> Callable[[Command], Command]:
    """Return a decorator that gives a command the options that all sets have."""
    decorators = [
        click.option(
            "--out",
            type=options.FOLDER,
            default=f"{name}.npz",
            show_default=True,
            metavar="FILE.npz",
            help="File to write.",
        ),
        click.option("--source-dir", type=options.FOLDER, required=source_required, help=source_help),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**32 - 1),
            default=42,
            show_default=True,
            help="Of everything that is drawn.",
        ),
        options.workers,
        options.force,
        click.option(
            "--check", is_flag=True, help="Compute, compare with the pinned result, and write nothing."
        ),
        options.as_json,
        options.quiet,
    ]

    def decorate(command: Command) -> Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def run(
    job: StirJob, out: Path, *, workers: int, force: bool, check: bool, as_json: bool, quiet: bool
) -> None:
    """Make or check a set and print what came of it; exit with 1 if a check finds a difference."""
    from stirdata.progress import bar
    from stirdata.stir_generation import Checked, check_stir, generate_stir

    with bar(job.count, job.description.dataset, "image", quiet=quiet) as shown:
        if check:
            result: Checked | Outcome = check_stir(job, out, advance=shown.advance)
        else:
            result = generate_stir(job, out, force=force, workers=workers, advance=shown.advance)
    if isinstance(result, Checked):
        _print_check(result, as_json=as_json, quiet=quiet)
        if result.findings:
            raise click.exceptions.Exit(1)
    else:
        _print_outcome(result, as_json=as_json, quiet=quiet)


def _print_outcome(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    if not quiet:
        state = "already there, verified" if outcome.already_there else "made"
        lines = [f"{state}, root digest {outcome.root}", *outcome.notes]
        lines += [outcome.identity.sentence()] if outcome.identity else []
        click.echo("\n".join(lines), err=True)
    if not as_json:
        click.echo(str(outcome.path))
        return
    result = {
        "path": str(outcome.path),
        "seed": outcome.seed,
        "already_there": outcome.already_there,
        "root": outcome.root,
        "published": outcome.identity.as_json() if outcome.identity else None,
        "notes": list(outcome.notes),
    }
    click.echo(json.dumps(result))


def _print_check(checked: Checked, *, as_json: bool, quiet: bool) -> None:
    equal = not checked.findings
    if as_json:
        findings = [vars(finding) for finding in checked.findings]
        result = {"equal": equal, "compared_with": checked.compared_with, "findings": findings}
        click.echo(json.dumps(result | {"notes": list(checked.notes)}))
        return
    if not quiet:
        for note in checked.notes:
            click.echo(note, err=True)
    click.echo(f"{'equal to' if equal else 'DIFFERS from'} {checked.compared_with}")
    for finding in checked.findings:
        click.echo(f"  {finding.sentence()}")
