"""MNIST-scale: MNIST digits, each rescaled by a random factor and zero padded to 28 x 28.

Source: I. Sosnovik, M. Szmaja, A. Smeulders, "Scale-Equivariant Steerable Networks", ICLR 2020
(arXiv 1910.11093), section 6.1, and the data scripts published with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from stirdata.errors import ParameterError
from stirdata.families.family import (
    Advance,
    DeclaredScales,
    Digests,
    Identity,
    Job,
    Made,
    Material,
    Recipe,
    Reference,
    Scale,
    Training,
    check_options,
    option,
)
from stirdata.families.splits import Kind, SplitFamily, description_of
from stirdata.manifest import pinned
from stirdata.sources import check_folder
from stirdata.sources.idx import CLASS_NAMES
from stirdata.storage.forms import MD5_NAME, Description, StorageLayout, TreeLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.executors import Workers
    from stirdata.families.mnist_scale.loader import MNISTScale
    from stirdata.sources.idx import DigitImages
    from stirdata.sources.labelled import LabelledImages

RECIPE = "mnist-scale"
RECIPE_VERSION = 1
SEED = 0
MIN_SCALE = 0.3
MAX_SCALE = 1.0
PUBLISHED_SEEDS = range(6)
SPLITS = ("train", "val", "test")
DRAW_ORDER = ("train", "test", "val")
"""The order in which the published script visits the splits: of the draws and of the file numbers."""
LARGEST_SEED = 2**32 - 1
SIDE = 28
IMAGES = 62_000
"""In a realization: 10,000 train, 2,000 val and 50,000 test."""

CITATION = (
    "I. Sosnovik, M. Szmaja, A. Smeulders. Scale-Equivariant Steerable Networks. "
    "International Conference on Learning Representations (ICLR), 2020. arXiv:1910.11093."
)

KINDS = {
    "images": Kind("uint8", (SIDE, SIDE)),
    "labels": Kind("int64"),
    "scales": Kind("float64"),
    "source_index": Kind("int32"),
}
LAYOUT = StorageLayout(
    names=tuple(f"{split}/{kind}" for split in SPLITS for kind in KINDS),
    forms=("h5", "npz", "png"),
    tree=TreeLayout(
        splits=DRAW_ORDER,
        classes=len(CLASS_NAMES),
        image_shape=(SIDE, SIDE),
        columns={"scales": "float64", "source_index": "int32"},
    ),
)


def check_parameters(seed: Any, min_scale: float, max_scale: float) -> None:
    """Raise ParameterError unless 0 <= seed < 2**32 and 0 < min_scale <= max_scale < infinity."""
    from stirdata.arguments import as_integer

    number = as_integer(seed)
    if number is None or not 0 <= number <= LARGEST_SEED:
        raise ParameterError(
            "the seed is out of range or no integer", where="seed", expected="0 to 2**32 - 1", got=seed
        )
    for name, scale in (("min_scale", min_scale), ("max_scale", max_scale)):
        if not (math.isfinite(scale) and scale > 0 and math.isfinite(SIDE / scale)):
            raise ParameterError(
                "a scale factor must be a number above 0",
                where=name,
                expected="above 0",
                got=scale,
                hint=f"the published ones are {MIN_SCALE} and {MAX_SCALE}",
            )
    if min_scale > max_scale:
        raise ParameterError(
            "the smallest scale is above the largest",
            where="min_scale, max_scale",
            expected=f"min_scale of at most {max_scale}",
            got=min_scale,
            hint="were the two swapped?",
        )


@dataclass(frozen=True)
class Parameters:
    """What a realization of MNIST-scale is made from and of."""

    seed: int = option(SEED, "Of the realization; published are 0 to 5.", most=LARGEST_SEED)
    min_scale: float = option(MIN_SCALE, "Smallest scale factor.")
    max_scale: float = option(MAX_SCALE, "Largest scale factor.")
    source: str = option(
        "mnist",
        "MNIST, images in its format, or digits drawn by stirdata (no download; only if asked for).",
        choices=("mnist", "fashion-mnist", "idx", "synthetic"),
    )
    source_dir: Path | None = option(
        None,
        "Folder with the four files of the source; idx needs one.",
        kind="path",
        shown="cache or download",
    )

    def __post_init__(self) -> None:
        check_parameters(self.seed, self.min_scale, self.max_scale)
        check_options(self)
        check_folder(self.source, self.source_dir)


def describe(parameters: Parameters) -> Description:
    """Return what the manifest will say of a realization, known before it is made."""
    return _description(parameters, _source(parameters))


def _source(parameters: Parameters) -> LabelledImages:
    """Return the source, opened.

    Raises:
        ParameterError: Its images are no small grey squares of ten classes, or there are too few.
    """
    from stirdata.sources.labelled import open_source

    source = open_source(parameters.source, parameters.source_dir)
    found = source.shape, len(source.classes), sum(source.counts.values())
    if found[0] != (SIDE, SIDE) or found[1] > len(CLASS_NAMES) or found[2] < IMAGES:
        raise ParameterError(
            "the source does not fit the recipe",
            where="source",
            expected=f"at least {IMAGES:,} grey images of {SIDE} x {SIDE} pixels in at most ten classes",
            got=f"{found[2]:,} of shape {found[0]} in {found[1]} classes",
        )
    return source


def _description(parameters: Parameters, source: LabelledImages) -> Description:
    return description_of(
        RECIPE,
        source,
        version=RECIPE_VERSION,
        seed=int(parameters.seed),
        parameters={"min_scale": float(parameters.min_scale), "max_scale": float(parameters.max_scale)},
        citation=[CITATION],
    )


def plan(parameters: Parameters, material: Material) -> Job:
    """Return the job of a realization; on a cluster a worker reads the digits and makes all of it."""
    source = material.once(f"{parameters.source} {parameters.source_dir}", lambda: _source(parameters))

    def make(workers: Workers, advance: Advance) -> Made:
        if workers.dask is not None:
            from stirdata.executors import map_ordered

            (arrays,) = map_ordered(workers.processes(), _from_source, [parameters])
            advance(IMAGES)
            return Made(arrays)
        digits = material.once("digits", lambda: _digits(parameters, source, workers.count, material.quiet))
        return Made(_arrays(parameters, digits, workers.count, advance))

    return Job(_description(parameters, source), make, IMAGES)


def _digits(parameters: Parameters, source: LabelledImages, workers: int, quiet: bool) -> DigitImages:
    """Return the images of a source: those for training in file order, then those for testing."""
    from stirdata.sources import mnist, synthetic_cache

    if parameters.source == "mnist":
        return mnist.load(parameters.source_dir, quiet=quiet)
    if parameters.source == "synthetic":
        return synthetic_cache.load(workers=workers, quiet=quiet)
    import numpy as np

    from stirdata.sources.idx import DigitImages

    subsets = source.read(quiet).values()
    images = [subset.images(np.arange(len(subset))) for subset in subsets]
    labels = [subset.labels.astype(np.uint8) for subset in subsets]
    return DigitImages(np.concatenate(images), np.concatenate(labels))


def _from_source(parameters: Parameters) -> dict[str, NDArray[Any]]:
    return _arrays(parameters, _digits(parameters, _source(parameters), 1, quiet=True), 1, None)


def _arrays(
    parameters: Parameters, digits: DigitImages, workers: int, advance: Advance | None
) -> dict[str, NDArray[Any]]:
    from stirdata.families.mnist_scale import recipe

    splits = recipe.generate(
        digits.images,
        digits.labels,
        parameters.seed,
        parameters.min_scale,
        parameters.max_scale,
        workers=workers,
        advance=advance,
    )
    return recipe.as_arrays(splits)


class MNISTScaleFamily(SplitFamily):
    """MNIST-scale; see the module."""

    name = RECIPE
    title = "MNIST-scale"
    summary = "MNIST rescaled by random factors (SESN, ICLR 2020)."
    layout = LAYOUT
    images = tuple(f"{split}/images" for split in SPLITS)
    specific = ("train/images", "train/labels")
    scale = Scale("factor", listed=False)
    asks = (RECIPE,)
    license = "CC BY-SA 3.0"
    citation = (
        CITATION,
        "Y. LeCun, C. Cortes, C. J. C. Burges. The MNIST database of handwritten digits, 1998.",
    )
    folder_is_root = True
    folders = ("seed_*/scale_*", "*_scale/seed_*/scale_*")
    splits = SPLITS
    kinds = KINDS
    classes = CLASS_NAMES
    numbers = MappingProxyType({"seed": int, "min_scale": float, "max_scale": float})
    recipes = (
        Recipe(
            RECIPE,
            (RECIPE,),
            "MNIST rescaled by random factors (SESN, ICLR 2020).",
            "Make realizations of MNIST-scale: 10,000 train, 2,000 val and 50,000 test images.\n\n"
            "Each digit is rescaled by a random factor and zero padded to 28 x 28. Seeds 0 to 5 with the "
            "default scales are the published realizations, to the bit. The same recipe makes sets of other "
            "images in MNIST's format: Fashion-MNIST, or any by --source idx.\n\n"
            "Written are MNIST_scale/seed_<seed>/scale_<min>_<max> + .h5, .npz or a folder, a manifest with "
            "the hash of everything, and SHA256SUMS. What is already there is verified and kept.\n\n"
            "Source: Sosnovik, Szmaja, Smeulders, ICLR 2020 (arXiv 1910.11093).",
            Parameters,
            plan,
            realizations=True,
        ),
    )

    def trainings(self) -> Mapping[str, Training]:
        """Return the four regimes of Table 2: pixels, and ``+`` for random scales in training."""
        return {f"{size}{plus}": Training(size=size) for size in (SIDE, 2 * SIDE) for plus in ("", "+")}

    def published_results(self, metadata: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return the results of the article, for realizations made from MNIST."""
        return {"of": self.name} if metadata.get("source") in (None, "mnist") else None

    def declared_scales(self, metadata: Mapping[str, Any]) -> DeclaredScales | None:
        """Return the range of the factors that were drawn."""
        if not {"min_scale", "max_scale"} <= set(metadata):
            return None
        return DeclaredScales((float(metadata["min_scale"]), float(metadata["max_scale"])), is_range=True)

    def loader(self) -> type[MNISTScale]:
        """Return :class:`stirdata.MNISTScale`."""
        from stirdata.families.mnist_scale.loader import MNISTScale

        return MNISTScale

    def specimen(self) -> Job:
        """Return the job of 90 digits of noise: 40 train, 20 val and 30 test."""
        from stirdata.families.mnist_scale import recipe

        def make(workers: Workers, advance: Advance) -> Made:
            digits = recipe.noise()
            splits = recipe.generate(
                digits.images,
                digits.labels,
                sizes=recipe.SplitSizes(40, 20, 30),
                seed=SEED,
                workers=workers.count,
                advance=advance,
            )
            return Made(recipe.as_arrays(splits))

        source = {"name": "noise", "sha256": {}, "license": "CC0-1.0", "citation": "none"}
        parameters = {"min_scale": MIN_SCALE, "max_scale": MAX_SCALE}
        version = {"name": RECIPE, "version": RECIPE_VERSION}
        description = Description(version, SEED, parameters, [source], "CC0-1.0", [CITATION], RECIPE)
        return Job(description, make, 90)

    def output_name(self, recipe: Recipe, parameters: Parameters, form: str) -> Path:
        """Return the path of a realization, named as published.

        Examples:
            >>> FAMILY.output_name(FAMILY.recipes[0], Parameters(seed=3), "h5").as_posix()
            'MNIST_scale/seed_3/scale_0.3_1.0.h5'
            >>> FAMILY.output_name(FAMILY.recipes[0], Parameters(source="fashion-mnist"), "png").as_posix()
            'fashion-mnist_scale/seed_0/scale_0.3_1.0'
        """
        root = "MNIST" if parameters.source in ("mnist", "synthetic") else parameters.source
        suffix = "" if form == "png" else f".{form}"
        name = f"scale_{float(parameters.min_scale)}_{float(parameters.max_scale)}{suffix}"
        return Path(f"{root}_scale") / f"seed_{parameters.seed}" / name

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself; of other images than digits, whose they are."""
        said, source = super().attributes(description), description.sources[0]
        if source["name"] in ("fashion-mnist", "idx"):
            said["title"] = f"{self.title} of {source['name']}"
        return said

    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return the published realization that has these pixels and labels."""
        for seed, facts in _realizations().items():
            needed = {name for name in facts["arrays"] if name.endswith(("images", "labels"))}
            shared = tuple(name for name in facts["arrays"] if name in arrays)
            equal = all(arrays[name] == facts["arrays"][name] for name in shared)
            if equal and needed <= set(shared):
                return _identity(int(seed), shared, facts[MD5_NAME], md5)
        return None

    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return the published realization of a description's seed, scales and source."""
        facts = pinned(RECIPE)
        if description is None or str(description.seed) not in facts["realizations"]:
            return None
        same = description.parameters == facts["parameters"]
        if not same or [entry["name"] for entry in description.sources] != ["mnist"]:
            return None
        return _reference(description.seed, _realizations()[str(description.seed)]["arrays"])

    def closest(self, dataset: str, arrays: Digests) -> Reference | None:
        """Return the published realization that has the most arrays in common with these."""

        def equal(facts: Mapping[str, Any]) -> int:
            return sum(arrays.get(name) == sha256 for name, sha256 in facts["arrays"].items())

        seed, facts = max(_realizations().items(), key=lambda item: equal(item[1]))
        known = {name: sha256 for name, sha256 in facts["arrays"].items() if name in arrays}
        return _reference(int(seed), known if equal(facts) else {})


def _realizations() -> dict[str, Any]:
    realizations: dict[str, Any] = pinned(RECIPE)["realizations"]
    return realizations


def _reference(seed: int, arrays: Digests) -> Reference:
    return Reference(
        "published",
        f"the published realization of seed {seed}",
        f"seed {seed} in manifests/mnist-scale.json",
        arrays,
        one_of="one of the six published realizations",
    )


def _identity(seed: int, arrays: tuple[str, ...], published: str, found: str | None) -> Identity:
    """Return what is known of a realization that is the published one, its PNG files' encoder included."""
    other = found is not None and found != published
    text = f"this is the published {RECIPE} realization of seed {seed}: "
    if found is None:
        text += "pixels, labels and scales are equal"
    elif other:
        text += (
            "pixels and labels are equal; the PNG files come from another encoder, so that their "
            f"MD5 is {found}, not the published {published}"
        )
    else:
        text += f"pixels and labels are equal, and the PNG files have the published MD5 {found}"
    facts = {"published_md5": published, "found_md5": found, "other_encoder": other}
    return Identity(RECIPE, seed, arrays, text, facts)


FAMILY = MNISTScaleFamily()
