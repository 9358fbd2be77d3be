"""The STIR sets that can be made: what each is, known before it is made, and how to make it.

Every set is a :class:`StirJob`; :mod:`stirdata.stir_generation` turns jobs into files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.storage.saving import Description

if TYPE_CHECKING:
    from stirdata.recipes.stir import StirArrays

Advance = Callable[[int], None]
SEED = 42
"""Of the published sets; the same as ``stirdata.recipes.stir.SEED``, without loading NumPy."""


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
    from stirdata.recipes import stir_mnist as recipe
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

    description = _described(recipe, request.seed, mnist.describe())
    return StirJob(description, make, recipe.FRAME.count, exact=True)


def emoji_job(request: StirRequest) -> StirJob:
    """Return the job of making ``stir-emoji``."""
    from stirdata.imaging.vector import renderer_versions
    from stirdata.recipes import stir_emoji as recipe
    from stirdata.sources import fontawesome

    def make(advance: Advance) -> Made:
        versions = renderer_versions()  # first of all: without a renderer nothing needs to be fetched
        svgs = fontawesome.load(request.source_dir, quiet=request.quiet)
        return Made(recipe.generate(svgs, request.seed, advance=advance), versions)

    description = _described(recipe, request.seed, fontawesome.describe())
    return StirJob(description, make, recipe.FRAME.count)


def _described(recipe: Any, seed: int, source: dict[str, Any]) -> Description:
    """Return the description of a published set from its recipe module and its only source."""
    from stirdata.recipes.stir import CITATION, check_seed

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
