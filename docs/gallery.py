"""Write ``docs/gallery.md`` and its pictures: every benchmark, what it is, and what it looks like.

Run as ``python docs/gallery.py``. The pictures are drawn from digits that stirdata makes itself, in colour
where a benchmark has photographs, because those may not be handed on. A test compares the result with what
is there.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import stirdata
from stirdata import locks
from stirdata.executors import Workers
from stirdata.families import recipe_named
from stirdata.families.family import Job, Made, Material
from stirdata.families.making import make_and_save
from stirdata.families.mnist_scale import recipe as mnist_scale
from stirdata.families.scaled.benchmarks import job_of
from stirdata.imaging.resize import resize
from stirdata.manifest import pinned
from stirdata.operations.show import Choice, save
from stirdata.sources import synthetic
from stirdata.sources.labelled import LabelledImages, from_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent
PER_CLASS, FIRST_TEST = 6, 60_000
FOUR_PLACES = tuple(range(0, 16 * PER_CLASS, 5 * PER_CLASS))
SHOWN = tuple(range(4))


@dataclass(frozen=True)
class Entry:
    """A benchmark in the gallery.

    Attributes:
        recipe: Its name.
        command: That makes it, without what is the default.
        images: Source whose license and citation count; empty if it is the user's.
        choice: What the picture shows.
        side: Of the images that stand in for the source's.
        colour: Whether they are in colour.
        options: Of the picture, where they are others than those of the command.
    """

    recipe: str
    command: str
    images: str
    choice: Choice
    side: int = 28
    colour: bool = False
    options: tuple[tuple[str, Any], ...] = ()


BY_FACTOR = Choice("test", SHOWN, instances=(0,), zoom=1)
ENTRIES = (
    Entry("mnist-scale", "mnist-scale --seed 0", "mnist", Choice("train", SHOWN, columns=10, zoom=1)),
    Entry("stir-mnist", "stir mnist", "mnist", Choice("train", SHOWN, instances=(0,), boxes=True, zoom=1)),
    Entry("mnist-large-scale", "mnist-large-scale", "mnist", BY_FACTOR),
    Entry("rescaled-fashion-mnist", "rescaled-fashion-mnist", "fashion-mnist", BY_FACTOR),
    Entry("rescaled-cifar10", "rescaled-cifar10", "cifar10", BY_FACTOR, 32, colour=True),
    Entry(
        "rescaled-stl10",
        "rescaled-stl10",
        "stl10",
        Choice("test", (0, 1, 2), (0.5, 1, 2), (0,), zoom=1),
        96,
        colour=True,
    ),
    Entry(
        "scale-cifar10", "scale-cifar10", "cifar10", Choice("test", SHOWN, columns=6, zoom=1), 32, colour=True
    ),
    Entry(
        "fixed-protocol",
        "fixed-protocol --source mnist",
        "",
        Choice("test", SHOWN, instances=FOUR_PLACES, zoom=1),
    ),
    Entry(
        "shifted",
        "shifted --source mnist --canvas 36 --stride 4",
        "",
        Choice("test", SHOWN, instances=tuple(range(0, 9 * PER_CLASS, PER_CLASS)), zoom=1),
        options=(("canvas", 36), ("stride", 4)),
    ),
    Entry("stl10", "stl10", "stl10", Choice("train", (0, 1, 2), columns=5, zoom=1), 96, colour=True),
)
OTHERS = """
The other STIR sets, `generate stir emoji|trafficsign|aerial`, look like STIR mnist with pictures of Font
Awesome (CC BY 4.0), of Mapillary and of DOTA, and `generate stir custom` with pictures of your own;
`fetch stir --zenodo` gets the published files. `generate scaled` makes sets of your own. The published
files of MNIST Large Scale and its successors, which their authors hand out on request, are opened by
`stirdata.load` as they are.
"""
FOREWORD = """# The benchmarks

