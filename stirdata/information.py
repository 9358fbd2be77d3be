"""What a dataset on disk is, from its headers, its small arrays and its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.errors import MissingFileError
from stirdata.families.stir.axes import CITATION, SETS
from stirdata.findings import Identity
from stirdata.manifest import SUMS_NAME, Manifest, manifest_path, pinned
from stirdata.manifest import load as load_manifest
from stirdata.recognition import STIR, Recognized, recognize
from stirdata.sources.digits import CLASS_NAMES
from stirdata.storage import mnist_scale, png_tree
from stirdata.storage.headers import Header
from stirdata.verification import identify

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.storage.stir_file import StirFile

BASIS = "its manifest, not recomputed"
"""What the identity of a dataset rests on."""


@dataclass(frozen=True)
class Latents:
    """The range of the scales and positions of a dataset.

    Attributes:
        unit: ``pixels`` for STIR, where a scale is the size of the object's box; ``factor`` for
            MNIST-scale, where it is what the digit was rescaled by.
        smallest_scale: In that unit.
        largest_scale: In that unit.
        different_scales: How many different scales there are; None for factors, which are drawn.
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
        latents: Range of scales and positions; None for PNG files without scales.csv.
        metadata: What the file says of itself.
    """

    arrays: dict[str, Header]
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    latents: Latents | None
    metadata: dict[str, Any]

    @property
    def images(self) -> int:
        """Number of images in all splits."""
        return sum(map(sum, self.counts.values()))


@dataclass(frozen=True)
class Information:
    """What a dataset is.

    Nothing is hashed: what the manifest says is believed if file sizes and arrays fit it, and
    :attr:`doubts` says where they do not. ``stirdata verify`` proves it.

    Attributes:
        path: Where it is.
        family: ``STIR`` or ``MNIST-scale``.
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
    manifest = _manifest_of(found.path)
    content = _stir_content(found) if found.family == STIR else _mnist_scale_content(found, manifest)
    doubts = () if manifest is None else _doubts(found.path, manifest, content.arrays)
    return Information(
        found.path,
        found.family,
        found.form,
        _size(found.path, manifest),
        content,
        *_terms(found.family, content, manifest),
        manifest,
        None if manifest is None or doubts else identify(manifest),
        doubts,
    )


def _manifest_of(path: Path) -> Manifest | None:
    try:
        return load_manifest(manifest_path(path))
    except MissingFileError:
        return None


def _terms(family: str, content: Content, manifest: Manifest | None) -> tuple[str, tuple[str, ...]]:
    """Return license and citation."""
    if manifest is not None:
        return manifest.license, tuple(manifest.citation)
    if family == STIR:
        return content.metadata["license"], (CITATION,)
    facts = pinned(mnist_scale.DATASET)
    citation = content.metadata.get("citation", "").split("\n") if "citation" in content.metadata else None
    return content.metadata.get("license", facts["license"]), tuple(citation or facts["citation"])


def _stir_content(found: Recognized) -> Content:
    import numpy as np

    from stirdata.storage.stir_file import open_set

    opened = open_set(found.path)
    frame = opened.frame
    counts = {
        name: tuple(np.bincount(opened.labels[number].ravel(), minlength=len(frame.classes)).tolist())
        for number, name in enumerate(SETS)
    }
    return Content(
        found.arrays, frame.image_shape, frame.classes, counts, _stir_latents(opened), dict(opened.metadata)
    )


def _stir_latents(opened: StirFile) -> Latents:
    scales, positions = opened.frame.scales, opened.positions
    left, top = ((int(positions[..., axis].min()), int(positions[..., axis].max())) for axis in (0, 1))
    return Latents("pixels", min(scales), max(scales), len(scales), left, top)


def _mnist_scale_content(found: Recognized, manifest: Manifest | None) -> Content:
    import numpy as np

    small = _small_arrays(found)
    counts = {
        split: tuple(np.bincount(small[f"{split}/labels"], minlength=len(CLASS_NAMES)).tolist())
        for split in mnist_scale.SPLITS
    }
    arrays = found.arrays or _headers_of_tree(small)
    metadata = {"title": "MNIST-scale", **mnist_scale.load_attributes(found.path)}
    return Content(arrays, (28, 28), CLASS_NAMES, counts, _factors(small), metadata)


def _small_arrays(found: Recognized) -> dict[str, NDArray[Any]]:
    """Return labels and, where they are known, scale factors."""
    from stirdata.executors import InProcess

    if found.form == "png":
        return png_tree.read_latents(found.path)
    names = [f"{split}/{name}" for split in mnist_scale.SPLITS for name in ("labels", "scales")]
    arrays = mnist_scale.load(found.path, InProcess(), names)
    mnist_scale.check_arrays(found.path, arrays)
    return arrays


def _headers_of_tree(small: Mapping[str, NDArray[Any]]) -> dict[str, Header]:
    """Return the headers of the arrays that reading a PNG tree gives."""
    images = {
        f"{split}/images": Header("uint8", (len(small[f"{split}/labels"]), 28, 28))
        for split in mnist_scale.SPLITS
    }
    others = {name: Header(array.dtype.name, array.shape) for name, array in small.items()}
    both = images | others
    return {name: both[name] for name in mnist_scale.ARRAY_NAMES if name in both}


def _factors(small: Mapping[str, NDArray[Any]]) -> Latents | None:
    scales = [small[f"{split}/scales"] for split in mnist_scale.SPLITS if f"{split}/scales" in small]
    present = [array for array in scales if len(array)]
    if not present:
        return None
    smallest, largest = min(array.min() for array in present), max(array.max() for array in present)
    return Latents("factor", float(smallest), float(largest))


def _size(path: Path, manifest: Manifest | None) -> int:
    if path.is_file():
        return path.stat().st_size
    beside = manifest_path(path).name, SUMS_NAME
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and file.name not in beside)


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
