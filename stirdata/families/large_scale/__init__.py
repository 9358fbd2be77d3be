"""The published files of MNIST Large Scale, and those that were later made in the same layout.

Their images are floats, which stay what they are. What is made after the same articles is the family
``scaled``.

Source: arXiv 2004.01536 and 2106.06418 (Jansson, Lindeberg), 2409.11140 and 2603.02843 (Perzanowski,
Lindeberg).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.families.family import Advance, Digests, Identity, Job, Made, Recipe, Reference, Scale
from stirdata.families.splits import Kind, SplitFamily
from stirdata.storage.forms import Description, StorageLayout

if TYPE_CHECKING:
    from stirdata.executors import Workers
    from stirdata.families.large_scale.loader import LargeScale
    from stirdata.storage.stored import Stored

NAME = "large-scale"
SPLITS = ("train", "val", "test")
FACTORS = "nominal_factors"
IMAGES = tuple(f"{split}/images" for split in SPLITS)
KINDS = {
    "images": Kind("float32", (None, None), colour=True),
    "labels": Kind("int64"),
    FACTORS: Kind("float64"),
}
LICENSE = "handed out by the authors on request; that of the images"


class LargeScaleFamily(SplitFamily):
    """Published files of rescaled sets; see the module."""

    name = NAME
    title = "published rescaled sets"
    summary = "MNIST Large Scale and its successors as their authors hand them out."
    kinds = KINDS
    layout = StorageLayout(
        names=tuple(f"{split}/{kind}" for split in SPLITS for kind in KINDS),
        forms=("h5", "npz", "npy"),
        streamed=IMAGES,
        optional=("train", "val"),
    )
    images = IMAGES
    specific = ("test/images", "test/labels", f"test/{FACTORS}")
    scale = Scale("factor", listed=True)
    asks = (NAME,)
    license = LICENSE
    citation = ()
    splits = SPLITS
    classes = ()
    recipes: ClassVar = ()

    def loader(self) -> type[LargeScale]:
        """Return the class that loads the files, and what they were converted to."""
        from stirdata.families.large_scale.loader import LargeScale

        return LargeScale

    def specimen(self) -> Job:
        """Return the job of a set of noise: 12 train, 6 val and 3 x 10 test images on 16 x 16 pixels."""
        source = {"name": "noise", "title": "noise", "license": "CC0-1.0", "citation": "none"}
        description = Description(
            recipe={"name": NAME, "version": 1},
            seed=0,
            parameters={},
            sources=[source],
            license="CC0-1.0",
            citation=[],
            dataset=NAME,
        )

        def make(workers: Workers, advance: Advance) -> Made:
            from stirdata.families.large_scale.files import noise

            advance(48)
            return Made(noise())

        return Job(description, make, 48)

    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return the name of a file; nothing is made that would need one."""
        return Path(NAME + ("" if form == "npy" else f".{form}"))

    def is_foreign(self, path: Path) -> bool:
        """Tell whether a file has ``x_train`` or its siblings, or a folder has files named as published."""
        from stirdata.families.large_scale import files

        return files.is_published(path)

    def open(self, path: Path) -> Stored:
        """Open published files, or what they were converted to."""
        if not self.is_foreign(path):
            return super().open(path)
        from stirdata.families.large_scale import files

        return files.open_published(path)

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself; the title is that of the published set."""
        return {**super().attributes(description), "title": description.sources[0]["title"]}

    def describe(self, stored: Stored) -> Description:
        """Describe published files by what they are: their names and hashes."""
        from stirdata.families.large_scale.files import PublishedFiles

        if not isinstance(stored, PublishedFiles):
            return super().describe(stored)
        from stirdata.digest import sha256_of_file

        facts = stored.attributes()
        source = {
            "name": stored.path.name,
            "title": facts["title"],
            "sha256": {file.name: sha256_of_file(file) for file in stored.files},
            "classes": facts["classes"].split("\n"),
            "license": LICENSE,
            "citation": facts["citation"],
        }
        return Description(
            dataset=NAME,
            recipe={"name": "published", "version": 1},
            seed=0,
            parameters={},
            sources=[source],
            license=LICENSE,
            citation=[text for text in facts["citation"].split("\n") if text],
        )

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return None: nobody has published what the files have to be."""
        return None

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return None: nobody has published what the files have to be."""
        return None


FAMILY = LargeScaleFamily()
