"""Options and argument types that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    _SeedsType = click.ParamType[tuple[int, ...]]
else:  # not generic before click 8.2
    _SeedsType = click.ParamType

LARGEST_SEED = 2**32 - 1
MOST_SEEDS = 10_000

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


def worker_count(asked: int | None) -> int:
    """Return the number of workers asked for, else the number of cores."""
    from stirdata.executors import available_cores

    return asked or available_cores()


class Seeds(_SeedsType):
    """Seeds such as ``0-5,8``: numbers and ranges that include both ends."""

    name = "0-5,8"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the seeds in ascending order, each once."""
        if isinstance(value, tuple):
            return value
        seeds: set[int] = set()
        for part in value.split(","):
            first, dash, last = part.strip().partition("-")
            if not _is_number(first) or (dash and not _is_number(last)):
                self.fail(f"expected numbers and ranges such as 0-5,8, got {value!r}", param, ctx)
            numbers = range(int(first), int(last or first) + 1)
            if not numbers:
                self.fail(f"the range {part.strip()} runs backwards; write {last}-{first}", param, ctx)
            if numbers[-1] > LARGEST_SEED:
                self.fail(f"seeds go up to {LARGEST_SEED}, got {numbers[-1]}", param, ctx)
            if len(numbers) > MOST_SEEDS:
                self.fail(f"at most {MOST_SEEDS} seeds in a range, got {len(numbers)}", param, ctx)
            seeds.update(numbers)
        return tuple(sorted(seeds))


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 20  # Python refuses to convert thousands of digits
