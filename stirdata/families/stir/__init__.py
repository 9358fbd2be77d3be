"""STIR: objects at 48 scales and random places in small images, with the true scale and position of each.

Source: T. Altstidl, A. Nguyen, L. Schwinn, F. Köferl, C. Mutschler, B. Eskofier, D. Zanca, "Just a
Matter of Scale? Reevaluating Scale Equivariance in Convolutional Neural Networks", IJCNN 2023
(arXiv 2211.10288), and the generators published with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.families.family import (
    Digests,
    Family,
    Identity,
    Job,
    Material,
    Problem,
    Recipe,
    Reference,
    Scale,
    Training,
    check_options,
    option,
)
from stirdata.families.stir.axes import CANVAS, CITATION, KEYS, LARGEST_SEED, SCALES, SEED, check_seed
from stirdata.storage.forms import Description, StorageLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.families.stir.loader import STIRDataset
    from stirdata.storage.stored import Stored
    from stirdata.transfer.published import PublishedFiles

PINNED = ("stir-mnist", "stir-emoji")
"""The datasets with a pinned result."""
ANY = "stir"
LARGEST_CANVAS = 1024
BACKGROUNDS = ("black", "white", "edge")
UNKNOWN_RECIPE = {"name": "published", "version": 1}
"""The recipe in the manifest of a set that came without one: what made it is not known."""
_KINDS = ("emoji", "mnist", "trafficsign", "aerial")


def _seed() -> Any:
    return option(SEED, "Of everything that is drawn.", most=LARGEST_SEED)


@dataclass(frozen=True)
class MNISTParameters:
    """What the set of digits is made from."""

    source_dir: Path | None = option(
        None, "Folder with the four MNIST files.", kind="path", shown="cache or download"
    )
    seed: int = _seed()

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class EmojiParameters(MNISTParameters):
    """What the set of faces is made from."""

    source_dir: Path | None = option(
        None,
        "Font Awesome folder, with svgs/regular/ below it or the SVG files in it.",
        kind="path",
        shown="cache or download",
    )


_NO_ACCOUNT = {
    "what": "these photographs cannot be downloaded without an account",
    "expected": "the folder with the archives, as they were downloaded",
    "hint": "name it by --source-dir DIR",
}


@dataclass(frozen=True)
class TrafficsignParameters(MNISTParameters):
    """What the set of traffic signs is made from."""

    source_dir: Path | None = option(
        None,
        "Folder with the four archives of pictures and mtsd_v2_fully_annotated/.",
        kind="path",
        required=_NO_ACCOUNT,
    )


@dataclass(frozen=True)
class AerialParameters(MNISTParameters):
    """What the set of aerial photographs is made from."""

    source_dir: Path | None = option(
        None, "Folder with train/ and val/, which hold the archives.", kind="path", required=_NO_ACCOUNT
    )


@dataclass(frozen=True)
class CustomParameters(MNISTParameters):
    """How a set of your own is made.

    Attributes:
        source_dir: Folder with one folder of pictures per class.
        seed: Of the positions, 0 to 2**32 - 1.
        scales: Sizes of the box in pixels, each once; kept in descending order.
        canvas: Width and height of the images in pixels.
        instances: Pictures per class and set; None for as many as the smallest class has.
        background: ``black``, ``white`` or ``edge``. With ``edge``, transparent parts are black.
        shared: Whether the three sets show the same pictures, at other positions, as emoji does. If
            not, the pictures of a class go to train, valid and test in turn, by their names.
        grey: Whether to make grey images instead of colour.
        title: For the metadata.
        author: For the metadata.
        license: Of the pictures, for the metadata.
    """

    source_dir: Path | None = option(
        None,
        "Folder with one folder of pictures per class.",
        kind="path",
        required={"what": "a custom set needs pictures", "hint": "name their folder by --source-dir DIR"},
    )
    scales: tuple[int, ...] = option(SCALES, "Sizes of the box in pixels.", kind="scales", shown="17-64")
    canvas: int = option(CANVAS, "Side of the images in pixels.", least=1, most=LARGEST_CANVAS)
    instances: int | None = option(
        None, "Pictures per class and set.", kind="int", least=1, shown="as many as the smallest class has"
    )
    background: str = option(
        "black",
        "What is around the picture; edge continues the picture's edge pixels.",
        choices=BACKGROUNDS,
    )
    shared: bool = option(False, "Show the same pictures in all three sets, at other positions, as emoji.")
    grey: bool = option(False, "Make grey images instead of colour.")
    title: str = option("STIR custom", "For the metadata.")
    author: str = option("unknown", "For the metadata.")
    license: str = option("unknown", "Of the pictures, for the metadata.")

    def __post_init__(self) -> None:
        check_options(self)
        scales = tuple(sorted(self.scales, reverse=True))
        object.__setattr__(self, "scales", scales)
        if not scales or not 1 <= min(scales) <= max(scales) <= self.canvas:
            raise ParameterError(
                "the scales do not fit the canvas",
                where="scales",
                expected=f"1 to {self.canvas} pixels",
                got=", ".join(str(scale) for scale in scales) or "none",
            )
        if len(set(scales)) != len(scales):
            raise ParameterError("a scale is given twice", where="scales", got=scales)


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


def dataset_of(title: str) -> str:
    """Return the name of the dataset with a title.

    Examples:
        >>> dataset_of("STIR Emoji"), dataset_of("My own leaves")
        ('stir-emoji', 'stir-my-own-leaves')
    """
    words = [word for word in re.split(r"[^a-z0-9]+", title.lower()) if word not in ("", "stir")]
    kinds = [kind for kind in _KINDS if kind in words or kind in "".join(words)]
    return "stir-" + (kinds[0] if len(kinds) == 1 else "-".join(words) or "set")


def _recipe(kind: str, summary: str, help_: str, parameters: type) -> Recipe:
    def plan(parameters: Any, material: Material) -> Job:
        make: Callable[..., Job] = import_module(f"{__name__}.{kind}").job
        return make(parameters, material)

    text = f"{help_}\n\nSource: Altstidl et al., IJCNN 2023 (arXiv 2211.10288)."
    return Recipe(f"stir-{kind}", ("stir", kind), summary, text, parameters, plan)


_UNSEEDED = (
    "Written is what the published recipe makes when its random numbers begin at --seed; it never "
    "seeded them, so the published file itself cannot be made again."
)


class STIRFamily(Family):
    """STIR; see the module."""

    name = ANY
    title = "STIR"
    summary = "Objects at 48 scales and random places (STIR, IJCNN 2023)."
    layout = StorageLayout(names=KEYS, forms=("npz", "h5", "npy"), streamed=("imgs",))
    images = ("imgs",)
    image_axes = 4
    specific = ("imgs", "psts")
    scale = Scale("pixels", listed=True)
    asks = (*PINNED, ANY)
    license = "unknown"
    citation = (CITATION,)
    recipes = (
        _recipe(
            "mnist",
            "Handwritten digits, 10 classes of 50 instances.",
            "Make STIR mnist: 72,000 digits, 3 sets x 48 scales x 10 classes x 50 instances.\n\n"
            "With the default seed the pixels are pinned: they are the same on every machine.",
            MNISTParameters,
        ),
        _recipe(
            "emoji",
            "Faces of Font Awesome, 36 classes of one instance.",
            "Make STIR emoji: 5,184 faces, 3 sets x 48 scales x 36 classes.\n\n"
            "Needs the extra: pip install 'stirdata[emoji]', and the cairo library. The pinned pixels are "
            "those of cairo 1.16; where another cairo renders otherwise, the command says so.",
            EmojiParameters,
        ),
        _recipe(
            "trafficsign",
            "Signs from photographs of streets (Mapillary).",
            "Make STIR trafficsign: signs cut out of photographs of streets, 3 sets x 48 scales x 25 "
            "instances.\n\nNeeds the fully annotated set of the Mapillary Traffic Sign Dataset v2: "
            "train.0.zip, train.1.zip, train.2.zip and val.zip as they were downloaded, and the folder "
            f"mtsd_v2_fully_annotated/.\n\n{_UNSEEDED}",
            TrafficsignParameters,
        ),
        _recipe(
            "aerial",
            "Objects from aerial photographs (DOTA).",
            "Make STIR aerial: objects cut out of aerial photographs, 3 sets x 48 scales x 25 instances.\n\n"
            "Needs DOTA v1.5 as it was downloaded: the archives DOTA-v1.5_train.zip, part1.zip, part2.zip "
            "and part3.zip in the folder train/, DOTA-v1.5_val.zip and part1.zip in the folder val/.\n\n"
            f"{_UNSEEDED}",
            AerialParameters,
        ),
        _recipe(
            "custom",
            "Your own pictures, one folder per class.",
            "Make a set of your own pictures: the scales, placement and file format of STIR.\n\n"
            "DIR holds one folder per class, with images or SVG files of any size; square ones fill their "
            "box, others are centred in it. A class's pictures go to train, valid and test in turn, in the "
            "order of their names. Every position is derived from the seed, the class, the file, the set "
            "and the scale: adding a class changes no other image.\n\n"
            "SVG files need the extra: pip install 'stirdata[emoji]', and the cairo library.",
            CustomParameters,
        ),
    )

    def published_files(self) -> PublishedFiles:
        """Return the four sets that the authors published on Zenodo."""
        from stirdata.families.stir import published

        return published.published_files()

    def trainings(self) -> Mapping[str, Training]:
        """Return the four scenarios."""
        from stirdata.families.stir import scenarios

        return {name: Training(one.train, one.test) for name, one in scenarios.ALL.items()}

    def published_results(self, metadata: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return the results on the published set of a title."""
        kind = dataset_of(metadata["title"]).removeprefix("stir-")
        return {"of": "stir", "set": kind} if kind in _KINDS else None

    def loader(self) -> type[STIRDataset]:
        """Return :class:`stirdata.STIRDataset`."""
        from stirdata.families.stir.loader import STIRDataset

        return STIRDataset

    def specimen(self) -> Job:
        """Return the job of a set of noise: 2 classes of 2 instances at 3 scales on 12 x 12 pixels."""
        from stirdata.families.stir.custom import noise

        return noise()

    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return the name of a set's file, as the published ones are called.

        Examples:
            >>> FAMILY.output_name(FAMILY.recipes[1], None, "npz").as_posix()
            'emoji.npz'
        """
        return Path(recipe.name.removeprefix("stir-") + ("" if form == "npy" else f".{form}"))

    def problems(self, arrays: Mapping[str, NDArray[Any]], dataset: str, form: str) -> list[Problem]:
        """Return every breach of the schema, and of the axes that a pinned set has."""
        from stirdata.families.stir import published, schema

        found = schema.problems(arrays)
        return found or schema.problems(arrays, published.frame_of(dataset, arrays))

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return the pinned set that the arrays are, if they are the one of this name; any for ``stir``."""
        from stirdata.families.stir import published

        return published.identify(PINNED if dataset == ANY else {dataset} & set(PINNED), arrays)

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return the pinned set of this name and seed."""
        from stirdata.families.stir import published

        if dataset not in PINNED:
            return None
        found = published.reference(dataset)
        return found if description is None or description.seed == SEED else None

    def closest(self, dataset: str, arrays: Digests) -> Reference | None:
        """Return the arrays that decide whether a set is the pinned one of its name."""
        from stirdata.families.stir import published

        return published.reference(dataset, published.DECISIVE) if dataset in PINNED else None

    def difference(
        self,
        dataset: str,
        description: Description | None,
        arrays: Digests,
        read: Callable[[], Mapping[str, Any]],
    ) -> tuple[str, ...]:
        """Say in one line in what a set differs from the pinned one of its name and seed."""
        from stirdata.families.stir import published

        if dataset not in PINNED or (description is not None and description.seed != SEED):
            return ()
        return published.difference(dataset, arrays, read)

    def metadata(self, stored: Stored) -> dict[str, Any]:
        """Return title, description, author, license, version and date."""
        return {str(name): str(value) for name, value in stored.read(["metadata"])["metadata"]}

    def describe(self, stored: Stored) -> Description:
        """Describe a set without a manifest by the file it came from; its seed is 0: nothing tells it."""
        from stirdata.digest import sha256_of_file

        facts, path = self.metadata(stored), stored.path
        files = {f"{key}.npy": path / f"{key}.npy" for key in KEYS} if path.is_dir() else {}
        digests = {name: sha256_of_file(file) for name, file in files.items()}
        source = {
            "name": path.name,
            "sha256": digests or sha256_of_file(path),
            "license": facts["license"],
            "citation": facts["author"],
        }
        return Description(
            dataset=dataset_of(facts["title"]),
            recipe=UNKNOWN_RECIPE,
            seed=0,
            parameters={},
            sources=[source],
            license=facts["license"],
            citation=[CITATION],
        )


FAMILY = STIRFamily()
