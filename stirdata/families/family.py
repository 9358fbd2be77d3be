"""The contract that every family of datasets keeps: what differs between benchmarks is said here, once.

A family is a benchmark, or several with the same arrays: its layout, its recipes, what is published of it,
its loader. Everything else is the same verb done to other arrays, in :mod:`stirdata.operations`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from stirdata.errors import ParameterError
from stirdata.storage.forms import Description, StorageLayout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stirdata.executors import Workers
    from stirdata.loading.dataset import ImageDataset
    from stirdata.storage.image_bytes import BlockedArray
    from stirdata.storage.stored import Stored
    from stirdata.transfer.published import PublishedFiles

Advance = Callable[[int], None]
Digests = Mapping[str, str]
"""SHA-256 of each array, by name."""


def option(default: Any, help_: str, **facts: Any) -> Any:
    """Return a field of a recipe's parameters, with all that the command line needs to know of it.

    Args:
        default: Of the parameter.
        help_: One sentence.
        **facts: ``kind`` (``int``, ``float``, ``text``, ``flag``, ``path``, ``scales``; if left out that of
            the default), ``choices``, ``least``, ``most``; ``required``, with what the error says if it is
            None (``what``, ``expected``, ``hint``); and ``shown``, what the help says of the default.
    """
    kinds = {bool: "flag", int: "int", float: "float", str: "text"}
    return field(default=default, metadata={"kind": kinds.get(type(default), "text"), "help": help_, **facts})


def check_options(parameters: Any, without: Sequence[str] = ()) -> None:
    """Raise ParameterError if a value is missing, none of the choices, or outside the range of its option.

    Args:
        parameters: A dataclass of options.
        without: Names of those that are not looked at.
    """
    for entry in fields(parameters):
        if entry.name in without:
            continue
        value, facts = getattr(parameters, entry.name), entry.metadata
        required = facts.get("required")
        if required and value is None:
            expected, hint = required.get("expected", ""), required.get("hint", "")
            raise ParameterError(required["what"], where=entry.name, expected=expected, hint=hint)
        if "choices" in facts and value not in facts["choices"]:
            expected = ", ".join(facts["choices"])
            raise ParameterError(f"unknown {entry.name}", where=entry.name, expected=expected, got=value)
        if facts["kind"] == "int" and value is not None:
            _check_integer(entry.name, value, facts)


def _check_integer(name: str, value: Any, facts: Mapping[str, Any]) -> None:
    from stirdata.arguments import as_integer

    number, least, most = as_integer(value), facts.get("least", 0), facts.get("most")
    if number is None or number < least or (most is not None and number > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise ParameterError(
            f"the {name} is out of range or no integer", where=name, expected=expected, got=repr(value)
        )


@dataclass(frozen=True)
class Made:
    """What making a dataset gave.

    Attributes:
        arrays: By name, as the family's layout lists them; in memory, or read block by block.
        versions: Of programs and libraries that took part, for the manifest.
        notes: What the user should know about it, one sentence each.
    """

    arrays: Mapping[str, NDArray[Any] | BlockedArray]
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A dataset that can be made; what it will be is known before.

    Attributes:
        description: What the manifest will say of it.
        make: Makes it; told where to work, and a function to call with the number of images finished.
        count: Number of images, for the progress bar; None if not known before.
    """

    description: Description
    make: Callable[[Workers, Advance], Made]
    count: int | None = None