Every benchmark that stirdata makes, with the command that makes it. The pictures are contact sheets
(`stirdata show`) of the same recipes applied to digits that stirdata draws itself, in colour where the
benchmark has photographs: those may not be handed on. This page is written by `python docs/gallery.py`.
"""


def stand_in(entry: Entry) -> LabelledImages:
    """Return a source of digits of the size of those that it stands in for."""
    digits, labels = (array[:400] for array in synthetic.draw(FIRST_TEST, FIRST_TEST + 400))
    chosen = np.concatenate([np.flatnonzero(labels == label)[:PER_CLASS] for label in range(10)])
    images, labels = digits[chosen], labels[chosen].astype(np.int64)
    if entry.colour:
        images = resize(images, entry.side, entry.side)
        ground, ink = (np.random.RandomState(seed).randint(0, 256, (60, 1, 1, 3)) for seed in (0, 1))
        part = images[..., None] / 255
        images = np.rint(ground + part * (ink - ground)).astype(np.uint8)
    return from_arrays({"train": images, "test": images}, {"train": labels, "test": labels})


def make(entry: Entry, folder: Path) -> Path:
    """Make the dataset of a picture; return where it is."""
    family, recipe = recipe_named(entry.recipe)
    target = folder / "set.h5"
    if family.name == "stir":
        return stirdata.generate("stir-custom", out=target, **_own_pictures(folder)).path
    source = stand_in(entry)
    if entry.recipe == "mnist-scale":
        job = _of_mnist_scale(family.specimen())
    elif family.name == "scaled":
        asked = recipe.parameters_of(dict(entry.options))
        job = job_of(entry.recipe, source, asked.setting(source), Material())
    else:
        job = _of_arrays(family.specimen(), source)
    with Workers(1) as places, locks.locked(target):
        make_and_save(family, job, target, "h5", places)
    return target


def _of_mnist_scale(job: Job) -> Job:
    """Return the job of a small realization of MNIST-scale."""
    digits, labels = synthetic.draw(FIRST_TEST, FIRST_TEST + 600)
    splits = mnist_scale.generate(digits, labels, seed=0, sizes=mnist_scale.SplitSizes(400, 50, 100))
    arrays = {
        f"{name}/{kind}": array for name, split in splits.items() for kind, array in vars(split).items()
    }
    return Job(job.description, lambda workers, advance: Made(arrays))


def _of_arrays(job: Job, source: LabelledImages) -> Job:
    """Return the job of a set that has the images of a source in place of noise."""
    arrays: dict[str, NDArray[Any]] = {"folds": np.zeros((10, 0), np.int32)}
    for name, subset in source.read(True).items():
        arrays[f"{name}/images"] = np.asarray(subset.images(np.arange(len(subset))))
        arrays[f"{name}/labels"] = subset.labels
    return Job(job.description, lambda workers, advance: Made(arrays))


def _own_pictures(folder: Path) -> dict[str, Any]:
    source = stand_in(ENTRIES[0]).read(True)["test"]
    for number, label in enumerate(source.labels.tolist()):
        path = folder / "pictures" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(source.images(np.array([number])))[0]).save(path)
    return {"source_dir": folder / "pictures", "instances": 2, "grey": True}


def text_of(entry: Entry) -> str:
    """Return the section of a benchmark."""
    family, recipe = recipe_named(entry.recipe)
    title = pinned("scaled")[entry.recipe]["title"] if family.name == "scaled" else family.title
    source = pinned(entry.images) if entry.images else {"license": "that of the images", "citation": ""}
    own = pinned("scaled")[entry.recipe]["citation"] if family.name == "scaled" else family.citation
    cited = dict.fromkeys(text for text in (*own, source["citation"]) if text)
    return "\n".join(
        [
            f"## {title.partition(',')[0] if family.name != 'stir' else 'STIR mnist'}",
            "",
            recipe.summary,
            "",
            f"    stirdata generate {entry.command}",
            "",
            f"![{recipe.name}](gallery/{recipe.name}.png)",
            "",
            f"License of the images: {source['license']}.",
            *(f"\nCite: {text}" for text in cited),
            "",
        ]
    )


def picture(entry: Entry, folder: Path) -> Path:
    """Draw the picture of a benchmark; return where it is."""
    return save(make(entry, folder), folder / "sheet.png", entry.choice).path


def write(target: Path) -> None:
    """Write the page and its pictures into a folder."""
    (target / "gallery").mkdir(parents=True, exist_ok=True)
    for entry in ENTRIES:
        with tempfile.TemporaryDirectory() as folder, Image.open(picture(entry, Path(folder))) as sheet:
            sheet.save(target / "gallery" / f"{entry.recipe}.png", optimize=True)
    page = [FOREWORD, *map(text_of, ENTRIES), OTHERS.lstrip("\n")]
    (target / "gallery.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    write(HERE if len(sys.argv) == 1 else Path(sys.argv[1]))
