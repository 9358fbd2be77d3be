"""Which objects of annotated photographs become instances of a STIR set, and which do not and why.

Source: arXiv 2211.10288, its generators of the trafficsign and aerial sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.errors import SourceError
from stirdata.families.stir.axes import CANVAS, SETS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.sources.annotations import AnnotatedPictures

INSTANCES = 25
OBJECTS_PER_CLASS = INSTANCES * len(SETS)
SMALLEST_OBJECT = CANVAS
"""Objects are only ever scaled down, to :data:`stirdata.families.stir.axes.SCALES`."""

TOO_SMALL = f"smaller than {SMALLEST_OBJECT} pixels"
TOO_FEW = f"of a class with fewer than {OBJECTS_PER_CLASS} suitable objects"
NOT_NEEDED = f"not among the {OBJECTS_PER_CLASS} largest of their class"


class ClassReport(NamedTuple):
    """What came of one class.

    Attributes:
        name: Of the class.
        objects: Annotated, apart from those that the source left out.
        suitable: How many are large enough and passed every test. In a class that qualified the tests
            stop when enough have passed.
        qualified: Whether it is in the set.
    """

    name: str
    objects: int
    suitable: int
    qualified: bool


@dataclass(frozen=True)
class Report:
    """Which classes qualified, and how many objects were left out and why.

    Attributes:
        classes: All classes, sorted by name.
        taken: Objects in the set.
        left_out: Number of objects by reason, in the order of the tests. With ``taken`` it adds up to
            every object annotated.
    """

    classes: tuple[ClassReport, ...]
    taken: int
    left_out: Mapping[str, int]

    def lines(self) -> list[str]:
        """Return the report as sentences."""
        qualified = [entry.name for entry in self.classes if entry.qualified]
        found = [f"{len(qualified)} of {len(self.classes)} classes qualified: {', '.join(qualified)}"]
        found += [f"{self.taken} objects taken"]
        return found + [f"{count} objects left out: {reason}" for reason, count in self.left_out.items()]

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        return {
            "classes": [entry._asdict() for entry in self.classes],
            "taken": self.taken,
            "left_out": dict(self.left_out),
        }


@dataclass(frozen=True)
class Selection:
    """The objects of a set.

    Attributes:
        classes: Names of the classes, sorted.
        objects: int64, (classes, 75): rows of the table, the largest objects first.
        report: What was left out.
    """

    classes: tuple[str, ...]
    objects: NDArray[np.int64]
    report: Report

    def of(self, member: int, label: int, instance: int) -> int:
        """Return the row of the object that is an instance of a set (0 train, 1 valid, 2 test)."""
        return int(self.objects[label, len(SETS) * instance + member])


def select(
    table: AnnotatedPictures,
    sizes: NDArray[np.int32],
    unsuitable: Mapping[str, NDArray[np.bool_]],
    refuse: Callable[[int], str],
) -> Selection:
    """Choose the 75 largest suitable objects of every class that has that many.

    Args:
        table: The annotated objects.
        sizes: int32, (objects,): by which objects are ranked, ties in reading order; in pixels.
        unsuitable: Which objects are not suitable, by reason; the first reason that applies counts.
        refuse: Says why the object of that row cannot be used, or nothing. It may be slow: it is asked
            from the largest object of a class down, until enough have passed.

    Raises:
        SourceError: No class has 75 suitable objects.

    Source: arXiv 2211.10288, its generators. That all of the 75 largest must have at least 64 pixels,
    as they ask, is that 75 have.
    """
    left_out: Counter[str] = Counter(table.skipped)
    open_rows = np.ones(len(sizes), bool)
    for reason, mask in {**unsuitable, TOO_SMALL: sizes < SMALLEST_OBJECT}.items():
        left_out[reason] += int((open_rows & mask).sum())
        open_rows &= ~mask
    chosen: dict[str, list[int]] = {}
    reports = []
    for number, name in enumerate(table.labels):
        of_class = table.label == number
        rows = np.flatnonzero(of_class & open_rows)
        ranked = rows[np.argsort(-sizes[rows], kind="stable")]
        passed = _first_passing(ranked, refuse, left_out)
        qualified = len(passed) == OBJECTS_PER_CLASS
        if qualified:
            chosen[name] = passed
        else:
            left_out[TOO_FEW] += len(passed)
        reports.append(ClassReport(name, int(of_class.sum()), len(passed), qualified))
    if not chosen:
        raise _too_few(reports)
    counts = {reason: count for reason, count in left_out.items() if count}
    report = Report(tuple(reports), sum(map(len, chosen.values())), counts)
    return Selection(tuple(chosen), np.array(list(chosen.values()), np.int64), report)


def _first_passing(
    ranked: NDArray[np.int64], refuse: Callable[[int], str], left_out: Counter[str]
) -> list[int]:
    """Return the first objects that are not refused, as many as are needed."""
    passed: list[int] = []
    if len(ranked) < OBJECTS_PER_CLASS:  # whatever they are, they are too few: spare the slow tests
        return [int(row) for row in ranked]
    for position, row in enumerate(ranked):
        if len(passed) == OBJECTS_PER_CLASS:
            left_out[NOT_NEEDED] += len(ranked) - position
            break
        reason = refuse(int(row))
        if reason:
            left_out[reason] += 1
        else:
            passed.append(int(row))
    return passed


def _too_few(reports: list[ClassReport]) -> SourceError:
    best = sorted(reports, key=lambda entry: -entry.suitable)[:3]
    return SourceError(
        f"no class has {OBJECTS_PER_CLASS} suitable objects",
        expected=f"{OBJECTS_PER_CLASS} objects of at least {SMALLEST_OBJECT} pixels that are not left out",
        got=", ".join(f"{entry.name} has {entry.suitable}" for entry in best) or "no objects at all",
        hint="is this the whole dataset? A part of it is not enough",
    )
