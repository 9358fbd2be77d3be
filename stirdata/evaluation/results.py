"""What all results of evaluations can do: be written as JSON and as CSV, and be printed as a table."""

from __future__ import annotations

import csv
import io
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic, locks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Result(ABC):
    """A result of an evaluation, which is a table of numbers."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""

    @abstractmethod
    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the table column by column, each with a name; None is a value that is not known."""

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as a CSV file, whole or not at all; what exists is replaced.

        Raises:
            TargetError: The file cannot be written.
        """
        target, text = Path(path), io.StringIO(newline="")
        columns = self.columns()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        with locks.locked(target), atomic.new_file(target) as partial:
            partial.write_bytes(text.getvalue().encode())
        return target

    def table(self) -> str:
        """Return the table as text, numbers below each other."""
        columns = [[name, *map(_cell, values)] for name, values in self.columns().items()]
        widths = [max(map(len, column)) for column in columns]
        rows = zip(*columns, strict=True)
        return "\n".join(
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def plain(array: NDArray[np.floating] | NDArray[np.integer]) -> list[Any]:
    """Return an array as lists of Python numbers, None in place of NaN."""

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(part) for part in value]
        return None if isinstance(value, float) and math.isnan(value) else value

    listed: list[Any] = known(array.tolist())
    return listed
