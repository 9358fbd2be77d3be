"""The benchmarks by name: each a set of parameters of one recipe, which ``scaled`` offers in full.

Where an article leaves something open, what is chosen here is said. None of the published files could be
compared with: they are handed out on request only, so these are made after the articles.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from stirdata.errors import ParameterError
from stirdata.families.family import Advance, Job, Made, Material, Recipe, check_options, option
from stirdata.families.scaled.setting import (
    BACKGROUNDS,
    FILTERS,
    LARGEST_CANVAS,
    PLACES,
    Setting,
    count_of,
    factors_of,
    filling,
    parts,
    shifts_of,
    train_factor_of,
)
from stirdata.families.splits import description_of
from stirdata.manifest import pinned
from stirdata.sources import LABELLED, check_folder

if TYPE_CHECKING:
    from stirdata.executors import Workers
    from stirdata.sources.labelled import LabelledImages

RECIPE_VERSION = 1
LARGE_SCALE = "mnist-large-scale"
LARGEST_SEED = 2**32 - 1
FACTORS = tuple(2 ** (step / 4) for step in range(-4, 13))
"""Of the test set of MNIST Large Scale: 0.5 to 8 by fourth roots of 2. Source: arXiv 2004.01536."""
NINE_FACTORS = FACTORS[:9]
"""Of the rescaled sets: 0.5 to 2 in the same steps. Source: arXiv 2409.11140."""

_ORIGIN = "Where the images come from."
_CACHE = "cache or download"
_FILES = "Folder with the source's files; idx and folder need one."


class Benchmark:
    """Parameters of one benchmark: options, and the setting that they come down to.

    Attributes:
        source: Name of the source; of some benchmarks an option, which in Python may be an object too.
        source_dir: Its folder.
        fixed: The setting, where no option and no source changes it.
    """

    source: Any
    source_dir: Path | None
    fixed: ClassVar[Setting]

    def __post_init__(self) -> None:
        check_options(self)

    def setting(self, source: LabelledImages) -> Setting:
        """Return what the parameters come down to for a source."""
        return self.fixed

    def told(self) -> list[str]:
        """Return what the name of a file says beside the benchmark's."""
        return []


class _OfAnySource(Benchmark):
    """Parameters of a benchmark whose source is an option."""

    def __post_init__(self) -> None:
        from stirdata.sources.labelled import LabelledImages

        if isinstance(self.source, LabelledImages):
            if self.source_dir is not None:
                raise ParameterError("a source given as an object needs no folder", where="source_dir")
            check_options(self, without=("source",))
        else:
            check_options(self)
            check_folder(self.source, self.source_dir)

    def told(self) -> list[str]:
        """Return the name of the source."""
        return [getattr(self.source, "name", self.source)]


