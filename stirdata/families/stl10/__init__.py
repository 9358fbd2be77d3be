"""STL-10 as one file: its labelled images, the ten folds of the training images, and the unlabeled ones.

Papers on scale train on it with the protocol of arXiv 1910.11093, which
:class:`stirdata.families.stl10.augment.STL10Augment` is.

Source: A. Coates, H. Lee, A. Ng, "An Analysis of Single Layer Networks in Unsupervised Feature Learning",
AISTATS 2011.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.families.family import (
    Advance,
    Digests,
    Identity,
    Job,
    Made,
    Material,
    Problem,
    Recipe,
    Reference,
    check_options,
    option,
)
from stirdata.families.splits import Kind, SplitFamily, description_of
from stirdata.manifest import pinned
from stirdata.storage.forms import Description, StorageLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.executors import Workers
    from stirdata.families.stl10.loader import STL10

RECIPE_VERSION = 1
NAME = "stl10"
UNLABELED = "unlabeled"
SPLITS = ("train", "test")
SIDE = 96
IMAGES = ("train/images", "test/images", "unlabeled/images")


@dataclass(frozen=True)
class Parameters:
    """Parameters of STL-10."""

    unlabeled: bool = option(False, "The 100,000 unlabeled images as well, 2.8 GB.")
    source_dir: Path | None = option(
        None,
        "Folder with stl10_binary.tar.gz, or with what is in it.",
        kind="path",
        shown="cache or download",
    )

    def __post_init__(self) -> None:
        check_options(self)


class STL10Family(SplitFamily):
    """STL-10; see the module."""

    name = NAME
    title = "STL-10"
    summary = "Colour photographs of ten classes on 96 x 96 pixels, few of them labelled."
    layout = StorageLayout(
        names=(
            "train/images",
            "train/labels",
            "test/images",
            "test/labels",
            "folds",
            "unlabeled/images",
        ),
        forms=("h5", "npz", "npy"),
        streamed=IMAGES,
        optional=(UNLABELED,),
    )
    images = IMAGES
    specific = ("train/images", "test/images", "folds")
    scale = None
    asks = (NAME,)
    license = pinned(NAME)["license"]
    citation = (pinned(NAME)["citation"],)
    splits = SPLITS
    kinds: ClassVar = {
        "images": Kind("uint8", (SIDE, SIDE, 3)),
        "labels": Kind("int64"),
        "folds": Kind("int32", (None,)),
    }
    classes = tuple(pinned(NAME)["classes"])
    recipes = (
        Recipe(
            NAME,
            (NAME,),
            "STL-10 as one file, with its folds.",
            "Make one file of STL-10: 5,000 train and 8,000 test images of ten classes on 96 x 96 pixels, "
            "the ten folds of the training images, and with --unlabeled the 100,000 others.\n\n"
            "The official archive is read as it is downloaded, its files proven by their published MD5s. "
            "Labels count from 0. Written are 360 MB as .h5 file, with --unlabeled 3.1 GB.\n\n"
            f"Source: {pinned(NAME)['citation']}",
            Parameters,
            lambda asked, material: plan(asked, material),  # noqa: PLW0108 - it is defined below
        ),
    )

    def published_results(self, metadata: Mapping[str, Any]) -> Mapping[str, str]:
        """Return the results of the article on SESN."""
        return {"of": self.name}

    def loader(self) -> type[STL10]:
        """Return the class that loads STL-10."""
        from stirdata.families.stl10.loader import STL10

        return STL10

    def specimen(self) -> Job:
        """Return the job of 20 train, 10 test and 5 unlabeled images of noise, with ten folds."""
        from stirdata.families.stl10 import recipe

        description = Description(
            recipe={"name": NAME, "version": RECIPE_VERSION},
            seed=0,
            parameters={"unlabeled": True},
            sources=[{"name": "noise", "license": "CC0-1.0", "citation": "none"}],
            license="CC0-1.0",
            citation=[],
            dataset=NAME,
        )

        def make(workers: Workers, advance: Advance) -> Made:
            return Made(recipe.noise(advance))

        return Job(description, make, 35)

    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return the name of the file, which tells whether the unlabeled images are in it.

        Examples:
            >>> FAMILY.output_name(FAMILY.recipes[0], Parameters(unlabeled=True), "h5").as_posix()
            'stl10_unlabeled.h5'
        """
        more = "_unlabeled" if parameters is not None and parameters.unlabeled else ""
        return Path(f"{NAME}{more}" + ("" if form == "npy" else f".{form}"))

    def problems(self, arrays: Mapping[str, NDArray[Any]], dataset: str, form: str) -> list[Problem]:
        """Return every breach of the layout; folds are positions of training images."""
        found = super().problems(arrays, dataset, form)
        if found or not arrays["folds"].size:
            return found
        folds, count = arrays["folds"], len(arrays["train/labels"])
        if folds.min() < 0 or folds.max() >= count:
            known = f"positions of training images, 0 to {count - 1}"
            return [Problem("folds", known, f"{folds.min()} to {folds.max()}")]
        return []

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return None: what is published are sums of the files it is made of, which the manifest lists."""
        return None

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return None: digests of these arrays are published nowhere."""
        return None


def plan(asked: Parameters, material: Material) -> Job:
    """Return the job of STL-10."""
    from stirdata.sources import stl10

    source = stl10.labelled(asked.source_dir)
    count = sum(stl10.COUNTS.values()) + (stl10.UNLABELED if asked.unlabeled else 0)
    description = description_of(
        NAME,
        source,
        version=RECIPE_VERSION,
        seed=0,
        parameters={"unlabeled": asked.unlabeled},
        citation=(),
    )
    if asked.unlabeled:
        about = description.sources[0]
        name = "unlabeled_X.bin"
        about["md5"] = {**about["md5"], name: pinned(NAME)["md5"][name]}

    def make(workers: Workers, advance: Advance) -> Made:
        from stirdata.families.stl10 import recipe

        return Made(recipe.make(asked.source_dir, material, advance, unlabeled=asked.unlabeled))

    return Job(description, make, count)


FAMILY = STL10Family()
