"""Telling which dataset a path names, from names and headers alone, and opening it with its loader."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stirdata.arguments import checked_path
from stirdata.errors import FormatError, MissingFileError, ParameterError, StirdataError
from stirdata.families import families, recipe_named
from stirdata.families.making import ensure
from stirdata.manifest import FILE_SUFFIX, FOLDER_NAME, is_export, is_leftover, manifest_path
from stirdata.manifest import load as load_manifest
from stirdata.storage import image_tree
from stirdata.storage.stored import open_stored

if TYPE_CHECKING:
    from stirdata.families.family import Family
    from stirdata.loading.dataset import ImageDataset
    from stirdata.manifest import Manifest
    from stirdata.storage.stored import Stored

SUFFIXES = (".npz", ".h5")
_SHOWN = 8


@dataclass(frozen=True)
class Recognized:
    """A dataset on disk that was told by its names and headers.

    Attributes:
        family: The one that it belongs to.
        stored: Its arrays, none of which has been read.
    """

    family: Family
    stored: Stored

    @property
    def path(self) -> Path:
        """Of the dataset itself."""
        return self.stored.path

    @property
    def manifest(self) -> Manifest | None:
        """The manifest beside it; None if there is none."""
        try:
            return load_manifest(manifest_path(self.path))
        except MissingFileError:
            return None

    def facts(self) -> dict[str, Any]:
        """Return what tells it from others of its kind: dataset, seed, parameters."""
        manifest = self.manifest
        if manifest is None:
            return self.family.metadata(self.stored)
        return {"dataset": manifest.dataset, "seed": manifest.seed, **manifest.parameters}


def load(path_or_name: str | os.PathLike[str], *, download: bool = False, **selection: Any) -> ImageDataset:
    """Open a dataset of any family with the class that loads it.

    Args:
        path_or_name: A file, a folder that is a dataset or holds some, a manifest; or the name of a dataset,
            such as ``mnist-scale`` or ``stir-mnist``, that ``stirdata generate`` has put into the current
            folder.
        download: If there is no dataset of this name, fetch the published one into the cache, or where
            none is published make it in the current folder, as ``stirdata generate`` would.
        **selection: Which of several it is: ``dataset``, ``seed`` and parameters, as manifests have them.

    Raises:
        MissingFileError: There is no such dataset.
        ParameterError: There are several, and the selection does not tell which.
        FormatError: It is damaged, or no dataset that stirdata knows.

    Examples:
        ```python
        dataset = stirdata.load("data", seed=3)
        images, labels = dataset.to_torch("train", device="cuda")
        ```
    """
    path = checked_path("path_or_name", path_or_name)
    if not path.exists() and any(
        path.name == recipe.name for f in families().values() for recipe in f.recipes
    ):
        return _load_named(path.name, selection, download=download)
    found = recognize(path, **selection)
    return found.family.loader()(found.path)


def _load_named(name: str, selection: dict[str, Any], *, download: bool) -> ImageDataset:
    family, recipe = recipe_named(name)
    try:
        parameters = recipe.parameters_of(selection)
    except ParameterError:
        if selection:
            raise
        parameters = None  # it cannot be made by its name alone; where it would be, nobody can say better
    for form in family.layout.forms:
        path = family.output_name(recipe, parameters, form)
        if path.exists():
            return family.loader()(path)
    if not download:
        raise MissingFileError(
            "there is no dataset of this name in the current folder",
            where=family.output_name(recipe, parameters, family.layout.forms[0]),
            hint=f"stirdata generate {' '.join(recipe.command)} makes it",
        )
    published = family.published_files()
    if published is not None and not selection:
        path = published.path_of(name.removeprefix(f"{family.name}-"))
    else:
        path = ensure(family, recipe, recipe.parameters_of(selection), Path())
    return family.loader()(path)


def recognize(path: Path, **selection: Any) -> Recognized:
    """Tell which dataset a path names.

    Args:
        path: A .npz or .h5 file, a folder that is a dataset, a manifest, or a folder with one dataset
            somewhere below it.
        **selection: Facts that the dataset has; they tell which of several in a folder is meant.

    Raises:
        MissingFileError: There is no such file, or no dataset in the folder; names close to it are told.
        ParameterError: The folder holds several datasets, which are listed; or the dataset has other facts.
        FormatError: The file is damaged, or is no dataset that stirdata knows.
    """
    if not path.is_dir():
        named = outputs_below(path)[0]  # a manifest names what it is of
        return _checked(recognize(named) if named.is_dir() else _recognize_file(named), selection)
    found = _recognize_folder(path)
    return _checked(found, selection) if found is not None else _only_one(path, selection)


def _checked(found: Recognized, selection: dict[str, Any]) -> Recognized:
    facts = found.facts() if selection else {}
    for name, value in selection.items():
        if facts.get(name) != value:
            raise ParameterError(
                "the dataset is another one",
                where=found.path,
                expected=f"{name} {value}",
                got=f"{name} {facts[name]}" if name in facts else f"no {name}",
            )
    return found


def _recognize_file(path: Path) -> Recognized:
    stored = open_stored(path)
    found = _of_a_family(stored) or _foreign(path)
    if found is None:
        raise FormatError(
            "the file is no dataset that stirdata knows",
            where=path,
            expected="; ".join(
                f"the arrays {', '.join(family.specific)} … of {family.title}"
                for family in families().values()
            ),
            got=_brief(stored.headers) or "no arrays",
        )
    return found


def _foreign(path: Path) -> Recognized | None:
    """Return a dataset in a layout that is not its family's own."""
    family = next((family for family in families().values() if family.is_foreign(path)), None)
    return None if family is None else Recognized(family, family.open(path))


