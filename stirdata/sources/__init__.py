"""Raw material, read-only: each module knows one origin and no recipe."""

from importlib import import_module
from types import ModuleType

FETCHABLE = ("mnist", "fashion-mnist", "cifar10", "stl10", "fontawesome")
"""What can be downloaded into the cache; each module has ``remote_files()`` and ``folder_in(cache)``."""

MADE = ("synthetic",)
"""What is drawn into the cache; each module has ``path_in(cache)`` and ``check(path)``."""

LABELLED = ("mnist", "fashion-mnist", "cifar10", "stl10", "synthetic", "idx", "folder")
"""Labelled images that :func:`stirdata.sources.labelled.open_source` opens by these names."""

_MODULES = {"synthetic": "synthetic_cache", "fashion-mnist": "fashion_mnist"}


def source(name: str) -> ModuleType:
    """Return the module of what is in the cache under a name; it is imported only now.

    Args:
        name: Of :data:`FETCHABLE` or :data:`MADE`.

    Raises:
        ParameterError: There is none of this name.
    """
    if name not in FETCHABLE + MADE:
        from stirdata.errors import ParameterError

        raise ParameterError(
            "there is no such raw material", where="source", expected=", ".join(FETCHABLE + MADE), got=name
        )
    return import_module(f"{__name__}.{_MODULES.get(name, name)}")
