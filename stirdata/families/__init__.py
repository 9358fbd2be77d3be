"""The register of families: their names, and where each is; none is imported before it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stirdata.families.family import Family, Recipe

_FAMILIES = {
    "mnist-scale": "stirdata.families.mnist_scale",
    "stir": "stirdata.families.stir",
    "scaled": "stirdata.families.scaled",
    "large-scale": "stirdata.families.large_scale",
    "stl10": "stirdata.families.stl10",
}


@cache
def families() -> Mapping[str, Family]:
    """Return all families of datasets that there are, by name.

    Examples:
        >>> print(*families())
        mnist-scale stir scaled large-scale stl10
    """
    return {name: import_module(module).FAMILY for name, module in _FAMILIES.items()}


def recipes() -> Iterator[tuple[Family, Recipe]]:
    """Yield everything that can be made, with its family."""
    for family in families().values():
        for recipe in family.recipes:
            yield family, recipe


def recipe_named(name: str) -> tuple[Family, Recipe]:
    """Return what makes the dataset of a name, with its family.

    Args:
        name: Of the dataset, as in manifests: ``mnist-scale``, ``stir-emoji``.

    Raises:
        ParameterError: There is none of this name; names close to it are proposed.
    """
    known = {recipe.name: (family, recipe) for family, recipe in recipes()}
    if name in known:
        return known[name]
    from difflib import get_close_matches

    from stirdata.errors import ParameterError

    close = get_close_matches(str(name), known)
    hint = f"did you mean {' or '.join(close)}?" if close else ""
    raise ParameterError(
        "there is no dataset of this name", where="name", expected=", ".join(known), got=name, hint=hint
    )


def family_of(dataset: str) -> Family | None:
    """Return the family that a dataset belongs to by its name in a manifest, or as ``--as`` asks for it."""
    return next((family for family in families().values() if family.owns(dataset)), None)


def asks() -> tuple[str, ...]:
    """Return the names of all datasets that ``stirdata verify --as`` can ask for."""
    return tuple(name for family in families().values() for name in family.asks)


class _Register(ModuleType):
    """This package, which is also a function: ``stirdata.families()`` lists the families in it."""

    def __call__(self) -> Mapping[str, Family]:
        return families()


sys.modules[__name__].__class__ = _Register
