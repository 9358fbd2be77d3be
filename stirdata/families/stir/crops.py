"""Cutting objects out of photographs at every scale: what trafficsign and aerial share.

First everything that is random is drawn, from one stream in the published order. Then every picture is
decoded once for all its objects and all their scales, by any number of workers in any order.

Source: arXiv 2211.10288, its generators of the trafficsign and aerial sets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.executors import Workers, map_ordered
from stirdata.families.family import Job, Made, Material
from stirdata.families.stir import described
from stirdata.families.stir.axes import CANVAS, SCALES, SETS, Frame, Place, StirArrays, assemble
from stirdata.families.stir.objects import INSTANCES, Report, Selection
from stirdata.imaging.crop import Window, crops_resized
from stirdata.sources.annotations import digest_of_members
from stirdata.sources.archives import Member
from stirdata.sources.pictures import PictureInfo, decoded, read_info

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.sources.annotations import AnnotatedPictures

NOT_COLOUR = "in a picture that has not three channels of 8 bits"
OTHER_SIZE = "in a picture of another size than its annotation says"
NO_ROOM = f"in a picture smaller than {CANVAS} pixels at scale {min(SCALES)}"
OUTSIDE = "with a box outside the picture"
LARGEST_CLAMP = 1
"""Pixels that rounding may push a box out of a picture; it is moved back by them."""

Advance = Callable[[int], None]


class AxisRange(NamedTuple):
    """Where the canvas may begin along one axis, per scale, in pixels of the resized picture.

    Attributes:
        resized: int64, (scales,): length of the resized picture.
        edge: int64, (scales,): where the object's box begins.
        low: int64, (scales,): first place where the canvas may begin.
        high: int64, (scales,): last place, not before ``low``.
        clamped: By how many pixels at most the box was moved into the picture.
    """

    resized: NDArray[np.int64]
    edge: NDArray[np.int64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    clamped: int

    @property
    def problem(self) -> str:
        """Why the object cannot be placed at every scale; nothing if it can."""
        if self.resized.min() < CANVAS:
            return NO_ROOM
        return OUTSIDE if self.clamped > LARGEST_CLAMP else ""


def axis_range(resized: NDArray[np.int64], edge: NDArray[np.int64], end: NDArray[np.int64]) -> AxisRange:
    """Return where the canvas may begin so that it lies in the picture and the box in it.

    The published range is max(0, end - 64) to min(resized - 64, edge). It is empty where rounding has
    pushed the box out of the picture, or has made it 65 pixels long. Such a box is moved back, or cut;
    other boxes are left alone.

    Args:
        resized: int64, (scales,): length of the resized picture.
        edge: int64, (scales,): where the box begins.
        end: int64, (scales,): where it ends.
    """
    moved = np.minimum(0, resized - end)
    moved = np.where(edge + moved < 0, -edge, moved)
    inside = edge + moved
    inside_end = np.minimum(end + moved, inside + CANVAS)
    low = np.maximum(0, inside_end - CANVAS)
    high = np.minimum(resized - CANVAS, inside)
    return AxisRange(resized, inside, low, high, int(abs(moved).max()))


class Ranges(NamedTuple):
    """Both axes of one object."""

    x: AxisRange
    y: AxisRange

    @property
    def problem(self) -> str:
        """Why the object cannot be placed at every scale; nothing if it can."""
        return self.x.problem or self.y.problem


@dataclass(frozen=True)
class Plan:
    """All that is known before a pixel is computed.

    Attributes:
        frame: The axes of the set.
        pictures: Of every object, numbers in the table, int64, (sets, classes, instances).
        members: The pictures that are needed, by number, in the order of the table.
        windows: int64, (sets, scales, classes, instances, 4): width and height of the resized picture,
            left and top of the window in it.
        positions: int32, (sets, scales, classes, instances, 2): left and top of the box in the window.
        report: Which classes qualified, and what was left out.
    """

    frame: Frame
    pictures: NDArray[np.int64]
    members: Mapping[int, Member]
    windows: NDArray[np.int64]
    positions: NDArray[np.int32]
    report: Report


class Pictures:
    """Headers of a table's pictures, each read once, when first asked for."""

    def __init__(self, table: AnnotatedPictures) -> None:
        self._table = table
        self._known: dict[int, PictureInfo] = {}

    def of(self, row: int) -> PictureInfo:
        """Return size and pixel format of the picture that an object is in."""
        number = int(self._table.picture[row])
        if number not in self._known:
            self._known[number] = read_info(self._table.pictures[number])
        return self._known[number]

    def problem(self, row: int) -> str:
        """Say why no object of the picture can be used; nothing if it can."""
        info = self.of(row)
        said = tuple(self._table.sizes[self._table.picture[row]].tolist())
        if said not in ((0, 0), (info.width, info.height)):
            return OTHER_SIZE
        return "" if info.mode == "RGB" else NOT_COLOUR


