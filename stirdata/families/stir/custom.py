"""Sets of your own pictures in the format of STIR, with the true scale and position of every image.

Nothing is drawn from a shared stream: the position of an image is a hash of the seed and of what the
image is (class, file, set, scale). Another class, another file or another scale therefore changes no
other image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stirdata.errors import SourceError
from stirdata.executors import InProcess, Workers, map_ordered
from stirdata.families.family import Advance, Job, Made, Material
from stirdata.families.stir import CustomParameters
from stirdata.families.stir.axes import (
    CITATION,
    SETS,
    Frame,
    Place,
    StirArrays,
    assemble,
    metadata,
    with_latents,
)
from stirdata.imaging.fitting import (
    SHADES,
    as_grey,
    on_canvas,
    over_shade,
    render_scaled,
    renderer_versions,
    resized,
)
from stirdata.sources import class_folders
from stirdata.sources.class_folders import PictureFile, decode, read
from stirdata.storage.forms import Description

if TYPE_CHECKING:
    from numpy.typing import NDArray

DATASET = "stir-custom"
RECIPE_VERSION = 1
_WORTH_PROCESSES = 64
_NAMED = 5


def job(options: CustomParameters, material: Material) -> Job:
    """Return the job of making a set of your own pictures; their folder is read to describe it.

    Raises:
        MissingFileError: The folder does not exist or has no classes in it.
        SourceError: Classes have too few pictures, or a file cannot be read.
    """
    folders = class_folders.find(Path(options.source_dir or ""))
    selection = select(folders.classes, options)
    frame, used = selection.frame, pictures_of(selection)
    about = {"title": options.title, "author": options.author, "license": options.license}
    rows = {**about, "description": describe(frame)}

    def make(workers: Workers, advance: Advance) -> Made:
        # Starting processes takes longer than drawing a few pictures.
        worth_it = workers.dask is not None or len(used) >= _WORTH_PROCESSES
        executor, slots = (workers.processes(), workers.slots) if worth_it else (InProcess(), 1)
        arrays = generate(selection, options, rows, executor=executor, workers=slots, advance=advance)
        return Made(arrays.as_dict(), _versions(used), _notes(selection, folders.ignored))

    description = Description(
        dataset=DATASET,
        recipe={"name": DATASET, "version": RECIPE_VERSION},
        seed=options.seed,
        parameters=parameters(frame, options),
        sources=[class_folders.describe(used)],
        license=options.license,
        citation=[CITATION],
    )
    return Job(description, make, frame.count)


def _versions(used: Sequence[PictureFile]) -> dict[str, str]:
    drawn = renderer_versions() if any(picture.is_svg for picture in used) else {}
    return {"pillow": version("pillow"), **drawn}


def _notes(selection: Selection, ignored: Sequence[str]) -> tuple[str, ...]:
    frame = selection.frame
    notes = [f"{len(frame.classes)} classes with {frame.instances} instances each in every set"]
    if selection.left_out:
        notes.append(f"{selection.left_out} pictures were left out: more than these instances need")
    if ignored:
        more = ", …" if len(ignored) > _NAMED else ""
        notes.append(f"{len(ignored)} files are no pictures: {', '.join(ignored[:_NAMED])}{more}")
    return tuple(notes)


def noise() -> Job:
    """Return the job of a set that needs no pictures: 2 classes of 2 instances of noise, always the same."""
    frame = Frame(("a", "b"), 2, scales=(12, 7, 3), canvas=12)
    rows = metadata(
        "STIR noise", "Noise", "nobody", "CC0-1.0", f"stirdata recipe {RECIPE_VERSION}", "2026-11-27"
    )

    def make(workers: Workers, advance: Advance) -> Made:
        imgs = np.random.RandomState(0).randint(0, 256, frame.shape + frame.image_shape).astype(np.uint8)
        room = frame.canvas - np.array(frame.scales)[:, None, None, None] + 1
        positions = np.random.RandomState(1).randint(0, np.broadcast_to(room, (*frame.shape, 2)))
        advance(frame.count)
        return Made(with_latents(frame, imgs, positions.astype(np.int32), rows).as_dict())

    source = {"name": "noise", "sha256": {}, "license": "CC0-1.0", "citation": "none"}
    recipe = {"name": DATASET, "version": RECIPE_VERSION}
    description = Description(recipe, 0, {}, [source], "CC0-1.0", [CITATION], DATASET)
    return Job(description, make, frame.count)


@dataclass(frozen=True)
class Selection:
    """Which picture is where.

    Attributes:
        frame: The axes of the set.
        pictures: By class, then instance: the pictures for train, valid and test.
        left_out: How many pictures are not in the set.
    """

    frame: Frame
    pictures: Sequence[Sequence[tuple[PictureFile, ...]]]
    left_out: int


def select(classes: Mapping[str, Sequence[PictureFile]], options: CustomParameters) -> Selection:
    """Choose the pictures of every class.

    Raises:
        ParameterError: An option makes no sense.
        SourceError: Classes have too few pictures; all of them are named.
    """
    each = 1 if options.shared else len(SETS)
    instances = options.instances or max(1, min(len(pictures) // each for pictures in classes.values()))
    too_few = [f"{name} has {len(pics)}" for name, pics in classes.items() if len(pics) < instances * each]
    if too_few:
        raise SourceError(
            "classes have too few pictures",
            expected=f"{instances * each} per class, {each} for each of {instances} instances",
            got=", ".join(too_few),
            hint="" if options.shared else "use --shared to show the same pictures in all three sets",
        )
    frame = Frame(tuple(classes), instances, 1 if options.grey else 3, options.scales, options.canvas)
    chosen = [
        [_members(pictures, instance, shared=options.shared) for instance in range(instances)]
        for pictures in classes.values()
    ]
    left_out = sum(len(pictures) - instances * each for pictures in classes.values())
    return Selection(frame, chosen, left_out)


def _members(pictures: Sequence[PictureFile], instance: int, *, shared: bool) -> tuple[PictureFile, ...]:
    if shared:
        return (pictures[instance],) * len(SETS)
    first = instance * len(SETS)
    return tuple(pictures[first : first + len(SETS)])


def pictures_of(selection: Selection) -> list[PictureFile]:
    """Return every picture that is in the set, once."""
    members = [picture for instances in selection.pictures for sets in instances for picture in sets]
    return list(dict.fromkeys(members))


def describe(frame: Frame) -> str:
    """Return the description for the metadata."""
    side = f"{frame.canvas} x {frame.canvas}"
    scales = f"{frame.scales[-1]} to {frame.scales[0]}"
    return f"Pictures at scales {scales} pixels on a {side} canvas, with their positions"


def parameters(frame: Frame, options: CustomParameters) -> dict[str, Any]:
    """Return the parameters for the manifest, as JSON values."""
    return {
        "scales": list(frame.scales),
        "canvas": frame.canvas,
        "instances": frame.instances,
        "background": options.background,
        "shared": options.shared,
        "grey": options.grey,
    }


def position(seed: int, identity: str, member: str, scale: int, canvas: int) -> tuple[int, int]:
    """Return left and top of an image's box, each from 0 to canvas - scale with equal probability.

    Examples:
        >>> position(42, "cats/tom.png", "train", 64, 64)
        (0, 0)
    """
    text = "\0".join([f"stirdata {DATASET} {RECIPE_VERSION}", str(seed), identity, member, str(scale)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    room = canvas - scale + 1
    left, top = (int.from_bytes(digest[at : at + 8], "big") * room >> 64 for at in (0, 8))
    return left, top


def draw_positions(selection: Selection, seed: int) -> NDArray[np.int32]:
    """Return the position of every image, int32, shape (sets, scales, n, m, 2)."""
    frame = selection.frame
    result = np.empty((*frame.shape, 2), np.int32)
    for place in frame.draw_order():
        picture = selection.pictures[place.label][place.instance][place.set]
        scale = frame.scales[place.scale]
        result[place] = position(seed, picture.identity, SETS[place.set], scale, frame.canvas)
    return result


class _Task(NamedTuple):
    """One picture: where it goes in each set that shows it, and the positions there, by set and scale."""

    picture: PictureFile
    places: list[Place]
    positions: NDArray[np.int32]


def generate(
    selection: Selection,
    options: CustomParameters,
    rows: Mapping[str, str],
    *,
    executor: Executor,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> StirArrays:
    """Make a set.

    Args:
        selection: Of :func:`select`.
        options: The same as there.
        rows: ``title``, ``description``, ``author`` and ``license`` for the metadata.
        executor: Where pictures are decoded and drawn.
        workers: How many work there; the result does not depend on it.
        advance: Called with the number of images finished, now and then.

    Raises:
        SourceError: A picture is corrupt, too large, or an SVG that could do more than draw.
        MissingLibraryError: There are SVG files, and CairoSVG or cairo is not installed.
    """
    positions = draw_positions(selection, options.seed)
    tasks = list(_tasks(selection, positions))

    def crops() -> Iterator[tuple[Place, NDArray[np.uint8]]]:
        work = partial(_draw, frame=selection.frame, background=options.background)
        for task, images in zip(
            tasks, map_ordered(executor, work, tasks, ahead=2 * workers + 1), strict=True
        ):
            yield from zip(task.places, images, strict=True)
            if advance is not None:
                advance(len(task.places) * len(selection.frame.scales))

    made_by, date = f"stirdata recipe {RECIPE_VERSION}", "2026-11-21"
    return assemble(selection.frame, crops(), positions, metadata(**rows, version=made_by, date=date))


def _tasks(selection: Selection, positions: NDArray[np.int32]) -> Iterator[_Task]:
    """Yield every picture once, however many sets show it."""
    for label, instances in enumerate(selection.pictures):
        for instance, members in enumerate(instances):
            for picture in dict.fromkeys(members):
                sets = [number for number, member in enumerate(members) if member == picture]
                places = [Place(number, slice(None), label, instance) for number in sets]
                yield _Task(picture, places, positions[sets, :, label, instance])


def _draw(task: _Task, frame: Frame, background: str) -> NDArray[np.uint8]:
    """Draw a picture at all scales for each of its places: (places, scales, canvas, canvas[, 3])."""
    data = read(task.picture)
    shade = SHADES.get(background, SHADES["black"])
    decoded = None if task.picture.is_svg else over_shade(decode(data, task.picture.path), shade)
    result = np.empty((len(task.places), len(frame.scales), *frame.image_shape), np.uint8)
    for number, scale in enumerate(frame.scales):
        if decoded is None:
            image = over_shade(render_scaled(data, scale, task.picture.path), shade)
        else:
            image = resized(decoded, scale)
        if frame.channels == 1:
            image = as_grey(image)
        for place, (left, top) in enumerate(task.positions[:, number].tolist()):
            result[place, number] = on_canvas(image, left, top, scale, frame.canvas, background)
    return result
