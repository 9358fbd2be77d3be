"""Options and argument types that several commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stirdata.operations.standing import Outcome

    _NumbersType = click.ParamType[tuple[int, ...]]
    _ListType = click.ParamType[tuple[Any, ...]]
else:  # not generic before click 8.2
    _NumbersType = _ListType = click.ParamType

LARGEST_SEED = 2**32 - 1
_MOST_NUMBERS = 10_000

FOLDER = click.Path(path_type=Path)

workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    help="Threads and processes to use; the result does not depend on it.  [default: the cores]",
)
force = click.option("--force", is_flag=True, help="Replace an output that exists and is something else.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet = click.option("--quiet", is_flag=True, help="Show no progress and no messages, only results.")
dask = click.option(
    "--dask",
    metavar="tcp://HOST:PORT",
    help="Scheduler of a Dask cluster to work on, instead of this machine's cores; needs stirdata[dask].",
)


def tell(outcome: Outcome, *, as_json: bool, quiet: bool) -> None:
    """Say what came of writing one output, and print its path, or as JSON everything."""
    from stirdata.progress import say

    if not quiet:
        state = "already there, verified" if outcome.already_there else "made"
        say(f"{state}, root digest {outcome.root}")
    click.echo(json.dumps(outcome.as_json()) if as_json else str(outcome.path))


def of(*decorators: Any) -> list[click.Parameter]:
    """Return the options that decorators add to a command, for commands that are put together."""
    found: list[click.Parameter] = []
    for decorator in decorators:
        holder = decorator(lambda: None)
        found += holder.__click_params__
    return found


def worker_count(asked: int | None) -> int:
    """Return the number of workers asked for, else the number of cores."""
    from stirdata.executors import available_cores

    return asked or available_cores()


class Numbers(_NumbersType):
    """Numbers such as ``0-5,8``: single ones and ranges that include both ends."""

    noun = "numbers"
    largest = LARGEST_SEED

    name = "0-5,8"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the numbers in ascending order, each once."""
        if isinstance(value, tuple):
            return value
        numbers: set[int] = set()
        for part in value.split(","):
            first, dash, last = part.strip().partition("-")
            if not _is_number(first) or (dash and not _is_number(last)):
                self.fail(f"expected numbers and ranges such as 0-5,8, got {value!r}", param, ctx)
            members = range(int(first), int(last or first) + 1)
            if not members:
                self.fail(f"the range {part.strip()} runs backwards; write {last}-{first}", param, ctx)
            if members[-1] > self.largest:
                self.fail(f"{self.noun} go up to {self.largest}, got {members[-1]}", param, ctx)
            if len(members) > _MOST_NUMBERS:
                self.fail(f"at most {_MOST_NUMBERS} {self.noun} in a range, got {len(members)}", param, ctx)
            numbers.update(members)
        return tuple(sorted(numbers))


class Seeds(Numbers):
    """Seeds such as ``0-5,8``."""

    noun = "seeds"


class Scales(Numbers):
    """Sizes in pixels such as ``17-64``."""

    name = "17-64"
    noun = "scales"


class ScaleValues(Scales):
    """Scales such as ``17-64`` in pixels, or ``0.5,1,2`` as factors."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return whole numbers in ascending order, or factors as they were given."""
        if isinstance(value, str) and "." in value:
            try:
                return tuple(float(part) for part in value.split(","))
            except ValueError:
                self.fail(f"expected numbers such as 17-64 or 0.5,1,2, got {value!r}", param, ctx)
        return super().convert(value, param, ctx)


class Labels(Numbers):
    """Labels such as ``0-7``."""

    name = "0-7"
    noun = "labels"


class Instances(Numbers):
    """Instances of a class such as ``0-3``."""

    name = "0-3"
    noun = "instances"


class Factors(_ListType):
    """Numbers such as ``0.5,1,2``, in the order in which they are given."""

    name = "0.5,1,2"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"expected numbers such as {self.name}, got {value!r}", param, ctx)


class Levels(Factors):
    """One number, or one per channel, in units of [0, 1]."""

    name = "0.45,0.44,0.41"


class Names(_ListType):
    """Names such as ``conv1,conv2``, in the order in which they are given, each once."""

    name = "NAME,NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the names."""
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        if not all(names):
            self.fail(f"expected names with commas between, got {value!r}", param, ctx)
        return names


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 20  # Python refuses to convert thousands of digits
