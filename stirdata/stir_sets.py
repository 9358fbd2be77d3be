"""The STIR sets that can be made: what each is, known before it is made, and how to make it.

Every set is a :class:`StirJob`; :mod:`stirdata.stir_generation` turns jobs into files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.families.stir.axes import CITATION, SEED, check_seed
from stirdata.storage.saving import Description

if TYPE_CHECKING:
    from stirdata.families.stir.axes import StirArrays
    from stirdata.families.stir.custom import CustomOptions, Selection
    from stirdata.sources.class_folders import PictureFile

Advance = Callable[[int], None]

_WORTH_PROCESSES = 64
_NAMED = 5


@dataclass(frozen=True)
class Made:
    """A set that was made.

    Attributes:
        arrays: The six arrays.
        versions: Of programs and libraries that took part, for the manifest.
        notes: What the user should know about it, one sentence each.
    """

    arrays: StirArrays
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StirJob:
    """A set that can be made.

    Attributes:
        description: What the manifest will say of it.
        make: Makes it; told a function to call with the number of images finished, now and then.
        count: Number of images, for the progress bar; None if not known before.
        exact: Whether the pinned result comes out on every machine, so that anything else is an error.
    """

    description: Description
    make: Callable[[Advance], Made]
    count: int | None = None
    exact: bool = False


@dataclass(frozen=True)
class StirRequest:
    """What all sets are asked for with.

    Attributes:
        source_dir: Folder with the raw material; None for the cache or a download, where there is one.
        seed: Of everything drawn.
        workers: Threads and processes to use; the bytes do not depend on it.
        quiet: Show no progress bars.
    """

    source_dir: Path | None = None
    seed: int = SEED
    workers: int = 1
    quiet: bool = False


def mnist_job(request: StirRequest) -> StirJob:
    """Return the job of making ``stir-mnist``."""
    from stirdata.executors import threads
    from stirdata.families.stir import mnist as recipe
    from stirdata.sources import mnist

    def make(advance: Advance) -> Made:
        digits = mnist.load(request.source_dir, quiet=request.quiet)
        with threads(request.workers) as executor:
            arrays = recipe.generate(
                digits.images,
                digits.labels,
                request.seed,
                executor=executor,
                workers=request.workers,
                advance=advance,
            )
        return Made(arrays)

    description = described(recipe, request.seed, mnist.describe())
    return StirJob(description, make, recipe.FRAME.count, exact=True)


def emoji_job(request: StirRequest) -> StirJob:
    """Return the job of making ``stir-emoji``."""
    from stirdata.families.stir import emoji as recipe
    from stirdata.imaging.vector import renderer_versions
    from stirdata.sources import fontawesome

    def make(advance: Advance) -> Made:
        versions = renderer_versions()  # first of all: without a renderer nothing needs to be fetched
        svgs = fontawesome.load(request.source_dir, quiet=request.quiet)
        return Made(recipe.generate(svgs, request.seed, advance=advance), versions)

    description = described(recipe, request.seed, fontawesome.describe())
    return StirJob(description, make, recipe.FRAME.count)


@dataclass(frozen=True)
class CustomAbout:
    """What the maker of a custom set says of it."""

    title: str = "STIR custom"
    author: str = "unknown"
    license: str = "unknown"


def custom_job(request: StirRequest, options: CustomOptions, about: CustomAbout) -> StirJob:
    """Return the job of making a set of your own pictures; their folder is read to describe it.

    Raises:
        ParameterError: An option makes no sense.
        MissingFileError: The folder does not exist or has no classes in it.
        SourceError: Classes have too few pictures, or a file cannot be read.
    """
    from stirdata.executors import processes
    from stirdata.families.stir import custom as recipe
    from stirdata.sources import class_folders

    if request.source_dir is None:
        raise ParameterError("a custom set needs pictures", where="source_dir", hint="name their folder")
    folders = class_folders.find(request.source_dir)
    selection = recipe.select(folders.classes, options)
    frame, used = selection.frame, recipe.pictures_of(selection)
    rows = {**vars(about), "description": recipe.describe(frame)}

    def make(advance: Advance) -> Made:
        # Starting processes takes longer than drawing a few pictures.
        workers = request.workers if len(used) >= _WORTH_PROCESSES else 1
        with processes(workers) as executor:
            arrays = recipe.generate(
                selection, options, rows, executor=executor, workers=workers, advance=advance
            )
        return Made(arrays, _custom_versions(used), _custom_notes(selection, folders.ignored))

    description = Description(
        dataset=recipe.DATASET,
        recipe={"name": recipe.DATASET, "version": recipe.RECIPE_VERSION},
        seed=options.seed,
        parameters=recipe.parameters(frame, options),
        sources=[class_folders.describe(used)],
        license=about.license,
        citation=[CITATION],
    )
    return StirJob(description, make, frame.count)


def _custom_versions(used: Sequence[PictureFile]) -> dict[str, str]:
    from stirdata.imaging.vector import renderer_versions

    drawn = renderer_versions() if any(picture.is_svg for picture in used) else {}
    return {"pillow": version("pillow"), **drawn}


def _custom_notes(selection: Selection, ignored: Sequence[str]) -> tuple[str, ...]:
    frame = selection.frame
    notes = [f"{len(frame.classes)} classes with {frame.instances} instances each in every set"]
    if selection.left_out:
        notes.append(f"{selection.left_out} pictures were left out: more than these instances need")
    if ignored:
        more = ", …" if len(ignored) > _NAMED else ""
        notes.append(f"{len(ignored)} files are no pictures: {', '.join(ignored[:_NAMED])}{more}")
    return tuple(notes)


def described(recipe: Any, seed: int, source: dict[str, Any]) -> Description:
    """Return the description of a published set from its recipe module and its only source."""
    check_seed(seed)
    return Description(
        dataset=recipe.DATASET,
        recipe={"name": recipe.DATASET, "version": recipe.RECIPE_VERSION},
        seed=seed,
        parameters={},
        sources=[source],
        license=recipe.LICENSE,
        citation=[CITATION, source["citation"]],
    )