def _recognize_folder(path: Path) -> Recognized | None:
    form, family = _form_of_folder(path)
    if family is None:
        return None
    return _of_a_family(open_stored(path)) if form == "npy" else Recognized(family, family.open(path))


def _form_of_folder(path: Path) -> tuple[str, Family | None]:
    """Tell by the names in a folder whether it is a dataset, without opening anything."""
    for family in families().values():
        tree = family.layout.tree
        if tree is not None and image_tree.looks_like_tree(path, tree):
            return "png", family
    for family in families().values():
        names = [f"{name.replace('/', '_')}.npy" for name in family.specific]
        if "npy" in family.layout.forms and all((path / name).is_file() for name in names):
            return "npy", family
    for family in families().values():
        if family.is_foreign(path):
            return "foreign", family
    return "", None


def _of_a_family(stored: Stored) -> Recognized | None:
    """Return the dataset whose arrays these are: of the family that most of them belong to."""

    def present(family: Family, names: Iterable[str]) -> int:
        both = stored.headers.keys()
        return sum(name in both or (name.replace("/", "_") in both) for name in names)

    fitting = [
        family
        for family in families().values()
        if stored.form in family.layout.forms and present(family, family.specific) == len(family.specific)
    ]
    if not fitting:
        return None
    family = max(fitting, key=lambda family: present(family, family.layout.names))
    return Recognized(family, family.open(stored.path))


def outputs_below(path: Path) -> list[Path]:
    """Return the datasets that a path names: itself, or those in a folder.

    In a folder they are known by their manifests; trees of images and folders of npy files without one, by
    their layout.

    Raises:
        MissingFileError: There is no dataset in the folder.
    """
    if path.name == FOLDER_NAME:
        return [path.parent]
    if path.name.endswith(FILE_SUFFIX):
        return [path.with_name(path.name.removesuffix(FILE_SUFFIX))]
    if not path.is_dir() or is_dataset_folder(path):
        return [path]
    found = [file.parent for file in path.rglob(FOLDER_NAME)]
    found += [file.with_name(file.name.removesuffix(FILE_SUFFIX)) for file in path.rglob(f"*{FILE_SUFFIX}")]
    layouts = [pattern for family in families().values() for pattern in family.folders]
    found += [folder for pattern in layouts for folder in path.glob(pattern) if is_dataset_folder(folder)]
    visible = {output for output in found if not is_leftover(output.relative_to(path))}
    visible = {output for output in visible if not output.name.startswith(".")}
    if not visible:
        raise MissingFileError(
            "there is no dataset with a manifest in this folder",
            where=path,
            hint=f"name the dataset itself; with --as {' or --as '.join(families())} it needs no manifest",
        )
    return sorted(visible)


def is_dataset_folder(folder: Path) -> bool:
    """Tell whether a folder itself is a dataset, by its manifest or its layout."""
    return (folder / FOLDER_NAME).exists() or bool(_form_of_folder(folder)[0])


def _only_one(folder: Path, selection: dict[str, Any]) -> Recognized:
    """Return the only dataset below a folder that has the facts selected."""
    found = _datasets_below(folder)
    if not found:
        raise MissingFileError(
            "there is no dataset in this folder",
            where=folder,
            expected=".npz or .h5 files, a folder of .npy files, or a tree of PNG files",
            hint="stirdata generate makes one",
        )
    if selection or len(found) == 1:
        fitting = [one for one in map(recognize, sorted(found)) if _fits(one, selection)]
    else:
        fitting = []
    if len(fitting) == 1:
        return fitting[0]
    names = _brief(sorted(path.relative_to(folder).as_posix() for path in found))
    if selection and not fitting:
        asked = ", ".join(f"{name} {value}" for name, value in selection.items())
        raise MissingFileError(
            "there is no such dataset in this folder", where=folder, expected=asked, got=names
        )
    raise ParameterError(
        "there are several datasets in this folder", where=folder, expected="one of them", got=names
    )


def _fits(found: Recognized, selection: dict[str, Any]) -> bool:
    facts = found.facts() if selection else {}
    return all(facts.get(name) == value for name, value in selection.items())


def _datasets_below(folder: Path) -> set[Path]:
    try:
        found = {path for path in outputs_below(folder) if path.exists() and not is_export(path)}
    except MissingFileError:
        found = set()
    return found | {path for path in folder.iterdir() if path.suffix in SUFFIXES and _is_dataset(path)}


def _is_dataset(path: Path) -> bool:
    try:
        return _recognize_file(path) is not None
    except StirdataError:
        return False


def _brief(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SHOWN]) + (f", … ({len(listed)} in all)" if len(listed) > _SHOWN else "")
