"""What a dataset on disk is, from its headers, its small arrays and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import FormatError
from stirdata.families.family import Family, Identity
from stirdata.families.making import identity_of
from stirdata.families.recognition import Recognized, recognize
from stirdata.manifest import SUMS_NAME, Manifest, files_below, manifest_path
from stirdata.sharing.about import About
from stirdata.storage.stored import Header

if TYPE_CHECKING:
    from stirdata.loading.dataset import ImageDataset

BASIS = "its manifest, not recomputed"
"""What the identity of a dataset rests on."""


@dataclass(frozen=True)
class Latents:
    """The range of the scales and positions of a dataset.

    Attributes:
        unit: ``pixels``, where a scale is the size of the object's box; or ``factor``, where it is what the
            image was rescaled by.
        smallest_scale: In that unit.
        largest_scale: In that unit.
        different_scales: How many different scales there are; None where every image has its own.
        left: Smallest and largest distance of a box to the left edge in pixels; None without boxes.
        top: The same for the top edge.
    """

    unit: str
    smallest_scale: float
    largest_scale: float
    different_scales: int | None = None
    left: tuple[int, int] | None = None
    top: tuple[int, int] | None = None


@dataclass(frozen=True)
class Content:
    """What the images of a dataset are, read from the dataset itself.

    Attributes:
        arrays: Type and shape of every array, by name.
        image_shape: Of one image: (side, side), or (side, side, 3) in colour.
        classes: Names, in the order of the labels.
        counts: Images per class, by split.
        splits: Number of images, with a label or without, by split.
        latents: Range of scales and positions; None where there are none, and for PNG files without
            scales.csv.
        metadata: What the file says of itself.
    """

    arrays: dict[str, Header]
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    splits: dict[str, int]
    latents: Latents | None
    metadata: dict[str, Any]

    @property
    def images(self) -> int:
        """Number of images in all splits."""
        return sum(self.splits.values())


@dataclass(frozen=True)
class Information:
    """What a dataset is.

    Nothing is hashed: what the manifest says is believed if file sizes and arrays fit it, and
    :attr:`doubts` says where they do not. ``stirdata verify`` proves it.

    Attributes:
        path: Where it is.
        family: As people write it: ``STIR``, ``MNIST-scale``.
        ask: What ``stirdata verify --as`` asks for, to have it compared with what is published.
        form: ``npz``, ``h5``, ``npy`` (a folder of .npy files) or ``png`` (a tree of PNG files).
        size: In bytes, of all files of the dataset, without manifest and SHA256SUMS.
        content: What is in it.
        license: Of the images.
        citation: What to cite.
        manifest: As it is beside the dataset; None if there is none.
        identity: The published or pinned dataset that it is by its manifest.
        doubts: In what the manifest does not fit the dataset, one sentence each.
    """

    path: Path
    family: str
    ask: str
    form: str
    size: int
    content: Content
    license: str
    citation: tuple[str, ...]
    manifest: Manifest | None = None
    identity: Identity | None = None
    doubts: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """What it calls itself."""
        return str(self.content.metadata.get("title", self.family))

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        content = asdict(self.content)
        content["arrays"] = {name: header._asdict() for name, header in self.content.arrays.items()}
        return {
            "path": str(self.path),
            "family": self.family,
            "title": self.title,
            "format": self.form,
            "bytes": self.size,
            "images": self.content.images,
            **content,
            "license": self.license,
            "citation": list(self.citation),
            **_manifest_json(self.manifest),
            "published": self.identity.as_json() if self.identity else None,
            "published_by": BASIS if self.manifest else None,
            "doubts": list(self.doubts),
        }


def _manifest_json(manifest: Manifest | None) -> dict[str, Any]:
    names = ("dataset", "recipe", "seed", "parameters", "root")
    return {name: getattr(manifest, name, None) for name in names}


def information(path: Path) -> Information:
    """Tell what a dataset is.

    Args:
        path: Of the dataset, its manifest, or a folder with one dataset in it.

    Raises:
        MissingFileError: There is no such file, or no dataset in the folder.
        ParameterError: There are several datasets in the folder.
        FormatError: It is damaged, or no dataset that stirdata knows.
        ManifestError: Its manifest is not valid.
    """
    found = recognize(path)
    family, manifest = found.family, found.manifest
    content = _content(found)
    doubts = () if manifest is None else _doubts(found.path, manifest, content.arrays)
    return Information(
        found.path,
        family.title,
        family.asks[-1],
        found.stored.form,
        _size(found.path, manifest),
        content,
        *_terms(family, content, manifest),
        manifest,
        None if manifest is None or doubts else identity_of(family, manifest),
        doubts,
    )


def _content(found: Recognized) -> Content:
    from stirdata.loading.records import class_counts

    dataset = found.family.loader()(found.path)
    targets = {split: dataset.targets(split) for split in dataset.splits}
    counts = {
        split: tuple(class_counts(labels, dataset.num_classes).tolist()) for split, labels in targets.items()
    }
    channels, height, width = dataset.image_shape
    return Content(
        arrays=dict(found.stored.headers),
        image_shape=(height, width) if channels == 1 else (height, width, channels),
        classes=tuple(dataset.classes),
        counts=counts,
        splits={split: len(labels) for split, labels in targets.items()},
        latents=_latents(found.family, dataset),
        metadata=found.family.metadata(found.stored),
    )


def _latents(family: Family, dataset: ImageDataset) -> Latents | None:
    """Return the range of the latents of all splits; None where the files do not hold them."""
    import numpy as np

    if family.scale is None:
        return None
    splits = []
    for split in dataset.splits:
        with suppress(FormatError):
            splits.append(dataset.latents(split))
    if not splits:
        return None
    together = {name: np.concatenate([latents[name] for latents in splits]) for name in splits[0]}
    scales = next(iter(together.values()))
    if not len(scales):
        return None
    different = len(np.unique(scales)) if family.scale.listed else None
    smallest, largest = scales.min().item(), scales.max().item()
    edges = [
        (int(column.min()), int(column.max())) for column in together.get("positions", np.empty((0, 0))).T
    ]
    return Latents(family.scale.unit, smallest, largest, different, *edges)


def _terms(family: Family, content: Content, manifest: Manifest | None) -> tuple[str, tuple[str, ...]]:
    """Return license and citation."""
    if manifest is not None:
        return manifest.license, tuple(manifest.citation)
    said = content.metadata.get("citation")
    return (
        str(content.metadata.get("license", family.license)),
        tuple(said.split("\n")) if said else family.citation,
    )


def _size(path: Path, manifest: Manifest | None) -> int:
    if path.is_file():
        return path.stat().st_size
    beside = manifest_path(path).name, SUMS_NAME
    return sum(file.stat().st_size for file in files_below(path)[0] if file.name not in beside)


def _doubts(path: Path, manifest: Manifest, arrays: Mapping[str, Header]) -> tuple[str, ...]:
    """Say in what a manifest does not fit the dataset beside it, as far as sizes and headers tell."""
    folder = path if path.is_dir() else path.parent
    doubts = []
    if path.is_file() and path.name not in {entry.path for entry in manifest.files}:
        doubts.append(f"the manifest does not list {path.name}")
    for entry in manifest.files:
        file = folder / entry.path
        size = file.stat().st_size if file.is_file() else None
        if size != entry.size:
            found = "there is none" if size is None else f"it has {size}"
            doubts.append(f"{entry.path} should have {entry.size} bytes; {found}")
    for name, header in arrays.items():
        listed = manifest.arrays.get(name)
        if listed is None or listed.shape != header.shape:
            expected = "nothing" if listed is None else str(listed.shape)
            doubts.append(f"the array {name} has shape {header.shape}; the manifest has {expected}")
    return tuple(doubts)


def about_of(told: Information) -> About:
    """Return what is said of a dataset wherever it is shared."""
    manifest, metadata = told.manifest, told.content.metadata
    name = manifest.dataset if manifest else str(metadata.get("dataset", told.ask))
    said = told.identity.sentence() if told.identity else ""
    return About(
        dataset=name,
        title=told.title,
        family=told.family,
        unit=told.content.latents.unit if told.content.latents else "",
        license=told.license,
        citation=told.citation,
        recipe=manifest.recipe if manifest else {},
        seed=manifest.seed if manifest else None,
        parameters=manifest.parameters if manifest else {},
        sources=tuple(manifest.sources) if manifest else (),
        root=manifest.root if manifest else None,
        file=told.path.name,
        files=tuple(manifest.files) if manifest else (),
        identity=f"{said[:1].upper()}{said[1:]}." if said else "",
    )
