"""Which classes a network takes for which others at every scale, most often first, with an image of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.evaluation.predictions import Predictions, restricted
from stirdata.evaluation.results import Result
from stirdata.evaluation.samples import samples_of
from stirdata.evaluation.scales import members_of
from stirdata.imaging import png
from stirdata.imaging.sheet import Arrangement, draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.evaluation.generalization import ScaleGeneralization
    from stirdata.evaluation.samples import Samples
    from stirdata.loading.dataset import ImageDataset

_ROWS, _COLUMNS = 8, 8


@dataclass(frozen=True)
class Mistake:
    """One class that was taken for another.

    Attributes:
        scale: In pixels, or a factor, or a bin of factors; empty if there are no scales.
        label: True class.
        predicted: What it was taken for; -1 for logits that are no numbers.
        count: How many images of the scale.
        dataset: Number of the dataset that the first of them is in.
        position: Of that image within the split.
    """

    scale: Any
    label: int
    predicted: int
    count: int
    dataset: int
    position: int


@dataclass(frozen=True)
class Mistakes(Result):
    """The most frequent mistakes at some scales.

    Attributes:
        every: In ascending order of scale, the most frequent first.
        classes: Names of the classes.
    """

    every: tuple[Mistake, ...] = field(repr=False)
    classes: tuple[str, ...] = field(repr=False)

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return scale, class, what it was taken for, and how many images."""
        return {
            "scale": [one.scale for one in self.every],
            "class": [self.classes[one.label] for one in self.every],
            "predicted": [
                self.classes[one.predicted] if one.predicted >= 0 else "no number" for one in self.every
            ],
            "images": [one.count for one in self.every],
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {"measure": "most frequent mistakes", "mistakes": [vars(one) for one in self.every]}

    def draw(self, axes: Any) -> None:
        """Draw how often the most frequent ones are, one below the other."""
        columns = self.columns()
        names = [
            f"{scale}: {label} > {predicted}"
            for scale, label, predicted, _ in zip(*columns.values(), strict=True)
        ]
        axes.barh(range(len(names)), columns["images"], color="#9db7cc")
        axes.set_yticks(range(len(names)), names, fontsize="x-small")
        axes.invert_yaxis()
        axes.set_xlabel("images")


def mistakes(
    found: Sequence[Predictions],
    datasets: Sequence[ImageDataset],
    split: str = "test",
    *,
    like: ScaleGeneralization | None = None,
) -> Mistakes:
    """Return the most frequent mistakes at up to eight scales, spread evenly over those that there are.

    Args:
        found: What was predicted of each dataset.
        datasets: Of the same classes.
        split: Name of the split.
        like: A result whose scales, or bins, images are grouped by; None for all images together.
    """
    every = restricted(list(found), [samples_of(one, split, None) for one in datasets])
    rows = _rows_of(every, like)
    counted: list[Mistake] = []
    for name, members in rows:
        tally: dict[tuple[int, int], list[int]] = {}
        for number, (samples, own, one) in enumerate(zip(every, members, found, strict=True)):
            wrong = np.flatnonzero(own & (samples.labels != one.classes))
            for at in wrong.tolist():
                pair = int(samples.labels[at]), int(one.classes[at])
                entry = tally.setdefault(pair, [0, number, int(one.positions[at])])
                entry[0] += 1
        first = sorted(tally.items(), key=lambda item: (-item[1][0], item[0]))[:_COLUMNS]
        counted += [Mistake(name, *pair, *entry) for pair, entry in first]
    return Mistakes(tuple(counted), tuple(datasets[0].classes))


def _rows_of(
    every: Sequence[Samples], like: ScaleGeneralization | None
) -> list[tuple[Any, list[NDArray[np.bool_]]]]:
    """Return the name of each group that is looked at, and which images of each dataset are in it."""
    if like is None:
        return [("", [np.ones(len(samples), np.bool_) for samples in every])]
    groups = like.groups
    members = [members_of(samples, groups) for samples in every]
    count = len(groups.values)
    chosen = sorted({number * (count - 1) // max(1, _ROWS - 1) for number in range(_ROWS)} & {*range(count)})
    names = groups.names()
    return [(names[number], [own == number for own in members]) for number in chosen]


def sheet(found: Mistakes, datasets: Sequence[ImageDataset], split: str = "test") -> bytes | None:
    """Return a PNG file with an image of each mistake, a row for each scale; None if there is none.

    Below each image are the number of its class, that of the predicted one, and how many there are.
    """
    scales = list(dict.fromkeys(one.scale for one in found.every))
    if not scales:
        return None
    rows = [[one for one in found.every if one.scale == scale] for scale in scales]
    columns = max(map(len, rows))
    channels, side, _ = datasets[0].image_shape
    shape = (len(rows), columns, side, side) if channels == 1 else (len(rows), columns, side, side, channels)
    images = np.full(shape, 255, np.uint8)
    for number, dataset in enumerate(datasets):
        where = [
            (row, column, one.position)
            for row, some in enumerate(rows)
            for column, one in enumerate(some)
            if one.dataset == number
        ]
        if where:
            read = dataset.read(dataset.split_named(split), np.array([position for *_, position in where]))
            for (row, column, _), image in zip(where, read, strict=True):
                images[row, column] = np.rint(np.clip(image, 0, 255))
    captions = tuple(
        tuple(f"{one.label}>{one.predicted} {one.count}x" for one in some) + ("",) * (columns - len(some))
        for some in rows
    )
    arrangement = Arrangement(
        title="class > predicted, and how many images",
        rows=tuple(str(scale) for scale in scales),
        groups=(("", columns),),
        side=side,
        captions=captions,
    )
    return png.stored(draw(arrangement, images, zoom=2 if side <= 40 else 1))
