"""Contact sheets of datasets: some images of every class, labelled, as a PNG file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic, locks
from stirdata.errors import ParameterError, TargetExistsError
from stirdata.families.family import Family
from stirdata.families.recognition import recognize
from stirdata.imaging import png
from stirdata.imaging.sheet import Arrangement, Boxes, draw, layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stirdata.loading.dataset import ImageDataset

LARGEST_SHEET = 40_000_000
"""Pixels of the largest sheet; its file has as many bytes, in colour three times as many."""
LARGEST_ZOOM = 16
_CLASSES = 10
_SCALES = 6
_INSTANCES = 2
_COLUMNS = 12
_NEAR = 0.001
"""Part by which a scale that is asked for may differ from one that is there: few people type 0.8408964."""


@dataclass(frozen=True)
class Choice:
    """Which images go on a sheet, and how.

    Attributes:
        split: Such as ``train``, ``val`` (also called ``valid`` or ``validation``) or ``test``; None for the
            first that there is.
        classes: Labels, one row each; None for the first ten.
        scales: Where a dataset has a few scales: those shown, one group of columns each; None for six
            from the smallest to the largest.
        instances: Where a dataset has a few scales: which images of each class and scale; None for the
            first two.
        columns: Where every image has a scale of its own: how many images of each class, spread evenly
            over those of the class in the order of their scales; None for twelve.
        boxes: Draw the box of the object around it, where a dataset says where it is.
        zoom: How many pixels wide and high every pixel becomes, 1 to 16.
    """

    split: str | None = None
    classes: tuple[int, ...] | None = None
    scales: tuple[float, ...] | None = None
    instances: tuple[int, ...] | None = None
    columns: int | None = None
    boxes: bool = False
    zoom: int = 2


@dataclass(frozen=True)
class Sheet:
    """A sheet on disk.

    Attributes:
        path: The PNG file.
        width: In pixels.
        height: In pixels.
        already_there: It was there before, with the same bytes.
    """

    path: Path
    width: int
    height: int
    already_there: bool

    def as_json(self) -> dict[str, Any]:
        """Return the sheet as JSON values."""
        return {**vars(self), "path": str(self.path)}


@dataclass(frozen=True)
class _Plan:
    """A sheet that is decided upon, whose images have not been read yet; numbers are (classes, columns)."""

    arrangement: Arrangement
    numbers: NDArray[np.intp]
    boxes: Boxes | None = None


def save(source: Path, target: Path, choice: Choice, *, force: bool = False) -> Sheet:
    """Write the contact sheet of a dataset; the same bytes for the same images on every machine.

    Args:
        source: A dataset; see :func:`stirdata.families.recognition.recognize`.
        target: A name ending in .png.
        choice: Which images.
        force: Replace a target that exists and is something else.

    Raises:
        MissingFileError: There is no such dataset.
        ParameterError: A choice makes no sense for the dataset, or the sheet would be too large.
        FormatError: The dataset is damaged.
        TargetExistsError: The target exists and is something else.
        TargetError: The target cannot be written.
    """
    if target.suffix != ".png":
        raise ParameterError(
            "a contact sheet is a PNG file", where="out", expected="a name ending in .png", got=target.name
        )
    pixels = contact_sheet(source, choice)
    content = picture_of(pixels)
    height, width = pixels.shape[:2]
    with locks.locked(target):
        already_there = target.is_file() and target.read_bytes() == content
        if not already_there:
            _write(target, content, force=force)
    return Sheet(target, width, height, already_there)


def picture_of(pixels: NDArray[np.uint8]) -> bytes:
    """Return a sheet as a PNG file, the same bytes on every machine."""
    return png.stored(_grey_if_all_is(pixels))


def _grey_if_all_is(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return one channel where the three are equal: a file of a third of the size."""
    red, others = pixels[..., :1], pixels[..., 1:]
    return red[..., 0] if (others == red).all() else pixels


def _write(target: Path, content: bytes, *, force: bool) -> None:
    if target.is_file() and not force:
        raise TargetExistsError(
            "the output exists and is another picture",
            where=target,
            hint="use --force to replace it, or choose another output",
        )
    with atomic.new_file(target) as partial:
        partial.write_bytes(content)


