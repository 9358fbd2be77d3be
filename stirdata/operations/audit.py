"""Whether datasets are sound for an experiment: what is in two places, and what is in none.

Images are compared by a hash of their pixels: time grows with their number, and memory by 16 bytes for each.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import ParameterError
from stirdata.families.recognition import recognize
from stirdata.imaging.likeness import alike
from stirdata.operations import LEVELS
from stirdata.operations.seen import Part, Seen, look_at

if TYPE_CHECKING:
    from numpy.typing import NDArray


_TRAINING = "train"
_EXAMPLES = 5
_MOST_SCALES = 64
"""Different scales that are counted one by one."""
_UNEVEN = 2.0
"""Times as many images as another class of its split has: from here on that is told."""


@dataclass(frozen=True)
class Image:
    """Where an image is: its file, its split, and its number there from 0 on."""

    path: str
    split: str
    number: int


@dataclass(frozen=True)
class Finding:
    """Something that may spoil an experiment.

    Attributes:
        level: One of :data:`LEVELS`.
        what: What it is, in one sentence.
        count: How many images it is about.
        examples: Some of them.
        twins: Whether every other one of the examples is what the one before it is equal to.
    """

    level: str
    what: str
    count: int
    examples: tuple[Image, ...] = ()
    twins: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {**vars(self), "examples": [vars(image) for image in self.examples]}


@dataclass(frozen=True)
class SplitFacts:
    """What a split has.

    Attributes:
        images: How many.
        classes: Images of each class, by its name; those without a label are in none.
        scales: Images of each scale; empty if nearly every image has a scale of its own.
        smallest_scale: Of all images; None if the dataset does not tell.
        largest_scale: Likewise.
        blank: Images whose values are all the same.
        saturated: Images of which half or more of the values are the highest, 255.
    """

    images: int
    classes: Mapping[str, int]
    scales: Mapping[float, int]
    smallest_scale: float | None
    largest_scale: float | None
    blank: int
    saturated: int


@dataclass(frozen=True)
class Audited:
    """One dataset: where it is, what it is, and its splits."""

    path: str
    title: str
    splits: Mapping[str, SplitFacts]

    def as_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        splits = {
            name: {**vars(facts), "scales": [[scale, count] for scale, count in facts.scales.items()]}
            for name, facts in self.splits.items()
        }
        return {**vars(self), "splits": splits}


@dataclass(frozen=True)
class Audit:
    """What came of an audit.

    Attributes:
        datasets: In the order of the paths.
        findings: The worst first.
    """

    datasets: tuple[Audited, ...]
    findings: tuple[Finding, ...]

    def at_least(self, level: str) -> tuple[Finding, ...]:
        """Return the findings of a level and of the levels above it.

        Raises:
            ParameterError: There is no such level.
        """
        if level not in LEVELS:
            raise ParameterError("unknown level", where="level", expected=", ".join(LEVELS), got=repr(level))
        worst = LEVELS[LEVELS.index(level) :]
        return tuple(finding for finding in self.findings if finding.level in worst)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "datasets": [dataset.as_json() for dataset in self.datasets],
            "findings": [finding.as_json() for finding in self.findings],
        }


def audit(
    *paths: str | os.PathLike[str],
    near: float | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Audit:
    """Say whether one dataset, or several that are used together, are sound for an experiment.

    Found are images that are equal to another one in the same split, in another split, or in the training
    split of one dataset and another split of a second one; images of different splits that are made of the
    same image of a source; images that show nothing; scales outside what the dataset says of itself; objects
    that are nowhere on their canvas; classes without images, or with less than half as many as another one.
    Images of one level are equal to all others like them: they count as blank only.

    Args:
        *paths: Datasets, as :func:`stirdata.load` takes them.
        near: Also tell images that are not equal, but whose values differ on average by at most so many
            levels, of 255. It takes longer the more of them there are.
        advance: Called with the number of images looked at, now and then.

    Raises:
        ParameterError: No path, or one of them twice, or ``near`` is no number above 0.
        MissingFileError: There is no such dataset.
        FormatError: A dataset is damaged, or none that stirdata knows.

    Examples:
        ```python
        found = stirdata.audit("a.h5", "b.h5")
        assert not found.at_least("leak")
        ```
    """
    if not paths:
        raise ParameterError("there is nothing to audit", where="paths", expected="one dataset or more")
    if near is not None and not (isinstance(near, Real) and 0 < near < math.inf):
        raise ParameterError("no difference of levels", where="near", expected="above 0", got=repr(near))
    opened = [recognize(Path(path)) for path in paths]
    places = [found.path.resolve() for found in opened]
    if len(set(places)) < len(places):
        twice = next(place for place in places if places.count(place) > 1)
        raise ParameterError("a dataset is named twice", where="paths", got=twice)
    datasets = [
        look_at(found.family, found.family.loader()(found.path), advance, summarise=near is not None)
        for found in opened
    ]
    findings: list[Finding] = []
    apart: list[tuple[Part, Part]] = []
    for dataset in datasets:
        for part in dataset.parts:
            findings += _in_a_split(part)
            findings += _nearly(part, part, near)
        apart += combinations(dataset.parts, 2)
    for first, second in combinations(datasets, 2):
        apart += _trained_and_tested(first, second)
    for one, other in apart:
        findings += _between(one, other)
        findings += _nearly(one, other, near)
    findings.sort(key=lambda finding: -LEVELS.index(finding.level))
    return Audit(tuple(map(_audited, datasets)), tuple(findings))


def _audited(seen: Seen) -> Audited:
    return Audited(seen.path, seen.title, {part.split: _facts(part) for part in seen.parts})


def _facts(part: Part) -> SplitFacts:
    told = part.scales if part.scales is not None else np.empty(0)
    different, images = np.unique(told, return_counts=True)
    scales = dict(zip(different.tolist(), images.tolist(), strict=True))
    return SplitFacts(
        images=len(part.labels),
        classes=dict(zip(part.classes, part.of_classes.tolist(), strict=True)),
        scales=scales if len(scales) <= _MOST_SCALES else {},
        smallest_scale=min(scales, default=None),
        largest_scale=max(scales, default=None),
        blank=int(part.blank.sum()),
        saturated=int(part.saturated.sum()),
    )


def _in_a_split(part: Part) -> Iterator[Finding]:
    """Yield what is wrong within one split."""
    flaws = {
        "of one level only": part.blank,
        "with half or more of the values at the highest level": part.saturated & ~part.blank,
        "at a scale that the dataset does not say it has": _undeclared(part),
        "whose object is nowhere on the canvas": part.off_canvas,
    }
    for what, wrong in flaws.items():
        if wrong is not None and wrong.any():
            numbers = np.flatnonzero(wrong)
            found = f"{part} has {_images(len(numbers))} {what}"
            yield Finding("blank", found, len(numbers), _examples(part, numbers))
    shown = part.shown
    _, first, which = np.unique(part.digests[shown], return_index=True, return_inverse=True)
    again = np.flatnonzero(first[which] != np.arange(len(shown)))
    if len(again):
        pairs = _pairs(part, shown[first[which[again]]], part, shown[again])
        what = f"{part} has {_images(len(again))} more than once"
        yield Finding("imbalance", what, len(again), pairs, twins=True)
    yield from _uneven(part)


def _undeclared(part: Part) -> NDArray[np.bool_] | None:
    if part.declared is None or part.scales is None:
        return None
    declared, is_range = np.array(part.declared.values), part.declared.is_range
    scales = part.scales.astype(np.float64)
    if is_range:
        outside: NDArray[np.bool_] = ~((scales >= declared[0]) & (scales <= declared[1]))
        return outside
    nearest = declared[np.abs(scales[:, None] - declared[None]).argmin(axis=1)]
    return np.asarray(~np.isclose(scales, nearest, rtol=1e-3, atol=0))


def _uneven(part: Part) -> Iterator[Finding]:
    counts = part.of_classes
    if not counts.any():
        return
    rarest, commonest = int(counts.argmin()), int(counts.argmax())
    if counts[commonest] >= _UNEVEN * counts[rarest]:
        what = (
            f"{part} has {counts[rarest]:,} images of {part.classes[rarest]} and {counts[commonest]:,} of "
            f"{part.classes[commonest]}"
        )
        yield Finding("imbalance", what, int(counts[commonest] - counts[rarest]))


def _trained_and_tested(first: Seen, second: Seen) -> Iterator[tuple[Part, Part]]:
    """Yield the splits of two datasets of which one is trained on and the other is not."""
    for one, other in ((first, second), (second, first)):
        for trained in one.parts:
            for tested in other.parts:
                if trained.split == _TRAINING and tested.split != _TRAINING:
                    yield trained, tested


def _between(one: Part, other: Part) -> Iterator[Finding]:
    """Yield what two splits share that should share nothing."""
    numbers, twins = _shared(one.digests[one.shown], other.digests[other.shown])
    if len(numbers):
        numbers, twins = other.shown[numbers], one.shown[twins]
        what = f"{other} shares {_images(len(numbers))} with {one}"
        yield Finding("leak", what, len(numbers), _pairs(one, twins, other, numbers), twins=True)
    if one.sources is None or other.sources is None or one.source != other.source:
        return
    numbers, twins = _shared(one.sources, other.sources)
    if len(numbers):
        originals = len(np.unique(other.sources[numbers]))
        shared = _images(originals)
        what = f"{other} shares {shared} of the source with {one}, in {_images(len(numbers))} of its own"
        yield Finding("leak", what, len(numbers), _pairs(one, twins, other, numbers), twins=True)


def _nearly(one: Part, other: Part, most: float | None) -> Iterator[Finding]:
    """Yield what is nearly equal in two splits, or within one that is given twice."""
    if most is None or one.summary is None or other.summary is None:
        return
    if one.dataset.image_shape != other.dataset.image_shape:
        return
    within = one is other
    found = alike(one.summary, other.summary, most, one.read, other.read, within=within)
    count = len(found.numbers)
    if count:
        pairs = _pairs(one, one.shown[found.twins], other, other.shown[found.numbers])
        where = "an earlier one there" if within else f"one in {one}"
        what = f"{other} has {_images(count)} like {where}, but for {most:g} levels on average or less"
        yield Finding("imbalance" if within else "leak", what, count, pairs, twins=True)


def _shared(one: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions in ``other`` of what is also in ``one``, and for each of them the first there."""
    values, first = np.unique(one, return_index=True)
    if not len(values):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(values, other), len(values) - 1)
    positions = np.flatnonzero(values[at] == other)
    return positions, first[at[positions]]


def _pairs(one: Part, twins: NDArray[np.int64], other: Part, numbers: NDArray[np.int64]) -> tuple[Image, ...]:
    pairs = zip(_examples(other, numbers), _examples(one, twins), strict=True)
    return tuple(image for pair in pairs for image in pair)


def _examples(part: Part, numbers: NDArray[np.integer]) -> tuple[Image, ...]:
    return tuple(Image(part.path, part.split, int(number)) for number in numbers[:_EXAMPLES])


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"
