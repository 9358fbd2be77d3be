"""Contact sheets of datasets: some images of every class, labelled, as a PNG file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata import atomic
from stirdata.contact_plan import Choice, Digits, Plan, check_between, plan_mnist_scale, plan_stir, split_of
from stirdata.errors import ParameterError, TargetExistsError
from stirdata.imaging.sheet import Arrangement, draw, layout
from stirdata.recognition import STIR, recognize
from stirdata.storage import png_tree, stored_png
from stirdata.storage.mnist_scale import SPLITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Choice", "Sheet", "contact_sheet", "save"]

LARGEST_SHEET = 40_000_000
"""Pixels of the largest sheet; its file has as many bytes, in colour three times as many."""
LARGEST_ZOOM = 16


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


def save(source: Path, target: Path, choice: Choice, *, force: bool = False) -> Sheet:
    """Write the contact sheet of a dataset; the same bytes for the same images on every machine.

    Args:
        source: A dataset of STIR or MNIST-scale; see :func:`stirdata.recognition.recognize`.
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
    content = stored_png.encoded(_grey_if_all_is(pixels))
    height, width = pixels.shape[:2]
    with atomic.locked(target):
        already_there = target.is_file() and target.read_bytes() == content
        if not already_there:
            _write(target, content, force=force)
    return Sheet(target, width, height, already_there)


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
    check_between("zoom", choice.zoom, 1, LARGEST_ZOOM)
    plan = _plan(source, choice)
    _check_size(plan.arrangement, choice.zoom)
    return draw(plan.arrangement, plan.images(), plan.boxes, choice.zoom)


def _plan(source: Path, choice: Choice) -> Plan:
    from stirdata.storage.stir_file import open_set

    found = recognize(source)
    if found.family == STIR:
        return plan_stir(open_set(found.path), choice)
    read = _digits_in_tree if found.form == "png" else _digits_in_file
    split = split_of(choice.split, SPLITS)
    return plan_mnist_scale(read(found.path, split), replace(choice, split=split))


def _digits_in_file(path: Path, split: str) -> Digits:
    from stirdata.families.mnist_scale.loader import MNISTScale

    dataset = MNISTScale(path)
    return Digits(
        dataset.labels(split), dataset.get_latents(split), lambda numbers: dataset.images(split)[numbers]
    )


def _digits_in_tree(folder: Path, split: str) -> Digits:
    """Open only the PNG files that are wanted; a loader would decode all 62,000."""
    arrays = png_tree.read_latents(folder)
    return Digits(
        arrays[f"{split}/labels"],
        arrays.get(f"{split}/scales"),
        lambda numbers: png_tree.read_some(folder, split, numbers),
    )


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