def draw(
    table: AnnotatedPictures,
    selection: Selection,
    ranges: Callable[[int], Ranges],
    seed: int,
    *,
    square: bool,
) -> Plan:
    """Draw where the canvas goes for every image: x, then y, in the published order.

    Args:
        table: The annotated objects.
        selection: Those of the set.
        ranges: Of the object of a row.
        seed: Of Python's random numbers; the published generators used none.
        square: Whether boxes are squares of side ``scale``.
    """
    frame = Frame(selection.classes, INSTANCES, channels=3, square=square)
    known = {int(row): ranges(int(row)) for row in selection.objects.flat}
    windows = np.zeros((*frame.shape, 4), np.int64)
    positions = np.zeros((*frame.shape, 2), np.int32)
    stream = random.Random(seed)
    for place in frame.draw_order():
        x, y = known[selection.of(place.set, place.label, place.instance)]
        scale = place.scale
        left = stream.randint(int(x.low[scale]), int(x.high[scale]))
        top = stream.randint(int(y.low[scale]), int(y.high[scale]))
        windows[place] = x.resized[scale], y.resized[scale], left, top
        positions[place] = x.edge[scale] - left, y.edge[scale] - top
    by_set = selection.objects.reshape(len(selection.classes), INSTANCES, len(SETS)).transpose(2, 0, 1)
    pictures = table.picture[by_set].astype(np.int64)
    members = {int(number): table.pictures[number] for number in np.unique(pictures)}
    return Plan(frame, pictures, members, windows, positions, selection.report)


def job(recipe: Any, source: Any, parameters: Any, material: Material) -> Job:
    """Return the job of making a set.

    The annotations are read and the places drawn before a job exists, so that its description can be
    compared with an existing manifest before any picture is decoded.

    Args:
        recipe: Module of the set: ``plan(table, seed)``, ``rows()`` and its facts.
        source: Module of the photographs: ``load(folder)`` and its facts.
        parameters: With ``source_dir`` and ``seed``.
        material: Of the command; the annotations are read once.

    Raises:
        MissingFileError: Archives or annotations are missing.
        SourceError: Something is damaged, or no class has enough objects.
    """
    table = material.once("annotations", lambda: source.load(parameters.source_dir))
    plan: Plan = recipe.plan(table, parameters.seed)

    def make(workers: Workers, advance: Advance) -> Made:
        executor = workers.processes()
        arrays = render(plan, recipe.rows(), executor, ahead=2 * workers.slots, advance=advance)
        return Made(arrays.as_dict(), _decoder_versions(), tuple(plan.report.lines()))

    pictures = digest_of_members(plan.members[number] for number in sorted(plan.members))
    facts = {
        "name": source.NAME,
        "sha256": {"annotations": table.sha256, "names_sizes_and_crc32s_of_pictures": pictures},
        "license": source.LICENSE,
        "citation": source.CITATION,
        "objects": plan.report.as_json(),
    }
    return Job(described(recipe, parameters.seed, facts), make, plan.frame.count)


def _decoder_versions() -> dict[str, str]:
    """Return the versions of what decodes the pictures, on this machine."""
    import PIL
    from PIL import features

    version: Callable[[str], str | None] = features.version
    return {"pillow": PIL.__version__, "libjpeg_turbo": version("libjpeg_turbo") or "none"}


class PictureTask(NamedTuple):
    """The windows of one picture.

    Attributes:
        member: The picture.
        windows: int64, (windows, 4); see :attr:`Plan.windows`.
    """

    member: Member
    windows: NDArray[np.int64]


def cut(task: PictureTask) -> NDArray[np.uint8]:
    """Decode a picture and return its windows, uint8, (windows, 64, 64, 3); runs in a worker.

    Raises:
        SourceError: The picture is corrupt.
    """
    windows = [Window(*window) for window in task.windows.tolist()]
    with decoded(task.member) as picture:
        return crops_resized(picture.part, (picture.info.width, picture.info.height), windows, CANVAS)


def render(
    plan: Plan,
    rows: NDArray[np.str_],
    executor: Executor,
    *,
    ahead: int = 8,
    advance: Advance | None = None,
) -> StirArrays:
    """Compute the images of a plan.

    Args:
        plan: Of :func:`draw`.
        rows: The metadata of the set.
        executor: Where pictures are decoded and cut. Its workers need the archives under the same paths.
        ahead: Pictures submitted at a time.
        advance: Called with the number of images finished, now and then.

    Raises:
        SourceError: A picture is corrupt.
    """
    return assemble(plan.frame, _crops(plan, executor, ahead, advance), plan.positions, rows)


def _crops(
    plan: Plan, executor: Executor, ahead: int, advance: Advance | None
) -> Iterator[tuple[Place, NDArray[np.uint8]]]:
    """Yield all scales of one object at a time, picture by picture in the order of the archives."""
    order = sorted(
        plan.members, key=lambda number: (plan.members[number].archive, plan.members[number].offset)
    )
    objects = {number: np.argwhere(plan.pictures == number).tolist() for number in order}
    tasks = (PictureTask(plan.members[number], _windows(plan, objects[number])) for number in order)
    for number, pixels in zip(order, map_ordered(executor, cut, tasks, ahead=ahead), strict=True):
        stacks = pixels.reshape(len(objects[number]), len(plan.frame.scales), *plan.frame.image_shape)
        for (member, label, instance), stack in zip(objects[number], stacks, strict=True):
            yield Place(member, slice(None), label, instance), stack
        if advance is not None:
            advance(len(pixels))


def _windows(plan: Plan, objects: list[list[int]]) -> NDArray[np.int64]:
    """Return the windows of some objects, all scales of the first object first."""
    return np.concatenate([plan.windows[member, :, label, instance] for member, label, instance in objects])
