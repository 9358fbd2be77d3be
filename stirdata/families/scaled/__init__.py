"""Rescaled sets: every image of a source at chosen factors, in chosen places on a canvas.

One recipe makes the field's benchmarks, which :mod:`stirdata.families.scaled.benchmarks` lists, and sets of
one's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.families.family import (
    DeclaredScales,
    Digests,
    Identity,
    Job,
    Material,
    Recipe,
    Reference,
    Scale,
)
from stirdata.families.scaled.benchmarks import LARGE_SCALE, RECIPES, job_of, large_scale
from stirdata.families.splits import Kind, SplitFamily
from stirdata.manifest import pinned
from stirdata.storage.forms import Description, StorageLayout

if TYPE_CHECKING:
    from stirdata.families.scaled.loader import ScaledDataset

SPLITS = ("train", "val", "test")
KINDS = {
    "images": Kind("uint8", (None, None), colour=True),
    "labels": Kind("int64"),
    "factors": Kind("float64"),
    "positions": Kind("int32", (2,)),
    "sizes": Kind("int32", (2,)),
    "source_index": Kind("int32"),
}
IMAGES = tuple(f"{split}/images" for split in SPLITS)


class ScaledFamily(SplitFamily):
    """Rescaled sets; see the module."""

    name = "scaled"
    title = "rescaled sets"
    summary = "Sources at chosen factors on a canvas, such as MNIST Large Scale."
    layout = StorageLayout(
        names=tuple(f"{split}/{kind}" for split in SPLITS for kind in KINDS),
        forms=("h5", "npz", "npy"),
        streamed=IMAGES,
        optional=("train", "val"),
    )
    images = IMAGES
    specific = ("test/images", "test/labels", "test/factors")
    scale = Scale("factor", listed=True)
    asks = (LARGE_SCALE, "scaled")
    license = "that of the images"
    citation = ()
    splits = SPLITS
    kinds = KINDS
    classes = ()
    recipes = RECIPES

    def declared_scales(self, metadata: Mapping[str, Any]) -> DeclaredScales | None:
        """Return the factors; none where every image has its own."""
        if not metadata.get("factors"):
            return None
        factors = sorted(float(factor) for factor in str(metadata["factors"]).split(","))
        return DeclaredScales(tuple(factors), is_range=False)

    def loader(self) -> type[ScaledDataset]:
        """Return the class that loads rescaled sets."""
        from stirdata.families.scaled.loader import ScaledDataset

        return ScaledDataset

    def specimen(self) -> Job:
        """Return the job of a set of noise: 40 train, 20 val and 3 x 30 test images on 40 x 40 pixels."""
        from stirdata.families.scaled import recipe

        source = recipe.noise({"train": 40, "val": 20, "test": 30})
        return job_of(LARGE_SCALE, source, large_scale(factors=(0.5, 1.0, 2.0), canvas=40), Material())

    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return the name of a set's file: the benchmark, and what it can be had with.

        Examples:
            >>> FAMILY.output_name(RECIPES[0], RECIPES[0].parameters_of({"train_factor": 2}), "h5").as_posix()
            'mnist-large-scale_train_2.h5'
        """
        given = [] if parameters is None else parameters.told()
        return Path("_".join([recipe.name, *given]) + ("" if form == "npy" else f".{form}"))

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself; the title is that of the set."""
        return {**super().attributes(description), "title": pinned("scaled")[description.dataset]["title"]}

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return the pinned set that has all of these arrays."""
        known: Mapping[str, str] = pinned("scaled")[LARGE_SCALE]["arrays"]
        if dataset not in self.asks or any(arrays.get(name) != sha256 for name, sha256 in known.items()):
            return None
        text = f"this is the pinned {LARGE_SCALE} set, made after the description in arXiv 2004.01536"
        return Identity(LARGE_SCALE, 0, tuple(known), text)

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return the pinned set, for its parameters and source."""
        if dataset != LARGE_SCALE:
            return None
        if description is not None:
            names = [source["name"] for source in description.sources]
            if description.parameters != large_scale().as_json() or names != ["mnist"]:
                return None
        arrays = pinned("scaled")[LARGE_SCALE]["arrays"]
        return Reference("pinned", f"the pinned {LARGE_SCALE} set", "manifests/scaled.json", arrays)


FAMILY = ScaledFamily()