class Material:
    """Raw material that the jobs of one command share: read once, when the first of them needs it.

    Args:
        quiet: Whether reading and downloading show no progress bars.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self._held: dict[str, Any] = {}
        self._reading = threading.Lock()

    def once(self, name: str, read: Callable[[], Any]) -> Any:
        """Return what reading gives, or gave at an earlier call for this name."""
        with self._reading:
            if name not in self._held:
                self._held[name] = read()
            return self._held[name]


@dataclass(frozen=True)
class Recipe:
    """One kind of dataset that a family can make.

    Attributes:
        name: Of the dataset in manifests, and for :func:`stirdata.generate`: ``stir-mnist``.
        command: The words behind ``stirdata generate``.
        summary: What it is, for lists.
        help: What it is, for the command's help.
        parameters: A frozen dataclass whose fields are made by :func:`option`; making one checks it.
        plan: Returns the job for parameters.
        realizations: Whether every seed is an output of its own, so that several can be asked for.
    """

    name: str
    command: tuple[str, ...]
    summary: str
    help: str
    parameters: type
    plan: Callable[[Any, Material], Job]
    realizations: bool = False

    def parameters_of(self, values: Mapping[str, Any]) -> Any:
        """Return the parameters with these values and the defaults for all others.

        Raises:
            ParameterError: There is no parameter of a name, or a value makes no sense.
        """
        known = [entry.name for entry in fields(self.parameters)]
        unknown = [name for name in values if name not in known]
        if unknown:
            expected = ", ".join(known)
            raise ParameterError("unknown parameter", where=self.name, expected=expected, got=unknown[0])
        return self.parameters(**values)


@dataclass(frozen=True)
class Identity:
    """Which published or pinned dataset something is.

    Attributes:
        dataset: Name of the dataset, as in manifests.
        seed: Of it.
        arrays: Names of the arrays that are equal.
        text: All of it as one sentence.
        facts: What else is known, for JSON.
    """

    dataset: str
    seed: int
    arrays: tuple[str, ...]
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return {"dataset": self.dataset, "seed": self.seed, "arrays": list(self.arrays), **self.facts}

    def sentence(self) -> str:
        """Return the identity as one line."""
        return self.text


@dataclass(frozen=True)
class Reference:
    """What a dataset of some parameters has to be, because it is published or pinned.

    Attributes:
        kind: ``published`` or ``pinned``.
        title: What it is, with its article.
        where: Where its digests are written down.
        arrays: Those digests.
        exact: Whether every machine makes it, so that anything else is an error.
        one_of: What it is one of, if there are several: ``the six published realizations``.
    """

    kind: str
    title: str
    where: str
    arrays: Digests
    exact: bool = True
    one_of: str = ""


@dataclass(frozen=True)
class Problem:
    """One breach of a family's layout: which array, what was expected, what was found."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True)
class Scale:
    """What the scale of an image is in a family; it is the first of the loader's latents.

    Attributes:
        unit: ``pixels``, of the object's box, or ``factor``, by which the image was rescaled.
        listed: Whether there are a few scales, each of which many images have; else every image has its own.
    """

    unit: str
    listed: bool


class DeclaredScales(NamedTuple):
    """The scales that a dataset says that its images have.

    Attributes:
        values: All of them in ascending order, or of a range the smallest and the largest.
        is_range: Whether those between are meant as well.
    """

    values: tuple[float, ...]
    is_range: bool


@dataclass(frozen=True)
class Training:
    """How articles train networks on a family; it has a name in :meth:`Family.trainings`.

    Attributes:
        train: Scales in pixels that are trained at, in the order in which images come; empty where that is
            not what tells ways of training apart.
        test: Scales in pixels that are tested at, likewise.
        size: Side of the images in pixels; None as they are stored.
    """

    train: Sequence[int] = ()
    test: Sequence[int] = ()
    size: int | None = None


