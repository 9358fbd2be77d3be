"""Labels as rows with a single one, and back, for arrays and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from stirdata.errors import ParameterError

_NO_INTEGERS = "labels are integers"


def encode(labels: Any, classes: int) -> Any:
    """Return labels one-hot: int64 (…, classes), a tensor for a tensor, else an array.

    Raises:
        ParameterError: A label is not an integer from 0 to ``classes`` - 1.

    Example:
        >>> encode([2, 0], 3)
        array([[0, 0, 1],
               [1, 0, 0]])
    """
    if _is_tensor(labels):
        import torch

        rows = encode(labels.detach().cpu().numpy(), classes)
        return torch.from_numpy(rows).to(labels.device)
    values = np.asarray(labels)
    if values.dtype.kind not in "iu":
        raise _wrong_labels(_NO_INTEGERS, classes, f"type {values.dtype}")
    outside = values[(values < 0) | (values >= classes)]
    if outside.size:
        raise _wrong_labels("a label is out of range", classes, f"{outside.flat[0]} ({outside.size} outside)")
    return np.asarray(np.arange(classes) == values[..., None], np.int64)


def decode(encoded: Any, classes: int) -> Any:
    """Return where each row is largest, the first of equals: int64 (…), of a shape (…, classes).

    Raises:
        ParameterError: The last axis is not as long as there are classes.

    Example:
        >>> decode([[0, 0, 1], [1, 0, 0]], 3)
        array([2, 0])
    """
    if _is_tensor(encoded):
        import torch

        values = encoded.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values  # NumPy has no such type
        labels = decode(values.numpy(), classes)
        return torch.from_numpy(np.asarray(labels)).to(encoded.device)
    values = np.asarray(encoded)
    if values.ndim == 0 or values.shape[-1] != classes or values.dtype.kind not in "iufb":
        raise ParameterError(
            "these are no encoded labels",
            where="encoded",
            expected=f"numbers of shape (…, {classes})",
            got=f"shape {values.shape}, type {values.dtype}",
        )
    return np.asarray(values.argmax(axis=-1), np.int64)


def _is_tensor(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "torch"


def _wrong_labels(what: str, classes: int, got: str) -> ParameterError:
    return ParameterError(
        what,
        where="labels",
        expected=f"integers from 0 to {classes - 1}",
        got=got,
        hint="class_to_idx has the integer of each name" if what == _NO_INTEGERS else "",
    )