@dataclass(frozen=True)
class Scaled(_OfAnySource):
    """A set of one's own: any source at any factors."""

    source: Any = option("mnist", _ORIGIN, choices=LABELLED)
    source_dir: Path | None = option(None, _FILES, kind="path", shown=_CACHE)
    factors: Any = option("1", "Of the test images, such as 0.5,1,2.", kind="text")
    train_factor: Any = option(
        "1", "Of the training and validation images; none leaves them out.", kind="text"
    )
    canvas: int | None = option(
        None, "Side of the images in pixels.", kind="int", least=1, most=LARGEST_CANVAS, shown="the source's"
    )
    filter: str = option("bicubic", "By which images are resized.", choices=FILTERS)
    background: str = option("black", "What is around the images.", choices=BACKGROUNDS)
    place: str = option("centre", "Where test images are on the canvas.", choices=PLACES)
    shifts: Any = option(None, "Of the grid, down and right from the centre: such as -4:0,4:0.", kind="text")
    stride: int | None = option(
        None, "Pixels between the places of the grid, which fill the canvas.", kind="int", least=1
    )
    seed: int = option(0, "Of what is random.", most=LARGEST_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "factors", factors_of("factors", self.factors))
        object.__setattr__(self, "train_factor", train_factor_of(self.train_factor))
        if self.shifts is not None:
            object.__setattr__(self, "shifts", shifts_of(self.shifts))
        wants = self.shifts is not None or self.stride is not None
        if wants != (self.place == "grid") or (self.shifts is not None and self.stride is not None):
            raise ParameterError(
                "a grid is given by its shifts or by its stride, and by nothing else",
                where="place, shifts, stride",
                expected="--place grid with --shifts or with --stride",
                got=f"place {self.place}, shifts {self.shifts}, stride {self.stride}",
            )

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to for a source."""
        canvas = self.canvas or max(source.shape[:2])
        shifts = self.shifts or ()
        if self.stride is not None:
            if len(self.factors) > 1:
                raise ParameterError(
                    "a grid that fills the canvas is for one factor",
                    where="factors",
                    expected="one factor, or --shifts",
                    got=", ".join(f"{factor:g}" for factor in self.factors),
                )
            shifts = filling(source, self.factors[0], canvas, self.stride)
        return Setting(
            self.factors,
            self.train_factor,
            canvas,
            self.filter,
            self.background,
            self.place,
            shifts,
            seed=self.seed,
        )

    def told(self) -> list[str]:
        """Return the name of the source, and the seed of what is random."""
        return [*super().told(), *([f"seed_{self.seed}"] if self.place == "random" else [])]


@dataclass(frozen=True)
class LargeScale(Benchmark):
    """MNIST Large Scale."""

    train_factor: str = option(
        "1", "Of the training and validation images.", kind="text", choices=("1", "2", "4")
    )
    source_dir: Path | None = option(None, "Folder with the four MNIST files.", kind="path", shown=_CACHE)
    source = "mnist"

    def __post_init__(self) -> None:
        given = self.train_factor
        if isinstance(given, Real) and not isinstance(given, bool) and float(given).is_integer():
            object.__setattr__(self, "train_factor", str(int(given)))
        super().__post_init__()

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to."""
        return large_scale(float(self.train_factor))

    def told(self) -> list[str]:
        """Return the factor of the training images if it is another one than 1."""
        return [] if self.train_factor == "1" else [f"train_{self.train_factor}"]


def large_scale(
    train_factor: float = 1.0, factors: tuple[float, ...] = FACTORS, canvas: int = 112
) -> Setting:
    """Return the setting of MNIST Large Scale, or of a smaller set made alike."""
    return Setting(factors, train_factor, canvas, "smooth")


@dataclass(frozen=True)
class RescaledFashion(Benchmark):
    """Rescaled Fashion-MNIST."""

    translated: bool = option(False, "Test images at random places instead of the centre.")
    seed: int = option(0, "Of the places, with --translated.", most=LARGEST_SEED)
    source_dir: Path | None = option(
        None, "Folder with the four Fashion-MNIST files.", kind="path", shown=_CACHE
    )
    source = "fashion-mnist"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed and not self.translated:
            raise ParameterError(
                "without --translated nothing is random", where="seed", got=self.seed, hint="leave it out"
            )

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to."""
        place = "random" if self.translated else "centre"
        return Setting(NINE_FACTORS, 1.0, 72, place=place, seed=self.seed)

    def told(self) -> list[str]:
        """Return the seed of translated images."""
        return ["translated", f"seed_{self.seed}"] if self.translated else []


@dataclass(frozen=True)
class RescaledCifar(Benchmark):
    """Rescaled CIFAR-10."""

    source_dir: Path | None = option(
        None, "Folder with cifar-10-binary.tar.gz, or with what is in it.", kind="path", shown=_CACHE
    )
    source = "cifar10"
    fixed = Setting(NINE_FACTORS, 1.0, 64, background="mirror")


@dataclass(frozen=True)
class RescaledStl(Benchmark):
    """Rescaled STL-10."""

    source_dir: Path | None = option(
        None, "Folder with stl10_binary.tar.gz, or with what is in it.", kind="path", shown=_CACHE
    )
    source = "stl10"
    fixed = Setting(NINE_FACTORS, 1.0, 192, background="mirror")


@dataclass(frozen=True)
class ScaleCifar(Benchmark):
    """Scale-CIFAR10."""

    seed: int = option(0, "Of the factors.", most=LARGEST_SEED)
    source_dir: Path | None = option(
        None, "Folder with cifar-10-binary.tar.gz, or with what is in it.", kind="path", shown=_CACHE
    )
    source = "cifar10"

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to."""
        return Setting((), 1.0, 32, "spline", uniform=(0.3, 1.0), seed=self.seed)

    def told(self) -> list[str]:
        """Return the seed."""
        return [f"seed_{self.seed}"]