class Family(ABC):
    """One benchmark, or several that have the same arrays.

    Attributes:
        name: In the register and on the command line.
        title: As people write it.
        summary: What it is, in one sentence.
        layout: The arrays, and how they are stored.
        images: Those of the arrays that hold images.
        image_axes: How many of their first axes count images; the others are those of an image.
        specific: Arrays by which a file is told to be of this family.
        scale: What the scale of an image is; None where there is none.
        asks: Names that ``stirdata verify --as`` can ask for: published or pinned datasets, or the family.
        recipes: What can be made.
        license: Of the images of a dataset that does not say it.
        citation: What to cite for a dataset that does not say it.
        folder_is_root: Whether a folder given as output is where the tree of outputs begins, named as
            published; else it is the output itself.
        folders: Where folders that are datasets lie below the root of outputs, as patterns.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    layout: ClassVar[StorageLayout]
    images: ClassVar[tuple[str, ...]]
    image_axes: ClassVar[int] = 1
    specific: ClassVar[tuple[str, ...]]
    scale: ClassVar[Scale | None]
    asks: ClassVar[tuple[str, ...]]
    recipes: ClassVar[tuple[Recipe, ...]]
    license: ClassVar[str]
    citation: ClassVar[tuple[str, ...]]
    folder_is_root: ClassVar[bool] = False
    folders: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return f"<family {self.name}: {', '.join(recipe.name for recipe in self.recipes)}>"

    def owns(self, dataset: str) -> bool:
        """Tell whether the name of a dataset in a manifest is one of this family."""
        of_recipes = any(recipe.name == dataset for recipe in self.recipes)
        return of_recipes or dataset == self.name or dataset.startswith(f"{self.name}-")

    def is_foreign(self, path: Path) -> bool:
        """Tell by names alone whether a path is a dataset in a layout that is not the family's own."""
        return False

    def open(self, path: Path) -> Stored:
        """Open the arrays of a dataset, under the names of the layout.

        Raises:
            MissingFileError: There is no such file.
            FormatError: It is damaged, or no form that is read.
        """
        from stirdata.storage.stored import open_stored

        return open_stored(path, self.layout.names, self.layout.tree if path.is_dir() else None)

    def published_files(self) -> PublishedFiles | None:
        """Return the files that are published as they are, if there are any."""
        return None

    def declared_scales(self, metadata: Mapping[str, Any]) -> DeclaredScales | None:
        """Return the scales that a dataset says that its images have; None if it does not say.

        Args:
            metadata: What the dataset says of itself.
        """
        return None

    def trainings(self) -> Mapping[str, Training]:
        """Return the ways in which articles train networks, by the names that they have there."""
        return {}

    def published_results(self, metadata: Mapping[str, Any]) -> Mapping[str, str] | None:
        """Return where the published results of networks on a dataset are; None if there are none.

        Args:
            metadata: What the dataset says of itself.

        Returns:
            What :func:`stirdata.evaluation.baselines` takes but for the scenario.
        """
        return None

    @abstractmethod
    def loader(self) -> type[ImageDataset]:
        """Return the class that loads datasets of the family."""

    @abstractmethod
    def specimen(self) -> Job:
        """Return the job of a small dataset that needs no raw material, for tests and for trying things."""

    @abstractmethod
    def output_name(self, recipe: Recipe, parameters: Any, form: str) -> Path:
        """Return where a dataset goes by default, below the folder of outputs.

        Args:
            recipe: Which dataset.
            parameters: Of it; None if it was only named, and cannot be made without being told more.
            form: In which it is stored.
        """

    @abstractmethod
    def problems(self, arrays: Mapping[str, NDArray[Any]], dataset: str, form: str) -> list[Problem]:
        """Return every breach of the layout.

        Args:
            arrays: By name; of arrays of images only type and shape are looked at.
            dataset: What it says it is, or is asked to be: one of :attr:`asks` or of the recipes' names.
            form: Of the files they are in.
        """

    @abstractmethod
    def identify(self, dataset: str, arrays: Digests, md5: str | None) -> Identity | None:
        """Return the published or pinned dataset that arrays are, however they got here.

        Args:
            dataset: What it says it is, or is asked to be.
            arrays: Digests of the arrays.
            md5: Of the PNG files of a tree.
        """

    @abstractmethod
    def reference(self, dataset: str, description: Description | None) -> Reference | None:
        """Return the published or pinned dataset that one of this name has to be; None if there is none.

        Args:
            dataset: Name of a dataset, or one of :attr:`asks`.
            description: Of the dataset; None to ask for whatever is the reference of that name.
        """

    def closest(self, dataset: str, arrays: Digests) -> Reference | None:
        """Return what arrays that are nothing published are to be compared with, when asked what they are."""
        return self.reference(dataset, None)

    def difference(
        self,
        dataset: str,
        description: Description | None,
        arrays: Digests,
        read: Callable[[], Mapping[str, Any]],
    ) -> tuple[str, ...]:
        """Say in what a dataset differs from its reference, where that is no error; nothing if it does not.

        Args:
            dataset: Its name.
            description: Of the dataset, if it is known.
            arrays: Digests of its arrays.
            read: Returns the arrays themselves.
        """
        return ()

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself beside its arrays."""
        return {}

    @abstractmethod
    def metadata(self, stored: Stored) -> dict[str, Any]:
        """Return what a dataset on disk says of itself; ``title`` is always there."""

    @abstractmethod
    def describe(self, stored: Stored) -> Description:
        """Describe a dataset that has no manifest, to write it in another format.

        Raises:
            MissingFileError: What the dataset says of itself is not enough.
        """
