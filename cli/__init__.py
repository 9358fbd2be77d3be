"""The command line: parses, calls the library and prints. Installed as ``stirdata.cli``."""

from __future__ import annotations

import sys
import traceback

import click

from stirdata import __version__
from stirdata.errors import SourceUnavailableError, StirdataError, WorkersUnavailableError

from .lazy import LazyGroup

DONE, NO, WRONG, UNAVAILABLE, FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130

EXIT_CODES = """\b
Exit codes:
  0    done
  1    the answer is no: verification failed, files differ
  2    wrong usage or bad input
  3    a source, the network or a worker is unavailable
  70   a fault of stirdata itself
  130  interrupted
"""


@click.group(
    cls=LazyGroup,
    commands_in=__name__,
    lazy_commands={
        "generate": ("generate", "Make a dataset from its published recipe."),
        "verify": ("verify", "Prove what a dataset is, hash by hash."),
        "diff": ("diff", "Compare two datasets, array by array."),
        "convert": ("convert", "Write a dataset in another format, with the same content."),
        "info": ("info", "Tell what a dataset is, and where it comes from."),
        "show": ("show", "Draw a labelled contact sheet of a dataset."),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="stirdata")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Make, check and load the benchmark data of scale in vision."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with one of the documented codes."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = cli.main(arguments, prog_name="stirdata", standalone_mode=False)
    except BaseException as error:
        if "--debug" in arguments and isinstance(error, Exception):
            traceback.print_exc()
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else DONE)


def _explain(error: BaseException) -> int:
    """Print what went wrong for the person at the terminal; return the exit code."""
    if isinstance(error, SystemExit):
        # From click: with 0 after shell completion, with 1 when who read our output has left.
        return DONE if error.code == 0 else INTERRUPTED
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("stirdata: interrupted; nothing half-written is left", err=True)
        return INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return WRONG
    if isinstance(error, StirdataError):
        click.echo(f"stirdata: {error}", err=True)
        unavailable = isinstance(error, SourceUnavailableError | WorkersUnavailableError)
        return UNAVAILABLE if unavailable else WRONG
    if isinstance(error, OSError):
        click.echo(f"stirdata: {error.strerror or error}\n  where:    {error.filename}", err=True)
        return WRONG
    click.echo(
        f"stirdata: a fault of stirdata itself: {type(error).__name__}: {error}\n"
        "  next:     run again as stirdata --debug …, and report what it shows",
        err=True,
    )
    return FAULT
