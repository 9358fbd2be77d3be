"""What families share whose arrays are those of their splits: ``train/images``, ``train/labels``, …."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from stirdata.errors import FormatError, MissingFileError
from stirdata.families.family import Family, Problem
from stirdata.manifest import manifest_path
from stirdata.sources.idx import CLASS_NAMES
from stirdata.storage.forms import Description

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stirdata.sources.labelled import LabelledImages
    from stirdata.storage.stored import Stored


class Kind(NamedTuple):
    """What one array of every split is: its type, and the shape of what belongs to one image.

    A length of None may be any, the same for all arrays of the kind; in colour three channels may follow.
    """

    dtype: str
    shape: tuple[int | None, ...] = ()
    colour: bool = False

    def __str__(self) -> str:
        lengths = ["N", *("…" if length is None else str(length) for length in self.shape)]
        return f"{self.dtype} ({', '.join(lengths)}{'' if self.shape else ','})"

    def fits(self, array: NDArray[Any]) -> bool:
        """Tell whether an array is of the kind."""
        shape = array.shape[1:]
        if self.colour and len(shape) > len(self.shape) and shape[-1] == 3:
            shape = shape[:-1]
        if array.dtype != self.dtype or not array.ndim or len(shape) != len(self.shape):
            return False
        return all(wanted in (None, found) for wanted, found in zip(self.shape, shape, strict=True))


class SplitFamily(Family):
    """A family with the same arrays in every split.

    Attributes:
        splits: Their names, in the order of the files.
        kinds: The arrays of every split by name; ``images`` and ``labels`` are among them.
        classes: Names of the classes, in the order of the labels; none if every file says its own.
        numbers: What text in a file's metadata is a number, and of which type.
    """

    splits: ClassVar[tuple[str, ...]]
    kinds: ClassVar[Mapping[str, Kind]]
    classes: ClassVar[tuple[str, ...]]
    numbers: ClassVar[Mapping[str, Callable[[str], Any]]] = {"seed": int}

    def problems(self, arrays: Mapping[str, NDArray[Any]], dataset: str, form: str) -> list[Problem]:
        """Return every breach of the layout; PNG trees may lack what only ``scales.csv`` says."""
        tree = self.layout.tree
        spared = set(tree.columns) if tree is not None and form == "png" else set()
        found = [
            Problem(name, "an array of this name", "none")
            for name in self.layout.names_beside(arrays)
            if name not in arrays and name.rpartition("/")[2] not in spared
        ]
        present = {name: arrays[name] for name in self.layout.names if name in arrays}
        found += [problem for name, array in present.items() for problem in self._malformed(name, array)]
        return found or self._different_lengths(present)

    def _malformed(self, name: str, array: NDArray[Any]) -> list[Problem]:
        kind = self.kinds[name.rpartition("/")[2]]
        if not kind.fits(array):
            return [Problem(name, str(kind), f"{array.dtype} {array.shape}")]
        if name.endswith("/labels") and len(array):
            least, most = array.min(), array.max()
            if least < 0 or (self.classes and most >= len(self.classes)):
                known = f"labels from 0 to {len(self.classes) - 1}" if self.classes else "labels from 0"
                return [Problem(name, known, f"{least} to {most}")]
        return []

    def _different_lengths(self, arrays: Mapping[str, NDArray[Any]]) -> list[Problem]:
        found = []
        for split in self.splits:
            lengths = {name: len(array) for name, array in arrays.items() if name.startswith(f"{split}/")}
            if len(set(lengths.values())) > 1:
                text = ", ".join(f"{length} {name}" for name, length in lengths.items())
                found.append(Problem(f"{split}/images", "as long as the others of its split", text))
        return found

    def attributes(self, description: Description) -> dict[str, Any]:
        """Return what a file says of itself: title, dataset, recipe, seed, parameters, source and terms."""
        named = description.sources[0].get("classes")
        return {
            "title": self.title,
            "dataset": description.dataset,
            "recipe": f"{description.recipe['name']}/{description.recipe['version']}",
            "seed": description.seed,
            **{name: _flat(value) for name, value in description.parameters.items()},
            "source": ", ".join(source["name"] for source in description.sources),
            "license": description.license,
            "citation": "\n".join(description.citation),
            **({"classes": "\n".join(named)} if named else {}),
        }

    def metadata(self, stored: Stored) -> dict[str, Any]:
        """Return what a file says of itself; a PNG tree says nothing but its title.

        Raises:
            FormatError: They are not rows of a name and a value, or a number is none.
        """
        found: dict[str, Any] = {"title": self.title}
        for name, value in stored.attributes().items():
            number = self.numbers.get(name)
            try:
                found[name] = number(value) if number is not None and isinstance(value, str) else value
            except ValueError as error:
                raise FormatError(
                    "the metadata are not rows of a name and a value", where=stored.path, got=error
                ) from error
        return found

    def describe(self, stored: Stored) -> Description:
        """Raise MissingFileError: what a file says of itself does not tell what it was made from."""
        raise MissingFileError(
            "the source has no manifest, so its seed and parameters are unknown",
            where=stored.path,
            expected=manifest_path(stored.path),
            hint=f"stirdata verify --as {self.asks[0]} says which it is; generate that in the wanted format",
        )


def description_of(
    dataset: str,
    source: LabelledImages,
    *,
    version: int,
    seed: int,
    parameters: Mapping[str, Any],
    citation: Sequence[str],
) -> Description:
    """Describe a dataset that is made of one source of labelled images by the recipe of its name."""
    about = source.about
    return Description(
        dataset=dataset,
        recipe={"name": dataset, "version": version},
        seed=seed,
        parameters=parameters,
        sources=[about],
        license=about["license"],
        citation=[text for text in (*citation, about["citation"]) if text != "none"],
    )


def named_classes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes as a file says them; the digits if it does not."""
    named = metadata.get("classes")
    return tuple(str(named).split("\n")) if named else CLASS_NAMES


def open_splits(family: SplitFamily, path: Path) -> Stored:
    """Open a dataset of a family.

    Raises:
        MissingFileError: There is no such file.
        FormatError: It is damaged, or of another family.
    """
    stored = family.open(path)
    problems = family.problems(_stand_ins(stored), family.name, "png")
    if problems:
        name, expected, found = problems[0].name, problems[0].expected, problems[0].found
        raise FormatError(
            f"the array {name} is not of {family.title}",
            where=path,
            expected=expected,
            got=found if name in stored.headers else ", ".join(stored.headers) or "none",
            hint="stirdata.load opens datasets of every family",
        )
    return stored


def read_checked(
    family: SplitFamily, stored: Stored, names: Sequence[str], where: object
) -> dict[str, NDArray[Any]]:
    """Read arrays of a dataset.

    Raises:
        FormatError: They are damaged, or break the family's layout.
    """
    from stirdata.families.making import refuse

    found = stored.read(names)
    refuse(family, family.problems({**_stand_ins(stored), **found}, family.name, "png"), where)
    return found


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


def _stand_ins(stored: Stored) -> dict[str, NDArray[Any]]:
    from stirdata.storage.stored import stand_in

    return {name: stand_in(one.shape, one.dtype) for name, one in stored.headers.items()}


def _flat(value: Any) -> Any:
    """Return a parameter as one value, a list or none as text."""
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
