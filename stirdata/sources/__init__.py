"""Raw material, read-only: each module knows one origin and no recipe."""

from importlib import import_module
from pathlib import Path
from typing import Any

FETCHABLE = ("mnist", "fashion-mnist", "cifar10", "stl10", "fontawesome")
"""What can be downloaded into the cache; each source has ``remote_files()`` and ``folder_in(cache)``."""

MADE = ("synthetic",)
"""What is drawn into the cache; each source has ``path_in(cache)`` and ``check(path)``."""

LABELLED = ("mnist", "fashion-mnist", "cifar10", "stl10", "synthetic", "idx", "folder")
"""Labelled images that :func:`stirdata.sources.labelled.open_source` opens; each has ``labelled(folder)``."""

_HOMES = {
    "synthetic": "synthetic_cache",
    "fashion-mnist": "mnist.FASHION_MNIST",
    "idx": "idx_folder",
    "folder": "class_folders",
}
"""Where a source is, if not in the module of its name: another one, or an object in it."""


def source(name: str) -> Any:
    """Return what is in the cache under a name, a module or an object; it is imported only now.

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
    return home_of(name)


def home_of(name: str) -> Any:
    """Return a source by its name: a module, or an object in one."""
    module, _, member = _HOMES.get(name, name).partition(".")
    found = import_module(f"{__name__}.{module}")
    return getattr(found, member) if member else found


def check_folder(name: str, source_dir: Path | None) -> None:
    """Raise ParameterError if a source of labelled images needs a folder and has none, or the other way."""
    from stirdata.errors import ParameterError

    if name in ("idx", "folder") and source_dir is None:
        raise ParameterError(
            f"the source {name} needs a folder", where="source_dir", hint="name it by --source-dir DIR"
        )
    if name == "synthetic" and source_dir is not None:
        raise ParameterError(
            "the synthetic source needs no folder",
            where="source_dir",
            got=source_dir,
            hint="leave out --source-dir, or use --source mnist",
        )
