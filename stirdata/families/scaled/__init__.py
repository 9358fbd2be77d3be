"""Rescaled sets: every image of a source at chosen factors, in chosen places on a canvas.

So far MNIST Large Scale, made after its description; the published files are handed out on request only.

Source: Y. Jansson, T. Lindeberg, "Exploring the ability of CNNs to generalise to previously unseen scales
over wide scale ranges", ICPR 2020 (arXiv 2004.01536), and arXiv 2106.06418.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.executors import Workers
from stirdata.families.family import (
    Advance,
    Digests,
    Identity,
    Job,
    Made,
    Material,
    Recipe,
    Reference,
    Scale,
    check_options,
    option,
)
from stirdata.families.splits import Kind, SplitFamily
from stirdata.manifest import pinned
from stirdata.sources.idx import CLASS_NAMES
from stirdata.storage.saving import Description, StorageLayout

if TYPE_CHECKING:
    from stirdata.families.scaled.loader import ScaledDataset

LARGE_SCALE = "mnist-large-scale"
RECIPE_VERSION = 1
CITATION = (
    "Y. Jansson, T. Lindeberg. Exploring the ability of CNNs to generalise to previously unseen scales over "
    "wide scale ranges. International Conference on Pattern Recognition (ICPR), 2020. arXiv:2004.01536."
)
SPLITS = ("train", "val", "test")
TRAIN_FACTOR = 1.0
FACTORS = tuple(2 ** (step / 4) for step in range(-4, 13))
"""Of the test set: 0.5 to 8 in steps of the fourth root of 2. Source: arXiv 2004.01536."""
CANVAS = 112
KINDS = {
    "images": Kind("uint8", (None, None)),
    "labels": Kind("int64"),
    "factors": Kind("float64"),
    "positions": Kind("int32", (2,)),
    "sizes": Kind("int32", (2,)),
    "source_index": Kind("int32"),
}
IMAGES = tuple(f"{split}/images" for split in SPLITS)


@dataclass(frozen=True)
class Parameters:
    """What MNIST Large Scale is made from."""

    source_dir: Path | None = option(
        None, "Folder with the four MNIST files.", kind="path", shown="cache or download"
    )

    def __post_init__(self) -> None:
        check_options(self)


def parameters(factors: tuple[float, ...] = FACTORS, canvas: int = CANVAS) -> dict[str, Any]:
    """Return the parameters of the recipe for the manifest, as JSON values."""
    return {
        "train_factor": TRAIN_FACTOR,
        "factors": list(factors),
        "canvas": canvas,
        "filter": "smooth",
        "background": "black",
        "place": "centre",
    }


def plan(asked: Parameters, material: Material) -> Job:
    """Return the job of MNIST Large Scale: 50,000 train, 10,000 val, and 10,000 test images per factor."""
    from stirdata.sources import mnist

    def make(workers: Workers, advance: Advance) -> Made:
        from stirdata.families.scaled import recipe

        digits = material.once("digits", lambda: mnist.load(asked.source_dir, quiet=material.quiet))
        return Made(recipe.large_scale(digits, FACTORS, CANVAS, recipe.MNIST_COUNTS, workers, advance))

    source = mnist.describe()
    description = Description(
        dataset=LARGE_SCALE,
        recipe={"name": LARGE_SCALE, "version": RECIPE_VERSION},
        seed=0,
        parameters=parameters(),
        sources=[source],
        license=source["license"],
        citation=[CITATION, source["citation"]],
    )
    return Job(description, make, 60_000 + 10_000 * len(FACTORS))


class ScaledFamily(SplitFamily):
    """Rescaled sets; see the module."""

    name = "scaled"
    title = "rescaled sets"
    summary = "Sources at chosen factors on a canvas, such as MNIST Large Scale."
    layout = StorageLayout(
        names=tuple(f"{split}/{kind}" for split in SPLITS for kind in KINDS),
        forms=("h5", "npz", "npy"),
        streamed=IMAGES,
    )
    images = IMAGES
    specific = ("test/images", "test/labels", "test/factors")
    scale = Scale("factor", listed=True)
    asks = (LARGE_SCALE,)
    license = "CC BY-SA 3.0"
    citation = (CITATION,)
    splits = SPLITS
    kinds = KINDS
    classes = CLASS_NAMES
    recipes = (
        Recipe(
            LARGE_SCALE,
            (LARGE_SCALE,),
            "MNIST at 17 factors from 0.5 to 8 (Jansson, Lindeberg, ICPR 2020).",
            "Make MNIST Large Scale after its description: 50,000 train and 10,000 val images at factor 1, "
            "10,000 test images at each of 17 factors from 0.5 to 8, on 112 x 112 pixels.\n\n"
            "The published files are handed out on request only and could not be compared with; these are "
            "made after the description in arXiv 2004.01536, with the smoothing chain of STIR mnist, whose "
            "authors took it from there. The pixels are pinned: they are the same on every machine. Written "
            "are about 2.9 GB as .h5 file.\n\n"
            "Source: Jansson, Lindeberg, ICPR 2020 (arXiv 2004.01536).",
            Parameters,
            plan,
        ),
    )

    def loader(self) -> type[ScaledDataset]:
        """Return the class that loads rescaled sets."""
        from stirdata.families.scaled.loader import ScaledDataset

        return ScaledDataset

    def specimen(self) -> Job:
        """Return the job of a set of noise: 40 train, 20 val and 3 x 30 test images on 40 x 40 pixels."""
        factors, canvas = (0.5, 1.0, 2.0), 40

        def make(workers: Workers, advance: Advance) -> Made:
            from stirdata.families.scaled import recipe

            return Made(recipe.large_scale(recipe.noise(), factors, canvas, (40, 20, 30), workers, advance))

        source = {"name": "noise", "sha256": {}, "license": "CC0-1.0", "citation": "none"}
        version = {"name": LARGE_SCALE, "version": RECIPE_VERSION}
        about = parameters(factors, canvas)
        description = Description(version, 0, about, [source], "CC0-1.0", list(self.citation), LARGE_SCALE)
        return Job(description, make, 150)

    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return the name of a set's file.

        Example:
            >>> FAMILY.output_name(FAMILY.recipes[0], None, "h5").as_posix()
            'mnist-large-scale.h5'
        """
        return Path(recipe.name + ("" if form == "npy" else f".{form}"))

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself; the title is that of the set."""
        return {**super().attributes(description), "title": pinned("scaled")[description.dataset]["title"]}

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return the pinned set that has all of these arrays."""
        known: Mapping[str, str] = pinned("scaled")[LARGE_SCALE]["arrays"]
        if dataset != LARGE_SCALE or any(arrays.get(name) != sha256 for name, sha256 in known.items()):
            return None
        text = f"this is the pinned {LARGE_SCALE} set, made after the description in arXiv 2004.01536"
        return Identity(LARGE_SCALE, 0, tuple(known), text)

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return the pinned set, for its parameters and source."""
        if dataset != LARGE_SCALE:
            return None
        if description is not None:
            names = [source["name"] for source in description.sources]
            if description.parameters != parameters() or names != ["mnist"]:
                return None
        arrays = pinned("scaled")[LARGE_SCALE]["arrays"]
        return Reference("pinned", f"the pinned {LARGE_SCALE} set", "manifests/scaled.json", arrays)


FAMILY = ScaledFamily()
