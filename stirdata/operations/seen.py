"""What an audit sees of datasets: their images, each read once, and what is told of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import FormatError
from stirdata.imaging.likeness import Summary, joined, summary
from stirdata.loading.records import boxes, class_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.family import DeclaredScales, Family
    from stirdata.loading.dataset import ImageDataset

_HIGHEST = 255
_DIGEST_BYTES = 16


@dataclass
class Part:
    """A split as it was looked at; arrays are in stored order, and None where the dataset does not tell.

    Attributes:
        path: Of the dataset.
        split: Its name.
        labels: Of the images; below 0 without a class.
        classes: Names in the order of the labels.
        scales: Of the images.
        declared: The scales that the dataset says it has.
        off_canvas: Whether an image's object is nowhere on its canvas.
        sources: Which image of the source each is made of.
        source: Name of the source.
        digests: Of the images' values.
        blank: Whether an image is of one level.
        saturated: Whether half of an image or more is at the highest level.
        summary: Of the images that are not blank; None if it was not asked for.
        dataset: What reads the images again.
    """

    path: str
    split: str
    labels: NDArray[np.int64]
    classes: list[str]
    scales: NDArray[Any] | None
    declared: DeclaredScales | None
    off_canvas: NDArray[np.bool_] | None
    sources: NDArray[np.int32] | None
    source: str
    digests: NDArray[np.void]
    blank: NDArray[np.bool_]
    saturated: NDArray[np.bool_]
    summary: Summary | None
    dataset: ImageDataset

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """The images that are not blank."""
        return np.flatnonzero(~self.blank)

    @property
    def of_classes(self) -> NDArray[np.int64]:
        """How many images each class has."""
        return class_counts(self.labels, len(self.classes))

    def read(self, numbers: NDArray[np.int64]) -> NDArray[Any]:
        """Return images by their numbers among those that are shown."""
        return self.dataset.read(self.split, self.shown[numbers])

    def __str__(self) -> str:
        return f"{self.split} of {self.path}"


@dataclass
class Seen:
    """A dataset as it was looked at, split by split."""

    path: str
    title: str
    parts: list[Part] = field(default_factory=list)


def look_at(
    family: Family, dataset: ImageDataset, advance: Callable[[int], None], *, summarise: bool
) -> Seen:
    """Read every image of a dataset once.

    Args:
        family: Of the dataset.
        dataset: The dataset.
        advance: Called with the number of images read, now and then.
        summarise: Whether to keep what tells images that are nearly equal from others.
    """
    metadata = dataset.metadata
    found = Seen(str(dataset.path), str(metadata["title"]))
    for split in dataset.splits:
        summaries: list[Summary] | None = [] if summarise else None
        digests, blank, saturated = _of_pixels(dataset, split, advance, summaries)
        latents = _told(dataset.latents, split) or {}
        scales = dataset.scale_of_images(split)
        part = Part(
            path=found.path,
            split=split,
            labels=dataset.targets(split),
            classes=dataset.classes,
            scales=scales,
            declared=family.declared_scales(metadata),
            off_canvas=_off_canvas(latents, dataset.image_shape[1:]),
            sources=_told(dataset.source_index, split),
            source=str(metadata.get("source", "")),
            digests=digests,
            blank=blank,
            saturated=saturated,
            summary=joined(summaries).of(np.flatnonzero(~blank)) if summaries else None,
            dataset=dataset,
        )
        found.parts.append(part)
    return found


def _told(ask: Callable[[str], Any], split: str) -> Any:
    """Return what a dataset tells of a split, or None: a PNG tree without its table has pixels and labels."""
    try:
        return ask(split)
    except FormatError:
        return None


def _of_pixels(
    dataset: ImageDataset,
    split: str,
    advance: Callable[[int], None],
    summaries: list[Summary] | None,
) -> tuple[NDArray[np.void], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of every image a digest, whether it is of one level, and whether half is at the highest."""
    selection = dataset.select(split)
    digests = np.empty(len(selection), f"V{_DIGEST_BYTES}")
    blank, saturated = (np.empty(len(selection), bool) for _ in range(2))
    for start, block in dataset.blocks(selection):
        values = np.ascontiguousarray(block).reshape(len(block), -1)
        place = slice(start, start + len(values))
        joined = b"".join(
            hashlib.blake2b(image.data, digest_size=_DIGEST_BYTES).digest() for image in values.view(np.uint8)
        )
        digests[place] = np.frombuffer(joined, digests.dtype)
        blank[place] = values.min(axis=1) == values.max(axis=1)
        if summaries is not None:
            summaries.append(summary(block))
        saturated[place] = 2 * np.count_nonzero(values >= _HIGHEST, axis=1) >= values.shape[1]
        advance(len(values))
    return digests, blank, saturated


def _off_canvas(latents: Mapping[str, NDArray[Any]], canvas: Sequence[int]) -> NDArray[np.bool_] | None:
    """Tell of every image whether its object is nowhere on the canvas; None where there are no positions."""
    found = boxes(latents)
    if found is None:
        return None
    first, sizes = found
    height, width = canvas
    off = (first >= [width, height]) | (first + sizes <= 0)
    return np.asarray(off.any(axis=1))
