"""What all results of evaluations can do: be written as JSON and as CSV, be printed, and be drawn."""

from __future__ import annotations

import csv
import io
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata import atomic, locks

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Result(ABC):
    """A result of an evaluation, which is a table of numbers."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""

    @abstractmethod
    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the table column by column, each with a name; None is a value that is not known."""

    @abstractmethod
    def draw(self, axes: Any) -> None:
        """Draw the result on matplotlib's axes."""

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the result into a file, whole or not at all; what exists is replaced.

        Args:
            path: A name ending in .svg, .png or .pdf.

        Raises:
            MissingLibraryError: matplotlib is not installed; the extra ``plot`` has it.
            ParameterError: The name ends in something else.
            TargetError: The file cannot be written.
        """
        from stirdata.evaluation.plots import save

        return save(self, Path(path))

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as a CSV file, whole or not at all; what exists is replaced.

        Raises:
            TargetError: The file cannot be written.
        """
        target = Path(path)
        with locks.locked(target), atomic.new_file(target) as partial:
            partial.write_bytes(self.csv().encode())
        return target

    def csv(self) -> str:
        """Return the table as the text of a CSV file."""
        columns, text = self.columns(), io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue()

    def table(self) -> str:
        """Return the table as text, numbers below each other."""
        columns = [[name, *map(cell, values)] for name, values in self.columns().items()]
        widths = [max(map(len, column)) for column in columns]
        rows = zip(*columns, strict=True)
        return "\n".join(
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def cell(value: Any) -> str:
    """Return a value of a table as text: four digits after the point, nothing for what is not known."""
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def plain(array: NDArray[np.floating] | NDArray[np.integer]) -> list[Any]:
    """Return an array as lists of Python numbers, None in place of NaN and of what is infinite."""

    def known(value: Any) -> Any:
        if isinstance(value, list):
            return [known(part) for part in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    listed: list[Any] = known(array.tolist())
    return listed


def sample_std(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation of a sample (N - 1) over the first axis; NaN for one value."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    with np.errstate(invalid="ignore"):  # of what is infinite it is NaN
        deviation: NDArray[np.float64] = np.asarray(values.std(axis=0, ddof=1))
    return deviation
