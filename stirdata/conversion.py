"""Writing a dataset in another format, with the same content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stirdata import mnist_scale_conversion, stir_conversion
from stirdata.errors import ParameterError
from stirdata.outputs import Outcome
from stirdata.recognition import STIR, recognize


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
        source: A dataset; see :func:`stirdata.recognition.recognize`. A realization of MNIST-scale needs
            its manifest.
        target: A name ending in .h5 or .npz, or a folder. Its bytes are those that generating the
            dataset in this format would have given.
        force: Replace a target that exists and is something else.
        workers: Processes for reading and writing PNG files, or threads for compressing.
        advance: Called with the number of images read or written, now and then.

    Raises:
        MissingFileError: The source does not exist, or has no manifest though it needs one.
        ParameterError: Source and target are the same, or one of them lies in the other, or the name of
            the target asks for a format that is not written.
        FormatError: The source is damaged, differs from its manifest, or lacks something.
        ManifestError: The source's manifest is not valid.
        TargetExistsError: The target exists and is something else.
        TargetError: The target cannot be written.
    """
    found = recognize(source)
    _check_apart(found.path, target)
    convert_it = stir_conversion.convert if found.family == STIR else mnist_scale_conversion.convert
    return convert_it(found.path, target, force=force, workers=workers, advance=advance)


def _check_apart(source: Path, target: Path) -> None:
    """Raise unless writing the target leaves the source as it is, however both are written."""
    one, other = source.resolve(), target.resolve()
    if one == other or (target.exists() and source.samefile(target)):
        raise ParameterError("source and target are the same", where=source, hint="choose another output")
    if one in other.parents or other in one.parents:
        raise ParameterError(
            "one of source and target lies in the other",
            where=source,
            got=target,
            hint="choose an output outside of the source that does not hold it",
        )