def contact_sheet(source: Path, choice: Choice) -> NDArray[np.uint8]:
    """Return the contact sheet of a dataset: uint8, (height, width, 3).

    Raises:
        MissingFileError: There is no such dataset.
        ParameterError: A choice makes no sense for the dataset, or the sheet would be too large.
        FormatError: The dataset is damaged.
    """
    _check_between("zoom", choice.zoom, 1, LARGEST_ZOOM)
    found = recognize(source)
    dataset = found.family.loader()(found.path)
    split = dataset.splits[0] if choice.split is None else dataset.split_named(choice.split)
    decide = _by_scale if _has_few_scales(found.family, dataset, split) else _in_order_of_scale
    plan = decide(found.family, dataset, split, choice)
    _check_size(plan.arrangement, choice.zoom)
    from stirdata.loading.records import rounded

    images = rounded(dataset.read(split, plan.numbers.ravel()))
    images = images.reshape(*plan.numbers.shape, *images.shape[1:])
    return draw(plan.arrangement, images, plan.boxes, choice.zoom)


def _has_few_scales(family: Family, dataset: ImageDataset, split: str) -> bool:
    """Tell whether a split has a few scales that are known, each of which all classes could have."""
    import numpy as np

    if family.scale is None or not family.scale.listed:
        return False
    scales = dataset.scale_of_images(split)
    return scales is not None and len(np.unique(scales)) * dataset.num_classes <= len(scales)


def _by_scale(family: Family, dataset: ImageDataset, split: str, choice: Choice) -> _Plan:
    """Decide on the sheet of a dataset with a few scales: groups of columns are scales.

    The boxes are squares, unless one of them would leave the canvas: then scale is the longer side
    only, as in STIR aerial, and the sheet shows the corner and that side.
    """
    import numpy as np

    _only_where("every image has a scale of its own", family, columns=choice.columns)
    latents, labels = dataset.latents(split), dataset.targets(split)
    scales, positions = next(iter(latents.values())), latents.get("positions")
    if choice.boxes and positions is None:
        raise ParameterError(
            "there are no boxes to draw", where="boxes", got=f"a dataset of {family.title} without positions"
        )
    classes = _chosen("classes", choice.classes, range(dataset.num_classes), _CLASSES)
    chosen = _chosen_scales(choice.scales, np.unique(scales).tolist())
    members = [
        [np.flatnonzero((labels == label) & (scales == scale)) for scale in chosen] for label in classes
    ]
    fewest = min(len(numbers) for row in members for numbers in row)
    instances = _chosen("instances", choice.instances, range(fewest), _INSTANCES)
    numbers = np.array([np.concatenate([some[instances] for some in row]) for row in members])
    square = positions is None or _square(dataset, positions, scales)
    unit = "scales in pixels" if family.scale and family.scale.unit == "pixels" else "scale factors"
    legend = ", corner and longer side of each box" if choice.boxes and not square else ""
    arrangement = Arrangement(
        title=f"{dataset.metadata['title']}, {split}, {unit}{legend}",
        rows=tuple(_row_name(label, dataset.classes[label]) for label in classes),
        groups=tuple((f"{scale:.4g}", len(instances)) for scale in chosen),
        side=dataset.image_shape[1],
    )
    if not choice.boxes or positions is None:
        return _Plan(arrangement, numbers)
    places = np.concatenate([positions[numbers], scales[numbers][..., None]], axis=-1)
    return _Plan(arrangement, numbers, Boxes(places.astype(np.int32), square))


def _square(dataset: ImageDataset, positions: NDArray[Any], scales: NDArray[Any]) -> bool:
    """Tell whether scale can be both sides of every box."""
    return bool((positions.max(axis=-1) + scales <= dataset.image_shape[1]).all())


def _in_order_of_scale(family: Family, dataset: ImageDataset, split: str, choice: Choice) -> _Plan:
    """Decide on the sheet of a dataset whose images have scales of their own: they grow along the rows.

    Where there are none, images come in the order of the files; for PNG files without ``scales.csv``, whose
    scales nobody knows, the sheet says so.
    """
    asked = {"scales": choice.scales, "instances": choice.instances}
    _only_where("there are a few scales", family, **asked)
    if choice.boxes:
        raise ParameterError("there are no boxes to draw", where="boxes", got=f"a dataset of {family.title}")
    classes = _chosen("classes", choice.classes, range(dataset.num_classes), _CLASSES)
    factors = dataset.scale_of_images(split)
    unknown = "" if family.scale is None else ", scale factors unknown"
    order = "by scale factor" if factors is not None else f"in the order of the files{unknown}"
    numbers = _spread_members(dataset.targets(split), factors, choice, classes, split)
    return _Plan(
        Arrangement(
            title=f"{dataset.metadata['title']}, {split}, {order}",
            rows=tuple(_row_name(label, dataset.classes[label]) for label in classes),
            groups=(("", numbers.shape[1]),),
            side=dataset.image_shape[1],
            captions=None if factors is None else _captions(factors[numbers]),
        ),
        numbers,
    )