@dataclass(frozen=True)
class FixedProtocol(_OfAnySource):
    """Four factors at sixteen places."""

    source: Any = option("mnist", _ORIGIN, choices=LABELLED)
    source_dir: Path | None = option(None, _FILES, kind="path", shown=_CACHE)

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to for a source."""
        side = max(source.shape[:2])
        steps = [round(part * side) for part in (-0.25, -0.125, 0.125, 0.25)]
        shifts = tuple((dy, dx) for dy in steps for dx in steps)
        return Setting((0.5, 0.75, 1.25, 1.5), 1.0, side, "bilinear", place="grid", shifts=shifts)


@dataclass(frozen=True)
class Shifted(_OfAnySource):
    """One factor at all places of a grid."""

    source: Any = option("mnist", _ORIGIN, choices=LABELLED)
    source_dir: Path | None = option(None, _FILES, kind="path", shown=_CACHE)
    canvas: int | None = option(
        None,
        "Side of the images in pixels.",
        kind="int",
        least=1,
        most=LARGEST_CANVAS,
        required={"what": "there is no canvas", "expected": "its side in pixels, above the source's"},
    )
    stride: int = option(1, "Pixels between the places.", least=1)

    def setting(self, source: LabelledImages) -> Setting:
        """Return what it comes down to for a source."""
        canvas = self.canvas or max(source.shape[:2])
        shifts = filling(source, 1.0, canvas, self.stride)
        return Setting((1.0,), None, canvas, background="white", place="grid", shifts=shifts)


def plan(name: str, asked: Benchmark, material: Material) -> Job:
    """Return the job of a benchmark."""
    from stirdata.sources.labelled import LabelledImages, open_source

    source = asked.source
    if not isinstance(source, LabelledImages):
        source = material.once(
            f"source {asked.source} {asked.source_dir}", lambda: open_source(asked.source, asked.source_dir)
        )
    return job_of(name, source, asked.setting(source), material)


def job_of(name: str, source: LabelledImages, setting: Setting, material: Material) -> Job:
    """Return the job of a set of a source.

    Raises:
        ParameterError: The setting does not fit the source.
    """
    found = parts(source.counts, setting)
    if not any(part.split == "test" for part in found):
        raise ParameterError(
            "the source has no test images", where="source", got=", ".join(source.counts) or "nothing"
        )
    if setting.filter == "smooth" and (
        source.colour or len(set(source.shape)) > 1 or not source.uniform or setting.background != "black"
    ):
        raise ParameterError(
            "the filter smooth is for square grey images of one size on black",
            where="filter",
            expected=", ".join(FILTERS[:3]),
            got=f"images of shape {source.shape} on {setting.background}",
        )

    def make(workers: Workers, advance: Advance) -> Made:
        from stirdata.families.scaled import recipe

        subsets = material.once(f"images {id(source)}", lambda: source.read(material.quiet))
        return Made(recipe.make(source, subsets, setting, workers, advance))

    description = description_of(
        name,
        source,
        version=RECIPE_VERSION,
        seed=int(setting.seed),
        parameters=setting.as_json(),
        citation=pinned("scaled")[name]["citation"],
    )
    return Job(description, make, sum(count_of(part, setting) for part in found))


def _recipe(name: str, summary: str, text: str, parameters: type, *, realizations: bool = False) -> Recipe:
    cited = "".join(f"\n\nSource: {article}" for article in pinned("scaled")[name]["citation"])
    return Recipe(
        name,
        (name,),
        summary,
        text + cited,
        parameters,
        lambda asked, material: plan(name, asked, material),
        realizations=realizations,
    )


_AFTER = (
    "The published files are handed out on request only and could not be compared with: this is made "
    "after the article. "
)
RECIPES = (
    _recipe(
        LARGE_SCALE,
        "MNIST at 17 factors from 0.5 to 8 (Jansson, Lindeberg, ICPR 2020).",
        "Make MNIST Large Scale after its description: 50,000 train and 10,000 val images at one factor, "
        "10,000 test images at each of 17 factors from 0.5 to 8, on 112 x 112 pixels.\n\n"
        + _AFTER
        + "The smoothing chain is that of STIR mnist, whose authors took it from there. With the training "
        "factor 1 the pixels are pinned. Written are about 2.9 GB as .h5 file.",
        LargeScale,
    ),
    _recipe(
        "rescaled-fashion-mnist",
        "Fashion-MNIST at nine factors from 0.5 to 2 (Perzanowski, Lindeberg, 2024).",
        "Make Rescaled Fashion-MNIST: 50,000 train and 10,000 val images at factor 1, 10,000 test images at "
        "each of nine factors from 0.5 to 2, on 72 x 72 pixels, black around.\n\n"
        + _AFTER
        + "Written are about 780 MB as .h5 file.",
        RescaledFashion,
    ),
    _recipe(
        "rescaled-cifar10",
        "CIFAR-10 at nine factors from 0.5 to 2 (Perzanowski, Lindeberg, 2024).",
        "Make Rescaled CIFAR-10: 50,000 train images at factor 1, 10,000 test images at each of nine factors "
        "from 0.5 to 2, on 64 x 64 pixels, mirrored beyond their edges.\n\n"
        + _AFTER
        + "Written are about 1.7 GB as .h5 file.",
        RescaledCifar,
    ),
    _recipe(
        "rescaled-stl10",
        "STL-10 at nine factors from 0.5 to 2 (Perzanowski, Lindeberg, 2026).",
        "Make Rescaled STL-10: 5,000 train images at factor 1, 8,000 test images at each of nine factors "
        "from 0.5 to 2, on 192 x 192 pixels, mirrored beyond their edges.\n\n"
        + _AFTER
        + "Canvas and background are a choice, those of Rescaled CIFAR-10 made larger. Written are about "
        "8.5 GB as .h5 file.",
        RescaledStl,
    ),
    _recipe(
        "scale-cifar10",
        "CIFAR-10, every image at a random factor from 0.3 to 1.",
        "Make scale-CIFAR10: 50,000 train and 10,000 test images, each at a factor of its own from 0.3 to 1, "
        "resized by a spline, in the middle of 32 x 32 pixels, black around.\n\n"
        "The code that it comes from drew the factors without a seed, so its images cannot be made again.",
        ScaleCifar,
        realizations=True,
    ),
    _recipe(
        "fixed-protocol",
        "Any source at four factors and sixteen places.",
        "Make test images at the factors 0.5, 0.75, 1.25 and 1.5, each at sixteen places: shifted by an "
        "eighth and a quarter of the side in both directions; training images as they are.\n\n"
        "This protocol is in circulation as a summary of the article below, which it is not; it is asked for "
        "as a protocol of its own.",
        FixedProtocol,
    ),
    _recipe(
        "shifted",
        "Any source at all places of a grid on a white canvas.",
        "Make test images of a source at every place of a grid inside a larger white canvas, as they are "
        "otherwise. All images are of the split test; the training images of the source are left out.",
        Shifted,
    ),
    _recipe(
        "scaled",
        "Any source at any factors, in any places: a set of your own.",
        "Make a set of your own: test images of a source at chosen factors and places on a canvas, training "
        "and validation images at one factor, in the middle.\n\n"
        "Of a source with 60,000 training images the last 10,000 are for validation. A folder holds "
        "train/<class>/<image>, val/… and test/…; without these all of it is test.",
        Scaled,
    ),
)
"""Everything that the family makes."""
