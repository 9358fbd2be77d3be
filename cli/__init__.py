"""The command line: parses, calls the library and prints. Installed as ``stirdata.cli``."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress

import click

from stirdata import __version__
from stirdata.errors import SourceUnavailableError, StirdataError, WorkersUnavailableError

from .lazy import LazyGroup

DONE, NO, WRONG, UNAVAILABLE, FAULT, INTERRUPTED, UNREAD = 0, 1, 2, 3, 70, 130, 141

EXIT_CODES = """\b
Exit codes:
  0    done
  1    the answer is no: verification failed, files differ
  2    wrong usage or bad input
  3    a source, the network or a worker is unavailable
  70   a fault of stirdata itself
  130  interrupted
  141  who read the output has left
"""


@click.group(
    cls=LazyGroup,
    commands_in=__name__,
    lazy_commands={
        "generate": ("generate", "Make a dataset from its published recipe."),
        "verify": ("verify", "Prove what a dataset is, hash by hash."),
        "audit": ("audit", "Say whether datasets are sound for an experiment."),
        "card": ("card", "Write a page, a dataset card and Croissant of a dataset."),
        "diff": ("diff", "Compare two datasets, array by array."),
        "fetch": ("fetch", "Bring published data and raw material, each byte proven."),
        "cache": ("cache", "Say, prove and remove what is in the cache."),
        "convert": ("convert", "Write a dataset in another format, with the same content."),
        "export": ("export", "Write a dataset for other tools: WebDataset, Parquet, PNG files, tensors."),
        "info": ("info", "Tell what a dataset is, and where it comes from."),
        "evaluate": ("evaluate", "Say how a network does, beside what others published."),
        "show": ("show", "Draw a labelled contact sheet of a dataset."),
        "completion": ("completion", "Let a shell complete the command line."),
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
        code = cli.main(arguments, prog_name="stirdata", standalone_mode=False, obj=tuple(arguments))
    except BaseException as error:
        code = _code_of(error)
        with suppress(OSError):  # who would read it may have left as well
            _explain(error, debug="--debug" in arguments)
    _let_go_of_broken_pipes()
    sys.exit(code if isinstance(code, int) else DONE)


def _code_of(error: BaseException) -> int:
    """Return the exit code that tells of an error."""
    if isinstance(error, SystemExit):
        # From click: with 0 after shell completion, with 1 when who read our output has left.
        return DONE if error.code == 0 else UNREAD
    if isinstance(error, BrokenPipeError):  # click could not even begin a new line after ^C
        return INTERRUPTED if isinstance(error.__context__, KeyboardInterrupt) else UNREAD
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, SourceUnavailableError | WorkersUnavailableError):
        return UNAVAILABLE
    return WRONG if isinstance(error, click.ClickException | StirdataError | OSError) else FAULT


def _explain(error: BaseException, debug: bool) -> None:
    """Print what went wrong for the person at the terminal."""
    if isinstance(error, SystemExit):
        return
    if debug and isinstance(error, Exception) and sys.stderr:
        traceback.print_exc()
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo(
            "stirdata: interrupted; no output is half-written, and downloads go on at the next run", err=True
        )
    elif isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, StirdataError):
        click.echo(f"stirdata: {error}", err=True)
    elif isinstance(error, OSError):
        click.echo(f"stirdata: {error.strerror or error}\n  where:    {error.filename}", err=True)
    else:
        click.echo(
            f"stirdata: a fault of stirdata itself: {type(error).__name__}: {error}\n"
            "  next:     run again as stirdata --debug …, and report what it shows",
            err=True,
        )


def _let_go_of_broken_pipes() -> None:
    """Send to nowhere what nobody reads, so that Python does not complain of it when it ends."""
    for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
