"""Writing a dataset in another format, with the same content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stirdata import mnist_scale_conversion, stir_conversion
from stirdata.errors import ParameterError
from stirdata.outputs import Outcome


def convert(
    source: Path,
    target: Path,
    *,
    force: bool = False,
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Outcome:
    """Write a realization of MNIST-scale, or a STIR set, in another format.

    Args:
        source: A .h5 or .npz file, or a folder (a PNG tree of MNIST-scale, npy files of a STIR set). A
            realization of MNIST-scale needs its manifest.
        target: A name ending in .h5 or .npz, or a folder. Its bytes are those that generating the
            dataset in this format would have given.
        force: Replace a target that exists and is something else.
        workers: Processes for reading and writing PNG files, or threads for compressing.
        advance: Called with the number of images read or written, now and then.

    Raises:
        MissingFileError: The source does not exist, or has no manifest though it needs one.
        FormatError: The source is damaged, differs from its manifest, or lacks something.
        ManifestError: The source's manifest is not valid.
        TargetExistsError: The target exists and is something else.
        TargetError: The target cannot be written.
    """
    if source.resolve() == target.resolve():
        raise ParameterError("source and target are the same", where=source)
    of_set = stir_conversion.is_set(source)
    convert_it = stir_conversion.convert if of_set else mnist_scale_conversion.convert
    return convert_it(source, target, force=force, workers=workers, advance=advance)
