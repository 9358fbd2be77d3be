"""The one schema of STIR files, which writer, verification and loader check."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from stirdata.errors import FormatError
from stirdata.families.family import Problem
from stirdata.families.stir.axes import KEYS, METADATA_ROWS, SETS, Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check(arrays: Mapping[str, NDArray[Any]], where: object = None, frame: Frame | None = None) -> Frame:
    """Return the frame of a STIR set's arrays, or raise on the first breach of the schema.

    Args:
        arrays: The six arrays by key.
        where: The file, for the message.
        frame: The axes the set must have; read from the arrays if None.

    Raises:
        FormatError: An array is missing, or breaks the schema.
    """
    _refuse(problems(arrays, frame), where)
    return frame or frame_of(arrays)


def check_layout(arrays: Mapping[str, NDArray[Any]], where: object = None) -> None:
    """Raise on the first breach of the schema by a name, type or shape; values are not looked at.

    Args:
        arrays: The six arrays by key, or others of their types and shapes.
        where: The file, for the message.

    Raises:
        FormatError: An array is missing, or has another type or shape.
    """
    _refuse(_absent(arrays) or _malformed(arrays), where)


def is_well_formed(arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Tell whether names, types and shapes are those of a STIR set; values are not looked at."""
    return not (_absent(arrays) or _malformed(arrays))


def _refuse(found: list[Problem], where: object) -> None:
    if found:
        raise FormatError(
            f"the array {found[0].name} is not that of a STIR set",
            where=where,
            expected=found[0].expected,
            got=found[0].found,
            hint="generate or fetch the file again",
        )


def problems(arrays: Mapping[str, NDArray[Any]], frame: Frame | None = None) -> list[Problem]:
    """Return every breach of the schema: shapes, types, ranges, boxes outside the canvas.

    Without a frame the axes are read from the arrays; boxes may then be longer than wide, as in
    ``aerial``, because the arrays do not tell whether they are.
    """
    found = _absent(arrays) or _malformed(arrays)
    if found:
        return found
    actual = frame_of(arrays)
    if frame is not None:
        found = _other_axes(actual, frame)
    return found or [*_values(arrays, frame or actual), *_boxes(arrays["psts"], frame or actual)]


def frame_of(arrays: Mapping[str, NDArray[Any]]) -> Frame:
    """Return the axes of well-formed arrays."""
    imgs = arrays["imgs"]
    return Frame(
        classes=tuple(str(name) for name in arrays["lbldata"]),
        instances=imgs.shape[3],
        channels=imgs.shape[6] if imgs.ndim == 7 else 1,
        scales=tuple(int(scale) for scale in arrays["scls"][0, :, 0, 0]),
        canvas=imgs.shape[4],
        square=False,
    )


def _absent(arrays: Mapping[str, NDArray[Any]]) -> list[Problem]:
    return [Problem(key, "an array of this name", "none") for key in KEYS if key not in arrays]


def _malformed(arrays: Mapping[str, NDArray[Any]]) -> list[Problem]:
    """Check types and shapes, which say what the axes are."""
    axes, image = arrays["imgs"].shape[:4], arrays["imgs"].shape[4:]
    found = []
    if len(image) not in (2, 3) or image[0] != image[1] or image[2:] not in ((), (3,)):
        found.append(
            Problem("imgs", "shape (sets, scales, n, m, side, side) or (…, 3)", str(arrays["imgs"].shape))
        )
    elif axes[0] != len(SETS) or 0 in axes:
        found.append(Problem("imgs", f"{len(SETS)} sets and no empty axis", str(arrays["imgs"].shape)))
    shapes = {"lbls": axes, "scls": axes, "psts": (*axes, 2), "metadata": (len(METADATA_ROWS), 2)}
    shapes["lbldata"] = axes[2:3]
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            found.append(Problem(key, f"shape {shape}", str(arrays[key].shape)))
    kinds = {
        "imgs": "uint8",
        "lbls": "int32",
        "scls": "int32",
        "psts": "int32",
        "metadata": "str",
        "lbldata": "str",
    }
    for key, kind in kinds.items():
        actual = "str" if arrays[key].dtype.kind == "U" else arrays[key].dtype.newbyteorder("=").name
        if actual != kind:
            found.append(Problem(key, f"type {kind}", f"type {actual}"))
    return found


def _other_axes(actual: Frame, wanted: Frame) -> list[Problem]:
    names = {"scls": "scales", "lbldata": "classes"}
    found = [
        Problem(key, f"{name} {_brief(getattr(wanted, name))}", _brief(getattr(actual, name)))
        for key, name in names.items()
        if getattr(actual, name) != getattr(wanted, name)
    ]
    if (actual.instances, actual.image_shape) != (wanted.instances, wanted.image_shape):
        found.append(
            Problem(
                "imgs",
                f"{wanted.instances} instances of {wanted.image_shape}",
                f"{actual.instances} instances of {actual.image_shape}",
            )
        )
    return found


def _brief(values: tuple[Any, ...]) -> str:
    text = ", ".join(str(value) for value in values)
    return text if len(text) <= 60 else f"{text[:40]} … ({len(values)} values)"


def _values(arrays: Mapping[str, NDArray[Any]], frame: Frame) -> list[Problem]:
    found = []
    if any(above <= below for above, below in zip(frame.scales, frame.scales[1:], strict=False)):
        found.append(Problem("scls", "scales in descending order, each once", _brief(frame.scales)))
    if not 1 <= min(frame.scales) <= max(frame.scales) <= frame.canvas:
        found.append(Problem("scls", f"scales from 1 to {frame.canvas}", _brief(frame.scales)))
    for key, values, axis in (("scls", frame.scales, 1), ("lbls", range(len(frame.classes)), 2)):
        line = np.array(values).reshape([-1 if number == axis else 1 for number in range(4)])
        wrong = arrays[key] != line
        if wrong.any():
            place = tuple(int(number) for number in np.argwhere(wrong)[0])
            found.append(
                Problem(key, f"the value of axis {axis} everywhere", f"{arrays[key][place]} at {place}")
            )
    rows = tuple(str(name) for name in arrays["metadata"][:, 0])
    if rows != METADATA_ROWS:
        found.append(Problem("metadata", f"rows {', '.join(METADATA_ROWS)}", ", ".join(rows)))
    return found


def _boxes(psts: NDArray[np.int32], frame: Frame) -> list[Problem]:
    """Check that every box lies inside the canvas.

    Where boxes are not square, ``scale`` is the longer side, so that only one of the two directions is
    bound by it, give or take the pixel that rounding both ends adds.
    """
    scales = np.array(frame.scales).reshape(-1, 1, 1)
    # Reducing an axis of length two is ten times slower.
    nearest, farthest = np.minimum(psts[..., 0], psts[..., 1]), np.maximum(psts[..., 0], psts[..., 1])
    if frame.square:
        outside = (farthest + scales) > frame.canvas
    else:
        outside = ((nearest + scales) > frame.canvas + 1) | (farthest >= frame.canvas)
    outside = outside | (nearest < 0)
    if not outside.any():
        return []
    place = tuple(int(number) for number in np.argwhere(outside)[0])
    box = f"left, top {tuple(psts[place].tolist())} at {place}, scale {frame.scales[place[1]]}"
    return [
        Problem(
            "psts",
            f"boxes inside the canvas of {frame.canvas} pixels",
            f"{int(outside.sum())} outside: {box}",
        )
    ]