def _spread_members(
    labels: NDArray[Any], factors: NDArray[Any] | None, choice: Choice, classes: Sequence[int], split: str
) -> NDArray[np.intp]:
    """Return the numbers of the images on the sheet: (classes, columns)."""
    import numpy as np

    columns = _COLUMNS if choice.columns is None else choice.columns
    _check_between("columns", columns, 1, None)
    members = [np.flatnonzero(labels == label) for label in classes]
    fewest = min(map(len, members))
    if fewest == 0:
        empty = ", ".join(str(label) for label, row in zip(classes, members, strict=True) if not len(row))
        raise ParameterError(f"classes have no images in {split}", where="classes", got=empty)
    if factors is not None:
        members = [row[np.argsort(factors[row], kind="stable")] for row in members]
    return np.array([row[_even(len(row), min(columns, fewest))] for row in members])


def _even(length: int, count: int) -> list[int]:
    """Return evenly spread numbers from 0 to length - 1."""
    return [number * (length - 1) // max(1, count - 1) for number in range(count)]


def _captions(factors: NDArray[Any]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"{factor:.2f}" for factor in row) for row in factors.tolist())


def _row_name(label: int, name: str) -> str:
    return name if name == str(label) else f"{label} {name}"


def _chosen(name: str, asked: Sequence[int] | None, present: range, default: int) -> list[int]:
    if asked is None:
        return list(present[:default])
    absent = [number for number in asked if number not in present]
    if absent or not asked:
        raise ParameterError(
            f"there are no such {name}",
            where=name,
            expected=f"0 to {present[-1]}",
            got=", ".join(map(str, absent)) or "none",
        )
    return list(asked)


def _chosen_scales(asked: Sequence[float] | None, ascending: Sequence[float]) -> list[float]:
    """Return the scales that are there for those asked for, or a few from the smallest to the largest."""
    if asked is None:
        return [ascending[number] for number in _even(len(ascending), min(_SCALES, len(ascending)))]
    nearest = [_nearest(scale, ascending) for scale in asked]
    absent = [scale for scale, near in zip(asked, nearest, strict=True) if abs(near - scale) > _NEAR * near]
    if absent or not asked:
        expected = f"{len(ascending)} scales from {ascending[0]} to {ascending[-1]}"
        got = ", ".join(map(str, absent)) or "none"
        raise ParameterError("there are no such scales", where="scales", expected=expected, got=got)
    return nearest


def _nearest(scale: float, ascending: Sequence[float]) -> float:
    return min(ascending, key=lambda one: abs(one - scale))


def _only_where(kind: str, family: Family, **asked: object) -> None:
    """Raise ParameterError if a choice was made that only makes sense for another kind of dataset."""
    for name, value in asked.items():
        if value is not None:
            raise ParameterError(
                f"{name} can be chosen where {kind} only", where=name, got=f"a dataset of {family.title}"
            )


def _check_between(name: str, value: int, first: int, last: int | None) -> None:
    """Raise ParameterError if a number is below the first, or above the last if there is one."""
    if value < first or (last is not None and value > last):
        expected = f"{first} or more" if last is None else f"{first} to {last}"
        raise ParameterError(f"{name} is out of range", where=name, expected=expected, got=value)


def _check_size(arrangement: Arrangement, zoom: int) -> None:
    places = layout(arrangement)
    height, width = places.height * zoom, places.width * zoom
    if height * width > LARGEST_SHEET:
        raise ParameterError(
            "the contact sheet would be too large",
            expected=f"at most {LARGEST_SHEET:,} pixels",
            got=f"{width:,} x {height:,} pixels",
            hint="choose fewer classes, scales, instances or columns, or a smaller zoom",
        )
